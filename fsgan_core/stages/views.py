"""Source views made ready for warping: levels of detail, visibility, canonical shape."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ..ops.face_model import FaceModel
from ..ops.head_mesh import Placement, place
from .delighting import delighted
from .safe_places import drawn_in, inner
from .segmentation import Segmenter
from .shown import Shown, shown, uncovered
from .visibility import inside, near_half, visibility

_NEAR = 0.2
"""How far skin may be borrowed from, in distances between the outer eye corners."""


@dataclass(frozen=True)
class View:
    """One picture of the source face.

    Attributes:
        levels: the picture ``(1, 3, h, w)``, then its halves, quarters... for sampling without aliasing.
        landmarks: ``(1, 478, 3)`` pixels of the picture.
        placement: the landmarks taken apart.
        visibility: ``(1, 478)`` in [0, 1], how well each point is seen.
        safe: ``(1, 478, 2)`` where to look instead when a point is turned away: the nearest skin that is not. Right at
            a silhouette a small error of the landmarks would show the background.
        trust: ``(1, 478)`` in [0, 1]: ``visibility``, or how near ``safe`` is on the face where that is more.
        shown: what is face around the face, if it was looked for.
        whites: ``(2, 4)`` of its eyes, if they were measured; see :mod:`~fsgan_core.stages.eye_light`.
    """

    levels: tuple[Tensor, ...]
    landmarks: Tensor
    placement: Placement
    visibility: Tensor
    safe: Tensor
    trust: Tensor
    shown: Shown | None = None
    whites: Tensor | None = None


def prepare(
    picture: NDArray[np.uint8],
    landmarks: Tensor,
    model: FaceModel,
    segmentation: Segmenter | None = None,
    delight: float = 0.0,
) -> View:
    """Make a view of a source picture.

    Args:
        picture: uint8 ``(h, w, 3)`` RGB.
        landmarks: ``(478, 3)`` pixels of the picture; their device is the view's.
        model: the face model (for its mesh and mean).
        segmentation: finds what covers the face, so that it is not taken for skin; without it nothing does.
        delight: how far hard light is taken off the face, in [0, 1].
    """
    image = torch.from_numpy(np.ascontiguousarray(picture)).to(landmarks.device).permute(2, 0, 1)[None].float() / 255
    batch = landmarks[None]
    face = place(model.mean, batch)
    facing = visibility(batch, model) * near_half(face, model) * inside(batch, picture.shape)
    seen, around = facing, None
    if segmentation is not None:
        image, around = shown(image, batch, segmentation, model)
        seen = facing * uncovered(around, batch)
    levels = [delighted(image, batch, seen, model, delight)]
    while min(levels[-1].shape[-2:]) >= 64:
        levels.append(functional.avg_pool2d(levels[-1], 2))
    well = inner(seen, model.triangles)
    # What was taken off has skin behind it: a covered forehead drawn to what is seen would show the brows again.
    safe = drawn_in(batch[..., :2], inner(facing, model.triangles), model.triangles)
    reach = (torch.cdist(face.shape, face.shape) + 10 * (well < 0.5)[:, None]).amin(2)
    near = torch.exp(-((reach / _NEAR) ** 2))
    return View(tuple(levels), batch, face, seen, safe, torch.maximum(seen, 0.6 * near), around)


def detail(view: View, ratio: float) -> tuple[Tensor, float]:
    """The level of a view for sampling ``ratio`` of its pixels per pixel, and its scale."""
    level = min(max(0, round(math.log2(max(1.0, ratio)))), len(view.levels) - 1)
    return view.levels[level], 0.5**level

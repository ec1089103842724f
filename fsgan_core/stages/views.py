"""Source views made ready for warping: levels of detail, visibility, canonical shape."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ..ops.face_model import FaceModel
from ..ops.flow import identity, sample
from ..ops.geometry import euler_angles
from ..ops.head_mesh import Placement, place
from ..ops.masks import smoothstep
from ..ops.mesh import rasterize, vertex_facing
from ..ops.thin import behind, bridged
from .appearance_map import AppearanceMap
from .cropping import Box, square_box
from .delighting import delighted
from .eyewear import Eyewear
from .lens_light import dulled
from .open_segmentation import OpenSegmenter
from .segmentation import Segmenter
from .strands import strands

_DEPTH_SIZE = 160
"""Side in pixels of the depth picture that finds points hidden behind others, such as a cheek behind the nose."""

_SHOWN, _SHARES, _COVER = 1.6, 256, 64
"""Side of the crop in which occluders are looked for over the face's longer side, and of two maps of them in cells:
one that is kept, and a coarse one for the landmarks."""

_ASIDE, _MIDLINE = (38.0, 55.0), 0.15
"""Degrees of yaw between which the far half of a face becomes a guess, and width of the strip along its middle in which
that half begins, in distances between the outer eye corners."""

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
        safe: ``(1, 478, 2)`` where to look instead when a point is hardly seen: the nearest well seen skin. Right at a
            silhouette a small error of the landmarks would show the background.
        trust: ``(1, 478)`` in [0, 1]: ``visibility``, or how near ``safe`` is on the face where that is more.
        shown: what is face around the face, if it was looked for.
    """

    levels: tuple[Tensor, ...]
    landmarks: Tensor
    placement: Placement
    visibility: Tensor
    safe: Tensor
    trust: Tensor
    shown: Shown | None = None


@dataclass(frozen=True)
class Shown:
    """Which pixels of a square of a picture are face, not hair or anything else in front of it.

    Attributes:
        share: ``(1, 1, C, C)`` in [0, 1].
        box: left, top, right, bottom of the square in pixels of the picture.
    """

    share: Tensor
    box: Box

    def at(self, places: Tensor) -> Tensor:
        """The share at places ``(1, 2, H, W)`` in pixels of the picture: ``(1, 1, H, W)``."""
        left, top, right, _ = self.box
        corner = places.new_tensor((left, top))[:, None, None]
        return sample(self.share, (places - corner) * (self.share.shape[-1] / (right - left)))


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
    seen = visibility(batch, model) * _near_half(face, model) * _inside(batch, picture.shape)
    shown = None
    if segmentation is not None:
        image, shown = _shown(image, batch, segmentation, model)
        seen = seen * _uncovered(shown, batch)
    levels = [delighted(image, batch, seen, model, delight)]
    while min(levels[-1].shape[-2:]) >= 64:
        levels.append(functional.avg_pool2d(levels[-1], 2))
    inner = _inner(seen, model.triangles)
    safe = _drawn_in(batch[..., :2], inner, model.triangles)
    reach = (torch.cdist(face.shape, face.shape) + 10 * (inner < 0.5)[:, None]).amin(2)
    near = torch.exp(-((reach / _NEAR) ** 2))
    return View(tuple(levels), batch, face, seen, safe, torch.maximum(seen, 0.6 * near), shown)


def detail(view: View, ratio: float) -> tuple[Tensor, float]:
    """The level of a view for sampling ``ratio`` of its pixels per pixel, and its scale."""
    level = min(max(0, round(math.log2(max(1.0, ratio)))), len(view.levels) - 1)
    return view.levels[level], 0.5**level


def _shown(image: Tensor, landmarks: Tensor, segmentation: Segmenter, model: FaceModel) -> tuple[Tensor, Shown]:
    """What of a picture ``(1, 3, h, w)`` is the face with these landmarks ``(1, 478, 3)``.

    Rims of glasses, single hairs and other thin things count as face and are taken off the picture, which is returned
    too: else they were swapped along. Glasses that would take brows or eyes with them are.
    """
    box = square_box(landmarks[0].cpu().numpy(), _SHOWN)
    points = landmarks - landmarks.new_tensor((box[0], box[1], 0))
    flow = identity(box[3] - box[1], box[2] - box[0], image) + image.new_tensor(box[:2])[:, None, None]
    part = sample(image, flow)
    share = segmentation(part, points)
    whole = bridged(share)
    cleared = behind(part, whole - share)
    hairs = strands(part, share, points, model)
    if cleared is not part and isinstance(segmentation, OpenSegmenter):
        lenses, eyewear = segmentation.lenses(part, points), Eyewear.of(model, points)
        size = (part.shape[-2], part.shape[-1])
        if eyewear.stays(part, cleared, whole, lenses):
            worn = eyewear.around(size)
            cleared, whole, hairs = part, torch.maximum(whole, worn), hairs * (1 - worn)
        else:  # with rims goes the light that lenses throw onto the skin
            cleared = torch.lerp(dulled(cleared, share, lenses), part, eyewear.openings(size))
    cleared = behind(cleared, hairs, 0)
    if cleared is not part:
        image = _put(image, cleared, box)
    return image, Shown(functional.adaptive_avg_pool2d(whole, min(_SHARES, whole.shape[-1])), box)


def _put(image: Tensor, part: Tensor, box: Box) -> Tensor:
    """The picture with a part of it, which may reach beyond it, exchanged."""
    (left, top, right, bottom), (height, width) = box, image.shape[-2:]
    rows, columns = slice(max(0, top), min(height, bottom)), slice(max(0, left), min(width, right))
    result = image.clone()
    result[..., rows, columns] = part[
        ..., rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
    ]
    return result


def _uncovered(shown: Shown, landmarks: Tensor) -> Tensor:
    """How much of the face there is around each landmark, ``(1, 478)`` in [0, 1].

    The most within a few hundredths of the face: at the outline half is always beyond.
    """
    near = functional.max_pool2d(functional.adaptive_avg_pool2d(shown.share, _COVER), 3, 1, 1)
    return replace(shown, share=near).at(landmarks[..., :2].mT[..., None])[:, 0, :, 0]


def _inside(landmarks: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Whether landmarks ``(B, P, 3)`` lie in a picture of a shape, ``(B, P)`` 0 or 1."""
    size = landmarks.new_tensor((shape[1], shape[0]))
    return ((landmarks[..., :2] >= 0) & (landmarks[..., :2] <= size)).all(-1).to(landmarks.dtype)


def visibility(landmarks: Tensor, model: FaceModel) -> Tensor:
    """How well each landmark is seen by the camera, ``(B, 478)`` in [0, 1].

    A point counts as seen when its surface faces the camera (fully up to 60 degrees of slant, not at all beyond 81,
    where a small error of the landmarks already shows the background) and nothing of the face lies in front of it.
    """
    seen = facing_camera(landmarks, model)[..., 0]
    low, high = landmarks[..., :2].amin(1, keepdim=True), landmarks[..., :2].amax(1, keepdim=True)
    scale = (_DEPTH_SIZE - 4) / (high - low).amax(-1, keepdim=True).clamp_min(1e-6)
    scaled = torch.cat((landmarks[..., :2] - low, landmarks[..., 2:]), -1) * scale
    scaled = scaled + scaled.new_tensor((2.0, 2.0, 0.0))
    number, weights = rasterize(scaled, model.triangles, _DEPTH_SIZE, _DEPTH_SIZE)
    batch = torch.arange(len(landmarks), device=landmarks.device)[:, None, None, None]
    depth = (scaled[batch, model.triangles[number.clamp_min(0)], 2] * weights).sum(-1)
    depth = torch.where(number >= 0, depth, torch.inf)
    # The neighbourhood's farthest depth: a point on a silhouette is not hidden by the surface it belongs to.
    depth = functional.max_pool2d(depth[:, None], 3, 1, 1)[:, 0]
    column, row = scaled[..., 0].long(), scaled[..., 1].long()
    hidden = scaled[..., 2] > depth[batch[..., 0, 0], row, column] + 0.06 * _DEPTH_SIZE
    return torch.where(hidden, 0.0, seen)


def _near_half(face: Placement, model: FaceModel) -> Tensor:
    """Which points of a face ``(B, 478)`` in [0, 1] are not of the far half of one that is seen nearly from the side.

    Where the nose hides that half, landmarks of it are guesses, and lie on the other half or on the background.
    """
    yaw = euler_angles(face.rotation)[:, :1]
    away = smoothstep(0.5 + model.mean[None, :, 0] * yaw.sign() / _MIDLINE)
    return 1 - away * smoothstep((yaw.abs() - _ASIDE[0]) / (_ASIDE[1] - _ASIDE[0]))


def facing_camera(landmarks: Tensor, model: FaceModel) -> Tensor:
    """How far each landmark's surface faces the camera, ``(B, 478, 1)``: 1 up to 60 degrees of slant, 0 from 81 on."""
    return ((vertex_facing(landmarks, model.triangles) - 0.15) / 0.35).clamp(0, 1)[..., None]


def _adjacent(count: int, triangles: Tensor) -> Tensor:
    """``(P, P)``, 1 where two vertices share an edge."""
    edges = torch.cat((triangles[:, :2], triangles[:, 1:], triangles[:, ::2]))
    near = torch.zeros(count, count, device=triangles.device)
    near[edges[:, 0], edges[:, 1]] = 1
    return torch.maximum(near, near.T)


def _inner(seen: Tensor, triangles: Tensor) -> Tensor:
    """Visibility ``(1, P)`` of the least visible neighbour: low along a silhouette, on both of its sides."""
    near = _adjacent(seen.shape[1], triangles)
    return torch.minimum(seen, torch.where(near > 0, seen, 1.0).amin(1))


def _drawn_in(places: Tensor, seen: Tensor, triangles: Tensor, rounds: int = 40) -> Tensor:
    """Places ``(1, P, 2)`` with the hardly seen ones drawn to their well seen neighbours along the mesh."""
    near = _adjacent(places.shape[1], triangles)
    share = near * (seen[0] ** 2 + 1e-3)
    share = share / share.sum(1, keepdim=True).clamp_min(1e-6)
    held = torch.where(near.sum(1) > 0, seen[0], 1.0)[:, None]
    result = places[0]
    for _ in range(rounds):
        result = torch.lerp(share @ result, places[0], held)
    return result[None]


class Source:
    """The views of an appearance map, made ready when a pose first asks for them; only the latest few are kept.

    Several threads may select at the same time; a view is made by one of them.

    Args:
        appearance: the pictures.
        model: the face model.
        device: where the views are kept.
        segmentation: see :func:`prepare`; one that knows no occluders is not asked.
        delight: see :func:`prepare`.
        keep: so many views.
    """

    def __init__(
        self,
        appearance: AppearanceMap,
        model: FaceModel,
        device: torch.device,
        segmentation: Segmenter | None = None,
        delight: float = 0.0,
        keep: int = 6,
    ) -> None:
        self.appearance = appearance
        self._delight = delight
        self._segmentation = segmentation if segmentation is not None and segmentation.occluders else None
        self._lock = Lock()
        self._prepare = lru_cache(maxsize=keep)(lambda number: self._view(number, model, device))

    def _view(self, number: int, model: FaceModel, device: torch.device) -> View:
        landmarks = torch.from_numpy(self.appearance.landmarks[number]).to(device)
        return prepare(self.appearance.views[number], landmarks, model, self._segmentation, self._delight)

    def select(self, pose: NDArray[np.float32], closest: bool = False) -> tuple[list[View], list[float]]:
        """Views for a pose ``(3,)`` in degrees and their weights, all positive, summing to 1.

        Args:
            pose: yaw, pitch, roll of the target.
            closest: take the view of the nearest pose alone instead of interpolating.
        """
        with self._lock:
            numbers, weights = self.appearance.query(pose, closest)
            used = [(int(n), float(w)) for n, w in zip(numbers, weights, strict=True) if w > 0]
            return [self._prepare(number) for number, _ in used], [weight for _, weight in used]

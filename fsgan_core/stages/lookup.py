"""Where a view is looked up for each vertex of the face wanted, how far to trust that, and the looking."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from ..ops.boxes import surrounding
from ..ops.face_model import FaceModel
from ..ops.flow import sample
from ..ops.masks import ramp
from ..ops.mesh import unevenness, vertex_facing
from ..ops.pooling import length
from .views import View
from .visibility import facing_camera

_OWN = 0.8
"""How far the mirrored half of a face counts as seen in its own picture."""
_ASTRAY = (0.02, 0.06)
"""Distances on the mean face, in those between the outer eye corners, from which on a composed flow is less and not at
all believed."""
HARDLY = 0.05
"""Levels of detail that nobody misses."""
_SOFTER, _OWN_SOFTER = (0.5, 1.6, 3.0), (0.3, 2.6, 4.5)
"""Unevenness up to which pixels are drawn as they are, and beyond which each doubling takes so many more levels of
detail away, and how many at most: the far cheek of a face that a swap turns from 30 degrees to the front loses 1.5, and
showed scratches with 1.0. In a face's own picture no blending hides that a brow goes on as a line."""
_TURNING = (0.05, 0.15)
"""Growths of the cosine to the camera up to which a place does not count as turned into sight, and from which on it
does: at most 0.002 levels are lost on the near cheek of that face."""
_TURNED = 6.0
"""How fast an outline in a face's own picture loses trust as it turns into sight, by the cosine to the camera."""


def lookup(view: View, before: Tensor, after: Tensor, model: FaceModel, own: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Where each vertex is looked up in a view ``(1, 478, 2)``, and trust ``(1, 478, 1)`` in that and in its twin.

    Args:
        view: a view of the source.
        before: ``(1, 478, 3)`` the view's face in pixels of the field.
        after: the face wanted, in the same.
        model: the face model.
        own: whether the face is drawn into its own picture.
    """
    seen = view.visibility[..., None]
    # What comes into sight is looked up on the skin beside it; what does not move keeps its own pixels.
    revealed = (2 * (facing_camera(after, model) - seen)).clamp(0, 1)
    trust, other = view.trust[..., None], seen
    if own:
        # In its own picture a face keeps what lies along its outline, background too, unless more comes into sight;
        # and skin stretched from beside a place fits its light better than the other half's.
        turned = vertex_facing(after, model.triangles) - vertex_facing(before, model.triangles)
        turned = (_TURNED * turned[..., None]).clamp(0, 1)
        revealed = torch.minimum(revealed, turned)
        trust, other = torch.maximum(trust, 1 - turned), _OWN * seen
    return torch.lerp(view.landmarks[..., :2], view.safe, revealed), trust, other


def stretched(view: View, places: Tensor, vertices: Tensor, model: FaceModel, inside: bool) -> Tensor:
    """Levels of detail ``(1, 478, 1)`` that a view lacks at vertices ``(1, 478, 3)`` that turn into sight.

    They are those by which its ``places (1, 478, 2)`` are stretched more one way than the other. ``inside``
    says whether the face is drawn into its own picture.
    """
    even, growth, coarsest = _OWN_SOFTER if inside else _SOFTER
    own, wanted = (vertex_facing(one, model.triangles).clamp_min(0) for one in (view.landmarks, vertices))
    turned = ((wanted - own - _TURNING[0]) / (_TURNING[1] - _TURNING[0])).clamp(0, 1)
    uneven = unevenness(places, vertices, model.triangles) - even
    return (turned * (growth * uneven).clamp(0, coarsest))[..., None]


def followed(composed: Tensor, direct: Tensor) -> Tensor:
    """Values composed along a path, or drawn directly where a face on the way hides the place and shows another.

    The last three channels say which place of the mean face it is.
    """
    astray = length(composed[:, -3:] - direct[:, -3:])
    return torch.lerp(composed, direct, ramp(astray, _ASTRAY))


def looked_up(picture: Tensor, flow: Tensor, blur: Tensor | None, mode: str = "bilinear") -> Tensor:
    """A picture ``(1, 3, h, w)`` sampled with a flow.

    Args:
        picture: what is looked up.
        flow: ``(1, 2, H, W)`` where, in its pixels.
        blur: ``(1, 1, H, W)`` levels of detail to leave out; None for none.
        mode: of sampling, as :func:`~fsgan_core.ops.flow.sample` takes it.

    Returns:
        ``(1, 3, H, W)``.
    """
    image = sample(picture, flow, mode)
    if blur is None or not bool((blur > HARDLY).any()):
        return image
    box = surrounding(blur > HARDLY)
    flow, blur = flow[box], blur[box]
    levels = min(math.ceil(float(blur.max()) - HARDLY), int(math.log2(min(picture.shape[-2:]))))
    for level in range(1, levels + 1):
        picture, flow = functional.avg_pool2d(picture, 2), flow / 2
        image[box] = torch.lerp(image[box], sample(picture, flow, mode), (blur - level + 1).clamp(0, 1))
    return image

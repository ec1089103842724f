"""The side of a turned head, where the source saw it edge-on or not at all.

A cheek that a frontal picture shows in a few pixels would be stretched over half of a profile. A swap leaves such a
place to the target, whose skin fits its hair, ear and light.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..ops.face_model import FaceModel
from ..ops.geometry import angle
from ..ops.head_mesh import Placement
from ..ops.masks import smoothstep
from ..ops.mesh import facing, interpolate, rasterize, vertex_facing
from .views import View

_FRONT, _BACK = 0.08, 0.38
"""Depths on the mean face (distances between the outer eye corners) before which a place is front, that is wanted
whatever it looks like, and behind which it is side."""
_THICK, _THIN = 0.6, 0.3
"""Pixels of the source, across the slant, for a pixel of the result: enough; too few."""
_TURN = (20.0, 45.0)
"""Degrees between the two poses up to which nothing is left to the target, and from which on all that is too thin."""
_TWIN = 0.8
"""What the mirrored half of a face is worth relative to the place itself."""


def kept_side(views: Sequence[View], target: Placement, landmarks: Tensor, field: int, model: FaceModel) -> Tensor:
    """How much of a turned face is drawn and not left to the target.

    Args:
        views: views of the source.
        target: the face wanted.
        landmarks: ``(1, 478, 3)`` the same in pixels of the field.
        field: side F of the field in pixels.
        model: the face model.

    Returns:
        ``(1, 1, F, F)`` in [0, 1]; 1 on the front of the face, where a view shows enough, and beside the face.
    """
    turns = [_ramp(angle(view.placement.rotation, target.rotation), _TURN) for view in views]
    whole = landmarks.new_ones(1, 1, field, field)
    if min(turn.item() for turn in turns) == 0:
        return whole
    wanted = vertex_facing(landmarks, model.triangles).clamp_min(0.2)
    lost = _ramp(model.mean[None, :, 2], (_FRONT, _BACK))
    least = torch.ones_like(lost)
    for view, turn in zip(views, turns, strict=True):
        own = vertex_facing(view.landmarks, model.triangles).clamp_min(0)
        shown = torch.maximum(own, _TWIN * own[:, model.mirror]) / wanted
        least = torch.minimum(least, turn * (1 - _ramp(shown, (_THIN, _THICK))))
    number, corners = rasterize(landmarks, model.triangles, field, field, facing(landmarks, model.triangles) > 0)
    return whole - interpolate((lost * least)[..., None], model.triangles, number, corners)


def _ramp(values: Tensor, ends: tuple[float, float]) -> Tensor:
    return smoothstep((values - ends[0]) / (ends[1] - ends[0]))

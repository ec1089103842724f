"""What a source saw edge-on, distorted or not at all: the side of a turned head, a nose from below, a shut mouth.

A cheek that a frontal picture shows in a few pixels would be stretched over half of a profile, and nostrils over the
bridge of a nose; the chin under a scream is pressed together, and a tongue may lie over it. A swap leaves such places
to the target, whose skin fits its hair, ear and light, and whose form a nose or mouth has in any case.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..ops.face_model import FaceModel
from ..ops.geometry import angle, euler_angles
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
_TILT = (18.0, 24.0)
"""Degrees of pitch between two faces up to which a nose is drawn from the source, and from which on it is not at all:
what is seen of it from below is not seen from the front. Few, so that few noses are half and half."""
_TIPPED = (12.0, 20.0)
"""The same of the steeper of the two: between two faces that both look nearly straight a nose can be drawn."""
_GAPES = (0.15, 0.3)
"""The same for a mouth then: by how much more it is open in one of them, in distances between the outer eye corners."""
_STEEP = (33.0, 39.0)
"""Degrees that the source looks up or down from which on a mouth is left to the target then whether it is open or not:
of a scream from below landmarks find the lips nearly shut."""
_BROWS = (0.1, 0.18)
"""Heights above the eyes from which on brows and forehead are left to the target then, and wholly are."""
_SHOUTS = (0.18, 0.27)
"""The same at any pose, where it is the source's that is more open: its skin is stretched, its tongue may lie over its
chin."""
_NOSE, _CHIN = (0.22, 0.25, 0.26), (0.9, 0.42, 0.3)
"""Ovals on the middle of the mean face: y, half their width and height."""
_TWIN = 0.8
"""What the mirrored half of a face is worth relative to the place itself."""


def kept_side(
    views: Sequence[View],
    weights: Sequence[float],
    target: Placement,
    landmarks: Tensor,
    field: int,
    model: FaceModel,
) -> Tensor:
    """How much of a face is drawn and not left to the target.

    Args:
        views: views of the source.
        weights: one a view, sum 1.
        target: the face wanted.
        landmarks: ``(1, 478, 3)`` the same in pixels of the field.
        field: side F of the field in pixels.
        model: the face model.

    Returns:
        ``(1, 1, F, F)`` in [0, 1]; 1 where a view shows enough, and beside the face.
    """
    turns = [_ramp(angle(view.placement.rotation, target.rotation), _TURN) for view in views]
    opened = torch.cat([_ramp(_opened(view.placement) - _opened(target), _SHOUTS) for view in views])
    shout = opened.new_tensor(weights) @ opened
    whole = landmarks.new_ones(1, 1, field, field)
    if shout.item() == 0 and min(turn.item() for turn in turns) == 0:
        return whole
    wanted = vertex_facing(landmarks, model.triangles).clamp_min(0.2)
    side = _ramp(model.mean[None, :, 2], (_FRONT, _BACK))
    least = torch.ones_like(side)
    for view, turn in zip(views, turns, strict=True):
        own = vertex_facing(view.landmarks, model.triangles).clamp_min(0)
        shown = torch.maximum(own, _TWIN * own[:, model.mirror]) / wanted
        lost = side * turn * (1 - _ramp(shown, (_THIN, _THICK)))
        least = torch.minimum(least, torch.maximum(lost, _tilted(view.placement, target, model)))
    least = torch.maximum(least, shout * _within(_CHIN, model))
    number, corners = rasterize(landmarks, model.triangles, field, field, facing(landmarks, model.triangles) > 0)
    return whole - interpolate(least[..., None], model.triangles, number, corners)


def _tilted(source: Placement, target: Placement, model: FaceModel) -> Tensor:
    """How far each landmark is of a nose, mouth or brow that is seen from below or above in one of two faces alone."""
    pitch, wanted = (euler_angles(face.rotation)[:, 1:2] for face in (source, target))
    tilted = _ramp((wanted - pitch).abs(), _TILT) * _ramp(torch.maximum(pitch.abs(), wanted.abs()), _TIPPED)
    gaping = _ramp((_opened(source) - _opened(target)).abs(), _GAPES)
    steep = _ramp(pitch.abs(), _STEEP)
    mouth = torch.maximum(gaping, steep) * _within(_CHIN, model)
    brows = steep * _ramp(-model.mean[None, :, 1], _BROWS)
    return tilted * torch.maximum(_within(_NOSE, model), torch.maximum(mouth, brows))


def _opened(face: Placement) -> Tensor:
    """How far apart lips are ``(1, 1)``, in distances between the outer eye corners."""
    return (face.shape[:, 14] - face.shape[:, 13]).norm(dim=1, keepdim=True)


def _within(oval: tuple[float, float, float], model: FaceModel) -> Tensor:
    """How far landmarks of the mean face lie in an oval on its middle, ``(1, P)``: 1 inside, 0 a third further out."""
    y, width, height = oval
    away = torch.hypot(model.mean[None, :, 0] / width, (model.mean[None, :, 1] - y) / height)
    return 1 - _ramp(away, (1.0, 1.35))


def _ramp(values: Tensor, ends: tuple[float, float]) -> Tensor:
    return smoothstep((values - ends[0]) / (ends[1] - ends[0]))

"""What a source saw edge-on, distorted or not at all: the side of a turned head, a nose from below, a shut mouth.

A cheek that a frontal picture shows in a few pixels would be stretched over half of a profile, and nostrils over the
bridge of a nose; the chin under a scream is pressed together, and a tongue may lie over it; an eye seen from elsewhere
or between lids that were shut is no natural eye. A swap leaves such places to the target, whose skin fits its hair, ear
and light, and whose form a nose or mouth has in any case. What one face does not show, the other gives, and eyes are
kept whole. A target's lids that close are no reason: whoever blinks would be another for a moment.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..ops.face_model import FaceModel
from ..ops.geometry import angle, euler_angles
from ..ops.head_mesh import Placement
from ..ops.masks import ramp
from ..ops.mesh import facing, interpolate, rasterize, vertex_facing
from .openings import LEFT, RIGHT, RINGS, openness
from .views import View

_FRONT, _BACK = 0.08, 0.38
"""Depths on the mean face (distances between the outer eye corners) before which a place is front, that is wanted
whatever it looks like, and behind which it is side."""
_THICK, _THIN = 0.6, 0.3
"""Pixels of the source, across the slant, for a pixel of the result: enough; too few."""
_PROFILE, _WELL = (45.0, 65.0), 1.8
"""Degrees by which the target is turned further aside from which on nothing is front any more, and is not at all: of a
cheek in profile the front shows its folds, as smudges; and how many times as much is enough then."""
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
"""Degrees that one of them looks up or down from which on a mouth is left to the target then whether it is open or
not: of a scream from below landmarks find the lips nearly shut; and of such a source all that is pressed together
between brows and chin."""
_BROWS = (0.1, 0.18)
"""Heights above the eyes from which on brows and forehead are left to the target then, and wholly are."""
_SHOUTS = (0.24, 0.33)
"""The same at any pose, where it is the source's that is more open, as in no laugh: its skin is stretched, its tongue
may lie over its chin."""
_ASIDE, _HALF, _LOOKS = (45.0, 60.0), (35.0, 50.0), (28.0, 38.0)
"""Degrees of yaw between two faces up to which eyes are drawn from the source, and from which on they are not at all;
then of how far the more turned one looks aside, and the source where they are ``_TILT`` apart; and where they are so
in pitch, of how far the steeper one looks up or down."""
_SHUT = (0.005, 0.003)
"""Areas of a source's more open eye, in squared eye distances, down to which it shows eyes, and from which on none: of
325 pictures 9 are below, none between; squints begin at 0.006."""
_NOSE, _CHIN, _MIDDLE = (0.22, 0.25, 0.26), (0.9, 0.42, 0.3), (0.5, 0.5, 0.6)
"""Ovals on the middle of the mean face: y, half their width and height."""
_EYE = (0.23, 0.105)
"""Half the width and height of ovals around the eyes, lids and their folds included."""
_FADING = (1.0, 1.35)
"""Where ovals end: fading, in their own sizes."""
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
        ``(1, 2, F, F)`` in [0, 1]; 1 where a view shows enough, and beside the face. And the same with a mouth that is
        too wide open drawn as well, for whoever wants the source's in any case.
    """
    turns = [ramp(angle(view.placement.rotation, target.rotation), _TURN) for view in views]
    shouts = torch.cat([shouting(view.placement, target) for view in views])
    shout = shouts.new_tensor(weights) @ shouts
    whole = landmarks.new_ones(1, 2, field, field)
    eyes = torch.cat([doubtful_eyes(view.placement, target) for view in views])
    wanted = vertex_facing(landmarks, model.triangles).clamp_min(0.2)
    least = torch.ones_like(wanted)
    for view, turn, eye in zip(views, turns, eyes, strict=True):
        side = turn * _edge_on(view, target, wanted, model)
        tilted = _tilted(view.placement, target, model)
        least = torch.minimum(least, torch.maximum(torch.maximum(side, tilted), eye * _around_eyes(model)))
    least = torch.stack((torch.maximum(least, shout * _within(_CHIN, model)), least), 2)
    if least.amax() == 0:
        return whole
    number, corners = rasterize(landmarks, model.triangles, field, field, facing(landmarks, model.triangles) > 0)
    return whole - interpolate(least, model.triangles, number, corners)


def shouting(source: Placement, target: Placement) -> Tensor:
    """How far a source's mouth is too wide open for each of B faces wanted, ``(B, 1)`` in [0, 1]."""
    return ramp(_opened(source) - _opened(target), _SHOUTS)


def doubtful_eyes(source: Placement, target: Placement) -> Tensor:
    """How far a source does not show eyes for a target: its own are shut, or it is seen from elsewhere.

    Args:
        source: a face of the source, as it is seen.
        target: B faces wanted.

    Returns:
        ``(B, 1)`` in [0, 1], for both eyes together.
    """
    before, after = (euler_angles(face.rotation)[:, :2].abs() for face in (source, target))
    apart = (euler_angles(source.rotation) - euler_angles(target.rotation))[:, :2].abs()
    (turned, tilted), (aside, steep) = apart.split(1, 1), torch.maximum(before, after).split(1, 1)
    profile = ramp(turned, _TILT) * ramp(before[:, :1], _ASIDE)
    elsewhere = torch.maximum(ramp(turned, _ASIDE) * ramp(aside, _HALF), ramp(tilted, _TILT) * ramp(steep, _LOOKS))
    return torch.maximum(torch.maximum(profile, elsewhere), shut(source))


def shut(face: Placement) -> Tensor:
    """How far faces have both eyes shut, ``(B, 1)`` in [0, 1]."""
    return ramp(torch.stack([openness(face.shape, eye) for eye in (RIGHT, LEFT)], 1).amax(1, keepdim=True), _SHUT)


def kept_features(source: Placement, target: Placement, model: FaceModel) -> Tensor:
    """How far eyes, nose and mouth are all left to each of B faces wanted, ``(B, 1)`` in [0, 1]."""
    tilted, eyes = _tilted(source, target, model), doubtful_eyes(source, target)
    mouth = torch.maximum(tilted[:, 13:14], shouting(source, target))
    return torch.minimum(torch.minimum(eyes, tilted[:, 4:5]), mouth)


def _edge_on(view: View, target: Placement, wanted: Tensor, model: FaceModel) -> Tensor:
    """How far each landmark ``(1, P)`` lies aside and is shown in too few pixels; facing ``wanted`` in the target."""
    before, after = (euler_angles(face.rotation)[:, :1].abs() for face in (view.placement, target))
    profile = ramp(after - before, _PROFILE)
    own = vertex_facing(view.landmarks, model.triangles).clamp_min(0)
    shown = torch.maximum(own, _TWIN * own[:, model.mirror]) / wanted
    side = torch.maximum(ramp(model.mean[None, :, 2], (_FRONT, _BACK)), profile)
    return side * (1 - ramp(shown / (1 + (_WELL - 1) * profile), (_THIN, _THICK)))


def _tilted(source: Placement, target: Placement, model: FaceModel) -> Tensor:
    """How far each landmark is of a nose, mouth or brow that is seen from below or above in one of two faces alone."""
    pitch, wanted = (euler_angles(face.rotation)[:, 1:2] for face in (source, target))
    steeper = torch.maximum(pitch.abs(), wanted.abs())
    gaping = torch.maximum(ramp((_opened(source) - _opened(target)).abs(), _GAPES), ramp(steeper, _STEEP))
    brows = torch.maximum(ramp(-model.mean[None, :, 1], _BROWS), _within(_MIDDLE, model))
    parts = torch.maximum(_within(_NOSE, model), gaping * _within(_CHIN, model))
    parts = torch.maximum(parts, ramp(pitch.abs(), _STEEP) * brows)
    return ramp((wanted - pitch).abs(), _TILT) * ramp(steeper, _TIPPED) * parts


def _around_eyes(model: FaceModel) -> Tensor:
    """How far landmarks ``(1, P)`` of the mean face lie around its eyes."""
    middles = torch.stack([model.mean[list(RINGS[region])].mean(0) for region in (RIGHT, LEFT)])
    x, y, _ = (model.mean - middles[:, None]).unbind(2)
    return 1 - ramp(torch.hypot(x / _EYE[0], y / _EYE[1]).amin(0)[None], _FADING)


def _opened(face: Placement) -> Tensor:
    """How far apart lips are ``(1, 1)``, in distances between the outer eye corners."""
    return (face.shape[:, 14] - face.shape[:, 13]).norm(dim=1, keepdim=True)


def _within(oval: tuple[float, float, float], model: FaceModel) -> Tensor:
    """How far landmarks of the mean face lie in an oval on its middle, ``(1, P)``: 1 inside."""
    y, width, height = oval
    away = torch.hypot(model.mean[None, :, 0] / width, (model.mean[None, :, 1] - y) / height)
    return 1 - ramp(away, _FADING)

"""The rigged head fitted to the landmarks of portraits, so that it meets them exactly."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..ops import face_model
from ..ops.face_model import FaceModel
from ..ops.landmarks import LEFT_EYE, RIGHT_EYE, RIGHT_IRIS
from .rig import Rig, landmarks, shaped, sparse_model

GAINS = (0.6, 1.8)
"""Least and largest factor by which a head's blink is adapted to the opening of its eyes."""


@dataclass(frozen=True)
class HeadFit:
    """Fitted heads.

    Attributes:
        neutral: ``(B, V, 3)`` canonical heads without expression.
        expression: ``(B, E)`` coefficients in [0, 1]; a blink of 1 closes the eye.
        gain: ``(B, 2)`` what blinks of the right and the left eye are multiplied with to be so.
        scale: ``(B,)`` pixels per canonical unit.
        rotation: ``(B, 3, 3)`` from the canonical space to the picture.
        translation: ``(B, 3)`` pixels.
    """

    neutral: Tensor
    expression: Tensor
    gain: Tensor
    scale: Tensor
    rotation: Tensor
    translation: Tensor


def fit_heads(rig: Rig, model: FaceModel, points: Tensor) -> HeadFit:
    """Fit pose, identity and expression by ridge regression, then bend the head to what is left over.

    Args:
        rig: the head.
        model: the bundled face model.
        points: ``(B, 478, 3)`` landmarks in pixels.

    Returns:
        heads whose landmarks, but for the irises, lie within about a hundredth of the eye distance of the given ones.
    """
    found = face_model.fit(sparse_model(rig, model), points)
    expression = found.expression.clamp(0, 1)
    neutral = rig.neutral + (found.identity @ rig.identity.flatten(1)).unflatten(1, (-1, 3))
    seen = landmarks(rig, posed(shaped(rig, neutral, expression), found.scale, found.rotation, found.translation))
    left = torch.nn.functional.pad((points - seen)[..., :2], (0, 1)) @ found.rotation / found.scale[:, None, None]
    neutral = neutral + rig.spread @ left[:, : RIGHT_IRIS[0]]
    gain = _blink_gain(rig, neutral)
    blinks = [rig.names.index("eyeBlink_R"), rig.names.index("eyeBlink_L")]
    expression[:, blinks] = (expression[:, blinks] / gain).clamp(0, 1)
    return HeadFit(neutral, expression, gain, found.scale, found.rotation, found.translation)


def posed(vertices: Tensor, scale: Tensor, rotation: Tensor, translation: Tensor) -> Tensor:
    """Canonical points ``(B, P, 3)`` in pixels."""
    return scale[:, None, None] * vertices @ rotation.mT + translation[:, None]


def expressed(rig: Rig, neutral: Tensor, gain: Tensor, expression: Tensor) -> Tensor:
    """Heads ``(B, V, 3)`` with expressions ``(B, E)`` in which a blink of 1 closes the eye."""
    strength = expression.clone()
    blinks = [rig.names.index("eyeBlink_R"), rig.names.index("eyeBlink_L")]
    strength[:, blinks] = strength[:, blinks] * gain
    return shaped(rig, neutral, strength)


def _blink_gain(rig: Rig, neutral: Tensor) -> Tensor:
    """By how much a blink must be enlarged for the upper lids to meet the lower: ``(B, 2)``."""
    face = landmarks(rig, neutral)
    gains = []
    for ring, side in ((RIGHT_EYE, "R"), (LEFT_EYE, "L")):
        lower, upper = list(ring[3:6]), list(ring[13:10:-1])
        blink = landmarks(rig, rig.expression[None, rig.names.index(f"eyeBlink_{side}")])
        gap, way = (face[:, lower] - face[:, upper])[..., 1], (blink[:, upper] - blink[:, lower])[..., 1]
        gains.append((gap / way).mean(1))
    # A little more than meeting: a slit of one pixel would show the eye.
    return (1.06 * torch.stack(gains, 1)).clamp(*GAINS)

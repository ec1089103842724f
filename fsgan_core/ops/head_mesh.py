"""Faces taken apart: a shape in the canonical space, and where that is in a picture."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .geometry import similarity, slerp
from .landmarks import RIGID


@dataclass(frozen=True)
class Placement:
    """A face taken apart: its shape in the canonical space and where that is in a picture.

    Attributes:
        shape: ``(B, 478, 3)`` canonical landmarks.
        scale: ``(B,)`` pixels per canonical unit.
        rotation: ``(B, 3, 3)``.
        translation: ``(B, 3)`` pixels.
    """

    shape: Tensor
    scale: Tensor
    rotation: Tensor
    translation: Tensor


def place(mean: Tensor, landmarks: Tensor) -> Placement:
    """Take landmarks ``(B, 478, 3)`` apart by aligning their rigid points with the mean face ``(478, 3)``."""
    rigid = list(RIGID)
    reference = mean[rigid].expand(len(landmarks), -1, -1)
    scale, rotation, translation = similarity(reference, landmarks[:, rigid])
    shape = (landmarks - translation[:, None]) @ rotation / scale[:, None, None]
    return Placement(shape, scale, rotation, translation)


def points(placement: Placement) -> Tensor:
    """Put a face together again: ``(B, P, 3)`` pixels."""
    turned = placement.shape @ placement.rotation.mT
    return placement.scale[:, None, None] * turned + placement.translation[:, None]


def between(start: Placement, end: Placement, part: float) -> Placement:
    """A face on the way from one to another: rotation along the shortest arc, expression and place linearly.

    Args:
        start: the face at ``part`` 0.
        end: the face at ``part`` 1.
        part: in [0, 1].
    """
    return Placement(
        torch.lerp(start.shape, end.shape, part),
        torch.lerp(start.scale.log(), end.scale.log(), part).exp(),
        slerp(start.rotation, end.rotation, part),
        torch.lerp(start.translation, end.translation, part),
    )

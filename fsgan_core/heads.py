"""A head moved within its own picture: what full-frame reenactment and editing draw."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from .models import Models
from .ops.head_rings import head_reach
from .stages.compositing import Patch
from .stages.cropping import Box, in_crop, square_box
from .stages.layers import Anchor
from .stages.reenactment import Reenactment
from .stages.views import View, prepare
from .streams import Frame

HEAD = 2.6
"""Side of the square in which a head can move over the longer side of its face, about."""


@dataclass(frozen=True)
class Head:
    """A head in its picture.

    Attributes:
        view: what the picture shows of it.
        box: the square in which it can move, in pixels of the picture.
        anchor: how the two lie to each other.
    """

    view: View
    box: Box
    anchor: Anchor


def head_of(picture: Frame, landmarks: NDArray[np.float32], models: Models) -> Head:
    """The head of a face with landmarks ``(478, 3)`` in pixels of a picture ``(H, W, 3)``."""
    height, width, _ = picture.shape
    reach = head_reach(models.face_model.mean, torch.from_numpy(landmarks)[None].to(models.device))
    box = square_box(reach[0].cpu().numpy())
    left, top = max(0, box[0]), max(0, box[1])
    shown = picture[top : min(height, box[3]), left : min(width, box[2])]
    points = torch.from_numpy(landmarks - np.array((left, top, 0), np.float32)).to(models.device)
    return Head(prepare(shown, points, models.face_model), box, Anchor(1.0, box[0] - left, box[1] - top))


def moved_head(head: Head, landmarks: NDArray[np.float32], models: Models) -> tuple[Reenactment, Patch]:
    """A head drawn with landmarks ``(478, 3)`` in pixels of its picture, and what lies over the picture then."""
    side, points = head.box[2] - head.box[0], in_crop(landmarks, head.box).to(models.device)
    drawn = models.reenactment([head.view], [1.0], points, side, head.anchor, surroundings=True)
    return drawn, Patch(drawn.image, torch.ones_like(drawn.mask), head.box)

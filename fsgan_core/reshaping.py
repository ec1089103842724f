"""Heads in the source's proportions, before their faces are swapped: a face's shape is part of who one is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from .faces import FaceSequence
from .heads import head_of, moved_head
from .models import Models
from .ops.motion import proportioned
from .stages.appearance_map import AppearanceMap
from .stages.compositing import composite
from .stages.reenactment import FlowOptions, FlowReenactor
from .streams import Frame


def shaped_like(source: AppearanceMap, face: FaceSequence, models: Models, share: float) -> FaceSequence:
    """A target's face with its source's proportions; pose, expression and place remain its own.

    Args:
        source: whose proportions; those of its most frontal view.
        face: the target's.
        models: the face model is used.
        share: how much of the difference, in [0, 1].
    """
    frontal = int(np.linalg.norm(source.poses[:, :2], axis=1).argmin())
    ours, theirs = (torch.from_numpy(one).to(models.device) for one in (source.landmarks[frontal], face.landmarks))
    return replace(face, landmarks=proportioned(models.face_model, ours, theirs, share).cpu().numpy())


def reshaped(
    frame: Frame, index: int, before: Sequence[FaceSequence], after: Sequence[FaceSequence], models: Models
) -> Frame:
    """A frame whose heads have other shapes; what is around them bends along.

    Args:
        frame: uint8 ``(H, W, 3)``; not changed.
        index: its number in the clip.
        before: its faces.
        after: the same faces as they shall be; one that is the very same stays.
        models: the face model is used; heads are drawn by the flow engine's geometry, whatever draws faces.
    """
    own = replace(models, reenactment=FlowReenactor(models.face_model, FlowOptions(refine=False)))
    for one, other in zip(before, after, strict=True):
        row = one.row(index)
        if row is not None and one is not other:
            # The next head is bent in what this one leaves, since the surroundings of the two may overlap.
            _, patch = moved_head(head_of(frame, one.landmarks[row], own), other.landmarks[row], own)
            frame = composite(frame, [patch])
    return frame


def reshaped_mask(
    mask: NDArray[np.float32], index: int, before: Sequence[FaceSequence], after: Sequence[FaceSequence], models: Models
) -> NDArray[np.float32]:
    """A mask ``(H, W)`` in [0, 1] of such a frame, bent as :func:`reshaped` bends the frame; in 256 levels then."""
    if all(one is other for one, other in zip(before, after, strict=True)):
        return mask
    picture = np.repeat((mask * 255).round().astype(np.uint8)[..., None], 3, axis=2)
    return reshaped(picture, index, before, after, models)[..., 0] * np.float32(1 / 255)

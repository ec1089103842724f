"""What a crop shows of glasses that are worn: which pixels are theirs, and which half shows them better."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..ops.flow import identity
from ..ops.masks import ramp
from ..ops.pooling import box_max
from .dark_lenses import darkness
from .lenses import Lenses

_TO_RIM, _FRAME = 0.2, 0.25
"""How far a dark lens goes beyond what is well within its rim, and glasses beyond the rims (usual lenses)."""
_DIFFERENT = (0.02, 0.07)
"""Difference from the skin that goes on behind a line from which on the line is not that skin."""
_ROUGH, _CLEARER = 10.0, 0.02
"""Weight of a rim's roughness beside the share of its lens that is soiled, and how much clearer the better half is if
the other is better drawn as its mirror image. Of 14 portraits with glasses those whose lens held reflections or shadows
that were taken for its rim differed by 0.036 to 0.6, those without by 0.03 at most. But at 0.023 a pale rim was torn,
and glasses are alike on both sides, so that a needless mirror image is the smaller fault."""


@dataclass(frozen=True)
class SeenGlasses:
    """What is seen of glasses in a crop of side S.

    Attributes:
        picture: ``(1, 3, S, S)`` in [0, 1].
        hidden: ``(1, 1, S, S)`` in [0, 1], what is in front of the face, dark lenses whole.
        rims: ``(1, 1, S, S)``, those that were followed around their lenses, and dark lenses.
        near: ``(1, 1, S, S)``, within the followed rims or as near to them as a frame is broad.
        mesh: ``(1, 1, S, S)``, where the mesh of the face is: beyond it everything counts as hidden.
        worse: the half that is better drawn as the mirror image of the other: -1 left, 1 right, 0 neither.
    """

    picture: Tensor
    hidden: Tensor
    rims: Tensor
    near: Tensor
    mesh: Tensor
    worse: int = 0


@dataclass(frozen=True)
class Covered:
    """A crop of a picture with something in front of its face.

    Attributes:
        picture: ``(1, 3, S, S)`` in [0, 1].
        share: ``(1, 1, S, S)`` how much of each pixel is face.
        cleared: ``(1, 3, S, S)`` the picture with skin in place of what is thin.
        thin: ``(1, 1, S, S)`` in [0, 1], what is.
        known: ``(1, 1, S, S)`` 0 or 1, what the picture shows; beyond its border there is neither face nor glasses.
    """

    picture: Tensor
    share: Tensor
    cleared: Tensor
    thin: Tensor
    known: Tensor


def seen_glasses(crop: Covered, mesh: Tensor, lenses: Lenses, tints: Tensor) -> SeenGlasses:
    """What is seen of glasses; what looks like skin is no line.

    Args:
        crop: the picture.
        mesh: ``(1, 1, S, S)`` where the face's mesh is.
        lenses: in pixels of the crop.
        tints: ``(1, 2)`` how much the network sees each hide.
    """
    size, half = crop.picture.shape[-1], float(lenses.axes[..., 0].norm(dim=-1).amax())
    rims, within = (crop.known * drawn for drawn in lenses.drawn(identity(size, size, crop.picture)))
    differs = box_max((crop.picture - crop.cleared).abs().amax(1, keepdim=True), 3)
    line = ramp(differs, _DIFFERENT)
    hidden = crop.known * (1 - crop.share)
    tint = darkness(tints)
    inner = within.amax(1, keepdim=True)
    dark = tint * crop.known * box_max(inner, _side(_TO_RIM * half))
    near = box_max(torch.maximum(rims, inner), _side(_FRAME * half))
    hidden = torch.maximum(hidden * (1 - crop.thin * (1 - line)), dark)
    area = within.sum((2, 3))
    spots = (within * hidden).sum((2, 3)) / area.clamp_min(1) * (area.amin() > 0)
    soiled = torch.lerp(spots, 1 - tints, tint[..., 0, 0])
    return SeenGlasses(
        crop.picture, hidden, torch.maximum(rims, dark), near, crop.known * mesh, _worse(lenses, soiled[0].tolist())
    )


def _worse(lenses: Lenses, soiled: list[float]) -> int:
    """The half that is seen less clearly: -1 left, 1 right, 0 neither.

    Its rim bends to and fro, or its clear lens is hidden in part, or its dark lens is not.
    """
    left, right = lenses.radius[0]
    bends = [float((one.roll(1) + one.roll(-1) - 2 * one).abs().mean()) for one in (left, right)]
    more = soiled[1] - soiled[0] + _ROUGH * (bends[1] - bends[0])
    return 0 if abs(more) < _CLEARER else 1 if more > 0 else -1


def _side(reach: float) -> int:
    """Side in pixels of a square that reaches so far."""
    return 2 * round(reach) + 1

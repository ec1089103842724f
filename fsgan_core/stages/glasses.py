"""Frames of glasses in an answer of the segmentation network, kept whole where it sees them in part.

A network is less sure of a wire than of a hand. Once it is sure that glasses are worn, which a bridge or half a rim
tells, little is needed to believe the rest of the line.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..ops.masks import smoothstep
from ..ops.pooling import box_max

_LINE = 7
"""Pixels of the network's square that no rim is wider than."""
_ACROSS, _TOP, _BOTTOM = 0.95, -0.32, 0.3
"""Where glasses are, on the mean face (distances between the outer eye corners, eyes at about 0, y down)."""
_MIDDLE = 0.45
"""Half the width of the part in which no hair or background is taken for them."""
_EDGE = 13
"""Side in pixels of the square around a place of that part that lies in the mesh: outlines are never sure."""
_SEEN = (0.02, 0.05)
"""Share of that part that is surely hidden: none worn; worn."""


def kept_whole(hidden: Tensor, prior: Tensor) -> Tensor:
    """Lines around the eyes that are hardly seen are believed if glasses are worn; the rest is decided.

    Args:
        hidden: ``(B, 1, S, S)`` how much of each pixel is not face, in [0, 1].
        prior: ``(B, 3, S, S)``, see :func:`~fsgan_core.stages.open_segmentation.mesh_prior`.

    Returns:
        ``(B, 1, S, S)``; the same away from the eyes and where no glasses are seen.
    """
    sure = worn(hidden, prior)
    if not sure.any():
        return hidden
    inside, x, y = prior.split(1, 1)
    zone = inside * ((y > _TOP) & (y < _BOTTOM) & (x.abs() < _ACROSS))
    broad = box_max(1 - box_max(1 - hidden, _LINE), _LINE)
    line = ((hidden - broad - 0.1) / 0.22).clamp(0, 1)
    decided = (3 * (hidden - 0.5) + 0.5).clamp(0, 1)
    return torch.lerp(hidden, torch.maximum(line, decided), zone * sure)


def worn(hidden: Tensor, prior: Tensor) -> Tensor:
    """How surely glasses are worn, ``(B, 1, 1, 1)`` in [0, 1]; arguments as in :func:`kept_whole`."""
    inside, x, y = prior.split(1, 1)
    middle = (1 - box_max(1 - inside, _EDGE)) * ((y > _TOP) & (y < _BOTTOM) & (x.abs() < _MIDDLE))
    share = ((hidden > 0.5) * middle).sum((2, 3), keepdim=True) / middle.sum((2, 3), keepdim=True).clamp_min(1)
    return smoothstep((share - _SEEN[0]) / (_SEEN[1] - _SEEN[0]))

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
_ROUNDS, _STEP = 8, 7
"""How often a line that is hardly seen is followed from where it is surely seen, and in squares of how many pixels."""
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

    Lines are followed from where they are surely seen (hysteresis, Canny 1986), so that an iris is none.

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
    rows = (zone > 0).any(3).flatten(0, 1).any(0).nonzero()[:, 0]
    part = slice(max(0, int(rows[0]) - _LINE), int(rows[-1]) + _LINE)
    result = hidden.clone()
    result[:, :, part] = torch.lerp(hidden[:, :, part], _followed(hidden[:, :, part]), zone[:, :, part] * sure)
    return result


def _followed(hidden: Tensor) -> Tensor:
    """What is hidden, decided, with lines that are hardly seen where they go on from others."""
    decided = (3 * (hidden - 0.5) + 0.5).clamp(0, 1)
    broad = box_max(1 - box_max(1 - hidden, _LINE), _LINE)
    line = ((hidden - broad - 0.1) / 0.22).clamp(0, 1)
    joined = torch.minimum(line, decided)
    for _ in range(_ROUNDS):
        joined = torch.minimum(box_max(joined, _STEP), line)
    return torch.maximum(joined, decided)


def worn(hidden: Tensor, prior: Tensor) -> Tensor:
    """How surely glasses are worn, ``(B, 1, 1, 1)`` in [0, 1]; arguments as in :func:`kept_whole`."""
    return smoothstep((hidden_share(hidden, prior) - _SEEN[0]) / (_SEEN[1] - _SEEN[0]))


def hidden_share(hidden: Tensor, prior: Tensor) -> Tensor:
    """Share of the part between the eyes that is surely hidden, ``(B, 1, 1, 1)``; as in :func:`kept_whole`."""
    inside, x, y = prior.split(1, 1)
    middle = (1 - box_max(1 - inside, _EDGE)) * ((y > _TOP) & (y < _BOTTOM) & (x.abs() < _MIDDLE))
    return ((hidden > 0.5) * middle).sum((2, 3), keepdim=True) / middle.sum((2, 3), keepdim=True).clamp_min(1)

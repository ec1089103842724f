"""Beyond a picture's border: its surroundings go on outside the head, and the head within its contour."""

from __future__ import annotations

import torch
from torch import Tensor

from .flow import identity, reflected, resize, sample
from .head_rings import reached
from .lowpass import lowpass
from .pooling import summed

_BAND = 0.04
"""Depth inside the border of what is continued. All lengths are relative to the side of the result."""
_NEAR, _HEAD_NEAR = 0.03, 0.07
"""Distance from the border over which fine detail, mirrored, fades: around a head, and within it, where it is hair."""
_BLURS = (0.3, 0.16, 0.08, 0.04, 0.02)
"""Widths of the blurs, each full three times as far beyond the border."""
_SOFT = 0.12
"""Width of the head's edge, relative to its distance from the middle."""
_GRID = 64
"""Side in pixels of what is blurred."""
_FAINT = 1e-5
"""Weight below which a blur shows what a wider one does."""


def continued(picture: Tensor, flow: Tensor, head: Tensor) -> Tensor:
    """Look a picture up, continued beyond its border: by the colours along it, farther away blurred more and more.

    A border repeated shows streaks, and a mirror a second face. A head that the border cuts through ends at its
    contour; of one colour with what is around it, it would rise as a pillar.

    Args:
        picture: ``(1, C, h, w)``.
        flow: ``(1, 2, S, S)`` pixels of ``picture``, most of them within.
        head: ``(1, P, 2)`` contour of the head in pixels of the result.

    Returns:
        ``(1, C, S, S)``.
    """
    side = flow.shape[-1]
    limit = flow.new_tensor((picture.shape[-1], picture.shape[-2]))[:, None, None]
    depth = torch.maximum(-flow, flow - limit).amax(1, keepdim=True)
    depth = depth / (flow[..., -1, -1] - flow[..., 0, 0]).abs().amax().clamp_min(1e-6)
    beyond = depth.clamp_min(0)
    if not beyond.any():
        return sample(picture, flow, "bicubic")
    image = sample(picture, reflected(flow, picture), "bicubic")
    edge = ((depth <= 0) & (depth > -_BAND)).to(image.dtype)
    parts = resize(torch.cat((sample(picture, flow), edge, beyond), 1), _GRID, _GRID)
    repeated, edge, away = parts.split((picture.shape[1], 1, 1), 1)
    share = _share(head * (_GRID / side), _GRID)
    # Cubed, so that little of what lies at the head's edge colours either.
    around, within = (_filled(repeated, edge * part**3, away) for part in (1 - share, share))
    near = _NEAR + (_HEAD_NEAR - _NEAR) * share
    filled, near = resize(torch.cat((torch.lerp(around, within, share), near), 1), side, side).split(
        (around.shape[1], 1), 1
    )
    return torch.lerp(image, filled, (beyond / near).clamp(max=1))


def _share(head: Tensor, side: int) -> Tensor:
    """How much of each pixel of a square is the head's ``(1, 1, side, side)``."""
    places = identity(side, side, head).flatten(2).mT
    return ((1 - reached(places, head)) / _SOFT + 0.5).clamp(0, 1).view(1, 1, side, side)


def _filled(values: Tensor, weights: Tensor, away: Tensor) -> Tensor:
    """Values where they have weight, blurred: the farther ``away``, the wider."""
    weights = weights + 1e-7
    result = wider = summed(values * weights, (2, 3)) / summed(weights, (2, 3))
    for width in _BLURS:
        known, weight = lowpass(torch.cat((values * weights, weights), 1), width * _GRID, _GRID).split(
            (values.shape[1], 1), 1
        )
        wider = (known + _FAINT * wider) / (weight + _FAINT)
        result = torch.lerp(wider, result, (away / (3 * width)).clamp(max=1))
    return torch.lerp(values, result, (away / _BLURS[-1]).clamp(max=1))

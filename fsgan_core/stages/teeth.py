"""A mouth's inside where no picture shows one: teeth that stay with skull and jaw, gums, a tongue, darkness behind.

Teeth lie on an arch whose sides turn away and get dark; lips slide over them. Lengths are in distances between the
outer eye corners, about 90 mm; the widths of the teeth are those of an adult.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..ops.masks import smoothstep

_ARCH = 0.29
"""Half the width of the arch of the upper teeth."""


@dataclass(frozen=True)
class _Row:
    """A row of teeth: ends of one side's from the middle on, how much shorter each is, and the length of the first."""

    ends: tuple[float, ...]
    shorter: tuple[float, ...]
    length: float


_UPPER = _Row((0.0, 0.093, 0.158, 0.216, 0.252, 0.276), (0.0, 0.009, 0.003, 0.010, 0.014), 0.105)
_LOWER = _Row((0.0, 0.058, 0.120, 0.180, 0.222, 0.252), (0.0, 0.0, -0.004, 0.004, 0.008), 0.085)


def drawn_inside(place: Tensor, edge: Tensor, below: Tensor, height: Tensor, across: Tensor) -> Tensor:
    """Colours ``(1, 3, H, W)`` of a mouth, in white light.

    Args:
        place: ``(1, 2, H, W)`` canonical places, x from the middle of the face and y down.
        edge: canonical y of the edge of the upper incisors.
        below: ``(1, 1, H, W)`` distance from the upper lip.
        height: ``(1, 1, H, W)`` of the opening there.
        across: ``(1, 1, H, W)`` from corner to corner in [-1, 1].
    """
    x, y = place.split(1, 1)
    side = (1 - across.abs()).clamp(0, 1).sqrt()
    cavity = _colour(x, 0.15, 0.05, 0.045) * (0.4 + 0.6 * side)
    tongue = _colour(x, 0.60, 0.29, 0.28) * (0.4 + 0.6 * side) * (0.75 + 0.25 * smoothstep(x.abs() / 0.03))
    above, tall = height - below, height.amax()
    # One round shape, for distances from a lip are made of straight pieces.
    away = torch.hypot(x / _ARCH, (y - (y + above).amax()) / (0.06 + 0.5 * tall))
    colours = torch.lerp(cavity, tongue, 0.9 * smoothstep((1 - away) / 0.6) * smoothstep(tall / 0.16))
    jaw = 0.035 * smoothstep((tall - 0.14) / 0.2) * smoothstep((0.8 - across.abs()) / 0.5)
    lower, cover = _teeth(x, jaw - above, _LOWER)
    colours = torch.lerp(colours, _colour(x, 0.75, 0.69, 0.62) * lower, cover * smoothstep(jaw / 0.02))
    upper, cover = _teeth(x, edge - y - 0.3 * x**2, _UPPER)
    shade = 0.6 + 0.4 * smoothstep(below / 0.045)
    return torch.lerp(colours, upper * shade, cover)


def _teeth(x: Tensor, up: Tensor, row: _Row) -> tuple[Tensor, Tensor]:
    """Colours of a row of teeth and their gum, and how far they cover what is behind.

    Args:
        x: from the middle of the face.
        up: how far away from the row's edge, towards the gum.
        row: which.
    """
    ends = x.new_tensor(row.ends)
    number = (torch.searchsorted(ends, x.abs().contiguous(), right=True) - 1).clamp(0, len(row.shorter) - 1)
    low, high = ends[number], ends[number + 1]
    part = ((2 * x.abs() - low - high) / (high - low)).clamp(-1, 1)
    up = up - x.new_tensor(row.shorter)[number] - 0.010 * part.abs() ** 4
    turned = (1 - (x / _ARCH) ** 2).clamp_min(0).sqrt()
    ivory = _colour(x, 0.85, 0.80, 0.73) * (0.93 + 0.07 * (1 - part**2))
    beside = torch.minimum(x.abs() - low, high - x.abs())
    gap = 0.5 * torch.exp(-((beside / 0.006) ** 2)) * (0.55 + 0.45 * smoothstep((0.03 - up) / 0.03))
    gum = smoothstep((up - row.length + 0.025 * part**2) / 0.012)
    colours = torch.lerp(ivory * (1 - gap), _colour(x, 0.68, 0.38, 0.37), gum)
    return colours * (0.12 + 0.88 * turned), smoothstep(up / 0.010 + 0.5) * smoothstep((_ARCH - x.abs()) / 0.03)


def _colour(like: Tensor, red: float, green: float, blue: float) -> Tensor:
    return like.new_tensor((red, green, blue))[:, None, None]

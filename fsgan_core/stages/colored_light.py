"""Coloured lamps, seen by how far the colour of a face's skin departs from its usual one.

Flushed cheeks, a pale brow and a shaved chin of one person differ little in saturation; where they differ more, two
lamps of different colours or something bright beside the face are at work. Lips and brows have colours of their own and
follow the skin around them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..ops.lowpass import weighted_lowpass
from ..ops.pooling import length, summed
from ..ops.relighting import saturation
from .frontal import Frontal

_FINE, _AROUND = 0.012, 0.048
"""Standard deviations of low-passes, in sides of the frontal face: of what is looked at; of what surrounds lips and
brows."""
_NATURAL, _HUED, _LEAST = 0.025, 0.2, 0.005
"""How far skin departs without coloured lamps in saturation, at most; as a share of its usual saturation; at least. Of
what departs further at most as much again is left."""
_DIM = 0.1
"""Lightness whose saturation counts half: there is noise in the dark."""


def departing(lab: Tensor, skin: Tensor, frontal: Frontal) -> Tensor:
    """What coloured lamps add to a face's saturation.

    Args:
        lab: ``(1, 3, N, N)`` OKLab of the frontal face.
        skin: ``(1, 1, N, N)`` in [0, 1], how well each place shows skin.
        frontal: which places those are.

    Returns:
        ``(1, 2, N, N)`` what to take off :func:`~fsgan_core.ops.relighting.saturation`.
    """
    features, tint, side = frontal.features, saturation(lab), lab.shape[-1]
    bare = skin * (1 - features)
    trusted = bare * lab[:, :1] / (lab[:, :1] + _DIM)
    around = weighted_lowpass(tint, trusted.clamp_min(1e-6), _AROUND * side, side)
    tint = torch.lerp(tint, around, features)
    local = weighted_lowpass(tint, trusted.clamp_min(1e-4), _FINE * side, side)
    usual, weight = local, bare
    for _ in range(5):
        usual = summed(local * weight, (2, 3)) / summed(weight, (2, 3)).clamp_min(1e-6)
        weight = bare / (1 + ((local - usual) / _NATURAL).square().sum(1, keepdim=True))
    away, hue = (length(part) for part in (local - usual, usual))
    natural = (_HUED * hue).clamp(_LEAST, _NATURAL)
    beyond = (away - natural).clamp_min(0) * summed(bare, (2, 3)).clamp(max=1)  # of no skin nothing is known
    return (beyond - natural * torch.tanh(beyond / natural)) / away.clamp_min(1e-6) * (local - usual)


def evened(tint: Tensor, departs: Tensor) -> Tensor:
    """Saturation ``(B, 2, H, W)`` less what coloured lamps add to it, nowhere more than it was.

    What is greyer than the skin around it, such as a brow, would take the other lamp's colour.
    """
    less = tint - departs
    return less * (length(tint) / length(less).clamp_min(1e-6)).clamp(max=1)


def colored(lab: Tensor, skin: Tensor, frontal: Frontal) -> float:
    """How coloured the light of a face is: the mean of what :func:`departing` finds on its skin."""
    found = length(departing(lab, skin, frontal))
    weight = skin * (1 - frontal.features) * lab[:, :1] / (lab[:, :1] + _DIM)
    return float((found * weight).sum() / weight.sum().clamp_min(1))

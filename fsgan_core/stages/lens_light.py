"""Light on and behind the lenses of a source's glasses: reflections, and what they throw onto the skin under the eyes.

When the frame is taken off a picture, these stay: pale marks that belong to nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..ops.flow import identity, sample
from ..ops.masks import ramp
from .lenses import Lenses, turns

_BELOW, _REACH = -0.3, (0.25, 0.4, 0.55, 0.7, 0.85)
"""Sine of the directions in which the cheek is looked at, and how far beyond the rim in usual lenses."""
_SKIN = 0.9
"""Share of the face from which on a place of the cheek counts."""
_BRIGHTER, _LEFT = 1.08, 0.3
"""How much brighter than the cheek skin may be behind a lens, and how much is left of what is brighter."""
_EYE = (0.35, 0.55)
"""Distance from the centre of a usual lens up to which the eye is, and from which on it is not."""


def dulled(pictures: Tensor, face: Tensor, lenses: Lenses) -> Tensor:
    """Draw what is brighter behind a lens than the cheek below it to the cheek, each colour by itself; but not the eye.

    Nothing is made brighter: what is dark there may be in the shade.

    Args:
        pictures: ``(B, 3, H, W)`` without the frames.
        face: ``(B, 1, H, W)`` share of the face.
        lenses: in their pixels.

    Returns:
        ``(B, 3, H, W)``; the same away from lenses.
    """
    size = pictures.shape[-2:]
    places = identity(size[0], size[1], pictures)
    x, y = lenses.away(places).unbind(2)
    _, within = lenses.drawn(places)
    share = within * ramp(torch.hypot(x, 1.4 * y + 0.1), _EYE)
    limit = _BRIGHTER * _cheeks(pictures, face, lenses)[..., None, None]
    for lens in (0, 1):
        dull = torch.minimum(pictures, torch.lerp(limit[:, :, lens], pictures, _LEFT))
        pictures = torch.lerp(pictures, dull, share[:, lens : lens + 1])
    return pictures


def _cheeks(pictures: Tensor, face: Tensor, lenses: Lenses) -> Tensor:
    """Median colours ``(B, 3, 2)`` below each lens; 1 where no skin is seen."""
    places = lenses.around(pictures.new_tensor(_REACH))
    seen = sample(torch.cat((pictures, face), 1), places.flatten(2, 3)).unflatten(2, places.shape[2:4])
    colors, share = seen.split((3, 1), 1)
    skin = (share > _SKIN) & (turns(pictures).sin() < _BELOW)[:, None]
    return torch.where(skin, colors, torch.nan).flatten(3).nanmedian(3).values.nan_to_num(1.0)

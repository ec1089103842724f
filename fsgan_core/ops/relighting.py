"""The same face with other skin or in other light: what stays of a colour when the skin around it changes.

Brows, lips and nostrils are darker than skin by a share of the light, whatever the skin and the light: that ratio is
kept. Added differences would leave them milky on a paler face and black on a darker one. What is lighter than the skin
is light added to it, such as shine on dark skin or the white of an eye: that much is added to the other skin as well,
where the ratio would make it glow.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .pooling import length

DARK = 0.03
"""Lightness added to every other, so that ratios of black are not infinite."""
_GREY = 0.04
"""Saturation of skin below which its hue says little, and differences stay what they were."""
_MOST = 2.5
"""Details in a shadow are raised so many times at most, for there is noise in them; in light that is 15 times."""
_BELOW, _BEYOND = 0.1, 0.2
"""How far beyond their bounds details may go: shares of the least lightness and of the most colour."""


def relit(lab: Tensor, before: Tensor, after: Tensor, gain: Tensor | None = None) -> Tensor:
    """Exchange the skin that colours are seen against.

    Args:
        lab: ``(B, 3, H, W)`` OKLab.
        before: ``(B, 3, H, W)`` or ``(B, 3, 1, 1)``, the skin they were seen against.
        after: the same, the skin that takes its place.
        gain: ``(B, 3, 1, 1)`` what differences from it are multiplied by, of what is darker and of what is lighter;
            and by how much those in saturation grow at most, which turn and shrink as the skin's does. All 1 without
            it, so that ratios stay what they were.

    Returns:
        ``(B, 3, H, W)``; ``after`` where ``lab`` is ``before``.
    """
    darker, lighter, color = (1.0, 1.0, 1.0) if gain is None else gain.split(1, 1)
    ratio = ((after[:, :1] + DARK) / (before[:, :1] + DARK).clamp_min(DARK)).clamp(1 / _MOST, _MOST)
    beyond = ratio * (lab[:, :1] - before[:, :1])
    lightness = (after[:, :1] + torch.where(beyond < 0, darker * beyond, lighter * beyond)).clamp_min(0)
    ours, theirs = saturation(before), saturation(after)
    return at_lightness(lightness, theirs + _turned(saturation(lab) - ours, ours, theirs, color))


def bounded(lab: Tensor, skin: Tensor, bounds: Tensor) -> Tensor:
    """Details hardly darker than a picture's blacks, which haze and screens raise, nor more colourful than it has them.

    Args:
        lab: ``(B, 3, H, W)`` OKLab.
        skin: ``(B, 3, H, W)`` or ``(B, 3, 1, 1)``, what they are seen against.
        bounds: ``(B, 2, 1, 1)`` lightness of the blacks, and by how much colourful details differ from the skin in
            saturation. What is within them does not change; what is greyer than the skin differs by as much as it does.
    """
    darkest, most = bounds.split(1, 1)
    lightness = lab[:, :1] + _excess((darkest - lab[:, :1]).clamp_min(0), _BELOW * darkest)
    tint = saturation(skin)
    beyond = saturation(lab) - tint
    hue = tint / length(tint).clamp_min(1e-6)
    greyer = hue * (hue * beyond).sum(1, keepdim=True).clamp(max=0)
    vivid = beyond - greyer
    size = length(vivid)
    share = 1 - _excess((size - most).clamp_min(0), _BEYOND * most) / size.clamp_min(1e-6)
    return at_lightness(lightness, tint + greyer + share * vivid)


def _excess(beyond: Tensor, room: Tensor) -> Tensor:
    """What to take off values beyond a bound so that they approach the end of the room there is, smoothly."""
    room = room.clamp_min(1e-6)
    return beyond + room * torch.expm1(-beyond / room)


def _turned(tint: Tensor, before: Tensor, after: Tensor, most: Tensor | float) -> Tensor:
    """Differences in saturation as the skin's own turns and shrinks, so that what was grey, such as a brow, stays grey.

    Colours are taken as complex numbers: multiplied by ``after / before``, whose magnitude is ``most`` at most. Added
    as they are, brows of brown skin turn blue on pale skin, and its shine turns orange.
    """
    (a, b), (x, y) = before.unbind(1), after.unbind(1)
    scale = before.square().sum(1) + _GREY**2
    real, imaginary = (a * x + b * y + _GREY**2) / scale, (a * y - b * x) / scale
    bound = (most / torch.hypot(real, imaginary).clamp_min(1e-6)[:, None]).clamp(max=1)
    along, across = tint.unbind(1)
    return bound * torch.stack((real * along - imaginary * across, imaginary * along + real * across), 1)


def saturation(lab: Tensor) -> Tensor:
    """``(B, 2, ...)`` colour over lightness of OKLab ``(B, 3, ...)``, which more or less light does not change."""
    return lab[:, 1:] / (lab[:, :1] + DARK).clamp_min(DARK)


def at_lightness(lightness: Tensor, tint: Tensor) -> Tensor:
    """OKLab ``(B, 3, ...)`` of a lightness ``(B, 1, ...)`` and a saturation ``(B, 2, ...)``."""
    return torch.cat((lightness, (lightness + DARK) * tint), 1)

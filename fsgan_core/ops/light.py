"""Light transfer: the source takes the target's low-frequency light and skin tone and keeps its features.

Blending in the gradient domain alone spreads what differs at the border over the whole face: a source lit from the
other side, or a border that crosses hair, turns half of it black or makes it glow. So the light is matched everywhere
inside before, from all pixels instead of the border's, and what is then left at the border is corrected by a bounded
amount that dies away inwards.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .color import oklab_to_srgb, srgb_to_oklab
from .flow import resize
from .lowpass import face_size, lowpass, pooled, weighted_lowpass
from .poisson import harmonic_fill
from .relighting import at_lightness, relit, saturation

Fill = Callable[[Tensor, Tensor], Tensor]
_FIELD = 128
_BORDER, _INSIDE, _TINT = 0.032, 0.24, 0.1
"""Standard deviations of the low-pass near the border and in the middle, of lightness and of saturation there, in sides
of the face: features are light and dark, but colour that varies across a face is mostly that of its lights."""
_REACH = 0.13
"""How far the border reaches inwards, likewise."""
_SPOT, _FLUSH = 0.03, 0.05
"""Standard deviation of the low-pass that is finer than spots of another colour, likewise; the difference in saturation
from skin around them that keeps a quarter of its influence."""


def match_light(source: Tensor, target: Tensor, mask: Tensor, strength: float = 1.0) -> Tensor:
    """Replace the source's low frequencies (:func:`low_frequencies`) by the target's; details stay as they were.

    See :func:`~fsgan_core.ops.relighting.relit` for what staying means.

    Args:
        source: ``(B, 3, H, W)`` in [0, 1], valid where the mask is not 0.
        target: ``(B, 3, H, W)`` in [0, 1].
        mask: ``(B, 1, H, W)``.
        strength: 0 keeps the source's light, 1 takes the target's.

    Returns:
        ``(B, 3, H, W)`` in [0, 1], meaningful where the mask is not 0.
    """
    before, after = low_frequencies(source, target, mask)
    return oklab_to_srgb(relit(srgb_to_oklab(source), before, torch.lerp(before, after, strength)))


def low_frequencies(source: Tensor, target: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """What varies slowly in two faces: skin in its light.

    Near the border it is followed closely, so that cheeks and brow pass into what is around them; in the middle only
    what changes across the whole face, since the shading of eyes, nose and mouth is part of who someone is. Colour is
    followed more closely there: what of it varies across a face is mostly that of its lights. Places where the two
    differ unlike their surroundings (an occluder, glasses, hair) count less; the target's flush, rouge or paint is no
    light: its colour is not followed.

    Args:
        source: ``(B, 3, H, W)`` in [0, 1], valid where the mask is not 0.
        target: ``(B, 3, H, W)`` in [0, 1].
        mask: ``(B, 1, H, W)``.

    Returns:
        ``(B, 3, H, W)`` OKLab of the source and of the target, meaningful where the mask is not 0.
    """
    cells, weight, scale = pooled(torch.cat((source, target), 1), mask, _FIELD)
    field = torch.cat([srgb_to_oklab(part) for part in cells.split(3, 1)], 1)
    size = scale * face_size(mask)
    trusted = _inliers(field[:, 3:] - field[:, :3], weight, size)
    faces = field.split(3, 1)
    tints = [saturation(face) for face in faces]
    usual = _usual(tints[1], trusted, size)
    near = (2 - 2 * lowpass((mask > 0.5).to(mask.dtype), _REACH * face_size(mask))).clamp(0, 1)
    shades = torch.cat([face[:, :1] for face in faces], 1)
    lightness = _smooth(shades, trusted, size, _INSIDE, near)
    tint = _smooth(torch.cat(tints, 1), trusted * usual, size, _TINT, near * resize(usual, *near.shape[-2:]))
    before, after = (at_lightness(*parts) for parts in zip(lightness.split(1, 1), tint.split(2, 1), strict=True))
    return before, after


def border_membrane(
    source: Tensor, target: Tensor, mask: Tensor, bound: float = 0.1, fill: Fill | None = None
) -> Tensor:
    """What to add to the source so that it meets the target at the border.

    The difference is measured on a band inside the border, smoothed along it, and continued inwards by a screened
    membrane (Bhat et al., Fourier Analysis of the 2D Screened Poisson Equation, 2008). Differences far above the
    bound are not light but hair, an occluder or the background: they lose influence (Geman and McClure's weights).

    Args:
        source: ``(B, 3, H, W)``, valid where the mask is not 0.
        target: ``(B, 3, H, W)``.
        mask: ``(B, 1, H, W)``, inside where > 0.5.
        bound: difference in [0, 1] that keeps a quarter of its influence; the correction hardly exceeds three quarters
            of it.
        fill: what continues values ``(B, 3, h, w)`` into a mask ``(B, 1, h, w)`` instead of the screened membrane.

    Returns:
        ``(B, 3, H, W)``.
    """
    difference, inside, cells = pooled(target - source, (mask > 0.5).to(source.dtype), _FIELD)
    size = cells * face_size(mask)
    band = inside * (2 - 2 * lowpass(inside, 0.04 * size, _FIELD)).clamp(0, 1)
    trusted = band / (1 + (difference / bound).square().mean(1, keepdim=True)).square()
    low = lowpass(torch.cat((difference * trusted, trusted + 0.1 * band), 1), 0.04 * size, _FIELD)
    correction = low[:, :3] / low[:, 3:].clamp_min(1e-6)
    # What is continued is smooth, so the membrane may be coarse too.
    whole = (inside > 0.99).to(inside.dtype)
    filled = fill(correction, whole) if fill else harmonic_fill(correction, whole, (8 / size)[:, None, None, None])
    return resize(filled, mask.shape[-2], mask.shape[-1])


def _smooth(field: Tensor, weight: Tensor, size: Tensor, wide: float, near: Tensor) -> Tensor:
    """What varies slowly: over little near the mask's border, over more of the face in its middle.

    Args:
        field: ``(B, C, h, w)`` in cells.
        weight: ``(B, 1, h, w)``.
        size: ``(B,)`` side of the face in cells.
        wide: standard deviation in its middle, in sides of the face.
        near: ``(B, 1, H, W)`` in [0, 1], how far the border's counts.

    Returns:
        ``(B, C, H, W)``.
    """
    shape = (near.shape[-2], near.shape[-1])
    border = weighted_lowpass(field, weight, _BORDER * size, shape=shape)
    # A wide mean flattens what rises across the whole face: what it leaves over is filtered again (Tukey's twicing).
    sharpened = 2 * field - weighted_lowpass(field, weight, wide * size)
    return torch.lerp(weighted_lowpass(sharpened, weight, wide * size, shape=shape), border, near)


def _usual(tint: Tensor, weight: Tensor, size: Tensor) -> Tensor:
    """How far cells of saturation ``(B, 2, h, w)`` are like the skin around, ``(B, 1, h, w)`` in [0, 1]."""
    local = weighted_lowpass(tint, weight, _SPOT * size)
    usual = torch.ones_like(weight)
    for _ in range(3):
        skin = weighted_lowpass(tint, weight * usual, _INSIDE * size)
        usual = 1 / (1 + ((local - skin) / _FLUSH).square().sum(1, keepdim=True)).square()
    return weighted_lowpass(usual, weight, _SPOT * size)


def _inliers(difference: Tensor, mask: Tensor, size: Tensor) -> Tensor:
    """Weights of the cells whose difference agrees with that of their surroundings, by reweighting."""
    local = weighted_lowpass(difference, mask, 0.03 * size)
    weight = mask
    for _ in range(3):
        common = weighted_lowpass(local, weight, 0.15 * size)
        weight = mask / (1 + ((local - common) / 0.15).square().sum(1, keepdim=True))
    return weight

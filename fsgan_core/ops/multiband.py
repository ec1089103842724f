"""Multiband blending (Burt and Adelson, A Multiresolution Spline with Application to Image Mosaics, 1983)."""

from __future__ import annotations

import math

from torch import Tensor

from .masks import feather
from .pyramid import collapse, extend, gaussian_pyramid, laplacian_pyramid


def multiband_blend(source: Tensor, target: Tensor, mask: Tensor, levels: int = 6) -> Tensor:
    """Blend every band of frequencies over a width of its own: low ones widely, details sharply.

    The classic spline mixes on both sides of the border. Here a band's weight is twice the blurred mask less one, so
    that the transition lies inside, and the result is laid over the target with a slightly feathered mask, since the
    lowest bands still reach a little beyond.

    Args:
        source: ``(B, C, H, W)``, valid where the mask is not 0.
        target: ``(B, C, H, W)``.
        mask: ``(B, 1, H, W)``, soft or hard.
        levels: of the pyramids; fewer are used where the coarsest would have less than 8 pixels a side, so that the
            result does not tremble with the mask.

    Returns:
        ``(B, C, H, W)``; exactly the target where the mask is 0.

    Raises:
        ValueError: there is no level.
    """
    if levels < 1:
        raise ValueError(f"levels is {levels}, but at least 1 is needed")
    levels = min(levels, max(1, int(math.log2(min(mask.shape[-2:]))) - 3))
    # Blending the difference: the target's bands cancel, and a zero mask leaves exact zeros to add. It is continued
    # beyond the mask, where the source may be anything, so that no edge is there to be blended.
    bands = laplacian_pyramid(extend(source - target, (mask > 0).to(mask.dtype)), levels)
    weights = gaussian_pyramid(mask, levels)
    change = collapse([band * (2 * weight - 1).clamp_min(0) for band, weight in zip(bands, weights, strict=True)])
    return target + feather(mask, 0.04) * change

"""Laplacian pyramids of images of any size (Burt and Adelson, The Laplacian Pyramid as a Compact Image Code, 1983)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def reduce(image: Tensor) -> Tensor:
    """Blur with the binomial (1, 4, 6, 4, 1) / 16 and keep every other pixel; sides are rounded up."""
    return _reduce_rows(_reduce_rows(image).mT).mT


def expand(image: Tensor, height: int, width: int) -> Tensor:
    """Interpolate to twice the size with the same binomial; the opposite of :func:`reduce`."""
    return _expand_rows(_expand_rows(image, height).mT, width).mT


def gaussian_pyramid(image: Tensor, levels: int) -> list[Tensor]:
    """Return the image and its ``levels - 1`` reductions, finest first."""
    pyramid = [image]
    for _ in range(levels - 1):
        pyramid.append(reduce(pyramid[-1]))
    return pyramid


def laplacian_pyramid(image: Tensor, levels: int) -> list[Tensor]:
    """Split into ``levels - 1`` bands and the remaining low-pass, finest first; :func:`collapse` restores the image."""
    levels_ = gaussian_pyramid(image, levels)
    bands = [fine - expand(coarse, *fine.shape[-2:]) for fine, coarse in zip(levels_, levels_[1:], strict=False)]
    return [*bands, levels_[-1]]


def collapse(pyramid: list[Tensor]) -> Tensor:
    """Add the bands of a Laplacian pyramid up."""
    image = pyramid[-1]
    for band in pyramid[-2::-1]:
        image = band + expand(image, *band.shape[-2:])
    return image


def extend(image: Tensor, known: Tensor) -> Tensor:
    """Continue an image where it is not known by what is near (pull-push, Gortler et al., The Lumigraph, 1996).

    Args:
        image: ``(B, C, H, W)``.
        known: ``(B, 1, H, W)`` 1 where the image is known, 0 where not; where nothing at all is, the result is 0.

    Returns:
        ``(B, C, H, W)``, the image itself where it is known.
    """
    if max(image.shape[-2:]) == 1:
        return image * known
    weight = reduce(known)
    coarse = extend(reduce(image * known) / weight.clamp_min(1e-6), (weight > 0).to(known.dtype))
    return torch.where(known > 0, image, expand(coarse, *image.shape[-2:]))


def _reduce_rows(image: Tensor) -> Tensor:
    # Slices instead of convolutions: several times faster for few channels on a CPU.
    padded = F.pad(image, (0, 0, 2, 2 + image.shape[-2] % 2), mode="replicate")
    size = (image.shape[-2] + 1) // 2
    taps = [padded[..., k : k + 2 * size : 2, :][..., :size, :] for k in range(5)]
    return (taps[0] + taps[4]).add_(taps[1] + taps[3], alpha=4).add_(taps[2], alpha=6).div_(16)


def _expand_rows(image: Tensor, size: int) -> Tensor:
    padded = F.pad(image, (0, 0, 1, 1), mode="replicate")
    before, here, after = padded[..., :-2, :], image, padded[..., 2:, :]
    even = (before + after).add_(here, alpha=6).div_(8)
    odd = (here + after).div_(2)
    return torch.stack((even, odd), -2).flatten(-3, -2)[..., :size, :]

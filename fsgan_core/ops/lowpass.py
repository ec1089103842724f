"""Gaussian low-pass filters of any width, the width of every item its own."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def lowpass(values: Tensor, sigma: Tensor | float, grid: int = 64) -> Tensor:
    """Blur with a Gaussian that is computed on a coarse grid and evaluated at every pixel.

    The cost hardly depends on the width. At the border the kernel is cut and normalised again, so constants stay.

    Args:
        values: ``(B, C, H, W)``.
        sigma: standard deviation in pixels, a number or ``(B,)``; at least one cell of the grid is used.
        grid: values are first averaged over cells, at most so many along a side.

    Returns:
        ``(B, C, H, W)``.
    """
    height, width = values.shape[-2:]
    cells = F.adaptive_avg_pool2d(values, (min(height, grid), min(width, grid)))
    sigma = torch.as_tensor(sigma, dtype=values.dtype, device=values.device).expand(len(values))
    return _kernel(height, cells.shape[-2], sigma) @ cells @ _kernel(width, cells.shape[-1], sigma).mT


def weighted_lowpass(values: Tensor, weights: Tensor, sigma: Tensor | float, grid: int = 64) -> Tensor:
    """Blur only what has weight and continue it elsewhere (normalised convolution, Knutsson and Westin, 1993).

    Args:
        values: ``(B, C, H, W)``.
        weights: ``(B, 1, H, W)``, not negative; where all are far away the result fades to zero.
        sigma: standard deviation in pixels, a number or ``(B,)``.
        grid: see :func:`lowpass`.

    Returns:
        ``(B, C, H, W)``.
    """
    blurred = lowpass(torch.cat((values * weights, weights), 1), sigma, grid)
    return blurred[:, :-1] / blurred[:, -1:].clamp_min(1e-6)


def face_size(mask: Tensor) -> Tensor:
    """Side in pixels of the square that has the mask's area, ``(B,)``, at least 1: the unit of widths.

    Args:
        mask: ``(B, 1, H, W)``.
    """
    return mask.sum((1, 2, 3)).clamp_min(1).sqrt()


def _kernel(size: int, cells: int, sigma: Tensor) -> Tensor:
    """``(B, size, cells)`` weights of the cells for every pixel, rows summing to 1."""
    pixel = torch.arange(size, dtype=sigma.dtype, device=sigma.device) + 0.5
    centre = (torch.arange(cells, dtype=sigma.dtype, device=sigma.device) + 0.5) * (size / cells)
    scaled = (pixel[:, None] - centre) / (sigma.clamp_min(size / cells) * math.sqrt(2))[:, None, None]
    return torch.softmax(-scaled.square(), -1)

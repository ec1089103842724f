"""Gaussian low-pass filters of any width, the width of every item its own."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .boxes import surrounding
from .pooling import summed


def lowpass(values: Tensor, sigma: Tensor | float, grid: int = 64, shape: tuple[int, int] | None = None) -> Tensor:
    """Blur with a Gaussian that is computed on a coarse grid and evaluated at every pixel.

    The cost hardly depends on the width. At the border the kernel is cut and normalised again, so constants stay.

    Args:
        values: ``(B, C, H, W)``.
        sigma: standard deviation in pixels, a number or ``(B,)``; at least one cell of the grid is used.
        grid: values are first averaged over cells, at most so many along a side.
        shape: height and width at which to evaluate the same area; the values' own if not given.

    Returns:
        ``(B, C, H, W)``, or of the shape given.
    """
    height, width = values.shape[-2:]
    cells = (
        F.adaptive_avg_pool2d(values, (min(height, grid), min(width, grid))) if max(height, width) > grid else values
    )
    sigma = torch.as_tensor(sigma, dtype=values.dtype, device=values.device).expand(len(values))
    rows, columns = shape or (height, width)
    vertical = _kernel(rows, cells.shape[-2], sigma / height)
    square = (rows, height) == (columns, width)
    horizontal = vertical if square else _kernel(columns, cells.shape[-1], sigma / width)
    return vertical @ cells @ horizontal.mT


def weighted_lowpass(
    values: Tensor, weights: Tensor, sigma: Tensor | float, grid: int = 64, shape: tuple[int, int] | None = None
) -> Tensor:
    """Blur only what has weight and continue it elsewhere (normalised convolution, Knutsson and Westin, 1993).

    Args:
        values: ``(B, C, H, W)``.
        weights: ``(B, 1, H, W)``, not negative; where all are far away the result fades to zero.
        sigma: standard deviation in pixels, a number or ``(B,)``.
        grid: see :func:`lowpass`.
        shape: see :func:`lowpass`.

    Returns:
        ``(B, C, H, W)``, or of the shape given.
    """
    blurred = lowpass(torch.cat((values * weights, weights), 1), sigma, grid, shape)
    return blurred[:, :-1] / blurred[:, -1:].clamp_min(1e-6)


def pooled(values: Tensor, mask: Tensor, side: int) -> tuple[Tensor, Tensor, float]:
    """Average what is under a mask over cells, so that the longer side becomes at most ``side``.

    Args:
        values: ``(B, C, H, W)``; those of mask 0 do not count.
        mask: ``(B, 1, H, W)``.
        side: in cells.

    Returns:
        ``(B, C, h, w)`` means under the mask (0 where there is none), ``(B, 1, h, w)`` mean of the mask, and the
        cells per pixel.
    """
    height, width = values.shape[-2:]
    scale = min(1.0, side / max(height, width))
    shape = (max(1, round(scale * height)), max(1, round(scale * width)))
    weight = F.adaptive_avg_pool2d(mask, shape)
    part, seen = surrounding(mask), torch.zeros_like(values)
    seen[part] = torch.where(mask[part] > 0, values[part] * mask[part], 0)
    average = F.adaptive_avg_pool2d(seen, shape)
    return average / weight.clamp_min(1e-6), weight, scale


def face_size(mask: Tensor) -> Tensor:
    """Side in pixels of the square that has the mask's area, ``(B,)``, at least 1: the unit of widths.

    Args:
        mask: ``(B, 1, H, W)``.
    """
    return summed(mask, (1, 2, 3)).flatten().clamp_min(1).sqrt()


def _kernel(size: int, cells: int, sigma: Tensor) -> Tensor:
    """``(B, 1, size, cells)`` weights of the cells for every pixel, rows summing to 1; sigma as a share of the side."""
    pixel = (torch.arange(size, dtype=sigma.dtype, device=sigma.device) + 0.5) / size
    centre = (torch.arange(cells, dtype=sigma.dtype, device=sigma.device) + 0.5) / cells
    scaled = (pixel[:, None] - centre) / (sigma.clamp_min(1 / cells) * math.sqrt(2))[:, None, None, None]
    return torch.softmax(-scaled.square(), -1)

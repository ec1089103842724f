"""Landmarks as maps: what the official reenactment networks are conditioned on, and back from heatmaps to points.

v2 draws a disc around every landmark, v1 a small Gaussian in one of two kinds. All three are products or functions of
distances that need no loop over points.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def landmark_discs(landmarks: Tensor, size: int) -> Tensor:
    """Discs of FSGAN v2: ``relu(((1 - d / sqrt 2)^8 - 0.8) / 0.2)`` of the distance d in crops.

    Args:
        landmarks: ``(B, P, 2)`` x, y as fractions of the crop's side. Points far outside, or NaN, give an empty map.
        size: side of the maps in pixels.

    Returns:
        ``(B, P, size, size)`` in [0, 1]; a disc's radius is about 0.039 of the side.
    """
    centres = (torch.arange(size, device=landmarks.device, dtype=landmarks.dtype) + 0.5) / size
    offsets = (centres - landmarks[..., None]).square()
    distance = (offsets[:, :, 0, None, :] + offsets[:, :, 1, :, None]).sqrt()
    near = (1 - distance / math.sqrt(2)).clamp(min=0)
    return ((near.pow(8) - 0.8) / 0.2).relu().nan_to_num(0.0)


def filter_heatmaps(heatmaps: Tensor) -> Tensor:
    """Stretch every heatmap to [0, 1] and drop what lies below one half.

    Args:
        heatmaps: ``(B, P, H, W)``, unbounded.

    Returns:
        ``(B, P, H, W)``: 0, or in [0.5, 1]; a constant map becomes 0 (the original divides by zero there).
    """
    low, high = heatmaps.amin((2, 3), keepdim=True), heatmaps.amax((2, 3), keepdim=True)
    span = high - low
    stretched = (heatmaps - low) / torch.where(span > 0, span, torch.ones_like(span))
    return torch.where(stretched >= 0.5, stretched, torch.zeros_like(stretched))


def landmarks_from_heatmaps(heatmaps: Tensor) -> Tensor:
    """Centroids of filtered heatmaps (FSGAN v2's landmark encoder).

    Args:
        heatmaps: ``(B, P, H, W)``, unbounded, as HRNet gives them.

    Returns:
        ``(B, P, 2)`` x, y as fractions of the map's sides. A constant map, which names no point, gives the middle.
    """
    weights = filter_heatmaps(heatmaps)
    height, width = weights.shape[2:]
    total = weights.sum((2, 3))
    x = (torch.arange(width, device=weights.device, dtype=weights.dtype) + 0.5) / width
    y = (torch.arange(height, device=weights.device, dtype=weights.dtype) + 0.5) / height
    moments = torch.stack([(weights.sum(2) * x).sum(2), (weights.sum(3) * y).sum(2)], 2)
    empty = (total == 0)[..., None]
    return torch.where(empty, 0.5, moments / total.clamp(min=torch.finfo(total.dtype).tiny)[..., None])


def gaussian_patches(points: Tensor, size: int, sigma: int | None = None) -> Tensor:
    """Gaussians of FSGAN v1's plain reenactment: patches of ``6 * sigma + 1`` pixels, peak 1.

    The patch is centred one pixel above and left of the point's pixel, and is shifted by two more where it leaves the
    frame at the left or top: the published networks were trained with that.

    Args:
        points: ``(B, P, 2 or 3)`` x, y (, z ignored) in pixels. Points with x <= 0 give an empty map.
        size: side of the maps in pixels.
        sigma: a sixth of the patch; default ``max(1, round(size / 128))``.

    Returns:
        ``(B, P, size, size)`` in [0, 1].
    """
    sigma = max(1, round(size / 128)) if sigma is None else sigma
    profile = _patch_profile(points[..., :2], size, sigma)
    maps = profile[:, :, 1, :, None] * profile[:, :, 0, None, :]
    return maps * (points[..., 0] > 0)[:, :, None, None]


def _patch_profile(points: Tensor, size: int, sigma: int) -> Tensor:
    """One-dimensional Gaussians along x and y: ``(B, P, 2, size)``."""
    # The original counts pixels from 1 and rounds to two decimals before it takes the floor.
    middle = ((points * 100).round() / 100).floor()
    first, last = middle - 3 * sigma, middle + 3 * sigma
    start = first.clamp(min=1)
    skipped = (-first).clamp(min=1)
    pixel = torch.arange(size, device=points.device, dtype=points.dtype)
    index = pixel - (start - skipped)[..., None]
    side = 6 * sigma + 1
    value = torch.exp(-(((index + 1 - (side + 1) / 2) / (0.25 * side)) ** 2) / 2)
    inside = (pixel >= start[..., None] - 1) & (pixel <= last[..., None] - 1)
    touches = (first <= size) & (last >= 1)
    return value * (inside & touches[..., None])


def blurred_points(points: Tensor, size: int, kernel: int) -> Tensor:
    """Gaussians of FSGAN v1's stepwise reenactment: one pixel blurred by ``exp(-(d / 4)^2)``, peak 1.

    Args:
        points: ``(B, P, 2 or 3)`` x, y (, z ignored) in pixels; clamped to the frame and truncated to a pixel.
        size: side of the maps in pixels.
        kernel: side of the blur's window in pixels (13 for maps of 256, 7 for 128).

    Returns:
        ``(B, P, size, size)`` in [0, 1].
    """
    pixel = torch.arange(size, device=points.device, dtype=points.dtype)
    offset = pixel - points[..., :2].trunc().clamp(0, size - 1)[..., None]
    profile = torch.exp(-((offset / 4) ** 2)) * (offset.abs() <= kernel // 2)
    return profile[:, :, 1, :, None] * profile[:, :, 0, None, :]

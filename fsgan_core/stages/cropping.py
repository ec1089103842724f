"""Crops: squares around a face, of whole pixels or, for what moves with it, of fractions of them."""

from __future__ import annotations

from math import ceil, floor

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..ops.flow import identity, sample
from .compositing import crop

Box = tuple[int, int, int, int]
Square = tuple[float, float, float]
"""Left, top, side in pixels of the frame; may reach beyond it."""


def square_box(points: NDArray[np.floating], margin: float = 1.0) -> Box:
    """The smallest even square around points ``(P, 2 or more)``, enlarged.

    Args:
        points: x, y in pixels of the frame.
        margin: side of the square over the longer side of the points' extent.

    Returns:
        left, top, right, bottom in whole pixels; may reach beyond the frame.
    """
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    half = max(4, int(np.ceil(margin * float((high - low).max()) / 2)))
    x, y = np.rint((low + high) / 2).astype(int).tolist()
    return x - half, y - half, x + half, y + half


def window(points: NDArray[np.floating], margin: float) -> Square:
    """The same to fractions of a pixel: along a clip whole pixels would shift what stays in its place by one each."""
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    side = max(8.0, margin * float((high - low).max()))
    left, top = ((low + high - side) / 2).tolist()
    return left, top, side


def seen_through(frame: NDArray[np.uint8], square: Square) -> Tensor:
    """A frame ``(H, W, 3)`` in a square of fractions of its pixels: ``(1, 3, S, S)`` in [0, 1], S about the side.

    Looked up linearly, its edge repeated beyond it.
    """
    left, top, side = square
    x, y, count = floor(left), floor(top), ceil(side)
    part = crop(frame, (x, y, x + count + 1, y + count + 1))
    start = part.new_tensor((left - x, top - y))[:, None, None]
    return sample(part, identity(count, count, part) * (side / count) + start)


def in_crop(landmarks: NDArray[np.float32], box: Box) -> Tensor:
    """Landmarks ``(478, 3)`` of the frame as ``(1, 478, 3)`` of the crop."""
    return torch.from_numpy(landmarks - np.array((box[0], box[1], 0), np.float32))[None]


def crop_mask(mask: NDArray[np.float32], box: Box) -> Tensor:
    """Cut a box out of a frame's mask ``(H, W)``: ``(1, 1, side, side)``, 0 beyond the frame."""
    left, top, right, bottom = box
    result = np.zeros((bottom - top, right - left), np.float32)
    height, width = mask.shape
    y0, x0, y1, x1 = max(top, 0), max(left, 0), min(bottom, height), min(right, width)
    if y0 < y1 and x0 < x1:
        result[y0 - top : y1 - top, x0 - left : x1 - left] = mask[y0:y1, x0:x1]
    return torch.from_numpy(result)[None, None]

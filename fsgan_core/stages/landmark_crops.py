"""Square crops around faces for the landmark network: where they lie in the frame, their pixels, the way back."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Frame = NDArray[np.uint8]

BOX_MARGIN = 1.3
"""Side of the first crop over the longer side of the detector's box."""
SHAPE_MARGIN = 4.0
"""Side of the aligned crop over the root mean square distance of the points from their centre."""


def placement(centre: NDArray[np.floating], side: float, roll: float, size: int) -> Floats:
    """The similarity that brings a turned square of the frame to an upright crop.

    Args:
        centre: ``(2,)`` x, y of the square's middle in the frame.
        side: of the square, in pixels of the frame.
        roll: how far the square is turned, in radians, clockwise as seen.
        size: side of the crop in pixels.

    Returns:
        ``(2, 3)`` matrix from pixels of the frame to pixels of the crop.
    """
    c, s = np.cos(roll) * size / side, np.sin(roll) * size / side
    turn = np.array([[c, s], [-s, c]])
    return np.concatenate([turn, (size / 2 - turn @ np.asarray(centre, np.float64))[:, None]], 1)


def box_placement(box: NDArray[np.floating], size: int) -> Floats:
    """Placement of the first crop: upright, around a detector's box ``(4,)``."""
    left, top, right, bottom = np.asarray(box, np.float64)
    side = BOX_MARGIN * max(right - left, bottom - top, 1.0)
    return placement(np.array([left + right, top + bottom]) / 2, side, 0.0, size)


def shape_placement(points: NDArray[np.floating], size: int) -> Floats:
    """Placement of the aligned crop: around landmarks ``(478, 3)``, forehead up, always the same size in the crop.

    The size is taken in three dimensions, so that turning the head does not change it.
    """
    points = np.asarray(points, np.float64)
    centre = points.mean(0)
    spread = np.sqrt(((points - centre) ** 2).sum(1).mean())
    up = points[10] - points[152]
    return placement(centre[:2], max(SHAPE_MARGIN * spread, 1.0), np.arctan2(up[0], -up[1]), size)


def after(second: Floats, first: Floats) -> Floats:
    """The placement that does ``first`` and then ``second``."""
    return np.concatenate([second[:, :2] @ first[:, :2], (second[:, :2] @ first[:, 2] + second[:, 2])[:, None]], 1)


def inverse(matrix: Floats) -> Floats:
    """The ``(2, 3)`` map back."""
    back = np.linalg.inv(matrix[:, :2])
    return np.concatenate([back, -back @ matrix[:, 2:]], 1)


def moved(points: NDArray[np.floating], matrix: Floats) -> Floats:
    """Landmarks ``(..., 3)`` after a placement; depth is scaled alike."""
    points = np.asarray(points, np.float64)
    scale = np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    return np.concatenate([points[..., :2] @ matrix[:, :2].T + matrix[:, 2], points[..., 2:] * scale], -1)


def cut(frame: Frame, matrix: Floats, size: int, border: int = cv2.BORDER_CONSTANT) -> Frame:
    """Draw a crop; what lies outside the frame is black. Strong minification averages areas.

    Args:
        frame: ``(H, W, 3)`` uint8.
        matrix: ``(2, 3)`` from pixels of the frame to pixels of the crop.
        size: side of the crop.
        border: OpenCV border mode.

    Returns:
        ``(size, size, 3)`` uint8.
    """
    shrink = int(1 / np.sqrt(max(abs(np.linalg.det(matrix[:, :2])), 1e-12)))
    if shrink >= 2:
        square = np.array([[0, 0, size, size], [0, size, 0, size]])
        corners = np.linalg.solve(matrix[:, :2], square - matrix[:, 2:])
        low = np.maximum(np.floor(corners.min(1)).astype(int) - shrink, 0)
        high = np.minimum(np.ceil(corners.max(1)).astype(int) + shrink, frame.shape[1::-1])
        count = (high - low) // shrink
        if (count < 1).any():
            return np.zeros((size, size, 3), np.uint8)
        part = frame[low[1] : low[1] + count[1] * shrink, low[0] : low[0] + count[0] * shrink]
        frame = np.asarray(cv2.resize(part, (int(count[0]), int(count[1])), interpolation=cv2.INTER_AREA), np.uint8)
        matrix = after(matrix, np.array([[shrink, 0, low[0]], [0, shrink, low[1]]], np.float64))
    # OpenCV counts from pixel centres: the first is 0, not 0.5.
    shift = matrix[:, :2] @ (0.5, 0.5) + matrix[:, 2] - 0.5
    centred = np.concatenate([matrix[:, :2], shift[:, None]], 1)
    return np.asarray(cv2.warpAffine(frame, centred, (size, size), flags=cv2.INTER_LINEAR, borderMode=border), np.uint8)

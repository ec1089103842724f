"""The original's geometry, reproduced exactly for its weight sets: boxes, crops, rolls, flips.

The published networks were trained on crops made this way. The library's own pipeline crops at native resolution and
composites under a soft mask instead.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]
Box = NDArray[np.int64]


def scale_box(box: NDArray[np.float64], scale: float = 1.2, square: bool = True) -> Box:
    """Enlarge a box about its centre and round it to pixels, halves to even.

    Args:
        box: left, top, width, height in pixels.
        scale: factor of the size.
        square: take the longer side for both.

    Returns:
        left, top, width, height; may reach outside the frame.
    """
    size = np.round(box[2:] * scale)
    if square:
        size = np.full(2, size.max())
    corner = np.round(box[:2] + box[2:] / 2 - size / 2)
    return np.concatenate([corner, size]).astype(np.int64)


def crop(frame: Frame, box: Box) -> Frame:
    """Cut a box out of a frame; black outside the frame.

    Args:
        frame: ``(H, W, 3)``.
        box: left, top, width, height in pixels.

    Returns:
        ``(height, width, 3)``.
    """
    left, top, width, height = (int(value) for value in box)
    out = np.zeros((height, width, *frame.shape[2:]), frame.dtype)
    inside, outside = _overlap(box, frame)
    out[outside] = frame[inside]
    return out


def paste(frame: Frame, picture: Frame, box: Box) -> Frame:
    """Resize a picture (bicubic) to a box and write it over a copy of the frame.

    Args:
        frame: ``(H, W, 3)``.
        picture: ``(h, w, 3)``.
        box: left, top, width, height in pixels; what lies outside the frame is dropped.

    Returns:
        ``(H, W, 3)``.
    """
    resized = np.asarray(cv2.resize(picture, (int(box[2]), int(box[3])), interpolation=cv2.INTER_CUBIC), np.uint8)
    out = frame.copy()
    inside, outside = _overlap(box, frame)
    out[inside] = resized[outside]
    return out


def _overlap(box: Box, frame: Frame) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """The common part of box and frame, as slices of the frame and of the box."""
    corner, far = box[:2], box[:2] + box[2:]
    size = np.array(frame.shape[1::-1])
    start, stop = np.clip(corner, 0, size), np.clip(far, 0, size)
    inside = (slice(start[1], stop[1]), slice(start[0], stop[0]))
    start, stop = start - corner, stop - corner
    return inside, (slice(start[1], stop[1]), slice(start[0], stop[0]))


def main_box(boxes: NDArray[np.float64], height: int, width: int) -> NDArray[np.float64]:
    """The box that is largest and most central, equally weighted (v1's choice of one face a frame).

    Args:
        boxes: ``(N, 4)`` left, top, width, height in pixels.
        height: of the frame.
        width: of the frame.

    Returns:
        ``(4,)``.

    Raises:
        ValueError: no box.
    """
    if not len(boxes):
        raise ValueError("found no box, expected at least one; skip frames without a face")
    distance = np.linalg.norm(boxes[:, :2] + boxes[:, 2:] / 2 - np.array([width, height]) / 2, axis=1)
    central = np.clip(1 - distance / (0.25 * np.hypot(height, width)), 0, 1)
    large = np.clip(boxes[:, 2:].mean(1) / (0.25 * (height + width)), 0, 1)
    best: NDArray[np.float64] = boxes[np.argmax(central + large)]
    return best


def rotate(frame: Frame, landmarks: NDArray[np.float32], degrees: float) -> tuple[Frame, NDArray[np.float32]]:
    """Turn a crop and its landmarks about the centre, counter-clockwise as seen (v2's roll alignment).

    Args:
        frame: ``(H, W, 3)``.
        landmarks: ``(P, 2)`` x, y as fractions of the crop's sides.
        degrees: angle.

    Returns:
        the crop (bicubic, black outside) and the landmarks, same shapes.
    """
    height, width = frame.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), float(degrees), 1.0)
    turned = np.asarray(cv2.warpAffine(frame, matrix, (width, height), flags=cv2.INTER_CUBIC), np.uint8)
    side = np.array([width, height])
    points = (landmarks * side @ matrix[:, :2].T + matrix[:, 2]) / side
    return turned, points.astype(np.float32)


MIRROR_68: NDArray[np.int64] = np.r_[
    16:-1:-1, 26:16:-1, 27:31, 35:30:-1, 45:41:-1, 47:45:-1, 39:35:-1, 41:39:-1, 54:47:-1, 59:54:-1, 64:59:-1, 67:64:-1
]
"""iBUG landmarks in the order of a mirrored face"""
MIRROR_98: NDArray[np.int64] = np.r_[
    32:-1:-1, 46:41:-1, 50:46:-1, 37:32:-1, 41:37:-1, 51:55, 59:54:-1,
    72:67:-1, 75:72:-1, 64:59:-1, 67:64:-1, 82:75:-1, 87:82:-1, 92:87:-1, 95:92:-1, 97, 96,
]  # fmt: skip
"""WFLW landmarks in the order of a mirrored face"""


def flip_landmarks(landmarks: NDArray[np.float32], width: float = 1.0) -> NDArray[np.float32]:
    """Mirror landmarks left to right as the original does: x becomes ``width - x``.

    Args:
        landmarks: ``(68 or 98, 2 or more)``.
        width: of the picture, in the unit of the landmarks.

    Returns:
        same shape.
    """
    flipped = landmarks[MIRROR_68 if len(landmarks) == 68 else MIRROR_98].copy()
    flipped[:, 0] = width - flipped[:, 0]
    return flipped

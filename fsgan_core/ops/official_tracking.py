"""The original's tracks and temporal smoothing, reproduced exactly for its weight sets.

A track here ends at its first missed frame and only long, large ones survive, while the library's own tracking
tolerates gaps. Smoothing is adaptive: a moving mean where little moves, the raw value where much does, after the idea
of the one-euro filter (Casiez et al. 2012).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.float64]


class LinkedBoxes(NamedTuple):
    """One face in consecutive frames."""

    start: int
    """index of the first frame"""
    boxes: Floats
    """``(F, 4)`` left, top, right, bottom in pixels"""


PARTS_98: tuple[NDArray[np.int64], ...] = (
    np.r_[0:33],
    np.r_[51:60],
    np.r_[77:82, 89:92],
    np.r_[76, 82:88, 88, 92:96],
    np.r_[33:42],
    np.r_[42:51],
    np.r_[60:68],
    np.r_[68:76],
    np.r_[96],
    np.r_[97],
)
"""WFLW landmarks that move together: jaw, nose, upper and lower lip, brows, eyes, irises"""


def overlap(box: Floats, boxes: Floats) -> Floats:
    """Intersection over union of one box with many, 1e-5 added to the union.

    Args:
        box: ``(4,)`` left, top, right, bottom.
        boxes: ``(N, 4)``.

    Returns:
        ``(N,)`` in [0, 1).
    """
    size = np.clip(np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2]), 0, None)
    common = size.prod(1)
    union = (box[2:] - box[:2]).prod() + (boxes[:, 2:] - boxes[:, :2]).prod(1) - common
    ratio: Floats = common / (union + 1e-5)
    return ratio


def link_boxes(
    frames: Sequence[Floats],
    *,
    min_overlap: float = 0.75,
    min_length: int = 10,
    min_size: float = 64,
    crop_scale: float = 1.2,
) -> dict[int, LinkedBoxes]:
    """Join each frame's boxes to the tracks of the frame before, the oldest track choosing first.

    Args:
        frames: for every frame ``(N, 4)`` left, top, right, bottom in pixels.
        min_overlap: a box continues a track when its overlap with the last box exceeds this.
        min_length: shortest track kept, in frames (the original takes 1 for a still image).
        min_size: smallest mean height, times ``crop_scale``, in pixels.
        crop_scale: see ``min_size``.

    Returns:
        tracks by number; numbers count from 0 in order of creation, the dictionary is ordered by ending.
    """
    active: list[tuple[int, int, list[Floats]]] = []
    ended: list[tuple[int, int, list[Floats]]] = []
    created = 0
    for index, boxes in enumerate([*frames, np.zeros((0, 4))]):
        free = [np.asarray(box, np.float64) for box in boxes]
        continued = []
        for track in active:
            overlaps = overlap(track[2][-1], np.array(free)) if free else np.zeros(1)
            best = int(overlaps.argmax())
            if overlaps[best] > min_overlap:
                track[2].append(free.pop(best))
                continued.append(track)
            else:
                ended.append(track)
        active = continued
        for box in free:
            active.append((created, index, [box]))
            created += 1
    kept = [
        (number, LinkedBoxes(start, np.array(boxes)))
        for number, start, boxes in ended
        if len(boxes) >= min_length and _mean_height(boxes) * crop_scale >= min_size
    ]
    rank = {number: i for i, number in enumerate(sorted(number for number, _ in kept))}
    return {rank[number]: track for number, track in kept}


def _mean_height(boxes: list[Floats]) -> float:
    return float(np.mean([box[3] - box[1] for box in boxes]))


def moving_mean(values: NDArray[np.floating], kernel: int) -> Floats:
    """Centred mean over frames, reflected at both ends (repeatedly, so that short sequences work).

    Args:
        values: ``(F, ...)``.
        kernel: odd window in frames.

    Returns:
        same shape.
    """
    mean: Floats = _windows(values, kernel).mean(-1, dtype=np.float64)
    return mean


def hamming_mean(values: NDArray[np.floating], kernel: int = 7) -> Floats:
    """Centred mean with Hamming weights, reflected at both ends: v1's smoothing of boxes, landmarks and poses.

    Args:
        values: ``(F, ...)``.
        kernel: odd window in frames.

    Returns:
        same shape.
    """
    weights = np.hamming(kernel)
    mean: Floats = _windows(values, kernel) @ (weights / weights.sum())
    return mean


def _windows(values: NDArray[np.floating], kernel: int) -> NDArray[np.floating]:
    """``(F, ..., kernel)``: every frame's neighbourhood."""
    reflected = np.pad(np.arange(len(values)), kernel // 2, mode="reflect")
    return np.lib.stride_tricks.sliding_window_view(values[reflected], kernel, axis=0)


def motion(points: NDArray[np.floating], kernel: int = 5) -> Floats:
    """Length of the moving mean of the steps between frames.

    Args:
        points: ``(F, ..., 2)``.
        kernel: odd window in frames.

    Returns:
        ``(F, ...)`` in the unit of the points a frame.
    """
    steps = np.zeros(points.shape)
    steps[1:] = points[1:] - points[:-1]
    length: Floats = np.linalg.norm(moving_mean(steps, kernel), axis=-1)
    return length


def smooth_boxes(boxes: Floats, center_kernel: int = 25, size_kernel: int = 51, max_motion: float = 0.01) -> Floats:
    """Steady the boxes of a track.

    Args:
        boxes: ``(F, 4)`` left, top, right, bottom in pixels.
        center_kernel: window for centres, in frames.
        size_kernel: window for sizes, in frames.
        max_motion: motion, in box heights a frame, from which on centres are not smoothed.

    Returns:
        ``(F, 4)``.
    """
    centers = (boxes[:, :2] + boxes[:, 2:]) / 2
    sizes = moving_mean(boxes[:, 2:] - boxes[:, :2], size_kernel)
    raw = np.minimum(motion(centers / sizes[:, 1:], center_kernel) / max_motion, 1)[:, None]
    centers = centers * raw + moving_mean(centers, center_kernel) * (1 - raw)
    return np.concatenate([centers - sizes / 2, centers + sizes / 2], axis=1)


def smooth_landmarks_98(
    landmarks: NDArray[np.floating], kernel: int = 7, motion_kernel: int = 5, max_motion: float = 0.01
) -> Floats:
    """Steady the landmarks of a track, each part of the face by its own motion.

    Args:
        landmarks: ``(F, 98, 2)`` as fractions of the crop's side.
        kernel: window of the mean, in frames.
        motion_kernel: window of the motion, in frames.
        max_motion: mean motion of a part, in crops a frame, from which on it is not smoothed.

    Returns:
        same shape.
    """
    mean, moved = moving_mean(landmarks, kernel), motion(landmarks, motion_kernel)
    out = np.empty(landmarks.shape)
    for part in PARTS_98:
        raw = np.minimum(moved[:, part].mean(1) / max_motion, 1)[:, None, None]
        out[:, part] = landmarks[:, part] * raw + mean[:, part] * (1 - raw)
    return out


def smooth_logits(logits: Tensor, kernel: int = 5, before: int | None = None, after: int | None = None) -> Tensor:
    """Mean of segmentation logits over a window of frames.

    Args:
        logits: ``(F, C, H, W)``.
        kernel: odd window in frames.
        before: frames reflected before the first; default half the window.
        after: frames reflected after the last; default half the window.

    Returns:
        ``(F + before + after - kernel + 1, C, H, W)``; by default F.
    """
    half = kernel // 2
    pad = (half if before is None else before, half if after is None else after)
    reflected = np.pad(np.arange(len(logits)), pad, mode="reflect")
    windows = logits[torch.from_numpy(reflected).to(logits.device)].unfold(0, kernel, 1)
    return windows.mean(-1)

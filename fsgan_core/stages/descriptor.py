"""What a face looks like in a few numbers, to tell faces in one clip apart.

A descriptor is made of the layout of colours (a coarse picture whose brightness and contrast are taken out) and of the
directions of edges in each part of the picture (a histogram of oriented gradients). It knows two different people in
one scene from each other by skin, hair, clothes and features seen from a similar side. It is no face recognition: the
same person in another light, from another side or years later may be farther away than a stranger in the same light.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Frame = NDArray[np.uint8]

_SIDE = 64
"""Side in pixels of the patch that is described."""
_COLOUR_CELLS, _EDGE_CELLS, _DIRECTIONS = 4, 8, 8
"""Cells along a side, and directions of edges over half a turn."""
_COLOUR_OF_BOX, _COLOUR_OF_FACE = 0.5, 0.25
"""Share of colour in a similarity; the rest is edges, which are to be trusted where eyes and mouth are aligned."""
_REFERENCE = ((33, 133), (362, 263), (61, 291))
"""Right eye, left eye, mouth: the corners whose middle is aligned."""
_PLACES = np.array(((20.0, 24.0), (44.0, 24.0), (32.0, 48.0)), np.float32)
"""Where these middles come to lie in the patch, in pixels."""


def describe_box(frame: Frame, box: Sequence[float] | Floats) -> Floats:
    """Describe the face in a box, as seen while tracking.

    Args:
        frame: uint8 ``(H, W, 3)`` RGB.
        box: ``(4,)`` left, top, right, bottom in pixels; what lies outside the frame repeats its border.

    Returns:
        ``(D,)`` of length 1.
    """
    left, top, right, bottom = (float(edge) for edge in box)
    # A little more than the face: hair and collar tell people apart.
    grow_x, grow_y = 0.1 * (right - left), 0.15 * (bottom - top)
    scale_x, scale_y = _SIDE / max(right - left + 2 * grow_x, 1), _SIDE / max(bottom - top + 2 * grow_y, 1)
    matrix = np.array(((scale_x, 0, (grow_x - left) * scale_x), (0, scale_y, (grow_y - top) * scale_y)))
    return _describe(_patch(frame, matrix), _COLOUR_OF_BOX)


def describe_face(frame: Frame, landmarks: Floats) -> Floats:
    """Describe a measured face, upright and at a fixed size.

    Args:
        frame: uint8 ``(H, W, 3)`` RGB.
        landmarks: ``(478, 2 or 3)`` in pixels of the frame.

    Returns:
        ``(D,)`` of length 1.
    """
    middles = np.stack([landmarks[list(pair), :2].mean(0) for pair in _REFERENCE])
    return _describe(_patch(frame, _alignment(middles.astype(np.float64))), _COLOUR_OF_FACE)


def similarity(one: Floats, other: Floats) -> float:
    """Similarity of two descriptors, or of the means of several ``(D,)``: 1 the same, about 0 unrelated."""
    length = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / length if length > 0 else 0.0


def _alignment(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Similarity transform ``(2, 3)`` that brings three points closest to their places (least squares)."""
    source, target = (array[:, 0] + 1j * array[:, 1] for array in (points, _PLACES.astype(np.float64)))
    centred = source - source.mean()
    turn = (centred.conj() @ (target - target.mean())) / max(float((np.abs(centred) ** 2).sum()), 1e-6)
    shift = target.mean() - turn * source.mean()
    return np.array(((turn.real, -turn.imag, shift.real), (turn.imag, turn.real, shift.imag)))


def _patch(frame: Frame, matrix: NDArray[np.float64]) -> Frame:
    """The patch that an affine map leads to, reduced without aliasing."""
    reduction = int(max(1.0, 1 / np.sqrt(max(abs(np.linalg.det(matrix[:, :2])), 1e-9))))
    size = (_SIDE * reduction, _SIDE * reduction) if reduction <= 16 else (_SIDE * 16, _SIDE * 16)
    larger = matrix * (size[0] / _SIDE)
    patch = cv2.warpAffine(frame, larger, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return cv2.resize(patch, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.uint8)


def _describe(patch: Frame, colour: float) -> Floats:
    parts = np.sqrt(colour) * _colours(patch), np.sqrt(1 - colour) * _edges(patch)
    return np.concatenate(parts).astype(np.float32)


def _unit(values: NDArray[Any]) -> Floats:
    return (values / max(float(np.linalg.norm(values)), 1e-6)).astype(np.float32)


def _colours(patch: Frame) -> Floats:
    """Coarse picture in L*a*b*: brightness relative to its own mean and contrast, hue as it is."""
    cells = cv2.resize(patch, (_COLOUR_CELLS, _COLOUR_CELLS), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    lab = cv2.cvtColor(cells, cv2.COLOR_RGB2LAB).reshape(-1, 3)
    bright = lab[:, 0] - lab[:, 0].mean()
    return _unit(np.concatenate((_unit(bright), _unit(lab[:, 1:].ravel()))))


def _edges(patch: Frame) -> Floats:
    """Histogram of gradient directions in each cell, each relative to its neighbourhood, centred."""
    grey = cv2.GaussianBlur(cv2.cvtColor(patch, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 1.0)
    across, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    strength, direction = np.sqrt(np.hypot(across, down)), np.mod(np.arctan2(down, across), np.pi) / np.pi
    planes = []
    for number in range(_DIRECTIONS):
        distance = np.abs(np.mod(direction * _DIRECTIONS - number + _DIRECTIONS / 2, _DIRECTIONS) - _DIRECTIONS / 2)
        plane = strength * np.clip(1 - distance, 0, None)
        planes.append(cv2.resize(plane, (_EDGE_CELLS, _EDGE_CELLS), interpolation=cv2.INTER_AREA))
    cells = np.stack(planes, -1)
    strong = np.linalg.norm(cells, axis=-1, keepdims=True)
    cells = cells / (strong + 0.3 * strong.mean() + 1e-6)
    return _unit((cells - cells.mean((0, 1))).ravel().astype(np.float32))

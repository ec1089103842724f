"""Scene cuts, found while the frames stream by.

A frame starts a new shot when little of it can be found in the frame before, even after moving: small patches of the
one are searched in the other by normalised correlation, which does not mind a flash or a fade, and the colours are
compared, which do not mind motion. The difference must exceed the shot's own habit, so that a shaking camera raises
the bar. Frames without any content (black, white) wait for the next that has some: a fade through
black is then one cut, where the new picture appears, and a white flash is none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..options import Range, check_ranges

_WIDTH, _HEIGHT = 64, 48
"""Size of the thumbnail in pixels; the aspect ratio does not matter for comparing."""
_PATCH, _REACH = 8, 10
"""Side of a patch and how far it may have moved, in pixels of the thumbnail."""
_LOST = 0.3
"""Missing correlation from which a patch counts as lost altogether."""
_CLEAR = 0.2
"""Lost share up to which there is nothing to doubt."""
_BINS = 8
"""Bins of the colour histogram for each channel."""


@dataclass(frozen=True, kw_only=True)
class CutOptions:
    """What counts as a scene cut."""

    threshold: Annotated[float, Range(0, 1)] = 0.31
    """difference between two frames from which there is a cut"""
    contrast: Annotated[float, Range(0, 255)] = 4.0
    """grey levels of standard deviation below which a frame shows nothing and is skipped"""
    habit: Annotated[float, Range(0, math.inf)] = 1.5
    """a cut must also exceed the mean difference of the shot so far this many times"""

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class _Thumbnail:
    grey: NDArray[np.float32]
    colours: NDArray[np.float32]


class CutDetector:
    """Finds the frames that start a new shot, fed frame by frame.

    Args:
        options: see :class:`CutOptions`.
    """

    def __init__(self, options: CutOptions = CutOptions()) -> None:  # noqa: B008 (frozen)
        self._options = options
        self._last: _Thumbnail | None = None
        self._blank = False
        self._habit = 0.0

    def is_cut(self, frame: NDArray[np.uint8]) -> bool:
        """Whether a frame starts a new shot.

        Args:
            frame: uint8 ``(H, W, 3)`` RGB, the next one of the clip; the size may differ from the last one's.

        Returns:
            True when it belongs to another shot than the frame before; False for the first frame.
        """
        thumbnail = _thumbnail(frame)
        if thumbnail.grey.std() < self._options.contrast:
            self._blank = True
            return False
        last, self._last = self._last, thumbnail
        blank, self._blank = self._blank, False
        if last is None:
            return False
        difference = _lost(last.grey, thumbnail.grey)
        if not blank:
            # Across a fade colours say nothing: what is nearly black has none.
            difference *= _colour_difference(last, thumbnail)
        if difference > max(self._options.threshold, self._options.habit * self._habit):
            self._habit = 0.0
            return True
        self._habit += 0.2 * (difference - self._habit)
        return False


def _thumbnail(frame: NDArray[np.uint8]) -> _Thumbnail:
    """Small picture and colour histogram (square roots of the shares)."""
    step = max(1, min(frame.shape[0] // (4 * _HEIGHT), frame.shape[1] // (4 * _WIDTH)))
    small = cv2.resize(np.ascontiguousarray(frame[::step, ::step]), (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    histogram = cv2.calcHist([small], [0, 1, 2], None, [_BINS] * 3, [0, 256] * 3).astype(np.float32)
    # Neighbouring bins share, or a slight change of brightness would empty one bin into the next.
    for axis in range(3):
        histogram = ndimage.convolve1d(histogram, (0.25, 0.5, 0.25), axis=axis, mode="constant")
    return _Thumbnail(grey, np.sqrt(histogram / histogram.sum()).astype(np.float32))


def _colour_difference(last: _Thumbnail, thumbnail: _Thumbnail) -> float:
    """Between 0 and 1; the root makes it count less than contents: two shots of one room differ little in colour."""
    return max(1 - float((last.colours * thumbnail.colours).sum()), 0.0) ** 0.25


def _lost(last: NDArray[np.float32], grey: NDArray[np.float32]) -> float:
    """Share of the contents that two frames do not share, flash or not."""
    lost = _unexplained(last, grey)
    if lost < _CLEAR:
        return lost
    # A flash clips what the other frame shows, in the one order or the other.
    return min(lost, _unexplained(_exposed_as(last, grey), grey), _unexplained(_exposed_as(grey, last), last))


def _exposed_as(grey: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    """A picture with the histogram of another: what over-exposure clips in the one is clipped in both."""
    result = np.empty(grey.size, np.float32)
    result[np.argsort(grey, axis=None, kind="stable")] = np.sort(other, axis=None)
    return result.reshape(grey.shape)


def _unexplained(last: NDArray[np.float32], grey: NDArray[np.float32]) -> float:
    """Share of a frame's contents not found in the last frame nearby, weighted by contrast."""
    padded = cv2.copyMakeBorder(last, _REACH, _REACH, _REACH, _REACH, cv2.BORDER_REFLECT_101)
    blocks = grey.reshape(_HEIGHT // _PATCH, _PATCH, _WIDTH // _PATCH, _PATCH)
    contrast = np.minimum(blocks.std(axis=(1, 3)), 20.0)
    lost, total = 0.0, 0.0
    for top in range(0, _HEIGHT, _PATCH):
        for left in range(0, _WIDTH, _PATCH):
            weight = float(contrast[top // _PATCH, left // _PATCH])
            if weight < 1:
                continue
            patch = grey[top : top + _PATCH, left : left + _PATCH]
            around = padded[top : top + _PATCH + 2 * _REACH, left : left + _PATCH + 2 * _REACH]
            match = cv2.matchTemplate(around, patch, cv2.TM_CCOEFF_NORMED).max()
            lost += weight * min((1 - float(match)) / _LOST, 1.0)
            total += weight
    return lost / total if total else 0.0

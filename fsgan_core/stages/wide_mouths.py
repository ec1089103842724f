"""Mouths opened wide: looked at again with the lower face pressed together.

Few portraits scream, so networks find the lower lip of a scream where that of a laugh would be, up to a third of the
mouth's height too high. Pressed together a scream looks like a laugh, and what is found can be stretched again.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .landmark_crops import Floats, after, cut, inverse, moved, placement, shape_placement
from .landmarks import Frame

SIDE, _ROOM = 320, 1.8
"""Side in pixels of the upright picture that is pressed, and how much more it shows than a network's crop."""
_LAUGH, _SCREAM = 0.3, 0.44
"""Heights of a mouth, in distances between the outer eye corners, from which on it is looked at again, and from which
on it is pressed the most."""
_WIDER = 0.06
"""By how much wider a mouth must be found for that to be wholly believed, in the same unit."""
_PRESSED = 0.35
"""How much of its height the lower face loses at most."""


def opening(points: NDArray[np.floating]) -> float:
    """Height of the mouth of landmarks ``(478, 3)``, in distances between the outer eye corners."""
    height, eyes = (float(np.linalg.norm(points[a] - points[b])) for a, b in ((13, 14), (33, 263)))
    return height / max(eyes, 1e-6)


def gaping(points: NDArray[np.floating]) -> float:
    """How far a mouth of landmarks ``(478, 3)`` is open like a scream, in [0, 1]."""
    return float(np.clip((opening(points) - _LAUGH) / (_SCREAM - _LAUGH), 0, 1))


@dataclass(frozen=True)
class Pressed:
    """A face with its lower half pressed together.

    Attributes:
        image: uint8 ``(SIDE, SIDE, 3)``, upright.
        face: ``(478, 3)`` its landmarks in pixels of ``image``.
        matrix: ``(2, 3)`` from pixels of the frame to those of the picture before it was pressed.
        nose: y of the base of the nose there; what is below it is pressed.
        height: of the lower face, in what it was before.
        share: how far what is found now counts, in [0, 1].
    """

    image: Frame
    face: Floats
    matrix: Floats
    nose: float
    height: float
    share: float

    @classmethod
    def of(cls, frame: Frame, points: NDArray[np.floating]) -> Pressed:
        """A face of a frame with landmarks ``(478, 3)``; its mouth gapes."""
        much = gaping(points)
        matrix = after(placement(np.full(2, 0.5), _ROOM, 0.0, SIDE), shape_placement(points, 1))
        upright, nose, height = moved(points, matrix), float(moved(points, matrix)[2, 1]), 1 - _PRESSED * much
        rows = np.arange(SIDE, dtype=np.float32) + 0.5
        rows = np.where(rows > nose, nose + (rows - nose) / height, rows).astype(np.float32) - 0.5
        shown = np.ascontiguousarray(np.broadcast_to(rows[:, None], (SIDE, SIDE)))
        columns = np.ascontiguousarray(np.broadcast_to(np.arange(SIDE, dtype=np.float32), (SIDE, SIDE)))
        sheet = cut(frame, matrix, SIDE, cv2.BORDER_REPLICATE)
        image = cv2.remap(sheet, columns, shown, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return cls(np.asarray(image, np.uint8), _scaled(upright, nose, height), matrix, nose, height, min(1, 3 * much))

    def released(self, found: NDArray[np.floating]) -> Floats:
        """Landmarks ``(478, 3)`` found in the picture as pixels of the frame.

        Those above the mouth are as before, and all are where the mouth is not found to be wider: networks err towards
        less, and where they do not a second opinion is noise.
        """
        before, now = (_scaled(points, self.nose, 1 / self.height) for points in (self.face, found))
        low = ((before[:, 1:2] - self.nose) / (0.05 * SIDE)).clip(0, 1)
        wider = float(np.clip((opening(now) - opening(before)) / _WIDER, 0, 1))
        return moved(before + wider * self.share * low * (now - before), inverse(self.matrix))


def _scaled(points: NDArray[np.floating], level: float, factor: float) -> Floats:
    result = np.array(points, np.float64)
    below = result[:, 1] > level
    result[below, 1] = level + factor * (result[below, 1] - level)
    return result

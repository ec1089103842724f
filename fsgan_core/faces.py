"""Faces in a clip as numbers: where they are and how they move, without pixels."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Track:
    """One face followed through consecutive frames of one shot.

    Attributes:
        start: index of the first frame.
        boxes: ``(F, 4)`` left, top, right, bottom in pixels, one row a frame.
    """

    start: int
    boxes: Floats

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def stop(self) -> int:
        """Index after the last frame."""
        return self.start + len(self.boxes)


@dataclass(frozen=True)
class FaceSequence:
    """A track with its measurements. A still image is a one-frame sequence.

    Attributes:
        track: where the face is.
        landmarks: ``(F, 478, 3)`` dense landmarks in pixels of the frame.
        poses: ``(F, 3)`` yaw, pitch, roll in degrees.
        scores: ``(F,)`` confidence in [0, 1]; 0 marks a frame in which the face was not seen
            (its other rows are then interpolated and must not be rendered).
    """

    track: Track
    landmarks: Floats
    poses: Floats
    scores: Floats

    def __len__(self) -> int:
        return len(self.track)

    @property
    def frontal(self) -> int:
        """The row in which the face looks most straight ahead, of those in which it is seen."""
        turned = np.hypot(self.poses[:, 0], self.poses[:, 1])
        return int(np.where(self.scores > 0, turned, np.inf).argmin())

    def row(self, index: int) -> int | None:
        """The row of a frame, counted from the clip's first; None where the face is not seen in it."""
        row = index - self.track.start
        return row if 0 <= row < len(self) and self.scores[row] > 0 else None

    def absence(self, index: int) -> str:
        """Why the face is not seen in a frame, in words."""
        if not self.track.start <= index < self.track.stop:
            return "the face is not in the picture"
        return "the face is covered, blurred or turned away too far to be measured"


@dataclass(frozen=True)
class Analysis:
    """Everything measured in a clip (pass 1 and 2 of ARCHITECTURE's video passes).

    Attributes:
        size: width and height of the frames in pixels.
        rate: frames a second; 0 for a still image.
        frame_count: number of frames decoded.
        cuts: indices of frames that start a new shot (0 excluded), ascending.
        faces: the faces found, ordered by first frame, then left to right.
    """

    size: tuple[int, int]
    rate: Fraction
    frame_count: int
    cuts: tuple[int, ...]
    faces: tuple[FaceSequence, ...]

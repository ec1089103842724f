"""What a pass over a clip yields: frames, and what was done in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..stages.cropping import Box
from ..streams import Frame


@dataclass(frozen=True)
class FaceRecord:
    """What was done to one face in one frame.

    Attributes:
        track: number of the face.
        status: ``"swapped"``, ``"reenacted"``, ``"edited"``, ``"kept"`` or ``"no_face"``.
        crop: left, top, right, bottom in pixels of the frame; None without a face.
        pose: yaw, pitch, roll of the target in degrees.
        steps: steps of the reenactment.
        seen: share of the face that source pixels show.
        reason: in words, why nothing was drawn; None where something was.
    """

    track: int
    status: str
    crop: Box | None = None
    pose: tuple[float, float, float] | None = None
    steps: int = 0
    seen: float = 0.0
    reason: str | None = None


@dataclass(frozen=True)
class Rendered:
    """One frame of a result and what was done in it.

    Attributes:
        frame: the result.
        records: one a face.
        target: the frame before, where the result is made of it; for those who compare.
        wanted: ``(478, 3)`` for each record: the landmarks drawn, in pixels of the frame; None without a face.
    """

    frame: Frame
    records: tuple[FaceRecord, ...]
    target: Frame | None = None
    wanted: tuple[NDArray[np.float32] | None, ...] = ()


def angles(pose: NDArray[np.float32]) -> tuple[float, float, float]:
    """A pose for a report: degrees with two decimals."""
    yaw, pitch, roll = (round(float(angle), 2) for angle in pose)
    return yaw, pitch, roll

"""Pose gaps that are known before anything is drawn, and what to say of those that are too large."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import hypot

import numpy as np
from numpy.typing import NDArray

from ..faces import FaceSequence
from ..ops.controls import Controls

FAR = 35.0
"""Degrees from which on about half of a face is guessed."""
_SHOWS = 25.0
"""Degrees from which on the side of an edited face that comes into sight is stretched from little skin."""
_SHARE = 0.2
"""Share of a clip's frames from which on that is worth a word."""


def pose_gap(views: NDArray[np.float32], pose: NDArray[np.float32]) -> float:
    """Yaw and pitch from a pose ``(3,)`` to the nearest of views ``(K, 3)``, in degrees, as one angle."""
    return float(np.hypot(*(views - pose)[:, :2].T).min())


def told_gap(faces: Iterable[FaceSequence], views: NDArray[np.float32]) -> str:
    """What to say of faces that look away from every source view ``(K, 3)``; nothing where all is well."""
    return far_apart([pose_gap(views, pose) for face in faces for pose in face.poses[face.scores > 0]])


def far_apart(gaps: Sequence[float]) -> str:
    """What to say of angles between a target and the nearest source picture, one a frame; nothing of small ones."""
    if not gaps or np.mean(np.array(gaps) > FAR) < _SHARE:
        return ""
    turned = f"the target turns up to {max(gaps):.0f} degrees away from the nearest source picture"
    return f"{turned}, so that half of the face is guessed; add source pictures that look that way"


def overturned(controls: Controls) -> str:
    """What to say of a face that is to turn far from its own picture; nothing of small turns."""
    turn = hypot(controls.yaw, controls.pitch)
    if turn <= _SHOWS:
        return ""
    outcome = (
        "half of it is guessed" if turn > FAR else "the side that comes into sight is soft and lacks arms of glasses"
    )
    return f"the face turns by {turn:.0f} degrees, so that {outcome}; ask for less yaw and pitch"

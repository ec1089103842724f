"""Landmarks: the dense points of faces whose boxes are known, or that were seen in the frame before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from .detection import check_frames

if TYPE_CHECKING:
    import torch

Floats = NDArray[np.float32]
Frame = NDArray[np.uint8]


@dataclass(frozen=True)
class Landmarks:
    """The landmarks of one frame's faces.

    Attributes:
        points: ``(N, 478, 3)`` float32 x, y, z in pixels of the frame; z grows away from the camera, 0 at the middle.
        scores: ``(N,)`` float32 in [0, 1]: how sure it is that most of a face is seen there.
    """

    points: Floats
    scores: Floats

    def __len__(self) -> int:
        return len(self.points)


class Landmarker(Protocol):
    """Finds dense landmarks."""

    def __call__(
        self, frames: Sequence[Frame], boxes: Sequence[Floats], previous: Sequence[Floats] | None = None
    ) -> list[Landmarks]:
        """Find the landmarks of every box's face.

        Args:
            frames: uint8 ``(H, W, 3)`` RGB each.
            boxes: ``(N, 4)`` a frame, around the faces as a detector gives them.
            previous: ``(N, 478, 3)`` a frame, the same faces' landmarks a frame earlier: faster and steadier than
                boxes, which are then not looked at.

        Returns:
            one entry a frame, its rows in the order of the boxes.

        Raises:
            ValueError: not frames, or their numbers do not fit.
        """


def check_faces(frames: Sequence[Frame], boxes: Sequence[Floats], previous: Sequence[Floats] | None) -> None:
    """Refuse arguments of a :class:`Landmarker` that do not fit together.

    Raises:
        ValueError: a wrong type, shape or number.
    """
    check_frames(frames)
    if len(boxes) != len(frames) or (previous is not None and len(previous) != len(frames)):
        given = "none" if previous is None else len(previous)
        raise ValueError(
            f"got {len(frames)} frames, {len(boxes)} sets of boxes, {given} of landmarks; give one a frame"
        )
    for number, rows in enumerate(boxes):
        if rows.ndim != 2 or rows.shape[1] != 4:
            raise ValueError(f"boxes of frame {number} are {rows.shape}, expected (N, 4)")
        if previous is not None and previous[number].shape != (len(rows), 478, 3):
            raise ValueError(
                f"landmarks before frame {number} are {previous[number].shape}, expected ({len(rows)}, 478, 3)"
            )


# A backend is imported when it is chosen: each needs another library, and some take seconds to load.
def _load_open(device: torch.device | str) -> Landmarker:
    from .open_landmarks import load_open_landmarker

    return load_open_landmarker(device)


def _load_face_alignment(device: torch.device | str) -> Landmarker:
    from .foreign_landmarks import load_face_alignment

    return load_face_alignment(device)


def _load_face_alignment_3d(device: torch.device | str) -> Landmarker:
    from .foreign_landmarks import load_face_alignment

    return load_face_alignment(device, depth=True)


def _load_mediapipe(device: torch.device | str) -> Landmarker:
    from .foreign_landmarks import load_mediapipe

    return load_mediapipe(device)


LANDMARKERS: Mapping[str, Callable[[torch.device | str], Landmarker]] = {
    "open": _load_open,
    "face-alignment": _load_face_alignment,
    "face-alignment-3d": _load_face_alignment_3d,
    "mediapipe": _load_mediapipe,
}
"""Landmark backends by name: each loads a :class:`Landmarker` for a device or raises ``WeightsError``."""

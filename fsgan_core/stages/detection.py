"""Detection: where faces are in a frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

Floats = NDArray[np.float32]
Frame = NDArray[np.uint8]


@dataclass(frozen=True)
class Detections:
    """Faces found in one frame, best first.

    Attributes:
        boxes: ``(N, 4)`` left, top, right, bottom in pixels of the frame: tight around the dense landmarks, that is
            from the upper forehead to the chin. They reach beyond the frame where a face does.
        scores: ``(N,)`` confidence in [0, 1].
    """

    boxes: Floats
    scores: Floats

    def __len__(self) -> int:
        return len(self.boxes)

    @classmethod
    def of(cls, boxes: Sequence[Sequence[float]], scores: Sequence[float]) -> Detections:
        """From plain numbers, in any order."""
        found, confidence = np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32)
        order = np.argsort(-confidence, kind="stable")
        return cls(found[order], confidence[order])


class Detector(Protocol):
    """Finds faces."""

    def __call__(self, frames: Sequence[Frame]) -> list[Detections]:
        """Detect.

        Args:
            frames: uint8 ``(H, W, 3)`` RGB each; neighbours of one size are computed together.

        Returns:
            one entry a frame.

        Raises:
            ValueError: an array is not a frame.
        """


def check_frames(frames: Sequence[Frame]) -> None:
    """Refuse what is not a frame.

    Raises:
        ValueError: wrong type or shape.
    """
    for number, frame in enumerate(frames):
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or 0 in frame.shape:
            raise ValueError(
                f"frame {number} is {frame.dtype} {frame.shape}, expected uint8 (H, W, 3); convert it to RGB bytes"
            )


# A backend is imported when it is chosen: each needs another library, and some take seconds to load.
def _load_open(device: torch.device | str) -> Detector:
    from .open_detector import load_open_detector

    return load_open_detector(device)


def _load_face_alignment(device: torch.device | str) -> Detector:
    from .foreign_detectors import load_face_alignment

    return load_face_alignment(device)


def _load_mediapipe(device: torch.device | str) -> Detector:
    from .foreign_detectors import load_mediapipe

    return load_mediapipe(device)


DETECTORS: Mapping[str, Callable[[torch.device | str], Detector]] = {
    "open": _load_open,
    "face-alignment": _load_face_alignment,
    "mediapipe": _load_mediapipe,
}
"""Detection backends by name: each loads a :class:`Detector` for a device or raises ``WeightsError``."""

"""What v2 steadies along a track before it draws: landmarks, part by part, and the votes of the segmentation.

Unlike the original's, the result depends neither on batches nor on gaps: a stretch in which the face is seen without a
break is steadied by itself, in bounded memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..faces import FaceSequence
from ..ops.heatmaps import landmarks_from_heatmaps
from ..ops.official_swap import FACE
from ..ops.official_tracking import smooth_landmarks_98, smooth_logits
from ..streams import Clip, Frame
from .compositing import crop
from .cropping import square_box
from .official import SIZE, resized

Measure = Callable[[Tensor], Tensor]
_HALF = 2
"""frames before and after one whose logits count with its own"""
_CHUNK = 16


@dataclass
class SteadyTrack:
    """One face's measurements, made by :func:`steady_tracks`.

    Attributes:
        landmarks: by row of the track ``(98, 2)`` as fractions of the crop's side; empty if none were measured.
        masks: by row the face's pixels at :data:`SIZE`, packed to bits; empty likewise.
    """

    landmarks: dict[int, NDArray[np.float32]] = field(default_factory=dict)
    masks: dict[int, NDArray[np.uint8]] = field(default_factory=dict)

    def points(self, row: int) -> Tensor | None:
        """Landmarks ``(1, 98, 2)`` of a frame."""
        return torch.from_numpy(self.landmarks[row])[None] if row in self.landmarks else None

    def mask(self, row: int) -> Tensor | None:
        """Mask ``(1, 1, 256, 256)`` of a frame, 0 or 1."""
        if row not in self.masks:
            return None
        return torch.from_numpy(np.unpackbits(self.masks[row]).astype(np.float32)).view(1, 1, SIZE, SIZE)


@torch.inference_mode()
def steady_tracks(
    clip: Clip,
    faces: Sequence[FaceSequence],
    scale: float,
    landmarks: Measure | None,
    segmentation: Measure | None,
    device: torch.device,
) -> list[SteadyTrack]:
    """Measure faces in every frame of a clip and steady what is found; one pass over it.

    Args:
        clip: the faces' clip.
        faces: where they are.
        scale: of the crops, as :class:`~fsgan_core.models.Models` has it.
        landmarks: crops ``(1, 3, 256, 256)`` to heatmaps of 98 points; None: they are not measured.
        segmentation: such crops to logits; None likewise.
        device: of the networks.
    """
    notes = [TrackNotes() for _ in faces]
    last = max((face.track.stop for face in faces), default=0)
    for index, frame in enumerate(clip):
        if index >= last:
            break
        for face, note in zip(faces, notes, strict=True):
            row = face.row(index)
            if row is None:
                note.end()
                continue
            picture = _picture(frame, face.landmarks[row], scale).to(device)
            points = None if landmarks is None else landmarks_from_heatmaps(landmarks(picture))[0].float().cpu().numpy()
            note.add(row, points, None if segmentation is None else segmentation(picture))
    for note in notes:
        note.end()
    return [note.track for note in notes]


def _picture(frame: Frame, landmarks: NDArray[np.float32], scale: float) -> Tensor:
    return resized(crop(frame, square_box(landmarks, scale)), SIZE)


@dataclass
class TrackNotes:
    """A stretch in the making, and the track that the finished ones make up."""

    track: SteadyTrack = field(default_factory=SteadyTrack)
    _rows: list[int] = field(default_factory=list)
    _points: list[NDArray[np.float32]] = field(default_factory=list)
    _votes: list[Tensor] = field(default_factory=list)
    _done: int = 0
    """rows of the stretch whose mask is finished"""

    def add(self, row: int, points: NDArray[np.float32] | None, logits: Tensor | None) -> None:
        """Add a frame in which the face is seen: its landmarks ``(98, 2)`` and logits ``(1, C, 256, 256)``."""
        self._rows.append(row)
        if points is not None:
            self._points.append(points)
        if logits is not None:
            self._votes.append(logits.float().cpu())
            if len(self._votes) == _CHUNK:
                self._count(0)

    def end(self) -> None:
        """Finish the stretch: the face is not seen in the next frame."""
        if self._points:
            smooth = smooth_landmarks_98(np.stack(self._points)).astype(np.float32)
            self.track.landmarks.update(zip(self._rows, smooth, strict=True))
        if self._votes:
            self._count(_HALF)
        self._rows, self._points, self._votes, self._done = [], [], [], 0

    def _count(self, after: int) -> None:
        before = 0 if self._done else _HALF
        means = smooth_logits(torch.cat(self._votes), 2 * _HALF + 1, before, after)
        for mask in (means.argmax(1) == FACE).numpy():
            self.track.masks[self._rows[self._done]] = np.packbits(mask)
            self._done += 1
        self._votes = self._votes[-2 * _HALF :]

"""Measuring: dense landmarks, pose and presence of every tracked face, the second pass over a clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray

from ..faces import FaceSequence, Track
from ..ops.boxes import overlaps
from ..ops.face_model import FaceModel, poses
from ..ops.motion import shut
from ..ops.smoothing import SmoothingOptions, smooth
from ..options import Range, check_ranges
from ..streams import Clip, Frame
from .alignment import Aligner
from .keyframes import Keyframes
from .landmarks import Landmarker

Floats = NDArray[np.float32]

JITTER = 0.002
"""Movement of landmarks that is never taken for real, in sizes of the face; see :mod:`~fsgan_core.ops.smoothing`."""


@dataclass(frozen=True, kw_only=True)
class MeasureOptions:
    """How tracked faces are measured."""

    presence: Annotated[float, Range(0, 1)] = 0.5
    """presence score from which a face counts as seen"""
    minimum: Annotated[float, Range(0, 1)] = 0.2
    """share of its frames in which a track must be seen to be kept"""
    keyframes: bool = True
    """hold the landmarks of a track together by comparing every frame with a few of them"""
    smoothing: SmoothingOptions = field(default_factory=SmoothingOptions)
    """smoothing of landmarks along a track; a still is never smoothed"""

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class _Notes:
    """What is being written down for one track."""

    track: Track
    landmarks: Floats
    scores: Floats
    keyframes: Keyframes | None

    @staticmethod
    def of(track: Track, keyframes: Keyframes | None) -> _Notes:
        """An empty sheet."""
        count = len(track)
        return _Notes(track, np.zeros((count, 478, 3), np.float32), np.zeros(count, np.float32), keyframes)

    def agree(self, row: int, frame: Frame) -> None:
        """Let the landmarks of a row agree with the keyframes."""
        if self.keyframes is not None:
            self.landmarks[row] = self.keyframes.corrected(frame, self.landmarks[row])

    def previous(self, row: int, presence: float) -> Floats | None:
        """Landmarks of the frame before, if the face was seen there and is still about where the track says."""
        if row == 0 or self.scores[row - 1] < presence:
            return None
        points = self.landmarks[row - 1]
        box = np.concatenate((points[:, :2].min(0), points[:, :2].max(0)))
        shared = overlaps(torch.from_numpy(box), torch.from_numpy(self.track.boxes[row]))
        return points if shared > 0.4 else None


def measure(
    clip: Clip,
    tracks: Sequence[Track],
    landmarker: Landmarker,
    model: FaceModel,
    options: MeasureOptions | None = None,
    aligner: Aligner | None = None,
) -> tuple[FaceSequence, ...]:
    """Measure the tracks of a clip.

    In a frame the landmarks of the frame before say where to look; a face that was lost, or that has left its track,
    is looked for in the track's box.

    Args:
        clip: the clip the tracks were found in.
        tracks: where faces are.
        landmarker: finds landmarks and says whether a face is there at all.
        model: the face model, for the poses.
        options: see :class:`MeasureOptions`.
        aligner: compares pictures; without it there are no keyframes.

    Returns:
        one sequence a track, without the frames before the face is first and after it is last seen; tracks in which
        hardly anything is seen are dropped.
    """
    options = options or MeasureOptions()
    held = aligner if options.keyframes else None
    notes = [_Notes.of(track, Keyframes(model, held) if held and len(track) > 1 else None) for track in tracks]
    last = max((track.stop for track in tracks), default=0)
    for index, frame in enumerate(clip):
        if index >= last:
            break
        _look(
            frame, index, [note for note in notes if note.track.start <= index < note.track.stop], landmarker, options
        )
    sequences = (_sequence(note, model, options) for note in notes)
    return tuple(sequence for sequence in sequences if sequence is not None)


def _look(frame: Frame, index: int, notes: Sequence[_Notes], landmarker: Landmarker, options: MeasureOptions) -> None:
    rows = [index - note.track.start for note in notes]
    before = [note.previous(row, options.presence) for note, row in zip(notes, rows, strict=True)]
    followed = [n for n, points in enumerate(before) if points is not None]
    if followed:
        boxes = np.stack([notes[n].track.boxes[rows[n]] for n in followed])
        points = np.stack([points for points in before if points is not None])
        found = landmarker([frame], [boxes], [points])[0]
        for n, landmarks, score in zip(followed, found.points, found.scores, strict=True):
            notes[n].landmarks[rows[n]], notes[n].scores[rows[n]] = landmarks, score
    lost = [n for n in range(len(notes)) if notes[n].scores[rows[n]] < options.presence]
    if lost:
        found = landmarker([frame], [np.stack([notes[n].track.boxes[rows[n]] for n in lost])])[0]
        for n, landmarks, score in zip(lost, found.points, found.scores, strict=True):
            notes[n].landmarks[rows[n]], notes[n].scores[rows[n]] = landmarks, score
    for note, row in zip(notes, rows, strict=True):
        if note.scores[row] >= options.presence:
            note.agree(row, frame)


def _sequence(note: _Notes, model: FaceModel, options: MeasureOptions) -> FaceSequence | None:
    seen = note.scores >= options.presence
    if not seen.any() or seen.mean() < options.minimum:
        return None
    low, high = int(seen.argmax()), len(seen) - int(seen[::-1].argmax())
    kept = slice(low, high)
    landmarks, scores = note.landmarks[kept], np.where(seen, note.scores, 0)[kept].astype(np.float32)
    if len(landmarks) > 1:
        if note.keyframes is not None:
            landmarks = note.keyframes.settled(landmarks)
        size = float(np.median(np.ptp(landmarks[scores > 0, :, :2], axis=1)))
        landmarks = smooth(landmarks, (scores > 0).astype(np.float32), options.smoothing, jitter=JITTER * size)
    measured = shut(model, torch.from_numpy(landmarks.astype(np.float32)).to(model.mean.device))
    pose = poses(model, measured).cpu().numpy().astype(np.float32)
    track = Track(note.track.start + low, note.track.boxes[kept])
    return FaceSequence(track, measured.cpu().numpy(), pose, scores)

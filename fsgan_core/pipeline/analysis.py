"""The first passes: faces found, followed and measured, and a person's appearance map."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from ..faces import Analysis, FaceSequence
from ..models import Models
from ..options import Range, check_ranges
from ..stages.appearance_map import AppearanceMap, build
from ..stages.candidates import Candidate, MapOptions
from ..stages.detection import Detections
from ..stages.measuring import MeasureOptions, measure
from ..stages.tracking import TrackOptions, link
from ..streams import Clip, Frame, chunked


@dataclass(frozen=True, kw_only=True)
class AnalyzeOptions:
    """How faces are found and measured."""

    every: Annotated[int, Range(1, 60, "frames")] = 3
    """examine every so many frames for faces; in between they are followed"""
    tracking: TrackOptions = field(default_factory=TrackOptions)
    """linking of detections"""
    measuring: MeasureOptions = field(default_factory=MeasureOptions)
    """presence and smoothing"""

    def __post_init__(self) -> None:
        check_ranges(self)


def analyze(clip: Clip, models: Models, options: AnalyzeOptions | None = None) -> Analysis:
    """Find, follow and measure every face of a clip; two passes over it.

    Args:
        clip: a video, a still, frames in memory.
        models: the stages (detection and landmarks are used).
        options: see :class:`AnalyzeOptions`.

    Returns:
        the faces as numbers; none is no error.
    """
    options = options or AnalyzeOptions()
    linked = link(_examined(clip, models, options.every), options.tracking)
    tracks = [face.track for face in linked.faces]
    faces = measure(clip, tracks, models.landmarks, models.face_model, options.measuring, models.alignment)
    ordered = sorted(faces, key=lambda face: (face.track.start, float(face.track.boxes[0, ::2].mean())))
    return Analysis(clip.size, clip.rate, linked.frame_count, linked.cuts, tuple(ordered))


def _examined(clip: Clip, models: Models, every: int) -> Iterator[tuple[int, Frame, Detections | None]]:
    """Every frame with its index; each ``every``-th with the faces detected in it."""
    for chunk in chunked(enumerate(clip), 2 * every):
        chosen = [(index, frame) for index, frame in chunk if index % every == 0]
        found = models.detection([frame for _, frame in chosen])
        detections = {index: faces for (index, _), faces in zip(chosen, found, strict=True)}
        yield from ((index, frame, detections.get(index)) for index, frame in chunk)


def build_appearance_map(
    clips: Sequence[tuple[Clip, FaceSequence]], options: MapOptions | None = None
) -> AppearanceMap:
    """Make the appearance map of one person from pictures and videos of them.

    Args:
        clips: each clip with the face in it that is the person's.
        options: see :class:`MapOptions`.

    Raises:
        NoFaceError: no picture is good enough.
    """
    return build(_candidates(clips), options or MapOptions())


def _candidates(clips: Iterable[tuple[Clip, FaceSequence]]) -> Iterator[Candidate]:
    for clip, face in clips:
        for index, frame in enumerate(clip):
            row = index - face.track.start
            if row >= len(face):
                break
            if row >= 0 and face.scores[row] > 0:
                yield Candidate(frame, face.landmarks[row], face.poses[row], float(face.scores[row]))

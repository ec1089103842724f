"""A target in time: what is drawn of its faces, one after the other, as one clip."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, repeat

from .faces import FaceSequence
from .pipeline import FaceRecord, Rendered
from .streams import Clip, Frame

Draw = Callable[[FaceSequence], Iterable[Rendered]]
"""Reenacts the source with one face of the target."""


def in_time(draw: Draw, faces: Sequence[FaceSequence], count: int, idle: Frame) -> Iterator[Rendered]:
    """One result for each of the target's frames.

    Args:
        draw: see :data:`Draw`.
        faces: at different times, in any order.
        count: number of the target's frames.
        idle: what is shown while there is no face.
    """
    absent, index = Rendered(idle, (FaceRecord(0, "no_face", reason="the target shows no face here"),)), 0
    for face in sorted(faces, key=lambda face: face.track.start):
        yield from repeat(absent, face.track.start - index)
        yield from draw(face)
        index = face.track.stop
    yield from repeat(absent, count - index)


def frames_of(clip: Clip, face: FaceSequence) -> Iterator[Frame]:
    """The frames of a clip in which a face was measured."""
    return islice(iter(clip), face.track.start, face.track.stop)

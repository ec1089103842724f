"""A target in time: what is drawn of its faces, one after the other, as one clip."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice, repeat

from .faces import FaceSequence
from .pipeline import FaceRecord, Rendered
from .streams import Clip, Frame

Draw = Callable[[FaceSequence], Iterable[Rendered]]
"""Reenacts the source with one face of the target."""


def in_time(draw: Draw, faces: Sequence[FaceSequence], count: int) -> Iterator[Rendered]:
    """One result for each of the target's frames; while there is no face, the pose before, or the first, is held.

    Args:
        draw: see :data:`Draw`.
        faces: at different times, in any order; at least one.
        count: number of the target's frames.
    """
    shown, index = None, 0
    for face in sorted(faces, key=lambda face: face.track.start):
        drawn = iter(draw(face))
        first = next(drawn)
        yield from repeat(_held(shown or first), face.track.start - index)
        for shown in chain((first,), drawn):
            yield shown
        index = face.track.stop
    if shown:
        yield from repeat(_held(shown), count - index)


def _held(shown: Rendered) -> Rendered:
    return Rendered(shown.frame, (FaceRecord(0, "no_face", reason="the target shows no face here"),))


def frames_of(clip: Clip, face: FaceSequence) -> Iterator[Frame]:
    """The frames of a clip in which a face was measured."""
    return islice(iter(clip), face.track.start, face.track.stop)

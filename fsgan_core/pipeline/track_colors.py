"""What the faces of tracks are matched with, measured on several frames: no fade, blur or blink decides for all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ..faces import FaceSequence
from ..models import Models
from ..ops.color import ColorMatch
from ..rendering import rendered
from ..stages.sources import Source
from ..streams import Clip, Frame
from ..swapping import Aim, SwapOptions, completed, cropped, matched, reenacted, segmented

_FRAMES, _APART, _SPAN = 5, 8, 240
"""Frames of a track that are measured at most, one of so many at most, and how many from its first on are chosen from:
none of the frames after them has to be decoded before the first is drawn."""


def measured_rows(rows: Sequence[int], models: Models) -> list[int]:
    """Of rows of a track that show its face those on which its colours are measured, spread over its beginning.

    Of what official networks draw, which takes them long, it is a single one.
    """
    near = [row for row in rows if row < rows[0] + _SPAN]
    count = min(1 if models.official else _FRAMES, -(-len(near) // _APART))
    return [near[(2 * number + 1) * len(near) // (2 * count)] for number in range(count)]


def track_colors(
    target: Clip,
    faces: Sequence[FaceSequence],
    aims: Callable[[int, Frame], Sequence[Aim | None]],
    measure: Sequence[Callable[[Aim], ColorMatch]],
    models: Models,
    threads: int,
) -> list[ColorMatch | None]:
    """Colours for each track; None for one of a single frame, which is measured as it is drawn.

    Args:
        target: the clip; walked through up to the last frame that is measured.
        faces: its tracks.
        aims: the faces of a frame, one a track.
        measure: the colours of one of them, for each source; see :func:`measured`.
        models: the stages.
        threads: frames measured at the same time.
    """
    due: dict[int, list[int]] = {}
    for track, face in enumerate(faces):
        shown = np.flatnonzero(face.scores > 0).tolist()
        for row in measured_rows(shown, models) if len(shown) > 1 else ():
            due.setdefault(face.track.start + row, []).append(track)
    found: list[list[ColorMatch]] = [[] for _ in faces]

    def measured_in(item: tuple[int, Frame]) -> list[tuple[int, ColorMatch]]:
        index, frame = item
        given = aims(index, frame)
        return [
            (track, measure[track % len(measure)](aim)) for track in due[index] if (aim := given[track]) is not None
        ]

    for pairs in rendered(measured_in, _chosen(target, due), threads):
        for track, match in pairs:
            found[track].append(match)
    return [ColorMatch.usual(matches) if matches else None for matches in found]


def measured(aim: Aim, source: Source, models: Models, options: SwapOptions) -> ColorMatch:
    """What one face is matched with."""
    one = segmented(reenacted(cropped(aim, models, options.margin), source, models, options.closest), models)
    return matched(completed(one, models, options.inside), models)


def _chosen(target: Clip, due: dict[int, list[int]]) -> Iterator[tuple[int, Frame]]:
    last = max(due, default=-1)
    if last < 0:
        return
    for index, frame in enumerate(target):
        if index in due:
            yield index, frame
        if index >= last:
            return

"""A swap of whole clips; :mod:`fsgan_core.swapping` has the stages of one face."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..faces import FaceSequence
from ..heads import HEAD
from ..models import Models
from ..rendering import at_once, ending, largest, rendered, span
from ..reshaping import reshaped, reshaped_mask, shaped_like
from ..stages.appearance_map import AppearanceMap
from ..stages.compositing import composite
from ..stages.sources import Source
from ..streams import Clip, Frame
from ..swapping import Aim, SwapOptions, UserMask, cropped, swap_face
from .results import FaceRecord, Rendered, angles
from .track_matches import Sketch, TrackMatch, for_measuring, sketched, track_matches


def swap(
    target: Clip,
    faces: Sequence[FaceSequence],
    sources: Sequence[AppearanceMap],
    models: Models,
    options: SwapOptions | None = None,
    user_mask: UserMask | Sequence[UserMask | None] | None = None,
) -> Iterator[Rendered]:
    """Put source faces onto target faces, frame by frame.

    Args:
        target: the clip that is kept.
        faces: the faces to replace, as :func:`analyze` measured them in this clip.
        sources: one source for all faces, or one for each.
        models: the stages.
        options: see :class:`SwapOptions`.
        user_mask: added to or cut out of every face's mask, bent along with it; one for all frames, or one for each.

    Yields:
        one result a frame, in order; frames without a chosen face are the target's own.

    Raises:
        ValueError: the numbers of sources and faces do not fit.
    """
    if len(sources) not in (1, len(faces)):
        raise ValueError(f"found {len(sources)} sources for {len(faces)} faces; give one, or one for each face")
    along = models.along(target, faces)
    options = options or SwapOptions()
    ready = [models.source(source, options.delight) for source in sources]
    shapes = _shapes(faces, sources, models, options.face_shape)
    aims = _aims(faces, shapes, user_mask, models)
    threads = at_once(models, span(faces), max(options.margin, HEAD if options.face_shape else 0) * largest(faces))
    measuring = for_measuring(models)
    sketches = [partial(_sketch, source=source, models=measuring, options=options) for source in ready]

    def begun() -> Iterator[tuple[int, Frame, list[TrackMatch], list[Models]]]:
        """Frames, with what is kept along the tracks and the stages of the faces in each, handed out in order."""
        matches = track_matches(target, faces, aims, sketches, measuring, threads)
        for index, (frame, known) in enumerate(zip(target, matches, strict=False)):
            rows = [face.row(index) for face in faces]
            yield index, frame, known, [models if row is None else at(row) for row, at in zip(rows, along, strict=True)]

    def draw(item: tuple[int, Frame, list[TrackMatch], list[Models]]) -> Rendered:
        index, frame, matches, stages = item
        patches, records, wanted = [], [], []
        with ending(stages):
            given = aims(index, frame)
            for track, (face, aim) in enumerate(zip(faces, given, strict=True)):
                wanted.append(aim.landmarks if aim else None)
                if aim is None:
                    records.append(FaceRecord(track, "no_face", reason=face.absence(index)))
                    continue
                aim = replace(aim, color=matches[track].color, shift=matches[track].shift)
                one = swap_face(aim, ready[track % len(ready)], stages[track], options)
                patches.append(one.patch)
                records.append(FaceRecord(track, "swapped", one.patch.box, angles(aim.pose), one.steps, one.seen))
        shown = next((aim.frame for aim in given if aim), frame)
        return Rendered(composite(shown, patches), tuple(records), frame, tuple(wanted))

    yield from rendered(draw, begun(), threads)


def _sketch(aim: Aim, source: Source, models: Models, options: SwapOptions) -> Sketch:
    return sketched(cropped(aim, models, options.margin), source, models, options.closest)


def _aims(
    faces: Sequence[FaceSequence],
    shapes: Sequence[FaceSequence],
    user_mask: UserMask | Sequence[UserMask | None] | None,
    models: Models,
) -> Callable[[int, Frame], list[Aim | None]]:
    """What gives the faces of a frame by its number, one a track, None where it shows none.

    Args:
        faces: as they are in the clip.
        shapes: the same in the proportions they are to have.
        user_mask: one for all frames, or one for each.
        models: the stages.
    """
    bend = partial(reshaped_mask, before=faces, after=shapes, models=models)

    def aims(index: int, frame: Frame) -> list[Aim | None]:
        shown, mask = reshaped(frame, index, faces, shapes, models), _mask(user_mask, index, bend)
        rows = [face.row(index) for face in faces]
        return [
            None if row is None else Aim(shown, shape.landmarks[row], face.poses[row], mask)
            for face, shape, row in zip(faces, shapes, rows, strict=True)
        ]

    return aims


def _mask(
    given: UserMask | Sequence[UserMask | None] | None, index: int, bend: Callable[..., NDArray[np.float32]]
) -> UserMask | None:
    """The user's mask for a frame, bent as its heads are."""
    one = given[index] if isinstance(given, Sequence) else given
    return one and replace(one, values=bend(one.values, index))


def _shapes(
    faces: Sequence[FaceSequence], sources: Sequence[AppearanceMap], models: Models, share: float
) -> Sequence[FaceSequence]:
    """The faces in their sources' proportions; the same where they keep their own."""
    if share == 0:
        return faces
    return [shaped_like(sources[number % len(sources)], face, models, share) for number, face in enumerate(faces)]

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
from ..rendering import TrackColor, at_once, giving, largest, rendered, span
from ..reshaping import reshaped, reshaped_mask, shaped_like
from ..stages.appearance_map import AppearanceMap
from ..stages.compositing import composite
from ..streams import Clip, Frame
from ..swapping import Aim, SwapOptions, UserMask, swap_face
from .results import FaceRecord, Rendered, angles


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
    colors = [TrackColor(face) for face in faces]
    options = options or SwapOptions()
    ready = [models.source(source, options.delight) for source in sources]
    shapes = _shapes(faces, sources, models, options.face_shape)
    bend = partial(reshaped_mask, before=faces, after=shapes, models=models)

    def begun() -> Iterator[tuple[int, Frame, list[Models]]]:
        """Frames, with the stages of the faces in each, which are handed out in order."""
        for index, frame in enumerate(target):
            rows = [face.row(index) for face in faces]
            yield index, frame, [models if row is None else at(row) for row, at in zip(rows, along, strict=True)]

    def draw(item: tuple[int, Frame, list[Models]]) -> Rendered:
        index, frame, stages = item
        patches, records, wanted = [], [], []
        with giving(colors, index, stages):
            shown = reshaped(frame, index, faces, shapes, models)
            mask = _mask(user_mask, index, bend)
            for track, (face, shape) in enumerate(zip(faces, shapes, strict=True)):
                row = face.row(index)
                wanted.append(None if row is None else shape.landmarks[row])
                if row is None:
                    records.append(FaceRecord(track, "no_face", reason=face.absence(index)))
                    continue
                aim = Aim(shown, shape.landmarks[row], face.poses[row], mask)
                source, given = ready[track % len(ready)], stages[track]
                drawn = colors[track].kept(row, aim, partial(swap_face, source=source, models=given, options=options))
                patches.append(drawn.patch)
                records.append(FaceRecord(track, "swapped", drawn.patch.box, angles(aim.pose), drawn.steps, drawn.seen))
        return Rendered(composite(shown, patches), tuple(records), frame, tuple(wanted))

    margin = max(options.margin, HEAD if options.face_shape else 0)
    yield from rendered(draw, begun(), at_once(models, span(faces), margin * largest(faces)))


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

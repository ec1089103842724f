"""What the faces of tracks are matched with, measured on several frames: no fade, blur or blink decides for all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count, islice

import numpy as np
import torch
from torch import Tensor

from ..faces import FaceSequence
from ..models import Models
from ..ops.color import ColorMatch
from ..ops.head_mesh import place
from ..ops.landmarks import FACE_OVAL
from ..rendering import one_thread, rendered
from ..stages.blending import PoissonBlender
from ..stages.compositing import composite
from ..stages.sources import Source
from ..streams import Clip, Frame
from ..swapping import Aim, FaceCrop, blended, completed, matched, reenacted, segmented

_FRAMES, _APART, _SPAN = 5, 8, 240
"""Frames of a track that are measured at most, one of so many at most, and how many from its first on are chosen from:
so far ahead of what is drawn a clip is decoded."""
_LATENT, _FARTHEST = 0.25, 0.03
"""Share of what a drawn face is found to differ from its target that is taken off, since the rest is who the source is;
and how far a landmark is moved at most, in distances between the outer eye corners."""
_SURE = 0.5
"""Score of landmarks from which on they are believed."""


@dataclass(frozen=True)
class TrackMatch:
    """What is constant along a track.

    Attributes:
        color: colours, fineness and whites; None where they are measured as the face is drawn.
        shift: ``(1, 478, 3)`` see :attr:`~fsgan_core.swapping.Aim.shift`.
    """

    color: ColorMatch | None = None
    shift: Tensor | None = None


@dataclass(frozen=True)
class Sketch:
    """What is measured on a face of one frame that is drawn for it; the frame itself is not kept.

    Attributes:
        color: its colours.
        apart: ``(1, 478, 3)`` how it is found to differ from its target, canonical; None where it is not looked for.
    """

    color: ColorMatch
    apart: Tensor | None


def measured_rows(rows: Sequence[int], models: Models) -> list[int]:
    """Of rows of a track that show its face those on which it is measured, spread over its beginning.

    Of what official networks draw, which takes them long, it is a single one.
    """
    near = [row for row in rows if row < rows[0] + _SPAN]
    count = min(1 if models.official else _FRAMES, -(-len(near) // _APART))
    return [near[(2 * number + 1) * len(near) // (2 * count)] for number in range(count)]


def track_matches(
    target: Clip,
    faces: Sequence[FaceSequence],
    aims: Callable[[int, Frame], Sequence[Aim | None]],
    draw: Sequence[Callable[[Aim], Sketch]],
    models: Models,
    threads: int,
) -> Iterator[list[TrackMatch]]:
    """What to keep along each track, for one frame of the clip after the other, without an end.

    A track is measured when its first frame is asked for; nothing is kept along one of a single frame.

    Args:
        target: the clip; walked through once, up to 240 frames ahead of what is asked for.
        faces: its tracks.
        aims: the faces of a frame, one a track.
        draw: draws one of them, for each source; see :func:`sketched`.
        models: the stages; see :func:`for_measuring`.
        threads: frames drawn at the same time.
    """
    due, begun = defaultdict[int, list[int]](list), defaultdict[int, dict[int, int]](dict)
    for track, face in enumerate(faces):
        shown = (face.track.start + np.flatnonzero(face.scores > 0)).tolist()
        for last in measured_rows(shown, models) if len(shown) > 1 else ():
            due[last].append(track)
            begun[shown[0]][track] = last

    def drawn_in(item: tuple[int, Frame]) -> list[tuple[int, Sketch]]:
        index, frame = item
        given = aims(index, frame)
        return [(track, draw[track % len(draw)](aim)) for track in due[index] if (aim := given[track])]

    found = defaultdict[int, list[Sketch]](list)
    matches, walk, walked = [TrackMatch()] * len(faces), enumerate(target), 0
    for index in count():
        if index in begun:
            end = max(walked, 1 + max(begun[index].values()))
            ahead = (item for item in islice(walk, end - walked) if item[0] in due)
            for track, one in chain.from_iterable(rendered(drawn_in, ahead, threads)):
                found[track].append(one)
            new = {track: track_match(found.pop(track, [])) for track in begun[index]}
            matches, walked = [new.get(track, match) for track, match in enumerate(matches)], end
        yield matches


def for_measuring(models: Models) -> Models:
    """Stages that draw what is measured, which does not depend on how it will be blended."""
    return replace(models, blending=PoissonBlender())


def sketched(one: FaceCrop, source: Source, models: Models, closest: bool) -> Sketch:
    """Draw a face that is cropped and measure it; what official networks draw by its colours alone."""
    one = completed(segmented(reenacted(one, source, models, closest), models), models)
    color = matched(one, models)
    if models.official:
        return Sketch(color, None)
    return Sketch(color, difference(one.aim, composite(one.aim.frame, [blended(one, models, color).patch]), models))


def track_match(sketches: Sequence[Sketch]) -> TrackMatch:
    """What to keep along a track, by some of its faces."""
    apart = [one.apart for one in sketches if one.apart is not None]
    return TrackMatch(ColorMatch.usual([one.color for one in sketches]) if sketches else None, _shift(apart))


@torch.inference_mode()
def difference(aim: Aim, drawn: Frame, models: Models) -> Tensor | None:
    """How a face in a drawn frame is found to differ from its target; None where one of them is not found.

    Both are found alike, from the same start: what sees a face sees its look, too.
    """
    points = aim.landmarks
    box = np.concatenate((points[:, :2].min(0), points[:, :2].max(0)))[None].astype(np.float32)
    with one_thread():
        found = models.landmarks([drawn, aim.frame], [box] * 2, [points[None]] * 2)
        shapes = [
            place(models.face_model.mean, torch.from_numpy(face.points).to(models.device)).shape
            for face in found
            if len(face) and face.scores[0] > _SURE
        ]
    return shapes[0] - shapes[1] if len(shapes) == 2 else None


def _shift(apart: Sequence[Tensor]) -> Tensor | None:
    if not apart:
        return None
    shift = -_LATENT * torch.cat(list(apart)).quantile(0.5, 0, keepdim=True)
    shift[..., 2] = 0
    shift[:, list(FACE_OVAL)] = 0  # the outline is the target's own
    length = torch.linalg.vector_norm(shift, dim=-1, keepdim=True)
    return shift * (_FARTHEST / length.clamp_min(_FARTHEST))

"""What the faces of tracks are matched with, measured on several frames: no fade, blur or blink decides for all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..faces import FaceSequence
from ..models import Models
from ..ops.color import ColorMatch
from ..ops.head_mesh import place
from ..ops.landmarks import FACE_OVAL
from ..rendering import one_thread, rendered
from ..stages.compositing import composite
from ..stages.sources import Source
from ..streams import Clip, Frame
from ..swapping import Aim, FaceCrop, SwapOptions, blended, completed, matched, reenacted, segmented

_FRAMES, _APART, _SPAN = 5, 8, 240
"""Frames of a track that are measured at most, one of so many at most, and how many from its first on are chosen from:
none of the frames after them has to be decoded before the first is drawn."""
_LATENT, _FARTHEST = 0.25, 0.03
"""Share of what a drawn face is found to differ from its target that is taken off: the rest is who the source is; and
most of that, in distances between the outer eye corners."""
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
    """A face of one frame, drawn to be measured: what it is, its colours, and the frame with it, if it is looked at."""

    aim: Aim
    color: ColorMatch
    frame: Frame | None


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
) -> list[TrackMatch]:
    """What to keep along each track; nothing for one of a single frame.

    Args:
        target: the clip; walked through up to the last frame that is measured.
        faces: its tracks.
        aims: the faces of a frame, one a track.
        draw: draws one of them, for each source; see :func:`sketched`.
        models: the stages.
        threads: frames drawn at the same time.
    """
    due: dict[int, list[int]] = {}
    for track, face in enumerate(faces):
        shown = np.flatnonzero(face.scores > 0).tolist()
        for row in measured_rows(shown, models) if len(shown) > 1 else ():
            due.setdefault(face.track.start + row, []).append(track)
    found: list[list[Sketch]] = [[] for _ in faces]

    def drawn_in(item: tuple[int, Frame]) -> list[tuple[int, Sketch]]:
        index, frame = item
        given = aims(index, frame)
        return [(track, draw[track % len(draw)](aim)) for track in due[index] if (aim := given[track])]

    for pairs in rendered(drawn_in, _chosen(target, due), threads):
        for track, one in pairs:
            found[track].append(one)
    return [track_match(sketches, models, target.rate > 0) for sketches in found]


def sketched(one: FaceCrop, source: Source, models: Models, options: SwapOptions) -> Sketch:
    """Draw a face that is cropped, to measure it."""
    one = completed(segmented(reenacted(one, source, models, options.closest), models), models, options.inside)
    color = matched(one, models)
    frame = composite(one.aim.frame, [blended(one, models, color).patch])
    return Sketch(one.aim, color, None if models.official else frame)


def track_match(sketches: Sequence[Sketch], models: Models, moves: bool) -> TrackMatch:
    """What to keep along a track, by some of its faces; what does not move is drawn by landmarks as found."""
    apart = [shape for one in sketches if moves for shape in _apart(one, models)]
    return TrackMatch(ColorMatch.usual([one.color for one in sketches]) if sketches else None, _shift(apart))


@torch.inference_mode()
def _apart(one: Sketch, models: Models) -> list[Tensor]:
    """How a drawn face is found to differ from its target, ``(1, 478, 3)`` canonical; empty where one is not found.

    Both are found alike, from the same start: what sees a face sees its look, too.
    """
    if one.frame is None:
        return []
    points = one.aim.landmarks
    box = np.concatenate((points[:, :2].min(0), points[:, :2].max(0)))[None].astype(np.float32)
    with one_thread():
        found = models.landmarks([one.frame, one.aim.frame], [box] * 2, [points[None]] * 2)
        shapes = [
            place(models.face_model.mean, torch.from_numpy(face.points).to(models.device)).shape
            for face in found
            if len(face) and face.scores[0] > _SURE
        ]
    return [shapes[0] - shapes[1]] if len(shapes) == 2 else []


def _shift(apart: Sequence[Tensor]) -> Tensor | None:
    if not apart:
        return None
    shift = -_LATENT * torch.cat(list(apart)).quantile(0.5, 0, keepdim=True)
    shift[..., 2] = 0
    shift[:, list(FACE_OVAL)] = 0  # the outline is the target's own
    length = torch.linalg.vector_norm(shift, dim=-1, keepdim=True)
    return shift * (_FARTHEST / length.clamp_min(_FARTHEST))


def _chosen(target: Clip, due: dict[int, list[int]]) -> Iterator[tuple[int, Frame]]:
    last = max(due, default=-1)
    if last < 0:
        return
    for index, frame in enumerate(target):
        if index in due:
            yield index, frame
        if index >= last:
            return

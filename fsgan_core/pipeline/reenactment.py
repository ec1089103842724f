"""A source that moves as a target does: its whole picture, or crops in the target's geometry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import repeat
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray

from ..faces import FaceSequence
from ..heads import head_of, moved_head
from ..models import Models
from ..ops.motion import Parts, transfer
from ..options import Range, check_ranges
from ..rendering import at_once, rendered
from ..stages.appearance_map import AppearanceMap
from ..stages.compositing import composite
from ..stages.cropping import seen_through, square_box, window
from ..stages.reenactment import FlowReenactor
from ..stages.sources import Source
from ..streams import Frame, checked_frame
from ..swapping import seen
from .results import FaceRecord, Rendered, angles


@dataclass(frozen=True, kw_only=True)
class ReenactOptions:
    """How a reenactment is drawn."""

    parts: Parts = "all"
    """what the source takes from the target: all, expression, mouth or pose"""
    travel: Annotated[float, Range(0, 3)] = 0.5
    """how far the head may leave its place with the target, in distances between the outer eye corners"""
    size: Annotated[int, Range(64, 2048, "pixels")] = 512
    """side in pixels of crops in the target's geometry"""
    margin: Annotated[float, Range(1.2, 4)] = 2.0
    """side of such a crop over the longer side of the target's face; official networks have their own"""
    align: bool = True
    """shift the face in such a crop onto the edges that the target's frame shows, if it shows the same person; only the
    flow engine does"""

    def __post_init__(self) -> None:
        check_ranges(self)


def reenact(
    picture: Frame,
    landmarks: NDArray[np.float32],
    target: FaceSequence,
    models: Models,
    options: ReenactOptions | None = None,
) -> Iterator[Rendered]:
    """Let the face in a picture move as the target's does; the rest of the picture stays.

    Args:
        picture: uint8 ``(H, W, 3)`` source.
        landmarks: ``(478, 3)`` of the face in it, pixels.
        target: the motion; only its numbers are used.
        models: the stages.
        options: see :class:`ReenactOptions`.

    Yields:
        the picture once for each of the target's frames.

    Raises:
        TypeError: an argument is of another kind, such as a clip for the picture.
        ValueError: it has another shape.
    """
    _check(picture, landmarks, target)
    options = options or ReenactOptions()
    device = models.device
    ours, theirs = torch.from_numpy(landmarks).to(device), torch.from_numpy(target.landmarks).to(device)
    moved = transfer(models.face_model, ours, theirs, parts=options.parts, travel=options.travel)
    head = head_of(picture, landmarks, models)

    def draw(item: tuple[int, NDArray[np.float32]]) -> Rendered:
        row, face = item
        drawn, patch = moved_head(head, face, models)
        record = FaceRecord(0, "reenacted", patch.box, angles(target.poses[row]), drawn.steps, seen(drawn))
        return Rendered(composite(picture, [patch]), (record,), wanted=(face,))

    threads = at_once(models, len(target), head.box[2] - head.box[0])
    yield from rendered(draw, enumerate(moved.cpu().numpy()), threads)


def _check(picture: object, landmarks: object, target: object) -> None:
    if not isinstance(picture, np.ndarray):
        found = f"the picture is a frame, uint8 (H, W, 3), found {type(picture).__name__}"
        raise TypeError(f"{found}; give read_image(path).frame")
    checked_frame(picture)
    if not isinstance(landmarks, np.ndarray):
        found = f"landmarks are an array (478, 3), found {type(landmarks).__name__}"
        raise TypeError(f"{found}; give .landmarks[0] of the picture's FaceSequence")
    if landmarks.shape != (478, 3):
        raise ValueError(f"landmarks are an array (478, 3), found {landmarks.shape}; give those of one frame")
    if not isinstance(target, FaceSequence):
        found = f"the target is one FaceSequence, found {type(target).__name__}"
        raise TypeError(f"{found}; give select(analyze(clip, models))[0]")


def reenact_crops(
    source: AppearanceMap,
    target: FaceSequence,
    models: Models,
    options: ReenactOptions | None = None,
    frames: Iterable[Frame] | None = None,
    *,
    whole: bool = False,
) -> Iterator[Rendered]:
    """Draw the source's face in the target's geometry, as the paper does: crops around the target's face.

    The crop follows the target's face by fractions of a pixel; records name the whole pixels nearest to it.

    Args:
        source: the source's views; those near the target's pose are interpolated.
        target: the motion.
        models: the stages.
        options: see :class:`ReenactOptions`; ``parts`` does not apply, the face is the target's shape.
        frames: the target's frames, one for each row of ``target``, where there are any: the face is then aligned
            with what they show, unless it is hidden there or another person's. Their colours are not used.
        whole: let crops begin and end with pixels of the target, to be compared with it.

    Raises:
        ValueError: there are fewer or more frames than rows.
    """
    options = options or ReenactOptions()
    ready = Source(source, models.face_model, models.device)
    aligner = models.fitting if options.align else None

    def draw(item: tuple[int, Frame | None]) -> Rendered:
        row, frame = item
        face = target.landmarks[row]
        margin = models.crop_scale or options.margin
        box = square_box(face, margin)
        left, top, side = (*box[:2], box[2] - box[0]) if whole else window(face, margin)
        wanted = (face - np.array((left, top, 0), np.float32)) * np.float32(options.size / side)
        points = torch.from_numpy(wanted)[None].to(models.device)
        views, weights = ready.select(target.poses[row])
        engine = models.reenactment
        if frame is not None and target.scores[row] > 0 and aligner and isinstance(engine, FlowReenactor):
            engine = engine.onto(seen_through(frame, (left, top, side)).to(models.device), aligner)
        drawn = engine(views, weights, points, options.size, surroundings=True)
        result = (drawn.image[0] * 255).round().byte().permute(1, 2, 0).cpu().numpy()
        record = FaceRecord(0, "reenacted", box, angles(target.poses[row]), drawn.steps, seen(drawn))
        return Rendered(result, (record,), wanted=(wanted,))

    count = len(target)
    shown = zip(range(count), repeat(None, count) if frames is None else frames, strict=True)
    yield from rendered(draw, shown, at_once(models, count, options.size))

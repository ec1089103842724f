"""The paper's pipeline over whole clips; :mod:`~fsgan_core.swapping` has the stages of one face.

Every function streams: a clip is walked through frame by frame, results are yielded as they are made, and between
passes only numbers survive. Progress and cancelling belong to the caller, who wraps the clip or the results.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import repeat
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray

from .faces import Analysis, FaceSequence
from .heads import head_of, moved_head
from .models import Models
from .ops.controls import Controls, controlled
from .ops.face_model import poses
from .ops.motion import Parts, transfer
from .options import Range, check_ranges
from .rendering import TrackColor, at_once, giving, largest, rendered, span
from .stages.appearance_map import AppearanceMap, build
from .stages.candidates import Candidate, MapOptions
from .stages.compositing import composite, crop
from .stages.cropping import Box, in_crop, square_box
from .stages.detection import Detections
from .stages.measuring import MeasureOptions, measure
from .stages.reenactment import FlowReenactor
from .stages.tracking import TrackOptions, link
from .stages.views import Source
from .streams import Clip, Frame, chunked
from .swapping import Aim, SwapOptions, UserMask, seen, swap_face

_HEAD = 2.6
"""Side of the square in which a head can move over the longer side of its face, about."""


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
    """shift the face in such a crop onto the edges that the target's frame shows; only the flow engine does"""

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class FaceRecord:
    """What was done to one face in one frame.

    Attributes:
        track: number of the face.
        status: ``"swapped"``, ``"reenacted"``, ``"edited"``, ``"kept"`` or ``"no_face"``.
        crop: left, top, right, bottom in pixels of the frame; None without a face.
        pose: yaw, pitch, roll of the target in degrees.
        steps: steps of the reenactment.
        seen: share of the face that source pixels show.
        reason: in words, why nothing was drawn; None where something was.
    """

    track: int
    status: str
    crop: Box | None = None
    pose: tuple[float, float, float] | None = None
    steps: int = 0
    seen: float = 0.0
    reason: str | None = None


@dataclass(frozen=True)
class Rendered:
    """One frame of a result and what was done in it.

    Attributes:
        frame: the result.
        records: one a face.
        target: the frame before, where the result is made of it; for those who compare.
        wanted: ``(478, 3)`` for each record: the landmarks drawn, in pixels of the frame; None without a face.
    """

    frame: Frame
    records: tuple[FaceRecord, ...]
    target: Frame | None = None
    wanted: tuple[NDArray[np.float32] | None, ...] = ()


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
    ordered = sorted(faces, key=lambda face: (face.track.start, float(face.track.boxes[0, 0])))
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
        user_mask: added to or cut out of every face's mask; one for all frames, or one for each.

    Yields:
        one result a frame, in order; frames without a chosen face are the target's own.

    Raises:
        ValueError: the numbers of sources and faces do not fit.
    """
    if len(sources) not in (1, len(faces)):
        raise ValueError(f"found {len(sources)} sources for {len(faces)} faces; give one, or one for each face")
    ready = [Source(source, models.face_model, models.device, models.segmentation) for source in sources]
    along = models.along(target, faces)
    colors = [TrackColor(face) for face in faces]
    options = options or SwapOptions()

    def draw(item: tuple[int, Frame]) -> Rendered:
        index, frame = item
        patches, records, wanted = [], [], []
        with giving(colors, index):
            mask = user_mask[index] if isinstance(user_mask, Sequence) else user_mask
            for track, face in enumerate(faces):
                row = face.row(index)
                wanted.append(None if row is None else face.landmarks[row])
                if row is None:
                    records.append(FaceRecord(track, "no_face", reason=face.absence(index)))
                    continue
                aim = Aim(frame, face.landmarks[row], face.poses[row], mask)
                source, stages = ready[track % len(ready)], along[track](row)
                drawn = colors[track].kept(row, aim, partial(swap_face, source=source, models=stages, options=options))
                patches.append(drawn.patch)
                records.append(FaceRecord(track, "swapped", drawn.patch.box, angles(aim.pose), drawn.steps, drawn.seen))
        return Rendered(composite(frame, patches), tuple(records), frame, tuple(wanted))

    threads = at_once(models, span(faces), options.margin * largest(faces))
    yield from rendered(draw, enumerate(target), threads)


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
    """
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


def reenact_crops(
    source: AppearanceMap,
    target: FaceSequence,
    models: Models,
    options: ReenactOptions | None = None,
    frames: Iterable[Frame] | None = None,
) -> Iterator[Rendered]:
    """Draw the source's face in the target's geometry, as the paper does: crops around the target's face.

    Args:
        source: the source's views; those near the target's pose are interpolated.
        target: the motion.
        models: the stages.
        options: see :class:`ReenactOptions`; ``parts`` does not apply, the face is the target's shape.
        frames: the target's frames, one for each row of ``target``, where there are any: the face is then aligned
            with what they show, unless it is hidden there. Their colours are not used.

    Raises:
        ValueError: there are fewer or more frames than rows.
    """
    options = options or ReenactOptions()
    ready = Source(source, models.face_model, models.device)
    aligner = models.alignment if options.align else None

    def draw(item: tuple[int, Frame | None]) -> Rendered:
        row, frame = item
        face = target.landmarks[row]
        box = square_box(face, models.crop_scale or options.margin)
        scale = options.size / (box[2] - box[0])
        points = in_crop(face, box).to(models.device) * scale
        views, weights = ready.select(target.poses[row])
        engine = models.reenactment
        if frame is not None and target.scores[row] > 0 and aligner and isinstance(engine, FlowReenactor):
            engine = engine.onto(crop(frame, box).to(models.device), aligner)
        drawn = engine(views, weights, points, options.size, surroundings=True)
        result = (drawn.image[0] * 255).round().byte().permute(1, 2, 0).cpu().numpy()
        record = FaceRecord(0, "reenacted", box, angles(target.poses[row]), drawn.steps, seen(drawn))
        return Rendered(result, (record,), wanted=(points[0].cpu().numpy(),))

    count = len(target)
    shown = zip(range(count), repeat(None, count) if frames is None else frames, strict=True)
    yield from rendered(draw, shown, at_once(models, count, options.size))


def edit(clip: Clip, faces: Sequence[FaceSequence], controls: Controls, models: Models) -> Iterator[Rendered]:
    """Change the pose and expression of faces where they are; hair and surroundings move along, the rest stays.

    Args:
        clip: a still or a video; every frame is its own source.
        faces: the faces to change, as :func:`analyze` measured them in this clip.
        controls: what is added to each of these faces in each frame.
        models: the stages; the reenactment has to keep the surroundings, as the flow engine does.

    Yields:
        one result a frame, in order. Frames without a chosen face are the clip's own, and so are all where the
        controls ask for nothing.
    """
    wanted = [_controlled(face, controls, models) for face in faces]

    def draw(item: tuple[int, Frame]) -> Rendered:
        index, shown = item
        records: list[FaceRecord] = []
        frame = shown
        for track, (face, moved) in enumerate(zip(faces, wanted, strict=True)):
            row = face.row(index)
            if row is None:
                records.append(FaceRecord(track, "no_face", reason=face.absence(index)))
            elif controls.neutral:
                records.append(FaceRecord(track, "kept", pose=angles(face.poses[row])))
            else:
                drawn, patch = moved_head(head_of(frame, face.landmarks[row], models), moved.landmarks[row], models)
                # The next face is changed in what this one leaves, since the surroundings of the two may overlap.
                frame = composite(frame, [patch])
                pose = angles(moved.poses[row])
                records.append(FaceRecord(track, "edited", patch.box, pose, drawn.steps, seen(drawn)))
        return Rendered(frame, tuple(records), shown)

    yield from rendered(draw, enumerate(clip), at_once(models, span(faces), _HEAD * largest(faces)))


def _controlled(face: FaceSequence, controls: Controls, models: Models) -> FaceSequence:
    """A face as the controls want it in every frame."""
    landmarks = torch.from_numpy(face.landmarks).to(models.device)
    moved = controlled(models.face_model, landmarks, controls)
    pose = poses(models.face_model, moved)
    return replace(face, landmarks=moved.cpu().numpy(), poses=pose.cpu().numpy())


def angles(pose: NDArray[np.float32]) -> tuple[float, float, float]:
    """A pose for a report: degrees with two decimals."""
    yaw, pitch, roll = (round(float(angle), 2) for angle in pose)
    return yaw, pitch, roll

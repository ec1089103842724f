"""Tracking: detections of single frames linked into the tracks of faces.

Instead of FSGAN's greedy overlap with the last box (section 3.2), which ends a track at the first missed frame, all
faces of a frame are assigned at once by overlap with where each track is expected and by appearance; a face may be
missed for a while and is then continued if it looks the same. Tracks end at scene cuts, and where a face was last seen.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from ..faces import Track
from ..options import Range, check_ranges
from .cuts import CutDetector, CutOptions
from .descriptor import describe_box, similarity
from .detection import Detections

Floats = NDArray[np.float32]
Frame = NDArray[np.uint8]

_TOUCHING, _ON_TOP = 0.1, 0.4
"""Overlap from which faces hide one another, and from which a detection may continue a track by place alone."""
_REACH = 1.5
"""Distance, in sizes of the face, over which a track may be continued by appearance alone."""
_GROWTH = 2.0
"""Largest change of size from one sighting to the next."""
_MEMORY = 20
"""Sightings over which the appearance of a track is averaged."""


@dataclass(frozen=True, kw_only=True)
class TrackOptions:
    """How detections are linked."""

    gap: Annotated[int, Range(0, math.inf, "frames")] = 15
    """longest stretch, in frames, in which a face is looked for and missed before its track ends"""
    length: Annotated[int, Range(1, math.inf, "frames")] = 5
    """shortest track kept, in frames; a shot or still shorter than this needs the face throughout"""
    size: Annotated[float, Range(0, math.inf, "pixels")] = 20.0
    """smallest face kept: mean height of its boxes in pixels"""
    same: Annotated[float, Range(0, 1)] = 0.5
    """similarity from which a face that was missed, or that has jumped, is taken for the same"""
    cuts: CutOptions = field(default_factory=CutOptions)
    """what counts as a scene cut"""

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class TrackedFace:
    """A track and how it came about.

    Attributes:
        track: where the face is, from its first to its last sighting; boxes in between are interpolated. Where not
            every frame is examined it reaches over the frames before and after that were not, with the box held.
        seen: ``(F,)`` False where the face was looked for and missed, and in those frames before and after.
        scores: ``(F,)`` confidence of detection in [0, 1], interpolated likewise; 0 where not seen.
        descriptor: ``(D,)`` mean appearance; see :func:`~fsgan_core.stages.descriptor.describe_box`.
    """

    track: Track
    seen: NDArray[np.bool_]
    scores: Floats
    descriptor: Floats


@dataclass(frozen=True)
class Linked:
    """All tracks of a clip.

    Attributes:
        faces: ordered by first frame, then left to right.
        cuts: indices of frames that start a new shot, ascending.
        frame_count: number of frames looked at.
    """

    faces: tuple[TrackedFace, ...]
    cuts: tuple[int, ...]
    frame_count: int


@dataclass(eq=False)
class _Thread:
    """A track in the making."""

    indices: list[int]
    boxes: list[Floats]
    scores: list[float]
    descriptor: Floats
    velocity: Floats
    interrupted: list[bool] = field(default_factory=lambda: [False])
    missed_since: int | None = None
    clear: int = 0

    def expected(self, index: int) -> Floats:
        """Box ``(4,)`` at a later frame if it keeps moving, ever slower."""
        ahead = 8 * (1 - float(np.exp(-(index - self.indices[-1]) / 8)))
        return self.boxes[-1] + np.tile(self.velocity * ahead, 2)

    def see(self, index: int, box: Floats, score: float) -> None:
        """Add a sighting."""
        step = (_centre(box) - _centre(self.boxes[-1])) / (index - self.indices[-1])
        self.velocity = (0.5 * (self.velocity + step)).astype(np.float32)
        self.indices.append(index)
        self.boxes.append(box)
        self.scores.append(score)
        self.interrupted.append(self.missed_since is not None)
        self.missed_since = None

    def in_reach(self, index: int, options: TrackOptions) -> bool:
        """Whether the thread may still be continued in a frame."""
        return self.missed_since is None or index - self.missed_since <= options.gap

    def remember(self, descriptor: Floats) -> None:
        """Let the appearance follow a sighting in which nobody stands in front."""
        self.clear += 1
        share = np.float32(1 / min(self.clear, _MEMORY))
        self.descriptor = self.descriptor + share * (descriptor - self.descriptor)

    def absorb(self, later: _Thread) -> None:
        """Continue with another thread that turned out to be the same face."""
        self.interrupted += [True, *later.interrupted[1:]]
        self.indices += later.indices
        self.boxes += later.boxes
        self.scores += later.scores
        self.velocity, self.missed_since = later.velocity, later.missed_since
        share = np.float32(later.clear / (self.clear + later.clear))
        self.descriptor = self.descriptor + share * (later.descriptor - self.descriptor)
        self.clear += later.clear


def link(
    frames: Iterable[tuple[int, Frame, Detections | None]],
    options: TrackOptions = TrackOptions(),  # noqa: B008 (frozen)
) -> Linked:
    """Link the detections of a clip, frame by frame; only numbers are kept.

    Args:
        frames: index (ascending), frame, and what was detected in it. ``None`` instead of detections says that the
            frame was not examined: faces seen before and after are then taken for seen in between. Frames left out
            altogether are treated likewise, but cuts are found best when every frame is given.
        options: see :class:`TrackOptions`.

    Returns:
        tracks, cuts, and the number of frames.
    """
    detector = CutDetector(options.cuts)
    threads: list[_Thread] = []
    active: list[_Thread] = []
    found: list[TrackedFace] = []
    cuts: list[int] = []
    examined: list[int] = []
    count, shot, last = 0, 0, -1
    for index, frame, detections in frames:
        if index <= last:
            raise ValueError(f"got frame {index} after frame {last}, expected ascending indices")
        count, last = count + 1, index
        if detector.is_cut(frame):
            found += _finished(threads, (shot, index), examined, options)
            threads, active, shot, examined = [], [], index, []
            cuts.append(index)
        if detections is not None:
            active = [thread for thread in active if thread.in_reach(index, options)]
            begun = _advance(active, index, frame, detections, options)
            active, threads = active + begun, threads + begun
            examined.append(index)
    found += _finished(threads, (shot, last + 1), examined, options)
    found.sort(key=lambda face: (face.track.start, float(face.track.boxes[:, 0].mean())))
    return Linked(tuple(found), tuple(cuts), count)


def _advance(
    active: list[_Thread], index: int, frame: Frame, detections: Detections, options: TrackOptions
) -> list[_Thread]:
    """Continue the threads with the detections of a frame; the new ones that begin there."""
    usable = np.isfinite(detections.boxes).all(1) & (detections.boxes[:, 2:] - detections.boxes[:, :2] > 1).all(1)
    boxes, scores = detections.boxes[usable].astype(np.float32), detections.scores[usable]
    descriptors = [describe_box(frame, box) for box in boxes]
    crowded = np.any(overlaps(boxes, boxes) - np.eye(len(boxes)) > _TOUCHING, axis=1)
    pairs = _assign(active, index, boxes, descriptors, options)
    for row, number in pairs.items():
        active[row].see(index, boxes[number], float(scores[number]))
    for row, thread in enumerate(active):
        if row not in pairs and thread.missed_since is None:
            thread.missed_since = index
    begun: list[_Thread] = []
    owners = {number: active[row] for row, number in pairs.items()}
    for number, descriptor in enumerate(descriptors):
        if number not in owners:
            still = np.zeros(2, np.float32)
            owners[number] = _Thread([index], [boxes[number]], [float(scores[number])], descriptor, still)
            begun.append(owners[number])
        if not crowded[number]:
            owners[number].remember(descriptor)
    return begun


def _assign(
    active: list[_Thread], index: int, boxes: Floats, descriptors: list[Floats], options: TrackOptions
) -> dict[int, int]:
    """The assignment of detections to threads that agrees best in all, as number of the thread: of the detection."""
    if not active or not len(boxes):
        return {}
    expected = np.stack([thread.expected(index) for thread in active])
    last = np.stack([thread.boxes[-1] for thread in active])
    overlap = np.maximum(overlaps(expected, boxes), overlaps(last, boxes))
    likeness = np.array([[similarity(thread.descriptor, other) for other in descriptors] for thread in active])
    familiar = (likeness >= options.same) & _reachable(expected, boxes)
    # Overlap alone bounds how much the size may have changed.
    in_place = (overlap > _ON_TOP) | ((overlap > _TOUCHING) & (likeness >= options.same / 2))
    missed = np.array([thread.missed_since is not None for thread in active])[:, None]
    allowed = familiar | (in_place & ~missed)
    agreement = np.where(allowed, 1 + overlap + likeness, 0)
    rows, columns = linear_sum_assignment(-agreement)
    return {int(row): int(column) for row, column in zip(rows, columns, strict=True) if allowed[row, column]}


def _finished(
    threads: list[_Thread], shot: tuple[int, int], examined: list[int], options: TrackOptions
) -> list[TrackedFace]:
    """The tracks worth keeping of a shot from its first frame to the one after its last."""
    faces: list[TrackedFace] = []
    for thread in _joined(threads, options):
        height = float(np.mean([box[3] - box[1] for box in thread.boxes]))
        length, most = thread.indices[-1] - thread.indices[0], examined[-1] - examined[0]
        if length + 1 < min(options.length, most + 1) or height < options.size:
            continue
        before, after = bisect_left(examined, thread.indices[0]), bisect_right(examined, thread.indices[-1])
        start = examined[before - 1] + 1 if before else shot[0]
        stop = examined[after] if after < len(examined) else shot[1]
        faces.append(_track(thread, np.arange(start, stop)))
    return faces


def _joined(threads: list[_Thread], options: TrackOptions) -> list[_Thread]:
    """Threads with their continuations: a face that came back half hidden was not known again at once."""
    kept: list[_Thread] = []
    recent: list[_Thread] = []
    for later in sorted(threads, key=lambda thread: thread.indices[0]):
        start, box = later.indices[0], later.boxes[0]
        recent = [thread for thread in recent if thread.in_reach(start, options)]
        best, earlier = options.same, None
        for thread in recent:
            gone = thread.missed_since is not None and thread.indices[-1] < start
            likeness = similarity(thread.descriptor, later.descriptor)
            if gone and likeness >= best and _reachable(thread.expected(start)[None], box[None])[0, 0]:
                best, earlier = likeness, thread
        if earlier is None or later.clear == 0:
            kept.append(later)
            recent.append(later)
        else:
            earlier.absorb(later)
    return kept


def _track(thread: _Thread, frames: NDArray[np.int64]) -> TrackedFace:
    """A thread with every frame filled in."""
    indices = np.array(thread.indices)
    boxes = np.stack([np.interp(frames, indices, edge) for edge in np.stack(thread.boxes, 1)], 1)
    following = np.minimum(np.searchsorted(indices, frames), len(indices) - 1)
    seen = ~np.array(thread.interrupted)[following] | (indices[following] == frames)
    seen &= (frames >= indices[0]) & (frames <= indices[-1])
    scores = np.where(seen, np.interp(frames, indices, thread.scores), 0)
    track = Track(int(frames[0]), boxes.astype(np.float32))
    return TrackedFace(track, seen, scores.astype(np.float32), thread.descriptor.astype(np.float32))


def overlaps(one: Floats, other: Floats) -> Floats:
    """Intersection over union ``(N, M)`` of boxes ``(N, 4)`` and ``(M, 4)``."""
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(1) for boxes in (one, other)]
    return (shared / np.maximum(areas[0][:, None] + areas[1][None] - shared, 1e-9)).astype(np.float32)


def _reachable(expected: Floats, boxes: Floats) -> NDArray[np.bool_]:
    """Whether ``(N, M)`` faces expected in boxes ``(N, 4)`` can be those in boxes ``(M, 4)`` by place and size."""
    size, other = _sizes(expected)[:, None], _sizes(boxes)[None]
    distance = np.linalg.norm(_centre(expected)[:, None] - _centre(boxes)[None], axis=2)
    return np.array((distance < _REACH * size) & (size < _GROWTH * other) & (other < _GROWTH * size))


def _centre(boxes: Floats) -> Floats:
    return (boxes[..., :2] + boxes[..., 2:]) / np.float32(2)


def _sizes(boxes: Floats) -> NDArray[np.floating]:
    """Geometric mean of width and height."""
    return np.sqrt((boxes[:, 2:] - boxes[:, :2]).prod(1))

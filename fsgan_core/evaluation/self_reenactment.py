"""Self-reenactment: one frame of a clip against the clip itself, where a drawing can be compared with what is there.

By pose gap it is a protocol of its own; with the number of steps, the size of the face and the density of landmarks it
shows the limits that reviews of FSGAN name, each as a curve.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice, product

import cv2
import numpy as np
import torch
from torch import Tensor

from ..errors import NoFaceError
from ..faces import FaceSequence
from ..gallery import Tile, sheet
from ..ops.face_model import FaceModel, fit, points
from ..pipeline import Rendered
from ..stages.appearance_map import AppearanceMap
from ..streams import Clip, Frame, Part
from .crops import box_of, cut
from .material import Subject, subject
from .measures import Row, means
from .outcome import Outcome, Result
from .protocols import Bench
from .reference import single_view
from .variants import Variant, variant

BINS = ((0, 15), (15, 30), (30, 45), (45, 60))
"""Pose gaps in degrees between the source frame and the target frame."""
FINE_BINS = ((0, 10), (10, 20), (20, 30), (30, 40), (40, 50), (50, 60), (60, 75))
STEPS, SIZES, DENSITIES = (1, 2, 4, 8), (40, 64, 96, 160, 240), (16, 32, 68, 136, 478)
"""Numbers of steps, of pixels along the face, of landmarks."""
_COLUMNS = (
    *("ssim", "psnr", "identity_target", "identity", "identity_before", "sharpness", "expression", "expression_68"),
    *("mouth", "eyes", "pose_error", "frames"),
)
_CURVE = ("ssim", "expression", "sharpness", "identity")
_READ = (
    "Faces are drawn from source pixels alone, in the target's geometry, and the default aligns them with the real "
    "frame. SSIM, PSNR, sharpness and 'identity target' are against that frame; 'identity' is against the source "
    "frame, and 'identity before' is the real frame's own distance to it, as a perfect drawing would have."
)


def self_protocol(
    bench: Bench, clips: Sequence[Subject], bins: Sequence[tuple[int, int]] = BINS
) -> tuple[Outcome, Outcome]:
    """Single frames of clips reenact the whole clip, by pose gap.

    The sources are the most frontal frame and those turned farthest to either side.

    Returns:
        the table by bins, and the same rows by :data:`FINE_BINS` as a curve, the first of the limits.
    """
    about = (
        "The most frontal frame of a clip and those turned farthest to either side reenact it, by pose gap; a gap that "
        "no clip has is left out. " + _READ
    )
    table = Outcome("self", "Self-reenactment by pose gap", about, _COLUMNS)
    curve = Outcome("limit-pose", "Limit: pose gap", about, _COLUMNS, curve=_CURVE, axis="pose gap (degrees)")
    for one in clips:
        shown: list[Tile] = []
        for chosen in bench.variants:
            seen = bench.seen(chosen, one)
            rows = [row for start in starts(one.face) for row in _reenacted(bench, chosen, seen, start, shown)]
            for outcome, edges in ((table, bins), (curve, FINE_BINS)):
                outcome.results += list(_binned(one.path.stem, chosen.name, rows, edges))
        if shown:
            table.sheets[one.path.stem] = sheet(shown, len(shown) // len(bench.variants), 192)
    return table, curve


def limits(bench: Bench, clips: Sequence[Subject]) -> list[Outcome]:
    """The other limits: number of steps, size of the face, density of landmarks."""
    return [_steps(bench, clips), _sizes(bench, clips), _densities(bench, clips)]


def starts(face: FaceSequence) -> list[int]:
    """Rows of the most frontal frame and of those turned farthest to either side; each once."""
    seen = np.flatnonzero(face.scores > 0)
    yaw = face.poses[seen, 0]
    frontal = np.hypot(yaw, face.poses[seen, 1]).argmin()
    return list(dict.fromkeys(int(seen[n]) for n in (frontal, yaw.argmin(), yaw.argmax())))


def farthest(face: FaceSequence, row: int) -> int:
    """The row in which the face is turned farthest from another row."""
    gaps = np.hypot(*(face.poses - face.poses[row])[:, :2].T)
    return int(np.where((face.scores > 0) & (np.arange(len(face)) != row), gaps, -1).argmax())


def thinned(model: FaceModel, landmarks: Tensor, count: int) -> Tensor:
    """Dense landmarks as they would be known from a few: the face model fitted to those, which keep their places.

    Args:
        model: the face model.
        landmarks: ``(B, 478, 3)``.
        count: how many of them are kept, chosen far from each other.

    Returns:
        ``(B, 478, 3)``; what the model leaves over at the kept ones is spread to their neighbours.
    """
    if count >= landmarks.shape[1]:
        return landmarks
    kept = _scattered(model.mean, count)
    weights = torch.zeros(1, landmarks.shape[1], device=landmarks.device)
    weights[:, kept] = 1
    dense = points(model, fit(model, landmarks, weights=weights))
    near = torch.exp(-((torch.cdist(model.mean, model.mean[kept]) / 0.1) ** 2))
    share = near / near.sum(1, keepdim=True).clamp_min(1)
    return dense + torch.einsum("pk,bkd->bpd", share, (landmarks - dense)[:, kept])


@dataclass(frozen=True)
class Scaled:
    """A clip made smaller."""

    clip: Clip
    factor: float

    def __iter__(self) -> Iterator[Frame]:
        for frame in self.clip:
            yield cv2.resize(frame, self.size, interpolation=cv2.INTER_AREA).astype(np.uint8)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        width, height = self.clip.size
        return max(16, round(width * self.factor)), max(16, round(height * self.factor))

    @property
    def rate(self) -> Fraction:
        """Frames a second."""
        return self.clip.rate


def _steps(bench: Bench, clips: Sequence[Subject]) -> Outcome:
    about = "The turned frames of each clip reenact it in so many steps. "
    outcome = Outcome("limit-steps", "Limit: number of steps", about + _READ, _COLUMNS, curve=_CURVE, axis="steps")
    for count in STEPS:
        for base in (one for one in bench.variants if not one.classic):
            words = ",".join(part for part in (base.words, f"steps={count}") if part)
            chosen = variant(f"{base.name}:{words}", bench.library.models.device)
            for one in clips:
                rows = _all(bench, chosen, bench.seen(chosen, one), starts(one.face)[1:])
                _note(outcome, one, chosen, (f"{count} steps", count), rows)
    return outcome


def _sizes(bench: Bench, clips: Sequence[Subject]) -> Outcome:
    about = "Each clip is made smaller until its face is so long, measured anew, reenacted, and compared in full size. "
    axis = "face size (px)"
    outcome = Outcome("limit-size", "Limit: size of the face", about + _READ, _COLUMNS, curve=_CURVE, axis=axis)
    for size in SIZES:
        for one in clips:
            length = float(np.median(np.ptp(one.face.landmarks[..., :2], axis=1).max(1)))
            small = one if length <= size else _smaller(bench, one, size / length)
            if small is None or length < 0.9 * size:
                continue
            for chosen in bench.variants:
                rows = _all(bench, chosen, bench.seen(chosen, small), starts(small.face)[:1])
                _note(outcome, small, chosen, (f"{size} px", size), rows)
    return outcome


def _densities(bench: Bench, clips: Sequence[Subject]) -> Outcome:
    about = (
        "Of the source's and the target's 478 landmarks only so many are known; the face model fills in the others. "
        "The most frontal frame reenacts each clip. "
    )
    axis = "landmarks"
    outcome = Outcome("limit-density", "Limit: density of landmarks", about + _READ, _COLUMNS, curve=_CURVE, axis=axis)
    model = bench.library.models.face_model
    for count in DENSITIES:
        for one, chosen in product(clips, bench.variants):
            seen = bench.seen(chosen, one)
            dense = torch.from_numpy(seen.face.landmarks).to(model.mean.device)
            face = replace(seen.face, landmarks=thinned(model, dense, count).cpu().numpy().astype(np.float32))
            rows = _all(bench, chosen, replace(one, face=face), starts(one.face)[:1])
            _note(outcome, one, chosen, (f"{count} landmarks", count), rows)
    return outcome


def _smaller(bench: Bench, one: Subject, factor: float) -> Subject | None:
    """A clip scaled down and measured anew; None where its face is no longer found."""
    try:
        sparse = isinstance(one.clip, Part) and one.clip.stride > 2
        return subject(one.path, Scaled(one.clip, factor), bench.library.models, bench.library.frames, sparse=sparse)
    except NoFaceError:
        return None


def _note(outcome: Outcome, one: Subject, chosen: Variant, place: tuple[str, float], rows: Sequence[Row]) -> None:
    if rows:
        found = means(rows) | {"frames": float(len(rows))}
        outcome.results.append(Result(one.path.stem, chosen.name, place[0], found, place[1]))


def _all(bench: Bench, chosen: Variant, one: Subject, rows: Iterable[int]) -> list[Row]:
    return [row for start in rows for row in _reenacted(bench, chosen, one, start)]


def _reenacted(
    bench: Bench, chosen: Variant, one: Subject, start: int, shown: list[Tile] | None = None
) -> Iterator[Row]:
    """Measures of every frame but the source's own; a triple to look at is added to ``shown``."""
    face, first = one.face, one.face.track.start
    frame = next(islice(one.clip, first + start, None))
    source = single_view(frame, face.landmarks[start], chosen.models)
    inspector, far = bench.inspector(source, before=1), farthest(face, start)
    words = f"reenacting {one.path.stem}, {chosen.name}"
    for row, result in zip(_seen(face), bench.watch(_beside(chosen, one, source), words), strict=False):
        measured = inspector.look(result)[0]
        if row == start:
            continue
        if shown is not None and row == far and result.target is not None:
            tiles = (
                ("source", cut(frame, box_of(face.landmarks[start]))),
                ("real", result.target),
                (chosen.name, result.frame),
            )
            shown += [Tile(caption, picture) for caption, picture in tiles]
        yield measured


def _beside(chosen: Variant, one: Subject, source: AppearanceMap) -> Iterator[Rendered]:
    """Every seen frame drawn, with the real crop beside it, of a clip made smaller in full size."""
    drawn, (clip, scale) = chosen.reenacted(one.face, source, one.clip), _native(one.clip)
    for index, frame in enumerate(clip):
        if one.face.row(index) is not None:
            result, (left, top, right, bottom) = next(drawn)
            box = round(left * scale), round(top * scale), round(right * scale), round(bottom * scale)
            yield replace(result, target=cut(frame, box))


def _native(clip: Clip) -> tuple[Clip, float]:
    """A clip in full size, and how much larger that is."""
    if isinstance(clip, Part) and isinstance(clip.clip, Scaled):
        return clip.clip.clip, 1 / clip.clip.factor
    return clip, 1.0


def _seen(face: FaceSequence) -> list[int]:
    return np.flatnonzero(face.scores > 0).tolist()


def _binned(clip: str, name: str, rows: Sequence[Row], bins: Sequence[tuple[int, int]]) -> Iterator[Result]:
    for low, high in bins:
        inside = [row for row in rows if low <= (row.get("pose_gap") or 0.0) < high]
        if inside:
            found = means(inside) | {"frames": float(len(inside))}
            yield Result(clip, name, f"{low} to {high}°", found, (low + high) / 2)


def _scattered(mean: Tensor, count: int) -> list[int]:
    """Points far from each other: each next one is the farthest from those before."""
    chosen = [0]
    distance = torch.linalg.vector_norm(mean - mean[0], dim=1)
    while len(chosen) < count:
        chosen.append(int(distance.argmax()))
        distance = torch.minimum(distance, torch.linalg.vector_norm(mean - mean[chosen[-1]], dim=1))
    return chosen

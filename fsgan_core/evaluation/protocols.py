"""The swap protocols: the paper's table, its ablation, and FaceForensics++.

Each draws the same pairs with several variants, measures every frame with one :class:`~.inspection.Inspector` a clip,
and returns an :class:`~.outcome.Outcome`. Frames are walked through one at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from ..gallery import Tile, sheet
from ..media import Video
from ..pipeline import Rendered
from ..stages.appearance_map import AppearanceMap
from ..streams import Frame, Part
from .crops import box_of, cut
from .identity import Embedder
from .inspection import BEFORE, Inspector, beside
from .material import Library, Pair, Subject
from .measures import Row, means
from .metrics import identity_drift
from .outcome import Outcome, Result
from .reference import Reference
from .variants import Variant, ablation

T = TypeVar("T")
_COLUMNS = (
    *("identity", "ssim", "pose_error", "landmarks", "expression", "mouth", "eyes", "sharpness", "seam"),
    *("border_color", "flicker_ratio", "jitter_ratio", "identity_drift", "coverage", "identity_before"),
)


def unwatched(items: Iterable[T], words: str) -> Iterable[T]:
    """Show no progress."""
    return items


@dataclass(frozen=True)
class Bench:
    """What the protocols share.

    Attributes:
        library: opens and measures files once.
        variants: what is compared, at least one.
        embedder: describes identity; None leaves it out.
        watch: shows progress: passes results on, given words.
    """

    library: Library
    variants: Sequence[Variant]
    embedder: Embedder | None
    watch: Callable[[Iterable[Rendered], str], Iterable[Rendered]] = unwatched

    def seen(self, chosen: Variant, one: Subject) -> Subject:
        """A subject with the landmarks that a variant takes."""
        return one if chosen.steady else one.frame_by_frame(self.library.models)

    def inspector(self, source: AppearanceMap, before: int = BEFORE) -> Inspector:
        """What measures results against a source, and the target's own identity in every so many frames."""
        models = self.library.models
        return Inspector([Reference.of(source, models, self.embedder)], models, self.embedder, before)


def swap_protocol(bench: Bench, pairs: Sequence[Pair]) -> Outcome:
    """The paper's comparison (section 5): swaps of pairs of clips, the source's view of the closest pose.

    Methods whose results a pair brings along are measured in the same way, from their files.
    """
    outcome = Outcome(
        "swap",
        "Swap",
        "Every target gets its source's face, from the source view of the closest pose; mean ± standard deviation over "
        "clips, as in the paper's table: identity, SSIM, pose error, landmarks.",
        _COLUMNS,
    )
    for pair, source, target in _subjects(bench, pairs):
        views = source.source()
        drawn = [
            (one.name, _closest(one).swapped(target.clip, [bench.seen(one, target).face], views))
            for one in bench.variants
        ]
        drawn += [(name, _read(path, target)) for name, path in pair.given.items()]
        _compared(bench, outcome, (pair.name, target), views, drawn)
    return outcome


def ablation_protocol(bench: Bench, pairs: Sequence[Pair]) -> Outcome:
    """The paper's ablation: its four variants, with the first variant's stages and the same segmentation."""
    outcome = Outcome(
        "ablation",
        "Ablation",
        "The paper's four variants on the same pairs, segmentation fixed: reenactment (Gr), completion (Gc), blending "
        "(Gb).",
        _COLUMNS,
    )
    first = bench.variants[0]
    for pair, source, target in _subjects(bench, pairs):
        views = source.source()
        variants = ablation(first.models, replace(first.options, closest=True))
        drawn = [(one.name, one.swapped(target.clip, [target.face], views)) for one in variants]
        _compared(bench, outcome, (pair.name, target), views, drawn)
    return outcome


def _subjects(bench: Bench, pairs: Sequence[Pair]) -> Iterator[tuple[Pair, Subject, Subject]]:
    for pair in pairs:
        source, target = (bench.library.subject(path) for path in (pair.source, pair.target))
        if source and target:
            yield pair, source, target


def _closest(variant: Variant) -> Variant:
    return replace(variant, options=replace(variant.options, closest=True))


def _read(path: Path, target: Subject) -> Iterator[Rendered]:
    """Another tool's result as if it were ours."""
    part = target.clip
    return beside(replace(part, clip=Video(path)) if isinstance(part, Part) else Video(path), part, [target.face])


Drawn = Sequence[tuple[str, Iterable[Rendered]]]
"""Results by what drew them."""


def _compared(bench: Bench, outcome: Outcome, pair: tuple[str, Subject], source: AppearanceMap, drawn: Drawn) -> None:
    """Measure what several variants drew of one pair, and lay a frame of each side by side."""
    name, target = pair
    view = int(source.query(np.zeros(3, np.float32), closest=True)[0][0])
    tiles = [Tile("source", cut(source.views[view], box_of(source.landmarks[view])))]
    middle = target.face.track.start + int(np.flatnonzero(target.face.scores > 0)[len(target.face) // 2 - 1])
    for variant, results in drawn:
        measures, crops = _measured(
            bench.inspector(source), bench.watch(results, f"{outcome.name}: {name}, {variant}"), middle
        )
        outcome.results.append(Result(name, variant, "", measures))
        tiles += [Tile("target", crops[1])] if len(tiles) == 1 and len(crops) > 1 else []
        tiles += [Tile(variant, crops[0])] if crops else []
    outcome.sheets[name] = sheet(tiles, len(tiles), 256)


def _measured(inspector: Inspector, results: Iterable[Rendered], middle: int) -> tuple[Row, list[Frame]]:
    """Means over a clip, and the crops of its middle frame in result and target."""
    rows: list[Row] = []
    crops: list[Frame] = []
    count = 0
    for index, result in enumerate(results):
        rows += [row for row in inspector.look(result) if row]
        count += 1
        wanted = result.wanted[0] if result.wanted else None
        if wanted is not None and index <= max(middle, 0):
            frames = (result.frame,) if result.target is None else (result.frame, result.target)
            crops = [cut(frame, box_of(wanted)) for frame in frames]
    found = means(rows) | {"coverage": len(rows) / max(1, count), "frames": float(count)}
    if inspector.described:
        found["identity_drift"] = float(identity_drift(inspector.descriptors_of(0)))
    return found, crops

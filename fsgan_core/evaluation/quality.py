"""The quality of a run: every frame measured as it passes by, the worst ones kept, warnings in plain words."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..gallery import Tile, sheet
from ..pipeline import Rendered
from ..streams import Frame
from ..words import plural
from .crops import box_of, cut
from .gaps import FAR, SHARE
from .identity import SAME_PERSON
from .inspection import Inspector
from .measures import CLIP_MEASURES, MEASURES, Row, fault, means, values
from .metrics import identity_drift

_KEPT, _APART = 6, 5
"""So many of the worst frames are kept, at least so many frames apart."""
_SMALL, _UNSTEADY = 48.0, 1.5
"""Pixels of a face, and flicker over the target's, from which on a warning is due."""


@dataclass(frozen=True, eq=False)
class Worst:
    """A frame that looks wrong.

    Attributes:
        index: of the frame.
        track: of the face.
        severity: 1 at the limit of what is fine.
        why: in words.
        crops: the face in the result and, where there is one, in the target.
    """

    index: int
    track: int
    severity: float
    why: str
    crops: tuple[Frame, ...]


@dataclass
class Quality:
    """Measures a run; :class:`~fsgan_core.report.Report` calls it for every frame.

    Attributes:
        inspector: measures a frame.
        rows: what was measured, with ``index`` and ``track``, in order.
        worst: the worst frames so far, worst first.
        reasons: in how many frames nothing was drawn, by why.
        frames: number of frames looked at.
    """

    inspector: Inspector
    rows: list[dict[str, Any]] = field(default_factory=list)
    worst: list[Worst] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    frames: int = 0

    def look(self, result: Rendered) -> list[dict[str, float | None]]:
        """Measure the next frame: a row for each record, empty where nothing was drawn."""
        rows = self.inspector.look(result)
        for number, (record, row) in enumerate(zip(result.records, rows, strict=True)):
            if row:
                self.rows.append({"index": self.frames, "track": record.track, **row})
                self._keep(result, record.track, row, result.wanted[number])
        if not any(rows):
            # Once a frame, as coverage is: of a face that leaves and comes back as another, one is always away.
            given = dict.fromkeys(record.reason for record in result.records if record.reason)
            self.reasons["; ".join(given) or "no face was chosen"] += 1
        self.frames += 1
        return rows

    def summary(self) -> dict[str, Any]:
        """Means over the run, warnings and the worst frames, as JSON knows them."""
        return {
            "measures": {name: round(value, 4) for name, value in self.means().items()},
            "not_measured": list(self.inspector.missing),
            "not_drawn": dict(self.reasons),
            "warnings": self.warnings(),
            "worst": [{"index": one.index, "track": one.track, "why": one.why} for one in self.worst],
        }

    def words(self) -> str:
        """Means, warnings and the worst frames as lines to read."""
        found, lines = self.means(), []
        for name, measure in {**MEASURES, **CLIP_MEASURES}.items():
            if name in found and name != "frames":
                lines.append(f"{measure.heading}: {found[name]:.{measure.digits}f}")
        lines += [f"{what}: {why}" for what, why in self.left_out()]
        lines += [f"not measured: {words}" for words in self.inspector.missing]
        lines += [f"note: {words}" for words in self.warnings()]
        lines += [f"frame {one.index}: {one.why}" for one in self.worst if one.severity >= 1]
        return "\n".join(lines)

    def json(self) -> str:
        """The summary and every row as text."""
        return json.dumps({"summary": self.summary(), "frames": self.rows})

    def means(self) -> dict[str, float]:
        """Means over the run, with what only a clip has."""
        found = means(self.rows)
        drifts = [
            float(identity_drift(self.inspector.descriptors_of(track)))
            for track, described in self.inspector.described.items()
            if len(described) > 2
        ]
        if drifts:
            found["identity_drift"] = max(drifts)
        drawn = len({row["index"] for row in self.rows})
        return found | {"coverage": drawn / max(1, self.frames), "frames": float(self.frames)}

    def left_out(self) -> list[tuple[str, str]]:
        """In how many frames nothing was drawn, and why, in words; together all that coverage lacks."""
        every = plural(self.frames, "frame")
        return [(f"nothing drawn in {count} of {every}", why) for why, count in self.reasons.most_common()]

    def warnings(self) -> list[str]:
        """What probably looks wrong and what to do, in plain words; empty when all seems well."""
        found = self.means()
        return [words for rule in _RULES if (words := rule(self, found))]

    def worst_sheet(self) -> Frame | None:
        """Lay out the worst frames, each result with its target; None where nothing was drawn."""
        if not self.worst:
            return None
        tiles = [Tile(f"frame {one.index}: {one.why}", np.hstack(one.crops)) for one in self.worst]
        return sheet(tiles, 2, 256)

    def _keep(self, result: Rendered, track: int, row: Row, wanted: Any) -> None:
        severity, why = fault(row)
        near = [one for one in self.worst if one.track == track and self.frames - one.index < _APART]
        beaten = near or (self.worst[-1:] if len(self.worst) >= _KEPT else [])
        if any(one.severity >= severity for one in beaten):
            return
        frames = (result.frame,) if result.target is None else (result.frame, result.target)
        crops = tuple(cut(frame, box_of(wanted)) for frame in frames)
        kept = [one for one in self.worst if one not in beaten]
        words = why if severity >= 1 else "the worst, yet within what is fine"
        kept.append(Worst(self.frames, track, severity, words, crops))
        self.worst = sorted(kept, key=lambda one: -one.severity)


def _nothing_drawn(quality: Quality, found: Row) -> str:
    share = found.get("coverage") or 0.0
    if share > 0.8 or not quality.frames:
        return ""
    (why, _), *_ = quality.reasons.most_common(1)
    return f"no face was drawn in {quality.reasons.total()} of {plural(quality.frames, 'frame')}: {why}"


def _too_small(quality: Quality, found: Row) -> str:
    size = _median(quality, "face_size")
    if size is None or size >= _SMALL:
        return ""
    return f"the face is only {size:.0f} px long; use a larger picture, or expect little of it"


def _same_identity(quality: Quality, found: Row) -> str:
    after, before = found.get("identity"), found.get("identity_before")
    if after is None or after < SAME_PERSON or (before is not None and before < SAME_PERSON):
        return ""
    was = "" if before is None else f"{before:.2f} before, "
    hardly = (
        "identity hardly changed" if before is not None and before - after < 0.15 else "it hardly looks like the source"
    )
    gaps = np.array(values(quality.rows, "pose_gap"))
    turned = gaps.size > 0 and (gaps > FAR).mean() >= SHARE
    better = "one that looks the same way as the target" if turned else "a larger, sharper or more frontal source"
    help_ = f"below {SAME_PERSON} is one person; try {better}, or several"
    return f"{hardly}: the distance to the source is {was}{after:.2f} after ({help_})"


def _unsteady(quality: Quality, found: Row) -> str:
    ratio = found.get("flicker_ratio")
    if ratio is None or ratio < _UNSTEADY:
        return ""
    return f"it flickers {ratio:.1f} times as much as the target; smooth more, or give one source picture only"


def _faults(quality: Quality, found: Row) -> str:
    """What is wrong in most frames, beyond what has words of its own."""
    wrong = []
    for name, measure in MEASURES.items():
        median = _median(quality, name)
        if measure.fault and name not in ("identity", "pose_gap") and measure.severity(median) > 1:
            unit = f" {measure.unit}" if measure.unit else ""
            wrong.append(f"{measure.fault} ({measure.label} {median:.{measure.digits}f}{unit})")
    return f"in most frames {'; '.join(wrong)}" if wrong else ""


def _median(quality: Quality, name: str) -> float | None:
    numbers = values(quality.rows, name)
    return float(np.median(numbers)) if numbers else None


_RULES: Sequence[Callable[[Quality, Row], str]] = (*(_nothing_drawn, _too_small, _same_identity, _unsteady, _faults),)

"""What a protocol found: measures by clip, variant and condition, and how they are tabulated."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..streams import Frame
from .measures import CLIP_MEASURES, MEASURES, Measure, Row

KNOWN: dict[str, Measure] = {**MEASURES, **CLIP_MEASURES}


@dataclass(frozen=True)
class Result:
    """Measures of one clip, drawn by one variant under one condition.

    Attributes:
        clip: its name.
        variant: what drew it.
        condition: such as a bin of pose gaps; empty where there is only one.
        measures: means over the clip's frames.
        place: the condition as a number, for curves.
    """

    clip: str
    variant: str
    condition: str
    measures: Row
    place: float = 0.0


@dataclass
class Outcome:
    """Everything a protocol found.

    Attributes:
        name: of the protocol, as in the command.
        title: heading.
        about: what was done and how to read it, in words.
        columns: measures of the table, in order.
        results: by clip.
        sheets: pictures to look at, by caption.
        curve: names of the measures to draw as curves over ``axis``; none where conditions are no numbers.
        axis: what the places are, with the unit.
    """

    name: str
    title: str
    about: str
    columns: tuple[str, ...]
    results: list[Result] = field(default_factory=list)
    sheets: dict[str, Frame] = field(default_factory=dict)
    curve: tuple[str, ...] = ()
    axis: str = ""

    @property
    def variants(self) -> list[str]:
        """In the order in which they ran."""
        return list(dict.fromkeys(result.variant for result in self.results))

    def groups(self) -> list[tuple[str, str, list[Result]]]:
        """Results by condition, then variant, each in the order in which they came up."""
        keys = dict.fromkeys((result.condition, result.variant) for result in self.results)
        conditions = list(dict.fromkeys(condition for condition, _ in keys))
        ordered = sorted(keys, key=lambda key: (conditions.index(key[0]), self.variants.index(key[1])))
        return [(*key, [one for one in self.results if (one.condition, one.variant) == key]) for key in ordered]

    def table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """Headings and rows: mean ± standard deviation over clips, as in the paper."""
        used = [name for name in self.columns if any(one.measures.get(name) is not None for one in self.results)]
        several = any(one.condition for one in self.results)
        head = (*(("condition",) if several else ()), "variant", *(KNOWN[name].heading for name in used), "clips")
        rows = [
            (*((condition,) if several else ()), variant, *(_cell(group, name) for name in used), str(len(group)))
            for condition, variant, group in self.groups()
        ]
        return head, rows

    def lines(self) -> dict[str, list[tuple[float, dict[str, float]]]]:
        """By variant, places with the mean measures there, ascending."""
        lines: dict[str, list[tuple[float, dict[str, float]]]] = {}
        for _, variant, group in self.groups():
            lines.setdefault(variant, []).append(
                (group[0].place, {name: mean for name in KNOWN if (mean := _mean(group, name)) is not None})
            )
        return {variant: sorted(points, key=lambda point: point[0]) for variant, points in lines.items()}

    def spreads(self, most: int = 8) -> dict[str, dict[str, tuple[float, float]]]:
        """By measure of the table, the first so many, then variant: mean and standard deviation over clips."""
        found: dict[str, dict[str, tuple[float, float]]] = {}
        for name in self.columns:
            for _, variant, group in self.groups():
                if numbers := _numbers(group, name):
                    found.setdefault(name, {})[variant] = (float(np.mean(numbers)), float(np.std(numbers)))
        return dict(list(found.items())[:most])


def markdown(outcome: Outcome) -> str:
    """The table with its words, for a document."""
    head, rows = outcome.table()
    lines = [f"## {outcome.title}", "", outcome.about, "", *_grid(head, rows), ""]
    return "\n".join(lines)


def comma_separated(outcomes: Iterable[Outcome]) -> str:
    """A line for every clip, variant and condition."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("protocol", "clip", "variant", "condition", *KNOWN))
    for outcome in outcomes:
        for one in outcome.results:
            values = ("" if (value := one.measures.get(name)) is None else f"{value:.5g}" for name in KNOWN)
            writer.writerow((outcome.name, one.clip, one.variant, one.condition, *values))
    return text.getvalue()


def json_values(outcomes: Iterable[Outcome]) -> dict[str, Any]:
    """Tables and results by protocol."""
    return {
        outcome.name: {
            "table": [_summary(condition, variant, group) for condition, variant, group in outcome.groups()],
            "clips": [
                {
                    "clip": one.clip,
                    "variant": one.variant,
                    "condition": one.condition,
                    "measures": _rounded(one.measures),
                }
                for one in outcome.results
            ],
        }
        for outcome in outcomes
    }


def as_json(about: dict[str, Any], outcomes: Sequence[Outcome]) -> str:
    """All of it as text."""
    return json.dumps({**about, "protocols": json_values(outcomes)}, indent=1) + "\n"


def _summary(condition: str, variant: str, group: Sequence[Result]) -> dict[str, Any]:
    found = {name: _numbers(group, name) for name in KNOWN}
    values = {
        name: {"mean": round(float(np.mean(numbers)), 5), "std": round(float(np.std(numbers)), 5)}
        for name, numbers in found.items()
        if numbers
    }
    return {"condition": condition, "variant": variant, "clips": len(group), "measures": values}


def _numbers(group: Sequence[Result], name: str) -> list[float]:
    return [float(value) for one in group if (value := one.measures.get(name)) is not None]


def _mean(group: Sequence[Result], name: str) -> float | None:
    numbers = _numbers(group, name)
    return float(np.mean(numbers)) if numbers else None


def _cell(group: Sequence[Result], name: str) -> str:
    numbers, digits = _numbers(group, name), KNOWN[name].digits
    if not numbers:
        return "–"
    spread = f" ± {np.std(numbers):.{digits}f}" if len(numbers) > 1 else ""
    return f"{np.mean(numbers):.{digits}f}{spread}"


def _rounded(row: Row) -> dict[str, float]:
    return {name: round(value, 5) for name, value in row.items() if value is not None and name in KNOWN}


def _grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]

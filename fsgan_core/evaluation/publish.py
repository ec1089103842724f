"""Outcomes as files: a page with pictures and plots, and the same numbers as Markdown, CSV and JSON."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from ..gallery import Figure, Section, page
from ..media import Image, write_image
from ..provenance import VERSION, Marking
from ..streams import Frame
from ..weights.checkpoint import OPEN
from . import plots
from .outcome import KNOWN, Outcome, as_json, comma_separated, markdown

PAGE, TABLES, LINES, VALUES = "index.html", "results.md", "results.csv", "results.json"
"""The files of a folder of results, beside the pictures."""


@dataclass(frozen=True)
class Publication:
    """A folder of results.

    Attributes:
        folder: where the files go; it is there, and files of these names are replaced.
        facts: what was run on what, in words, by heading.
        mark: what pictures of swapped faces say of their making.
    """

    folder: Path
    facts: Mapping[str, str]
    mark: Marking
    limits: str = field(
        default="Landmarks and poses are measured by the bundled landmark network, which also drives the drawing; "
        "identity is dlib's descriptor, which learned from other people than these. Judge variants against each other "
        "and look at the pictures; figures of other papers were taken on other clips."
    )

    def write(self, outcomes: Sequence[Outcome]) -> None:
        """Write everything; :data:`PAGE` is the file to open."""
        self._text(TABLES, "\n".join([self._heading(), *map(markdown, outcomes)]))
        self._text(LINES, comma_separated(outcomes))
        self._text(VALUES, as_json({"version": VERSION, **self.facts}, outcomes))
        sections = [Section("What was measured", self.limits, rows=tuple(self.facts.items()))]
        sections += [section for outcome in outcomes for section in self._sections(outcome)]
        used = dict.fromkeys(name for outcome in outcomes for name in outcome.columns)
        told = tuple((KNOWN[name].heading, KNOWN[name].about) for name in used)
        sections.append(Section("What the columns are", rows=told))
        self._text(PAGE, page("Evaluation", "How good the faces are, by the paper's measures and ours.", sections))

    def _heading(self) -> str:
        facts = [f"- {name}: {text}" for name, text in self.facts.items()]
        return "\n".join(["# Results", "", self.limits, "", *facts, ""])

    def _sections(self, outcome: Outcome) -> Iterable[Section]:
        head, rows = outcome.table()
        figures = []
        if outcome.curve and plots.available():
            drawn = plots.curves(outcome.title, outcome.axis, outcome.lines(), outcome.curve)
            figures.append(self._picture(f"{outcome.name}-curve.png", drawn, "Means over clips."))
        elif not any(one.condition for one in outcome.results) and plots.available():
            drawn = plots.bars(outcome.title, outcome.spreads())
            figures.append(self._picture(f"{outcome.name}-bars.png", drawn, "Mean and standard deviation over clips."))
        yield Section(outcome.title, outcome.about, tuple(figures), tuple(rows), head)
        for caption, sheet in outcome.sheets.items():
            picture = self._picture(f"{outcome.name}-{_plain(caption)}.jpg", sheet, caption)
            yield Section(caption, figures=(picture,))

    def _picture(self, name: str, frame: Frame, caption: str) -> Figure:
        mark = self.mark if name.endswith(".jpg") else None
        write_image(self.folder / name, Image(frame), marking=mark, overwrite=True)
        return Figure(name, caption)

    def _text(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")


def weight_set() -> str:
    """Which bundled weights these are: their number and the beginning of a digest of all."""
    files = sorted(OPEN.glob("*.safetensors"))
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return f"open, {len(files)} files, sha256 {digest.hexdigest()[:12]}"


def today() -> str:
    """The date, in UTC."""
    return datetime.now(timezone.utc).date().isoformat()


def _plain(words: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")

"""A run's report as a page: warnings, means, a plot over time, the worst frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..gallery import Figure, Section, page
from ..media import Image, staged, write_image
from ..provenance import Marking
from ..report import Report
from . import plots
from .measures import CLIP_MEASURES, MEASURES
from .quality import Quality

_NAMES = {"swap": "a swap", "reenact": "a reenactment", "edit": "an edit"}
"""Operations of reports as nouns, for titles."""
JSON, PLOT, WORST = ".json", "-plot.png", "-worst.jpg"
"""How the names of the files beside a page end."""


def report_page(path: Path, report: Report, quality: Quality | None, mark: Marking, *, overwrite: bool) -> None:
    """Write the page and the pictures it shows.

    Args:
        path: of the page.
        report: of the run.
        quality: what was measured; None: nothing.
        mark: what the sheet of frames says of its making.
        overwrite: replace files of these names.

    Raises:
        MediaError: a file exists.
    """
    notes = [("note", words) for words in report.notes]
    sections = [Section("What was done", rows=(*_facts(report), *([] if quality else notes)))]
    if quality:
        pictures = _pictures(path, report, quality, mark, overwrite)
        sections = [_verdict(quality, notes), *pictures, _table(quality), *sections]
    title = f"{'Quality' if quality else 'Report'} of {_NAMES[report.operation]}"
    lead = "Every frame was measured against its target and its source." if quality else ""
    text = page(title, lead, sections)
    with staged(path, overwrite=overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _verdict(quality: Quality, notes: Sequence[tuple[str, str]]) -> Section:
    """What the whole run suffers from, the frames that look wrong, and what was known before."""
    rows = [("the whole run" if quality.frames > 1 else "the picture", words) for words in quality.warnings()]
    rows += [(f"frame {one.index}", one.why) for one in quality.worst if one.severity >= 1]
    if rows:
        return Section("What probably looks wrong", rows=(*rows, *notes))
    text = "No measure says that this run looks wrong. Look at it all the same."
    return Section("No measure stands out" if notes else "Nothing stands out", text, rows=tuple(notes))


def _pictures(path: Path, report: Report, quality: Quality, mark: Marking, overwrite: bool) -> list[Section]:
    sections, worst = [], quality.worst_sheet()
    if plots.available() and quality.rows and quality.frames > 1:
        name = path.with_name(path.stem + PLOT)
        times = report.times if len(set(report.times)) > 1 else None
        write_image(name, Image(plots.over_time(quality.rows, times)), marking=None, overwrite=overwrite)
        sections.append(Section("Over time", figures=(Figure(name.name, "Dotted: the limit of what is fine."),)))
    if worst is not None:
        name = path.with_name(path.stem + WORST)
        beside = "Each with its target." if any(len(one.crops) > 1 for one in quality.worst) else ""
        write_image(name, Image(worst), marking=mark, overwrite=overwrite)
        sections.append(Section("The worst frames", figures=(Figure(name.name, beside),)))
    return sections


def _table(quality: Quality) -> Section:
    found, known = quality.means(), {**MEASURES, **CLIP_MEASURES}
    rows = tuple(
        (measure.heading, f"{found[name]:.{measure.digits}f}", measure.about)
        for name, measure in known.items()
        if name in found
    )
    missing = tuple(("not measured", words) for words in quality.inspector.missing)
    text = (
        "For comparing one run with another: what looks wrong is said above. An arrow says which way is better. "
        "A px is a pixel of a face 160 px long."
    )
    every = (*rows, *quality.left_out(), *missing)
    return Section("Every measure, mean over the run", text, rows=every, folded=True)


def _facts(report: Report) -> tuple[tuple[str, str], ...]:
    values = report.values()
    counts = ", ".join(f"{count} {status}" for status, count in values["summary"]["statuses"].items())
    stages = ", ".join(f"{stage}: {name}" for stage, name in values["models"].items())
    rate = f"{values['summary']['frames_per_second']} a second, measuring included"
    return (
        ("frames", f"{values['summary']['frames']}, {rate}"),
        ("faces, frame by frame", counts),
        ("stages", stages),
    )

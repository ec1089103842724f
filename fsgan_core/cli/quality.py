"""``--report``: what was done in every frame and how good it is, as JSON or as a page to look at."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ..errors import MediaError
from ..evaluation.cut_heads import told_cut
from ..evaluation.gaps import told_gap, told_size
from ..evaluation.identity import load_if_installed
from ..evaluation.inspection import Inspector
from ..evaluation.quality import Quality
from ..evaluation.reference import Reference
from ..evaluation.report_page import JSON, PLOT, WORST, report_page
from ..evaluation.source_faults import told_swap
from ..faces import FaceSequence
from ..media import staged
from ..models import Models
from ..provenance import Marking
from ..report import Report
from ..stages.appearance_map import AppearanceMap
from .flags import file_path


def add_report(parser: argparse.ArgumentParser) -> None:
    """Add ``--report`` and ``--measure``."""
    text = "write what was done in every frame: .json, or .html with a plot, the worst frames and the .json beside it"
    parser.add_argument("--report", type=file_path, metavar="FILE", help=text)
    text = "measure identity, pose, expression, sharpness and seam of every frame for the report (default: yes)"
    parser.add_argument("--measure", action=argparse.BooleanOptionalAction, default=True, help=text)


def report_files(path: Path | None) -> list[Path]:
    """The files that a report is written to.

    Raises:
        MediaError: it cannot be written as that.
    """
    if path is None:
        return []
    if path.suffix.lower() == ".html":
        return [path, *(path.with_name(path.stem + ending) for ending in (JSON, PLOT, WORST))]
    if path.suffix.lower() != ".json":
        raise MediaError(f"cannot write a report as '{path.suffix}'; use .json or .html")
    return [path]


def quality_of(args: argparse.Namespace, source: AppearanceMap, models: Models) -> Quality | None:
    """What measures the run, where a report with measures is wanted."""
    if args.report is None or not args.measure:
        return None
    embedder = load_if_installed(models.device)
    return Quality(Inspector([Reference.of(source, models, embedder)], models, embedder))


def tell_of_gaps(faces: Sequence[FaceSequence], source: AppearanceMap, *, crop: bool) -> list[str]:
    """Say that source and target look different ways, or of crops that the source is small; returned for the report."""
    told = [words for words in (told_gap(faces, source.poses), crop and told_size(faces, source)) if words]
    for words in told:
        print(f"note: {words}")
    return told


def tell_of_cut(source: AppearanceMap, models: Models) -> list[str]:
    """Say that no picture shows the source's whole head, where its surroundings are drawn; the words are returned."""
    words = told_cut(source, models.face_model)
    if words:
        print(f"note: {words}")
    return [words] if words else []


def tell_of_swap(source: AppearanceMap, faces: Sequence[FaceSequence], models: Models) -> list[str]:
    """Say what of the source will hurt on these faces, before it is drawn; the words are for the report too."""
    told = told_swap(source, faces, models)
    for words in told:
        print(f"note: {words}")
    return told


def tell_of_left(report: Report) -> None:
    """Say in which frames nothing was drawn."""
    if words := report.left():
        print(f"note: {words}")


def write_report(args: argparse.Namespace, report: Report, quality: Quality | None, mark: Marking) -> None:
    """Write the report where ``--report`` says, if it does, and say what probably looks wrong."""
    if args.report is None:
        return
    files = report_files(args.report)
    numbers = next(path for path in files if path.suffix.lower() == ".json")
    with staged(numbers, overwrite=args.overwrite) as temporary:
        temporary.write_text(report.json(), encoding="utf-8")
    if len(files) > 1:
        report_page(args.report, report, quality, mark, overwrite=args.overwrite)
    for words in quality.warnings() if quality else ():
        print(f"note: {words}")

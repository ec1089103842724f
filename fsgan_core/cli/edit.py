"""``fsgan edit``: a face turned, blinking, looking, smiling as numbers say."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from ..evaluation.source_faults import told_turn
from ..media import EncodeOptions
from ..ops.controls import Controls
from ..pipeline import AnalyzeOptions, edit
from ..provenance import Marking
from ..report import Report
from .clips import check_result, opened, watched, write_result
from .engine import add_stages, chosen_backends, engine_values, load_models, weights_used
from .flags import add_options, add_output, file_path, given_options, read_options
from .quality import write_report
from .subjects import add_choice, check_reference, chosen_faces, measured

STAGES = ("detection", "landmarks", "reenactment")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    text = "picture or video to change"
    parser.add_argument("--input", "-i", type=file_path, required=True, metavar="FILE", help=text)
    add_output(parser, "picture or video to write, of the input's kind")
    text = "write what was done in every frame: .json, or .html with the .json beside it"
    parser.add_argument("--report", type=file_path, metavar="FILE", help=text)
    add_choice(parser, "input")
    add_options(parser, Controls, "face, added to what it is; left and right are the person's own")
    add_options(parser, AnalyzeOptions, "measuring")
    add_stages(parser, STAGES)
    add_options(parser, EncodeOptions, "video")


def run(args: argparse.Namespace) -> None:
    """Measure, edit, write, report."""
    if not given_options(args, Controls):
        found = "found nothing to change; say what, such as --smile 0.6, --yaw 15 or --blink-left 1"
        raise argparse.ArgumentError(None, found)
    item, controls = opened(args.input), read_options(args, Controls)
    check_reference(args)
    check_result(args, item.image is not None, [path for path in (args.input, args.reference) if path])
    models = load_models(args)
    faces = chosen_faces(item.clip, measured(item, models, args), models, args)
    asked = {"faces": args.face, "edit": asdict(controls), **engine_values(args)}
    if words := told_turn(controls, item.clip, faces, models):
        print(f"note: {words}")
    report = Report("edit", asked, asdict(chosen_backends(args)), str(models.device), notes=item.notes)
    results = watched(edit(item.clip, faces, controls, models), "editing", item.length)
    mark = Marking(operation="face edit", weights=weights_used(args))
    write_result(args, report.noted(results, item.moment), mark, item.image, item.video)
    write_report(args, report, None, mark)
    print(f"wrote {args.output}: {report.summary('edited')}")

"""``fsgan swap``: a source's face onto faces of a picture or video."""

from __future__ import annotations

import argparse
from dataclasses import asdict

import numpy as np

from ..errors import MediaError
from ..media import EncodeOptions, read_image
from ..pipeline import AnalyzeOptions, swap
from ..provenance import Marking
from ..report import Report
from ..swapping import SwapOptions, UserMask
from .clips import Input, check_result, opened, watched, write_result
from .engine import add_stages, chosen_backends, engine_values, load_models, weights_used
from .flags import add_options, add_output, file_path, read_options
from .quality import add_report, quality_of, tell_of_left, tell_of_swap, write_report
from .subjects import add_choice, add_source, check_reference, chosen_faces, measured, source_map

STAGES = ("detection", "landmarks", "reenactment", "segmentation", "completion", "blending")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    add_source(parser)
    text = "picture or video to change"
    parser.add_argument("--target", "-t", type=file_path, required=True, metavar="FILE", help=text)
    add_output(parser, "picture or video to write, of the target's kind")
    add_report(parser)
    add_choice(parser)
    text = "picture of the target's size: white marks what --mask-mode says"
    parser.add_argument("--mask", type=file_path, metavar="FILE", help=text)
    text = "subtract keeps the target where the mask is white, add swaps there too (default: subtract)"
    parser.add_argument("--mask-mode", choices=("add", "subtract"), default="subtract", help=text)
    add_options(parser, SwapOptions, "swap")
    add_options(parser, AnalyzeOptions, "measuring")
    add_stages(parser, STAGES)
    add_options(parser, EncodeOptions, "video")


def run(args: argparse.Namespace) -> None:
    """Swap, write, report."""
    target = opened(args.target)
    mask = None if args.mask is None else _mask(args, target)
    inputs = [path for path in (args.target, *args.source, args.mask, args.reference) if path]
    check_reference(args)
    check_result(args, target.image is not None, inputs)
    options, models = read_options(args, SwapOptions), load_models(args)
    source, mixed = source_map(args, models)
    faces = chosen_faces(target.clip, measured(target, models, args), models, args)
    asked = {"faces": args.face, "swap": asdict(options), **engine_values(args)}
    quality = quality_of(args, source, models)
    notes = (*target.notes, *mixed, *tell_of_swap(source, faces, models))
    report = Report("swap", asked, asdict(chosen_backends(args)), str(models.device), quality, notes)
    results = watched(swap(target.clip, faces, [source], models, options, mask), "swapping", target.length)
    mark = Marking(operation="face swap", weights=weights_used(args))
    write_result(args, report.noted(results, target.moment), mark, target.image, target.video)
    write_report(args, report, quality, mark)
    tell_of_left(report)
    print(f"wrote {args.output}: {report.summary('swapped')}")


def _mask(args: argparse.Namespace, target: Input) -> UserMask:
    image = read_image(args.mask)
    if image.size != target.clip.size:
        found = f"mask {args.mask} is {image.size[0]}x{image.size[1]}"
        raise MediaError(f"{found}, the target {target.clip.size[0]}x{target.clip.size[1]}; make them the same size")
    return UserMask(image.frame.mean(2, dtype=np.float32) / 255, args.mask_mode)

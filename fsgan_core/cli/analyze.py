"""``fsgan analyze``: the faces of a picture or video as numbers."""

from __future__ import annotations

import argparse
import json

import numpy as np

from ..errors import MediaError
from ..media import check_output, staged
from ..pipeline import AnalyzeOptions
from ..report import analysis_arrays, analysis_values
from ..stages.analysis import save_analysis
from ..words import plural
from .clips import opened
from .engine import MEASURING, add_stages, load_models
from .flags import add_options, add_output, file_path
from .subjects import TENSORS, measured

SUFFIXES = (".json", ".npz", TENSORS)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.add_argument("input", type=file_path, help="picture or video")
    add_output(parser, f"file to write: .json, .npz, or {TENSORS}, which 'fsgan reenact' takes as a target")
    add_options(parser, AnalyzeOptions, "measuring")
    add_stages(parser, MEASURING)


def run(args: argparse.Namespace) -> None:
    """Measure and write."""
    suffix = args.output.suffix.lower()
    if suffix not in SUFFIXES:
        raise MediaError(f"cannot write an analysis as '{suffix}'; use one of {', '.join(SUFFIXES)}")
    item = opened(args.input)
    check_output(args.output, overwrite=args.overwrite, inputs=[args.input])
    analysis = measured(item, load_models(args), args)
    with staged(args.output, overwrite=args.overwrite, inputs=[args.input]) as temporary:
        if suffix == ".json":
            temporary.write_text(json.dumps(analysis_values(analysis, str(args.input))), encoding="utf-8")
        elif suffix == ".npz":
            with temporary.open("wb") as file:
                np.savez_compressed(file, allow_pickle=False, **analysis_arrays(analysis))
        else:
            save_analysis(temporary, analysis)
    print(f"wrote {args.output}: {plural(len(analysis.faces), 'face')} in {plural(analysis.frame_count, 'frame')}")

"""``fsgan analyze``: the faces of a picture or video as numbers."""

from __future__ import annotations

import argparse
import json

import numpy as np

from ..errors import MediaError
from ..faces import Analysis
from ..gallery import marked
from ..media import Image, check_output, staged, write_image
from ..pipeline import AnalyzeOptions
from ..report import analysis_arrays, analysis_values
from ..stages.analysis import save_analysis
from ..words import plural
from .clips import opened
from .engine import MEASURING, add_stages, load_models
from .flags import add_options, add_output, file_path
from .subjects import TENSORS, measured

SUFFIXES, SHOWN = (".json", ".npz", TENSORS), (".png", ".jpg")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.add_argument("input", type=file_path, help="picture or video")
    text = f"file to write: .json, .npz, or {TENSORS}, which 'fsgan reenact' takes as a target"
    add_output(parser, f"{text}; of a picture {' or '.join(SHOWN)} too, the faces marked with the numbers of --face")
    add_options(parser, AnalyzeOptions, "measuring")
    add_stages(parser, MEASURING)


def run(args: argparse.Namespace) -> None:
    """Measure and write."""
    suffix = args.output.suffix.lower()
    item = opened(args.input)
    known = SUFFIXES if item.image is None else (*SUFFIXES, *SHOWN)
    if suffix not in known:
        raise MediaError(f"cannot write an analysis as '{suffix}'; use one of {', '.join(known)}")
    check_output(args.output, overwrite=args.overwrite, inputs=[args.input])
    analysis = measured(item, load_models(args), args)
    if item.image is not None and suffix in SHOWN:
        picture = Image(marked(item.image.frame, analysis, 0))
        write_image(args.output, picture, marking=None, overwrite=args.overwrite)
    else:
        _write(args, analysis)
    print(f"wrote {args.output}: {plural(len(analysis.faces), 'face')} in {plural(analysis.frame_count, 'frame')}")


def _write(args: argparse.Namespace, analysis: Analysis) -> None:
    suffix = args.output.suffix.lower()
    with staged(args.output, overwrite=args.overwrite, inputs=[args.input]) as temporary:
        if suffix == ".json":
            temporary.write_text(json.dumps(analysis_values(analysis, str(args.input))), encoding="utf-8")
        elif suffix == ".npz":
            with temporary.open("wb") as file:
                np.savez_compressed(file, allow_pickle=False, **analysis_arrays(analysis))
        else:
            save_analysis(temporary, analysis)

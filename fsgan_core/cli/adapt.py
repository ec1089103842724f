"""``fsgan adapt``: a small file that fits the reenactment network to one person."""

from __future__ import annotations

import argparse

import numpy as np

from ..errors import MediaError
from ..media import check_output, staged
from ..models import Models
from ..pipeline import AnalyzeOptions
from ..stages.appearance_map import AppearanceMap
from ..stages.candidates import MapOptions
from ..stages.refinement import bundled_refiner
from ..training.adaptation import AdaptOptions, adapt
from ..training.labelled import Face
from ..words import plural
from .engine import MEASURING, add_stages, load_models
from .flags import add_options, add_output, file_path, read_options
from .subjects import TENSORS, add_source_face, source_map


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.add_argument("source", type=file_path, nargs="+", help="pictures and videos of one person")
    add_output(parser, f"adapter to write, {TENSORS}; name it with --adapter in swap, reenact and edit")
    add_source_face(parser)
    add_options(parser, AdaptOptions, "adapting")
    add_options(parser, MapOptions, "views")
    add_options(parser, AnalyzeOptions, "measuring")
    add_stages(parser, MEASURING)


def run(args: argparse.Namespace) -> None:
    """Adapt and say what it brings."""
    if args.output.suffix.lower() != TENSORS:
        raise MediaError(f"cannot write an adapter as '{args.output.suffix}'; use {TENSORS}")
    check_output(args.output, overwrite=args.overwrite, inputs=args.source)
    models = load_models(args)
    person, _ = source_map(args, models)
    tools = models.face_model, models.landmarks
    found = adapt(bundled_refiner().network, _faces(person, models), tools, read_options(args, AdaptOptions))
    with staged(args.output, overwrite=args.overwrite, inputs=args.source) as temporary:
        found.save(temporary)
    errors = f"held-out error {found.before:.4f} -> {found.after:.4f}"
    print(f"wrote {args.output}: {errors} in {plural(found.steps, 'step')}")


def _faces(person: AppearanceMap, models: Models) -> list[Face]:
    """A person's pictures as a swap sees them: in even light, without what covers the face."""
    source, result = models.source(person), []
    for number, points in enumerate(person.landmarks):
        picture = source.view(number).levels[0][0].permute(1, 2, 0)
        result.append(Face(str(number), (255 * picture).round().byte().cpu().numpy(), points.astype(np.float32)))
    return result

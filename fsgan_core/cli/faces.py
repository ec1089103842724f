"""``fsgan faces``: a person's appearance map as a file, and what it holds."""

from __future__ import annotations

import argparse

from ..errors import MediaError
from ..media import Image, check_output, staged, write_image
from ..pipeline import AnalyzeOptions
from ..provenance import Marking
from ..stages.appearance_file import load, save
from ..stages.candidates import MapOptions
from ..stages.coverage import coverage_picture, hint
from ..words import plural
from .engine import MEASURING, add_stages, load_models
from .flags import add_action, add_options, add_output, file_path
from .subjects import TENSORS, add_source_face, source_map


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the actions and their flags."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    build = add_action(actions, "build", "make a map from pictures and videos of one person")
    build.add_argument("source", type=file_path, nargs="+", help="pictures and videos of one person")
    add_output(build, f"map to write, {TENSORS}")
    add_source_face(build)
    add_options(build, MapOptions, "views")
    add_options(build, AnalyzeOptions, "measuring")
    add_stages(build, MEASURING)
    show = add_action(actions, "show", "list the views of a map, and draw which exist and which are missing")
    show.add_argument("map", type=file_path, help=f"map made by 'fsgan faces build' ({TENSORS})")
    show.add_argument("--output", "-o", type=file_path, metavar="FILE", help="picture to draw")
    show.add_argument("--overwrite", action="store_true", help="replace the picture if it exists")


def run(args: argparse.Namespace) -> None:
    """Do the action."""
    {"build": _build, "show": _show}[args.action](args)


def _build(args: argparse.Namespace) -> None:
    if args.output.suffix.lower() != TENSORS:
        raise MediaError(f"cannot write an appearance map as '{args.output.suffix}'; use {TENSORS}")
    check_output(args.output, overwrite=args.overwrite, inputs=args.source)
    appearance, _ = source_map(args, load_models(args))
    with staged(args.output, overwrite=args.overwrite, inputs=args.source) as temporary:
        save(appearance, temporary)
    print(f"wrote {args.output}: {plural(len(appearance), 'view')}")


def _show(args: argparse.Namespace) -> None:
    if args.output:
        check_output(args.output, overwrite=args.overwrite, inputs=[args.map])
    appearance = load(args.map)
    if args.output:
        picture = Image(coverage_picture(appearance))
        write_image(args.output, picture, overwrite=args.overwrite, marking=Marking(operation="appearance map chart"))
    for name, text in appearance.notes.items():
        print(f"{name}: {text}")
    print("degrees; yaw above 0 looks to the picture's right, pitch above 0 up, roll above 0 is tilted clockwise")
    print(f"{'view':>4} {'yaw':>7} {'pitch':>7} {'roll':>7}  size")
    for number, (view, pose) in enumerate(zip(appearance.views, appearance.poses, strict=True)):
        yaw, pitch, roll = pose
        print(f"{number:4} {yaw:7.1f} {pitch:7.1f} {roll:7.1f}  {view.shape[1]}x{view.shape[0]}")
    print(hint(appearance))

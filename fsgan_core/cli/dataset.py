"""``fsgan dataset``: training material from a folder of one's own photos and videos; the data engine's head."""

from __future__ import annotations

import argparse

from ..errors import FSGANError
from ..training.dataset_build import build_file, check_folder, finish, media_files
from ..training.dataset_choice import DatasetOptions
from ..training.dataset_report import write_report
from ..training.ict_files import write_arrays
from ..words import plural
from .clips import watched
from .engine import MEASURING, add_stages, load_models
from .flags import add_action, add_options, file_path, read_options


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the actions and their flags."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    text = "find, follow, crop and label the faces of a folder; a build that was stopped goes on with the next file"
    build = add_action(actions, "build", text)
    build.add_argument("folder", type=file_path, help="photos and videos, also in subfolders")
    text = "folder of the dataset: crops, labels, index and a report with pictures"
    build.add_argument("--output", "-o", type=file_path, required=True, metavar="DIR", help=text)
    add_options(build, DatasetOptions, "faces")
    add_stages(build, MEASURING)
    build.set_defaults(stopped="the same command goes on with the next file")
    head = add_action(actions, "ict", "convert the ICT-FaceKit head for the data engine")
    head.add_argument("folder", type=file_path, help="FaceXModel of ICT-FaceKit, with its OBJ files")
    text = "file to write; the data engine reads ict/ict_facekit_light_f16.npz in the folder of its material"
    head.add_argument("--output", "-o", type=file_path, required=True, metavar="FILE.npz", help=text)


def run(args: argparse.Namespace) -> None:
    """Do the action."""
    {"build": _build, "ict": _convert}[args.action](args)


def _convert(args: argparse.Namespace) -> None:
    write_arrays(args.folder, args.output)
    print(f"wrote {args.output}")


def _build(args: argparse.Namespace) -> None:
    """Build the dataset and say what was kept."""
    if not args.folder.is_dir():
        raise FSGANError(f"no folder {args.folder}; name one with photos and videos")
    options = read_options(args, DatasetOptions)
    check_folder(args.output)
    files = media_files(args.folder, args.output)
    if not files:
        raise FSGANError(f"{args.folder} holds no files; name a folder with photos and videos")
    models = load_models(args)
    entries = [
        build_file(path, args.folder, args.output, models, options) for path in watched(files, "building", len(files))
    ]
    report = write_report(args.output, entries, finish(entries, args.output, options))
    refused = sum(report["refused"].values())
    kept = plural(report["kept"], "picture")
    print(f"{args.output}: {kept} kept, {refused} refused, in {plural(len(files), 'file')}")
    for name, error in report["unreadable"].items():
        print(f"not read: {name}: {error}")
    print(f"see {args.output / 'report.html'}")

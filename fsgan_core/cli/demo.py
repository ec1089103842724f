"""``fsgan demo``: two public-domain portraits, swapped and set in motion."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from ..demo import Demo
from ..errors import MediaError
from ..models import Models
from .clips import watched
from .flags import add_device, chosen_device, file_path


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    text = "folder for pictures, videos and the page that shows them (default: demo-output)"
    parser.add_argument("--output", "-o", type=file_path, default=Path("demo-output"), metavar="DIR", help=text)
    parser.add_argument("--overwrite", action="store_true", help="replace the files of an earlier run")
    add_device(parser)


def run(args: argparse.Namespace) -> None:
    """Make the demo and say where it is."""
    began = time.monotonic()
    if args.output.exists() and not args.output.is_dir():
        raise MediaError(f"{args.output} is a file; name a folder with --output")
    demo = Demo(args.output, Models.load(device=chosen_device(args.device)), watched, args.overwrite)
    shown = demo.run()
    for step, seconds in demo.times.items():
        print(f"{seconds:6.1f} s  {step}")
    print(f"{time.monotonic() - began:6.1f} s  in all\n\nopen {shown.resolve()}")

"""``fsgan convert``: an official checkpoint, which is a pickle, to a safetensors file that is safe to load."""

from __future__ import annotations

import argparse

from ..weights.convert import convert
from .flags import file_path


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.add_argument("checkpoint", type=file_path, help="official .pth file")
    text = "file to write (default: beside the checkpoint, as .safetensors)"
    parser.add_argument("--output", "-o", type=file_path, metavar="FILE", help=text)
    parser.add_argument("--overwrite", action="store_true", help="replace the output if it exists")


def run(args: argparse.Namespace) -> None:
    """Convert and print where."""
    print(f"wrote {convert(args.checkpoint, args.output, overwrite=args.overwrite)}")

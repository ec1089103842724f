"""``fsgan inspect``: what a file says of its making."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from ..media import read_marking
from .flags import file_path


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.add_argument("file", type=file_path, help="picture or video")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> None:
    """Print the marking, or that there is none."""
    marking = read_marking(args.file)
    if args.json:
        print(json.dumps(asdict(marking) if marking else None, indent=2))
    elif marking is None:
        print(f"{args.file}: no provenance mark")
    else:
        print("\n".join(f"{name.replace('_', ' '):12} {value}" for name, value in asdict(marking).items() if value))

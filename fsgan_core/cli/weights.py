"""``fsgan weights list``: what is in the package."""

from __future__ import annotations

import argparse

from safetensors import safe_open

from ..weights.checkpoint import OPEN
from .flags import add_debug


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    add_debug(actions.add_parser("list", help="the bundled files: kind, size, licence"))


def run(args: argparse.Namespace) -> None:
    """Print a line for each bundled file."""
    for path in sorted(OPEN.glob("*.safetensors")):
        with safe_open(path, framework="np") as file:
            header = file.metadata() or {}
        megabytes = path.stat().st_size / 1e6
        print(
            f"{path.stem:16} {header.get('fsgan_kind', 'unknown'):16} {megabytes:6.2f} MB  {header.get('licence', '')}"
        )

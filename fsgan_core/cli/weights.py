"""``fsgan weights``: what is in the package, which official files are there, and whether a converted one is sound."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..weights.catalog import folders, listing, verify
from ..weights.checkpoint import OPEN, read_header
from .flags import add_debug


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the actions."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    show = actions.add_parser("list", help="the bundled files, and the official ones with where to get them")
    check = actions.add_parser("verify", help="load a converted file completely")
    check.add_argument("file", type=Path, help="file written by 'fsgan convert'")
    for action in (show, check):
        add_debug(action)


def run(args: argparse.Namespace) -> None:
    """Do the action."""
    if args.action == "verify":
        print(f"{args.file}: {verify(args.file)}")
        return
    print(f"bundled in {OPEN}, each with a card")
    for path in sorted(OPEN.glob("*.safetensors")):
        print(f"  {path.stem:42} {path.stat().st_size / 1e6:6.2f} MB  {read_header(path).get('fsgan_kind', '')}")
    print(f"official, for research only, looked for in {', '.join(map(str, folders()))}")
    for known in listing():
        print(f"  {known.file.name:42} {known.converted or known.advice}")

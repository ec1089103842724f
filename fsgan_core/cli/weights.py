"""``fsgan weights``: what is in the package, which official files are there, and how the missing ones are had."""

from __future__ import annotations

import argparse
from pathlib import Path

from tqdm import tqdm

from ..errors import WeightsError
from ..weights.catalog import Listed, folders, listing, user_folder, verify
from ..weights.checkpoint import OPEN, read_header
from ..weights.fetch import fetch, fetchable
from .flags import add_action, file_path, naming


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the actions."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    show = add_action(actions, "list", "the bundled files, and the official ones with terms and what to do")
    where = add_action(actions, "where", "where official files are looked for, and which are found there")
    check = add_action(actions, "verify", "load converted files completely")
    text = "file written by 'fsgan convert' (default: every official one that is found)"
    check.add_argument("files", nargs="*", type=file_path, metavar="FILE", help=text)
    get = add_action(actions, "fetch", "download an official file that has a plain address, and convert it")
    get.add_argument("name", help="a name that 'fsgan weights list' shows with 'fsgan weights fetch'")
    for action in (show, where, check, get):
        text = "folder searched too (list, where, verify) or written to (fetch), such as ComfyUI's models/fsgan"
        action.add_argument("--folder", type=file_path, metavar="DIR", help=text)


def run(args: argparse.Namespace) -> None:
    """Do the action."""
    {"list": _list, "where": _where, "verify": _verify, "fetch": _fetch}[args.action](args)


def _list(args: argparse.Namespace) -> None:
    print(f"bundled in {OPEN}, each with a card")
    for path in sorted(OPEN.glob("*.safetensors")):
        print(f"  {path.stem:42} {path.stat().st_size / 1e6:6.2f} MB  {read_header(path).get('fsgan_kind', '')}")
    for known in listing(_extra(args)):
        print(f"\n{known.file.name} ({', '.join(known.file.sets)} {known.file.stage}): {_state(known)}")
        print(f"  {known.file.content}{' (optional)' if known.file.optional else ''}")
        print(f"  terms: {known.file.licence}")
        if known.state != "ready":
            print(f"  to do: {known.advice or 'nothing'}")


def _where(args: argparse.Namespace) -> None:
    for folder in folders(_extra(args)):
        print(f"{folder}{'' if folder.is_dir() else ' (no such folder)'}")
    for known in listing(_extra(args)):
        print(f"  {known.file.name:46} {known.converted or known.original or 'missing'}")


def _verify(args: argparse.Namespace) -> None:
    files = args.files or [known.converted for known in listing(_extra(args)) if known.converted]
    if not files:
        raise WeightsError("found no converted official file; 'fsgan weights list' says how they are had")
    for file in files:
        print(f"{file}: {verify(file)}")


def _fetch(args: argparse.Namespace) -> None:
    with naming("name"):
        file = fetchable(args.name)
    print(f"getting {file.source}\nterms: {file.licence}")
    with tqdm(unit="B", unit_scale=True, disable=None, leave=False) as bar:
        for progress in fetch(args.name, args.folder):
            bar.total = progress.total or None
            bar.update(progress.done - bar.n)
    print(f"wrote {(args.folder or user_folder()) / args.name}.safetensors")


def _state(known: Listed) -> str:
    return {"ready": str(known.converted), "convert": "not converted yet", "missing": "missing"}[known.state]


def _extra(args: argparse.Namespace) -> list[Path]:
    return [args.folder] if args.folder else []

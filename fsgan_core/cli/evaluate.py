"""``fsgan evaluate``: the paper's evaluation, and ours, as tables, curves and pictures."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..demo import write_material
from ..errors import FSGANError
from ..evaluation.identity import load_if_installed
from ..evaluation.material import SUFFIXES, Library, Pair, Subject, faceforensics, files, pairs, read_pairs
from ..evaluation.outcome import Outcome
from ..evaluation.protocols import Bench, ablation_protocol, swap_protocol
from ..evaluation.publish import PAGE, Publication, today, weight_set
from ..evaluation.self_reenactment import limits, self_protocol
from ..evaluation.variants import PRESETS, variant
from ..media import staged_folder
from ..provenance import Marking
from .clips import watched
from .flags import add_action, add_device, chosen_device, file_path, naming

ACTIONS = {
    "swap": "swap pairs of clips: a folder, or a CSV with the columns source and target",
    "self": "let single frames of clips reenact the clips themselves, by pose gap",
    "ablation": "the paper's four variants on pairs of clips, segmentation fixed",
    "limits": "quality against number of steps, pose gap, face size, landmark density",
    "faceforensics": "swap the pairs of a FaceForensics++ folder and measure its methods beside ours",
    "all": "swap, self, ablation and limits",
}
"""The protocols."""
_FEW = 3
"""Clips whose limits are looked at when everything is run; with half the frames, as in the ablation then."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the protocols and their flags."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="PROTOCOL")
    for name, text in ACTIONS.items():
        action = add_action(actions, name, text)
        text = "folder of clips, or CSV of pairs (default: the demo's portraits set in motion)"
        if name == "faceforensics":
            action.add_argument("data", type=file_path, metavar="DIR", help="folder of FaceForensics++")
        else:
            action.add_argument("data", type=file_path, metavar="DATA", nargs="?", help=text)
        _configure(action)
        if name == "faceforensics":
            action.add_argument("--compression", default="", metavar="NAME", help="raw, c23 or c40 (default: the best)")
            action.add_argument("--methods", nargs="+", default=(), metavar="NAME", help="methods (default: all)")


def _configure(action: argparse.ArgumentParser) -> None:
    text = "folder for the page, tables, curves and pictures"
    action.add_argument("--output", "-o", type=file_path, required=True, metavar="DIR", help=text)
    action.add_argument(
        "--overwrite", action="store_true", help="allow a folder that holds files; those of the same names are replaced"
    )
    names = ", ".join(PRESETS)
    text = f"what to compare: {names}, or NAME:option=value,... (options of swap, flow, blending, stages)"
    action.add_argument("--variant", action="append", metavar="NAME", help=f"{text}; repeat it (default: default)")
    action.add_argument("--frames", type=_count, default=100, metavar="N", help="frames of each clip (default: 100)")
    text = "in self-reenactment and limits look at one of so many frames (default: spread over the whole clip)"
    action.add_argument("--stride", type=_count, default=0, metavar="N", help=text)
    action.add_argument("--clips", type=_count, default=0, metavar="N", help="at most so many clips (default: all)")
    action.add_argument(
        "--root", type=file_path, metavar="DIR", help="folder that the CSV's paths begin in (default: its own)"
    )
    action.add_argument("--note", default="", metavar="TEXT", help="words for the results, such as a commit")
    add_device(action)


def run(args: argparse.Namespace) -> None:
    """Run the protocols and write what they found."""
    device = chosen_device(args.device)
    with naming("--variant"):
        variants = [variant(words, device) for words in args.variant or ["default"]]
    embedder = load_if_installed(device)
    bench = Bench(Library(variants[0].models, args.frames), variants, embedder, watched)
    with staged_folder(args.output, overwrite=args.overwrite) as folder:
        found = _pairs(args, bench, folder)
        outcomes = [outcome for outcome in _outcomes(args, bench, found) if outcome.results]
        if not outcomes:
            raise FSGANError(f"nothing could be measured; {_skipped(bench) or 'no clip fits the protocol'}")
        Publication(folder, _facts(args), Marking(operation="evaluation of swaps")).write(outcomes)
    for words in (
        _skipped(bench),
        "" if embedder else "identity was not measured; run: pip install face_recognition_models",
    ):
        if words:
            print(f"note: {words}")
    print(f"wrote {args.output / PAGE}")


def _outcomes(args: argparse.Namespace, bench: Bench, found: Sequence[Pair]) -> list[Outcome]:
    if args.action in ("swap", "faceforensics"):
        return [swap_protocol(bench, found)]
    if args.action == "ablation":
        return [ablation_protocol(bench, found)]
    if args.action == "self":
        return [self_protocol(bench, _clips(args, bench, found))[0]]
    if args.action == "limits":
        clips = _clips(args, bench, found)
        return [self_protocol(bench, clips)[1], *limits(bench, clips)]
    few = replace(bench, library=replace(bench.library, frames=max(2, args.frames // 2)))
    table, curve = self_protocol(bench, _clips(args, bench, found))
    coarse = argparse.Namespace(**{**vars(args), "stride": 2 * args.stride})
    others = limits(few, _clips(coarse, few, found)[:_FEW])
    return [swap_protocol(bench, found), table, ablation_protocol(few, found), curve, *others]


def _pairs(args: argparse.Namespace, bench: Bench, folder: Path) -> list[Pair]:
    """What DATA means; the demo's material is written into the folder of the results."""
    if args.data is None:
        # The first frames are enough for swaps; the others are spread over a clip.
        frames = args.frames if args.action in ("swap", "ablation") else None
        made = write_material(folder / "material", bench.library.models, frames)
        found = [Pair(source, target) for source, target in made.items()]
    elif args.action == "faceforensics":
        found = faceforensics(args.data, args.compression, args.methods)
    elif args.action in ("self", "limits") and args.data.suffix.lower() in SUFFIXES:
        found = [Pair(args.data, args.data)]
    elif args.action in ("self", "limits") and args.data.is_dir():
        found = [Pair(path, path) for path in files(args.data)]
    else:
        found = read_pairs(args.data, args.root) if args.root else pairs(args.data)
    return found[: args.clips] if args.clips else found


def _clips(args: argparse.Namespace, bench: Bench, found: Sequence[Pair]) -> list[Subject]:
    """The targets that move, each once, seen at every so many-th frame."""
    paths = dict.fromkeys(pair.target for pair in found)
    subjects = (bench.library.subject(path, args.stride) for path in paths)
    return [one for one in subjects if one and len(one.face) > 1]


def _facts(args: argparse.Namespace) -> dict[str, str]:
    facts = {"date": today(), "weights": weight_set(), "note": args.note}
    material = "the demo's portraits and bundled motion" if args.data is None else args.data.name
    where = f"one of {args.stride}" if args.stride else "spread over it"
    looked = f"up to {args.frames} frames of a clip, the first; for self-reenactment and limits {where}"
    if args.action == "all":
        looked += f"; half as many for ablation and limits, the limits of {_FEW} clips"
    facts |= {"material": material, "looked at": looked, "variants": "; ".join(args.variant or ["default"])}
    return {name: text for name, text in facts.items() if text}


def _skipped(bench: Bench) -> str:
    return "; ".join(f"left out {name}: {why}" for name, why in bench.library.skipped.items())


def _count(word: str) -> int:
    if not word.isdecimal() or int(word) < 1:
        raise argparse.ArgumentTypeError(f"found '{word}', expected a whole number of at least 1")
    return int(word)

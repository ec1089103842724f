"""What a dataset kept and refused, as pictures, a page and JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..gallery import Figure, Section, Tile, page, sheet
from ..media import Image, staged, write_image
from .dataset import read_dataset
from .dataset_choice import REASONS
from .portraits import read_picture

_MOST, _COLUMNS, _HEIGHT = 60, 10, 128


def write_report(output: Path, entries: Sequence[dict[str, Any]], index: dict[str, Any]) -> dict[str, Any]:
    """Write ``report.json``, ``report.html``, ``kept.jpg`` and ``refused.jpg``.

    Args:
        output: folder of the dataset.
        entries: one a file, of :func:`~.dataset_build.build_file`.
        index: of :func:`~.dataset_build.finish`.

    Returns:
        what ``report.json`` says.
    """
    counts = Counter[str]()
    for entry in entries:
        counts.update(entry["counts"])
    duplicates = len(index["duplicates"])
    counts.subtract({"kept": duplicates})
    counts["duplicate"] += duplicates
    people = {track["person"] for track in index["tracks"]}
    summary = {
        "files": len(entries),
        "unreadable": {entry["name"]: entry["error"] for entry in entries if entry["error"]},
        "without a face": [entry["name"] for entry in entries if not entry["error"] and not entry["counts"]],
        "people": len(people),
        "tracks": len(index["tracks"]),
        "kept": counts["kept"],
        "refused": {reason: counts[reason] for reason in REASONS if counts[reason]},
        "duplicates": index["duplicates"],
        **_spread(output, index),
    }
    _write(output / "report.json", json.dumps(summary, indent=1) + "\n")
    sheets = {"kept.jpg": _kept(output, index), "refused.jpg": _refused(output, entries, index)}
    for name, tiles in sheets.items():
        (output / name).unlink(missing_ok=True)
        if tiles:
            write_image(output / name, Image(sheet(tiles, _COLUMNS, _HEIGHT)), overwrite=True, marking=None)
    _write(output / "report.html", _page(summary, index["options"], [name for name, tiles in sheets.items() if tiles]))
    return summary


def _spread(output: Path, index: dict[str, Any]) -> dict[str, Any]:
    """How poses are spread: pictures by yaw, 10 degrees each."""
    if not index["tracks"]:
        return {"yaw": {}}
    yaw = np.concatenate([track.poses[:, 0] for track in read_dataset(output)])
    bins = Counter(int(np.floor(value / 10) * 10) for value in yaw)
    return {"yaw": {f"{low} to {low + 10}": bins[low] for low in sorted(bins)}}


def _kept(output: Path, index: dict[str, Any]) -> list[Tile]:
    """Pictures of all tracks in turn."""
    queues = [
        list(zip(track["files"], [track["name"]] * len(track["files"]), strict=True)) for track in index["tracks"]
    ]
    return [Tile(_short(name), read_picture(output / file)) for file, name in _in_turn(queues)]


def _refused(output: Path, entries: Sequence[dict[str, Any]], index: dict[str, Any]) -> list[Tile]:
    """Pictures of all reasons in turn."""
    queues: dict[str, list[tuple[str, str]]] = {}
    for entry in entries:
        for shown in entry["refused"]:
            pair = (f"clips/{entry['folder']}/{shown['file']}", shown["reason"])
            queues.setdefault(shown["reason"], []).append(pair)
    queues["duplicate"] = [(found["file"], "duplicate") for found in index["duplicates"]]
    return [Tile(reason, read_picture(output / file)) for file, reason in _in_turn(list(queues.values()))]


def _in_turn(queues: list[list[tuple[str, str]]]) -> list[tuple[str, str]]:
    """The first of every queue, then the second... up to what fits on a sheet; long queues are thinned."""
    share = max(1, _MOST // max(1, len(queues)))
    thinned = [[queue[i * len(queue) // min(share, len(queue))] for i in range(min(share, len(queue)))]
               for queue in queues if queue]  # fmt: skip
    longest = max(map(len, thinned), default=0)
    return [queue[turn] for turn in range(longest) for queue in thinned if turn < len(queue)][:_MOST]


def _short(name: str) -> str:
    return name if len(name) <= 14 else f"…{name[-13:]}"


def _page(summary: dict[str, Any], options: dict[str, Any], sheets: Sequence[str]) -> str:
    words = {"kept.jpg": "kept", "refused.jpg": "refused, with the reason"}
    figures = tuple(Figure(name, words[name]) for name in sheets)
    numbers = tuple((name, str(summary[name])) for name in ("files", "people", "tracks", "kept"))
    refused = tuple((reason, f"{count} pictures") for reason, count in summary["refused"].items())
    failed = (*summary["unreadable"].items(), *((name, "no face found") for name in summary["without a face"]))
    limits = {option: str(value) for option, value in options.items()}
    sections = [
        Section("Summary", rows=numbers),
        *(Section(figure.caption.capitalize(), figures=(figure,)) for figure in figures),
        Section("Refused", "Pictures of faces, by the first reason that applied.", rows=refused),
        Section(
            "Poses", "Kept pictures by yaw in degrees.", rows=tuple((k, str(v)) for k, v in summary["yaw"].items())
        ),
        Section("Files that gave nothing", rows=failed),
        Section("Options", rows=tuple(limits.items())),
    ]
    return page("Dataset of faces", "What was found, kept and refused.", sections)


def _write(path: Path, text: str) -> None:
    with staged(path, overwrite=True) as temporary:
        temporary.write_text(text, encoding="utf-8")

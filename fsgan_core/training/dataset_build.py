"""Building a dataset from a folder of photos and videos: detect, track, crop, label, choose.

Videos are streamed: besides one frame only numbers are in memory, about ten kilobytes a frame looked at and face. Each
file's result is complete or absent, so that a run that was stopped goes on with the next file.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FSGANError, MediaError
from ..faces import FaceSequence
from ..media import Image, Video, is_video, read_image, write_image
from ..models import Models
from ..ops.smoothing import SmoothingOptions
from ..pipeline import AnalyzeOptions, analyze
from ..stages.candidates import sharpness
from ..stages.landmark_crops import cut, moved
from ..stages.measuring import MeasureOptions
from ..streams import Clip, Frame, Part, Still
from .dataset import INDEX, VERSION, face_placement
from .dataset_choice import DatasetOptions, different, fingerprint, originals, refusals

CLIP = "clip.json"
_SHOWN = 3
"""Refused pictures kept of each reason and face, to be shown."""
_SMALL = 128
# Labels are each frame's own: smoothing would mix frames that are far apart in time.
_MEASURED = AnalyzeOptions(every=1, measuring=MeasureOptions(smoothing=SmoothingOptions(width=0)))
_PRINT_MARGIN = 1.2


def media_files(folder: Path, output: Path) -> list[Path]:
    """The visible files of a folder and its subfolders, without those of the dataset itself, in order of name."""
    inside = output.resolve()
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    named = (path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts))
    return [path for path in named if inside not in path.resolve().parents]


def build_file(path: Path, root: Path, output: Path, models: Models, options: DatasetOptions) -> dict[str, Any]:
    """Crops and labels of one file, unless they are there already.

    Args:
        path: photo or video.
        root: folder that it was found in.
        output: folder of the dataset.
        models: detection and landmarks are used.
        options: see :class:`DatasetOptions`.

    Returns:
        what is also written to ``clip.json``: signature, faces, counts, refused pictures, error.
    """
    name = path.relative_to(root).as_posix()
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    folder = output / "clips" / f"{re.sub('[^A-Za-z0-9-]+', '_', path.stem)[:40]}-{digest}"
    signature = _signature(path, options)
    done = _done(folder / CLIP)
    if done.get("signature") == signature:
        return done
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    entry: dict[str, Any] = {"name": name, "folder": folder.name, "signature": signature, "error": "", "faces": []}
    entry |= {"counts": {}, "refused": []}
    try:
        clip: Clip = _video(path, options.rate) if is_video(path) else Still(read_image(path).frame)
        entry |= _faces(clip, folder, models, options)
    except MediaError as error:
        entry["error"] = str(error).replace(str(path), name)
    _write_json(folder / CLIP, entry)
    return entry


def finish(entries: Iterable[dict[str, Any]], output: Path, options: DatasetOptions) -> dict[str, Any]:
    """Drop duplicates of other files and write the index.

    Args:
        entries: of :func:`build_file`.
        output: folder of the dataset.
        options: see :class:`DatasetOptions`.

    Returns:
        the index: ``tracks`` with name, person, arrays, files and rows, and ``duplicates``.
    """
    faces = [(entry, face, row) for entry in entries for face in entry["faces"] for row in range(len(face["files"]))]
    prints = [face["prints"][row] for _, face, row in faces]
    repeated = originals(prints, [entry["name"] for entry, _, _ in faces], options.likeness)
    tracks: dict[str, dict[str, Any]] = {}
    duplicates = []
    for (entry, face, row), first in zip(faces, repeated, strict=True):
        file = f"clips/{entry['folder']}/{face['files'][row]}"
        if first >= 0:
            duplicates.append({"file": file, "of": faces[first][0]["name"]})
            continue
        name = f"{entry['name']}#{face['number']}"
        person = str(Path(entry["name"]).parent) if options.people else name
        fresh = {"name": name, "person": person, "arrays": f"clips/{entry['folder']}/{face['arrays']}"}
        track = tracks.setdefault(name, {**fresh, "files": [], "rows": []})
        track["files"].append(file)
        track["rows"].append(row)
    index = {"version": VERSION, "options": asdict(options), "tracks": list(tracks.values()), "duplicates": duplicates}
    _write_json(output / INDEX, index)
    return index


def check_folder(output: Path) -> None:
    """Refuse a folder that holds something else.

    Raises:
        FSGANError: it is a file, or has files but no dataset.
    """
    if output.exists() and not output.is_dir():
        raise FSGANError(f"{output} is a file; name a folder for the dataset with --output")
    if output.is_dir() and any(output.iterdir()) and not (output / "clips").is_dir():
        raise FSGANError(f"{output} holds other files; name a new folder, or that of a dataset to go on with")


def _faces(clip: Clip, folder: Path, models: Models, options: DatasetOptions) -> dict[str, Any]:
    analysis = analyze(clip, models, _MEASURED)
    reasons = [refusals(face, analysis.size, options) for face in analysis.faces]
    sharp = [np.zeros(len(face), np.float32) for face in analysis.faces]
    for frame, number, row in _seen(clip, analysis.faces):
        if not reasons[number][row]:
            points = analysis.faces[number].landmarks[row, :, :2]
            sharp[number][row] = sharpness(frame, points)
            if sharp[number][row] < options.blur:
                reasons[number][row] = "blurred"
    chosen = [_chosen(face, given, options) for face, given in zip(analysis.faces, reasons, strict=True)]
    kept = [_Kept(number, face, rows, given) for number, (face, rows, given)
            in enumerate(zip(analysis.faces, chosen, reasons, strict=True))]  # fmt: skip
    for frame, number, row in _seen(clip, analysis.faces):
        kept[number].see(frame, row, folder, options)
    counts = Counter(reason or "kept" for given in reasons for reason in given)
    faces = [face.entry(folder, sharp[face.number]) for face in kept if face.files]
    return {"faces": faces, "counts": dict(counts), "refused": [shown for face in kept for shown in face.refused]}


class _Kept:
    """Crops of one face, written as its frames pass by."""

    def __init__(self, number: int, face: FaceSequence, rows: list[int], reasons: list[str]) -> None:
        self.number, self.face, self.rows, self.reasons = number, face, set(rows), reasons
        self.files: list[str] = []
        self.prints: list[str] = []
        self.places: list[int] = []
        self.landmarks: list[Any] = []
        self.refused: list[dict[str, Any]] = []

    def see(self, frame: Frame, row: int, folder: Path, options: DatasetOptions) -> None:
        points, index = self.face.landmarks[row], self.face.track.start + row
        extent = float(np.ptp(points[:, :2], axis=0).max())
        if row in self.rows:
            size = max(2, min(options.side, round(options.margin * extent)))
            matrix = face_placement(points, size, options.margin)
            file = f"{index:06d}-{self.number}.jpg"
            write_image(folder / file, Image(cut(frame, matrix, size)), overwrite=True, marking=None)
            self.files.append(file)
            self.places.append(row)
            self.landmarks.append(moved(points, matrix).astype(np.float32))
            self.prints.append(fingerprint(cut(frame, face_placement(points, 64, _PRINT_MARGIN), 64)))
            return
        reason = self.reasons[row]
        if sum(shown["reason"] == reason for shown in self.refused) < _SHOWN and extent >= 2:
            file = f"refused-{index:06d}-{self.number}.jpg"
            small = cut(frame, face_placement(points, _SMALL, 1.6), _SMALL)
            write_image(folder / file, Image(small), quality=80, overwrite=True, marking=None)
            self.refused.append({"file": file, "reason": reason})

    def entry(self, folder: Path, sharp: Any) -> dict[str, Any]:
        arrays = f"face-{self.number}.npz"
        places = np.array(self.places)
        np.savez(
            folder / arrays,
            landmarks=np.stack(self.landmarks),
            poses=self.face.poses[places],
            frames=places + self.face.track.start,
            sharpness=sharp[places],
            sizes=np.ptp(self.face.landmarks[places][..., :2], axis=1).max(1),
        )
        return {"number": self.number, "arrays": arrays, "files": self.files, "prints": self.prints}


def _chosen(face: FaceSequence, reasons: list[str], options: DatasetOptions) -> list[int]:
    """Rows that are kept, from the most frontal on; the reasons of the others are filled in."""
    good = [row for row, reason in enumerate(reasons) if not reason]
    good.sort(key=lambda row: float(np.abs(face.poses[row]).sum()))
    chosen = [good[place] for place in different(face.landmarks[good], options.most, options.change)]
    for row in set(good) - set(chosen):
        reasons[row] = "alike"
    return sorted(chosen)


def _seen(clip: Clip, faces: tuple[FaceSequence, ...]) -> Iterator[tuple[Frame, int, int]]:
    """Frames with the number of a face in them and its row; nothing is decoded after the last face."""
    last = max((face.track.stop for face in faces), default=0)
    for index, frame in enumerate(islice(iter(clip), last)):
        for number, face in enumerate(faces):
            if face.track.start <= index < face.track.stop:
                yield frame, number, index - face.track.start


def _video(path: Path, rate: float) -> Clip:
    video = Video(path)
    return Part(video, stride=max(1, round(float(video.rate) / rate)) if rate else 1)


def _signature(path: Path, options: DatasetOptions) -> str:
    """What the crops of a file depend on; a change of the global choices alone keeps them."""
    state = path.stat()
    own = replace(options, likeness=0, people=False)
    return hashlib.sha256(f"{VERSION} {state.st_size} {state.st_mtime_ns} {own}".encode()).hexdigest()


def _done(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _write_json(path: Path, content: dict[str, Any]) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(content, indent=1), encoding="utf-8")
    partial.replace(path)

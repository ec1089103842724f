"""What is evaluated: pairs of files, the part of a clip that is looked at, and the faces in it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ..errors import MediaError, NoFaceError
from ..faces import FaceSequence
from ..media import Video, is_video, read_image
from ..media.image import WRITABLE
from ..models import Models
from ..ops.smoothing import SmoothingOptions
from ..pipeline import AnalyzeOptions, analyze, build_appearance_map
from ..stages.appearance_map import AppearanceMap
from ..stages.measuring import MeasureOptions, measure
from ..stages.selection import select
from ..streams import Clip, Part, Still

SUFFIXES = (*WRITABLE, ".bmp", ".gif", ".avif", ".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v")
"""Files that a folder is searched for."""


@dataclass(frozen=True)
class Pair:
    """A source whose face goes onto a target.

    Attributes:
        source: picture or video.
        target: picture or video.
        given: results that exist already, by method.
    """

    source: Path
    target: Path
    given: dict[str, Path] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Both names."""
        return f"{self.source.stem} on {self.target.stem}"


@dataclass(frozen=True)
class Subject:
    """A file with the one face in it that counts.

    Attributes:
        path: of the file.
        clip: the part that is looked at.
        face: its largest face; of several shots the longest.
    """

    path: Path
    clip: Clip
    face: FaceSequence

    def source(self) -> AppearanceMap:
        """The appearance map of the person."""
        return build_appearance_map([(self.clip, self.face)])

    def frame_by_frame(self, models: Models) -> Subject:
        """The same with the landmarks of each frame by itself, neither held together nor smoothed."""
        face, options = self.face, MeasureOptions(keyframes=False, smoothing=SmoothingOptions(width=0))
        landmarks, poses, scores = face.landmarks.copy(), face.poses.copy(), np.zeros_like(face.scores)
        for found in measure(self.clip, [face.track], models.landmarks, models.face_model, options):
            rows = slice(found.track.start - face.track.start, found.track.stop - face.track.start)
            landmarks[rows], poses[rows], scores[rows] = found.landmarks, found.poses, found.scores
        return replace(self, face=replace(face, landmarks=landmarks, poses=poses, scores=scores))


@dataclass
class Library:
    """Files opened and measured once.

    Attributes:
        models: detection and landmarks are used.
        frames: so many of each clip, at most.
        skipped: files without a usable face, with why.
    """

    models: Models
    frames: int = 100
    skipped: dict[str, str] = field(default_factory=dict)
    _known: dict[tuple[Path, int, int], Subject | None] = field(default_factory=dict)

    def subject(self, path: Path, stride: int = 1, frames: int = 0) -> Subject | None:
        """A file's face; None, and a note in ``skipped``, where there is none.

        Args:
            path: of the file.
            stride: look at one of so many frames; 0 spreads them over the whole clip.
            frames: look at so many; the library's own number when 0.
        """
        key = path, stride, frames or self.frames
        if key not in self._known:
            try:
                clip = opened(path)
                self._known[key] = subject(path, clip, self.models, key[2], stride or spread(clip, key[2]))
            except (NoFaceError, MediaError) as error:
                self.skipped[path.name], self._known[key] = str(error), None
        return self._known[key]


def opened(path: Path) -> Clip:
    """A picture or video as a clip.

    Raises:
        MediaError: it is neither.
    """
    return Video(path) if is_video(path) else Still(read_image(path).frame)


def spread(clip: Clip, frames: int) -> int:
    """The stride that spreads so many frames over a whole clip; 1 where its length is not known."""
    length = clip.frame_count_hint if isinstance(clip, Video) else 0
    return max(1, length // frames)


def subject(
    path: Path, clip: Clip, models: Models, frames: int = 100, stride: int = 1, sparse: bool = False
) -> Subject:
    """Measure a clip's face; ``sparse`` says that its frames lie far apart already.

    Raises:
        NoFaceError: there is none.
    """
    part = Part(clip, frames, stride) if clip.rate else clip
    # Frames far apart are no motion: smoothing over them would mix expressions.
    apart = AnalyzeOptions(every=1, measuring=MeasureOptions(smoothing=SmoothingOptions(width=0)))
    faces = analyze(part, models, apart if sparse or stride > 2 else AnalyzeOptions())
    if not faces.faces:
        raise NoFaceError(f"found no face in {path.name}")
    return Subject(path, part, max(select(faces, "largest"), key=len))


def pairs(place: Path) -> list[Pair]:
    """Pairs from a CSV with the columns ``source`` and ``target``, or from a folder.

    Of a folder with the folders ``sources`` and ``targets`` every source goes onto every target; of any other, each
    file takes the face of the next one in the order of their names.

    Args:
        place: the CSV, whose paths are relative to it, or the folder.

    Raises:
        MediaError: there is nothing of the kind.
    """
    if place.is_dir():
        found = _folder(place)
    elif place.suffix.lower() == ".csv" and place.is_file():
        found = read_pairs(place, place.parent)
    else:
        raise MediaError(f"{place} is no folder and no CSV; give a folder of clips or a CSV of source,target")
    if not found:
        raise MediaError(f"found no pair of clips in {place}; put at least two pictures or videos there")
    return found


def read_pairs(path: Path, root: Path) -> list[Pair]:
    """Pairs from a CSV, its paths relative to a folder.

    Raises:
        MediaError: it is no such table, or a file is missing.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise MediaError(f"{path} is no CSV in UTF-8 ({error}); save it as that") from error
    if rows and not {"source", "target"} <= set(rows[0]):
        raise MediaError(f"{path} has the columns {', '.join(rows[0])}; expected source, target")
    for number, row in enumerate(rows, 2):
        if not (row["source"] and row["target"]):
            raise MediaError(f"line {number} of {path} lacks a file; expected source,target")
    found = [Pair(root / row["source"], root / row["target"]) for row in rows]
    lost = [str(one) for pair in found for one in (pair.source, pair.target) if not one.is_file()]
    if lost:
        raise MediaError(f"{path} names {lost[0]}, which is not there")
    return found


def files(folder: Path) -> list[Path]:
    """Pictures and videos of a folder, by name."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)


def _folder(place: Path) -> list[Pair]:
    if (place / "sources").is_dir() and (place / "targets").is_dir():
        return [Pair(one, other) for other in files(place / "targets") for one in files(place / "sources")]
    found = files(place)
    return [Pair(source, target) for target, source in zip(found, [*found[1:], *found[:1]], strict=True)][
        : _ring(found)
    ]


def _ring(found: Sequence[Path]) -> int:
    return len(found) if len(found) > 1 else 0


def faceforensics(place: Path, compression: str = "", methods: Sequence[str] = ()) -> list[Pair]:
    """Pairs of a FaceForensics++ folder (Roessler et al., 2019) with the results of its methods.

    ``manipulated_sequences/METHOD/COMPRESSION/videos/TARGET_SOURCE.mp4`` was made from
    ``original_sequences/*/COMPRESSION/videos/TARGET.mp4`` and ``SOURCE.mp4``.

    Args:
        place: the folder.
        compression: ``raw``, ``c23`` or ``c40``; the best that is there when empty.
        methods: those wanted, all when empty.

    Raises:
        MediaError: it is no such folder, or lacks what was asked for.
    """
    kinds = sorted({path.parent.name for path in place.glob("original_sequences/*/*/videos")})
    if not kinds:
        raise MediaError(f"{place} has no original_sequences/*/*/videos; name the folder of FaceForensics++")
    kind = compression or next((one for one in ("raw", "c23", "c40") if one in kinds), kinds[0])
    originals = {path.stem: path for path in sorted(place.glob(f"original_sequences/*/{kind}/videos/*.mp4"))}
    found: dict[tuple[str, str], dict[str, Path]] = {}
    for path in sorted(place.glob(f"manipulated_sequences/*/{kind}/videos/*.mp4")):
        method, (target, _, source) = path.parents[2].name, path.stem.partition("_")
        if (not methods or method in methods) and target in originals and source in originals:
            found.setdefault((target, source), {})[method] = path
    if not found:
        raise MediaError(f"{place} has no manipulated sequence of {kind} whose two originals are there")
    return [Pair(originals[source], originals[target], given) for (target, source), given in found.items()]

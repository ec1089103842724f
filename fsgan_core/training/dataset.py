"""Datasets of users' own photos and videos: face crops with landmarks, as ``fsgan dataset build`` leaves them.

::

    DIR/index.json              tracks, and which of their pictures count
    DIR/clips/NAME/             one folder a photo or video: crops, arrays of each track, clip.json
    DIR/report.html, ...        what was kept and refused, with pictures

A crop is a square of twice the face, so that readers cut out what their networks want to see.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import FSGANError
from ..stages.landmark_crops import cut, moved, placement
from .portraits import read_picture

INDEX = "index.json"
VERSION = 1
Picture = NDArray[np.uint8]
Floats = NDArray[np.float32]
_HELD_OUT = 10
"""One person in so many is held out for validation."""


@dataclass(frozen=True)
class FaceTrack:
    """Pictures of one face in one photo or video.

    Attributes:
        name: of the file it comes from, with the number of the face in it.
        person: same for tracks that are known to show one person.
        files: the crops.
        landmarks: ``(F, 478, 3)`` in pixels of the crops.
        poses: ``(F, 3)`` yaw, pitch, roll in degrees.
    """

    name: str
    person: str
    files: tuple[Path, ...]
    landmarks: Floats
    poses: Floats

    def __len__(self) -> int:
        return len(self.files)

    def crop(self, row: int, side: int, margin: float, mirror: bool = False) -> tuple[Picture, Floats]:
        """A picture as networks see it.

        Args:
            row: number of the picture.
            side: of the result in pixels.
            margin: side of the crop over the longer side of the face, at most 2.
            mirror: whether left and right are exchanged; the landmarks keep their order and only move.

        Returns:
            uint8 ``(side, side, 3)`` and ``(478, 3)`` in its pixels.
        """
        matrix = face_placement(self.landmarks[row], side, margin)
        if mirror:
            matrix = np.diag([-1.0, 1.0]) @ matrix + [[0, 0, side], [0, 0, 0]]
        return cut(read_picture(self.files[row]), matrix, side), moved(self.landmarks[row], matrix).astype(np.float32)


def face_placement(landmarks: Floats, size: int, margin: float) -> NDArray[np.float64]:
    """The ``(2, 3)`` map from pixels of a picture to those of an upright square crop.

    Args:
        landmarks: ``(478, 3)`` in pixels of the picture.
        size: side of the crop in pixels.
        margin: side of the crop over the longer side of the landmarks' box.
    """
    low, high = landmarks[:, :2].min(0), landmarks[:, :2].max(0)
    return placement(np.asarray((low + high) / 2, np.float64), margin * float((high - low).max()), 0.0, size)


def read_dataset(folder: Path, split: str = "all") -> list[FaceTrack]:
    """The tracks of a dataset, without their pixels.

    Args:
        folder: made by ``fsgan dataset build``.
        split: ``"train"``, ``"val"`` (about one person in ten, chosen by name) or ``"all"``. With fewer than ten
            people none is held out, and each is all.

    Raises:
        FSGANError: no dataset there, or an empty one.
    """
    try:
        content = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        tracks = [_track(folder, entry) for entry in content["tracks"]]
    except FileNotFoundError as error:
        raise FSGANError(
            f"{folder} is no dataset, for it lacks {error.filename or INDEX}; make one with fsgan dataset build"
        ) from error
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise FSGANError(f"{folder / INDEX} is damaged ({error!r}); build the dataset again") from error
    if not tracks:
        raise FSGANError(f"{folder} holds no face; its report.html says why")
    people = {track.person for track in tracks}
    held = [track for track in tracks if zlib.crc32(track.person.encode()) % _HELD_OUT == 0]
    if split == "all" or len(people) < _HELD_OUT or not held:
        return tracks
    return held if split == "val" else [track for track in tracks if track not in held]


def _track(folder: Path, entry: dict[str, object]) -> FaceTrack:
    files, rows = entry["files"], entry["rows"]
    if not isinstance(files, list) or not isinstance(rows, list):
        raise TypeError("files and rows are no lists")
    with np.load(folder / str(entry["arrays"])) as arrays:
        landmarks, poses = arrays["landmarks"][rows], arrays["poses"][rows]
    paths = tuple(folder / str(file) for file in files)
    return FaceTrack(str(entry["name"]), str(entry["person"]), paths, landmarks, poses)

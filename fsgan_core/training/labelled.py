"""The portraits that carry dense landmarks, one picture an identity, and the pictures without a face."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from .portraits import read_picture

SETS = ("faces_ai", "faces_faker")
"""Folders of the training material that hold portraits."""

SIDEWAYS = {"left", "right"}
"""Words in the names of masks that are not seen from the front."""


@dataclass(frozen=True)
class Face:
    """A picture of one face with its label.

    Attributes:
        name: set and file, for instance ``"faces_ai/x.jpg"``.
        image: ``(H, W, 3)`` uint8 RGB.
        landmarks: ``(478, 3)`` float32 in pixels of the picture.
    """

    name: str
    image: NDArray[np.uint8]
    landmarks: NDArray[np.float32]


def read_faces(folder: Path, split: str, sets: Sequence[str] = SETS, most: int = 0) -> list[Face]:
    """Read the labelled portraits of one split; pictures without a label are left out.

    Args:
        folder: training material, with one folder a set (``index.csv``, ``mp478.npz``, pictures).
        split: ``"train"``, ``"val"`` or ``"test"``.
        sets: names of the sets; those that are not there are left out.
        most: the first so many are read; 0 reads all.

    Raises:
        ValueError: no labelled portrait of that split there.
        MediaError: a picture cannot be read.
    """
    every = (face for name in sets for face in _read_set(folder / name, split))
    found = list(islice(every, most or None))
    if not found:
        raise ValueError(f"no labelled portrait of split '{split}' in {folder}; expected the sets {', '.join(sets)}")
    return found


def _read_set(folder: Path, split: str) -> Iterator[Face]:
    if not (folder / "index.csv").is_file():
        return
    with (folder / "index.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    with np.load(folder / "mp478.npz") as labels:
        landmarks = labels["lmk"].astype(np.float32)
    for row, points in zip(rows, landmarks, strict=True):
        if row["split"] == split and np.isfinite(points).all():
            yield Face(f"{folder.name}/{row['file']}", read_picture(folder / row["file"]), points)


def read_backgrounds(folder: Path, longest: int = 1200) -> list[NDArray[np.uint8]]:
    """Pictures without a face, shrunk so that their longer side has at most ``longest`` pixels."""
    images = [read_picture(path) for path in sorted((folder / "backgrounds").glob("*.jpg"))]
    scales = [min(1.0, longest / max(image.shape[:2])) for image in images]
    return [
        np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
        for image, scale in zip(images, scales, strict=True)
    ]


def read_masks(folder: Path) -> list[NDArray[np.uint8]]:
    """Front views of worn face masks: ``(H, W, 4)`` RGB and opacity, cut to what is opaque."""
    masks = []
    for path in sorted((folder / "occluders").glob("*.png")):
        picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if (
            picture is not None
            and picture.ndim == 3
            and picture.shape[2] == 4
            and not SIDEWAYS & set(path.stem.split("_"))
        ):
            left, top, width, height = cv2.boundingRect((picture[..., 3] > 127).astype(np.uint8))
            masks.append(np.ascontiguousarray(picture[top : top + height, left : left + width, [2, 1, 0, 3]], np.uint8))
    return masks

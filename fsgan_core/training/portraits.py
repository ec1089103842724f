"""Labelled portraits for the detector's scenes, with shares that favour what is rare among them."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import MediaError

Floats = NDArray[np.float32]
Picture = NDArray[np.uint8]

BY_HAND: Mapping[str, tuple[float, float, float, float]] = {
    "FLUX1_schnell_001511.jpg": (0.51, 0.25, 0.68, 0.65),
    "FLUX1_schnell_010489.jpg": (0.22, 0.02, 0.80, 0.92),
    "FLUX1_schnell_022637.jpg": (0.12, 0.12, 0.86, 0.95),
    "FLUX1_schnell_029327.jpg": (0.34, 0.20, 0.86, 0.76),
    "FLUX1_schnell_029525.jpg": (0.36, 0.14, 0.82, 0.85),
    "FLUX1_schnell_033633.jpg": (0.29, 0.30, 0.62, 0.71),
    "FLUX1_schnell_037077.jpg": (0.42, 0.20, 0.75, 0.70),
    "FLUX1_schnell_047750.jpg": (0.28, 0.20, 0.77, 0.81),
    "FLUX1_schnell_051932.jpg": (0.16, 0.08, 0.80, 0.92),
    "SDXL_007887.jpg": (0.46, 0.17, 0.71, 0.60),
    "SDXL_011388.jpg": (0.18, 0.13, 0.52, 0.62),
    "SDXL_011860.jpg": (0.36, 0.18, 0.79, 0.73),
    "SDXL_014018.jpg": (0.16, 0.16, 0.62, 0.77),
    "SDXL_033543.jpg": (0.29, 0.22, 0.62, 0.57),
    "SDXL_036277.jpg": (0.40, 0.26, 0.67, 0.60),
    "SDXL_039260.jpg": (0.61, 0.32, 0.76, 0.56),
    "SDXL_041246.jpg": (0.36, 0.05, 0.65, 0.55),
    "SDXL_044394.jpg": (0.40, 0.20, 0.75, 0.64),
    "SDXL_044893.jpg": (0.16, 0.00, 0.86, 0.97),
}
"""Faces of the training split without landmarks, mostly profiles: box in shares of width and height, drawn by eye."""


@dataclass(frozen=True)
class Portrait:
    """One picture of one person.

    Attributes:
        levels: the picture and its halvings, RGB, finest first.
        outline: ``(P, 2)`` convex outline of the face in pixels of the finest level.
        share: how often it is drawn, relative to others.
    """

    levels: tuple[Picture, ...]
    outline: Floats
    share: float

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the finest level."""
        height, width = self.levels[0].shape[:2]
        return width, height

    @property
    def box(self) -> Floats:
        """Left, top, right, bottom of the face in pixels of the finest level."""
        return np.concatenate([self.outline.min(0), self.outline.max(0)])


def read_picture(path: Path) -> Picture:
    """RGB picture ``(H, W, 3)``.

    Raises:
        MediaError: it cannot be read.
    """
    found = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if found is None:
        raise MediaError(f"{path} is not a readable picture; fetch the training material again")
    return np.ascontiguousarray(found[..., ::-1], np.uint8)


def halvings(picture: Picture, smallest: int = 60) -> tuple[Picture, ...]:
    """The picture and its halvings down to about ``smallest`` pixels."""
    levels = [picture]
    while min(levels[-1].shape[:2]) >= 2 * smallest:
        height, width = levels[-1].shape[:2]
        levels.append(np.asarray(cv2.resize(levels[-1], (width // 2, height // 2), interpolation=cv2.INTER_AREA)))
    return tuple(levels)


def read_portraits(data: Path, split: str) -> list[Portrait]:
    """Portraits of one split, those without any box left out.

    Args:
        data: folder that holds the portrait sets ``faces_ai`` and ``faces_faker``.
        split: ``train``, ``val`` or ``test``.
    """
    return [portrait for name in ("faces_ai", "faces_faker") for portrait in _portraits_of(data / name, split)]


def _portraits_of(folder: Path, split: str) -> Iterator[Portrait]:
    with np.load(folder / "mp478.npz") as labels:
        landmarks = dict(zip(labels["files"].tolist(), labels["lmk"].astype(np.float32), strict=True))
    with (folder / "index.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == split]
    for row in rows:
        points = np.ascontiguousarray(landmarks[row["file"]][:, :2])
        if np.isfinite(points).all() or row["file"] in BY_HAND:
            levels = halvings(read_picture(folder / row["file"]))
            if row["file"] in BY_HAND:
                points = inscribed(BY_HAND[row["file"]], levels[0].shape[1], levels[0].shape[0])
            yield Portrait(levels, np.asarray(cv2.convexHull(points)[:, 0], np.float32), _share(row))


def inscribed(box: tuple[float, float, float, float], width: float = 1, height: float = 1, sides: int = 32) -> Floats:
    """Polygon ``(sides, 2)`` inscribed in the ellipse that fills a box, scaled by width and height."""
    left, top, right, bottom = box
    angles = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    x = (left + right) / 2 + (right - left) / 2 * np.cos(angles)
    y = (top + bottom) / 2 + (bottom - top) / 2 * np.sin(angles)
    return np.stack([x * width, y * height], 1).astype(np.float32)


def _share(row: Mapping[str, str]) -> float:
    """Rare kinds of portraits are drawn more often: turned heads most, then dark skin, covered faces and elders."""
    yaw = abs(float(row.get("yaw_deg_approx") or 0))
    share = 6.0 if row["file"] in BY_HAND else float(np.interp(yaw, [15, 30, 60], [1, 2, 8]))
    share *= 2.0 if row.get("skin") == "dark" else 1.0
    share *= 1.5 if row.get("age") == "elder" else 1.0
    return share * (1.5 if "1" in (row.get("occluded"), row.get("sunglasses")) else 1.0)

"""Endless training samples for the landmark network: faces moved, turned, lit, covered, and crops without a face."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch.utils.data import Dataset

from ..stages.landmark_crops import after, box_placement, cut, moved, placement, shape_placement
from . import augment
from .labelled import Face
from .loop import Batch

Points = NDArray[np.float32]
Image = NDArray[np.uint8]
Floats = NDArray[np.float64]

BORDERS = (cv2.BORDER_CONSTANT, cv2.BORDER_CONSTANT, cv2.BORDER_REPLICATE, cv2.BORDER_REFLECT_101)
MASK = (132, 197, 361, 152)
"""points under the left, top, right and bottom of a worn mask"""
EYES = ((33, 133), (362, 263))
"""corners of the right and of the left eye"""


@dataclass(frozen=True)
class Sample:
    """A crop with its label: ``points`` in units of the crop; presence 1, 0, or -1 where either answer is right."""

    image: Image
    points: Points
    presence: float
    labelled: bool


@dataclass(frozen=True, kw_only=True)
class SampleOptions:
    """What the network gets to see."""

    size: int = 128
    """side of the crops in pixels"""
    turned: float = 0.42
    """share of faces that were turned in three dimensions, if there are such"""
    tight: float = 0.7
    """share of aligned crops, as in tracking and in the second pass; the others are loose, as from a detector"""
    absent: float = 0.14
    """share of crops without a face, or with too little of it"""
    covered: float = 0.28
    """share of faces with something in front of them"""
    cut_off: float = 0.08
    """share of faces of which one side is cut off, as by the frame's border"""
    plain: float = 0.2
    """share of crops that keep the picture's light and sharpness"""


@dataclass(frozen=True)
class Scenes:
    """What is put behind or before faces: pictures without a face, and worn masks ``(H, W, 4)``."""

    backgrounds: Sequence[Image]
    masks: Sequence[Image]


class Samples(Dataset[Batch]):
    """Endless random samples; item ``i`` depends on ``i`` alone."""

    def __init__(
        self,
        faces: Sequence[Face],
        turned: Sequence[Face],
        scenes: Scenes,
        mirror: NDArray[np.int64],
        options: SampleOptions,
    ) -> None:
        self.faces, self.turned, self.scenes, self.mirror, self.options = faces, turned, scenes, mirror, options

    def __getitem__(self, index: int) -> Batch:
        """One sample as tensors: image uint8 ``(S, S, 3)``, points, presence, labelled."""
        rng = np.random.default_rng(index)
        absent = rng.random() < self.options.absent
        sample = self.without_face(rng) if absent else self.face(rng)
        return {
            "image": torch.from_numpy(np.ascontiguousarray(sample.image)),
            "points": torch.from_numpy(sample.points),
            "presence": torch.tensor(sample.presence, dtype=torch.float32),
            "labelled": torch.tensor(sample.labelled),
        }

    def face(self, rng: Generator) -> Sample:
        """A portrait, moved, lit, partly covered."""
        pool = self.turned if self.turned and rng.random() < self.options.turned else self.faces
        portrait = pool[int(rng.integers(len(pool)))]
        matrix = self._tight(portrait, rng) if rng.random() < self.options.tight else self._loose(portrait, rng)
        matrix = bent(matrix, rng, self.options.size)
        mirrored = rng.random() < 0.5
        if mirrored:
            matrix = np.diag([-1.0, 1.0]) @ matrix + [[0, 0, self.options.size], [0, 0, 0]]
        points = moved(portrait.landmarks, matrix)[self.mirror if mirrored else slice(None)]
        border = BORDERS[int(rng.integers(len(BORDERS)))]
        image = cut(portrait.image, matrix, self.options.size, border)
        seen = inside(portrait.landmarks, portrait.image.shape) if border == cv2.BORDER_CONSTANT else 1.0
        if rng.random() < self.options.cut_off:
            image, left = cropped_away(image, points, rng)
            seen = min(seen, left)
        if rng.random() < self.options.covered:
            image, left = self.covered(image, points, rng)
            seen *= left
        image = self._finish(image, rng)
        return Sample(image, (points / self.options.size).astype(np.float32), presence_of(seen), seen > 0.25)

    def covered(self, image: Image, points: Floats, rng: Generator) -> tuple[Image, float]:
        """Put one to three things before the face; also the share of the points that stay visible."""
        size = self.options.size
        if rng.random() < 0.25:
            eyes = np.stack([points[list(pair), :2].mean(0) for pair in EYES])
            if np.linalg.norm(eyes[1] - eyes[0]) > size / 12:
                return augment.dark_glasses(image, rng, eyes), 1.0
        corners = points[list(MASK), :2]
        if self.scenes.masks and rng.random() < 0.15 and np.linalg.norm(corners[2] - corners[0]) > size / 3:
            worn = self.scenes.masks[int(rng.integers(len(self.scenes.masks)))]
            return augment.face_mask(image, worn, corners), 1.0
        hidden = np.zeros((size, size), np.float32)
        for _ in range(rng.integers(1, 4)):
            mask = augment.blob(size, rng)
            image = augment.cover(image, mask, augment.paint(size, rng, self.scenes.backgrounds))
            hidden = np.maximum(hidden, mask)
        cells = points[:, :2].astype(int).clip(0, size - 1)
        return image, 1 - float((hidden[cells[:, 1], cells[:, 0]] > 0.5).mean())

    def without_face(self, rng: Generator) -> Sample:
        """A background, a portrait's piece that holds less than a third of the face, or a face taken to pieces."""
        kind = rng.random()
        if kind < 0.4:
            return self._absent(self._background(rng), rng)
        face = self.faces[int(rng.integers(len(self.faces)))]
        if kind < 0.7:
            return self._absent(self._piece(face, rng), rng)
        crop = cut(face.image, self._tight(face, rng), self.options.size)
        return self._absent(augment.scrambled(crop, rng) if rng.random() < 0.5 else augment.melted(crop, rng), rng)

    def _background(self, rng: Generator) -> Image:
        image = self.scenes.backgrounds[int(rng.integers(len(self.scenes.backgrounds)))]
        side = np.exp(rng.uniform(np.log(40), np.log(min(image.shape[:2]))))
        centre = rng.uniform(0, 1, 2) * image.shape[1::-1]
        matrix = placement(centre, side, rng.uniform(-0.6, 0.6), self.options.size)
        return cut(image, matrix, self.options.size, BORDERS[int(rng.integers(len(BORDERS)))])

    def _piece(self, face: Face, rng: Generator) -> Image:
        extent = float(np.ptp(face.landmarks[:, :2], axis=0).max())
        while True:
            side = extent * np.exp(rng.normal(0, 0.7))
            centre = rng.uniform(0, 1, 2) * face.image.shape[1::-1]
            matrix = placement(centre, side, rng.uniform(-0.6, 0.6), self.options.size)
            if overlap(moved(face.landmarks, matrix)[:, :2], self.options.size) < 0.25:
                return cut(face.image, matrix, self.options.size)

    def _absent(self, image: Image, rng: Generator) -> Sample:
        return Sample(self._finish(image, rng), np.zeros((len(self.mirror), 3), np.float32), 0.0, False)

    def _finish(self, image: Image, rng: Generator) -> Image:
        return image if rng.random() < self.options.plain else augment.photometric(image, rng)

    def _loose(self, portrait: Face, rng: Generator) -> Floats:
        """As from a detector: an upright box that is wrong by 10 to 20 % around a head that may be tilted."""
        points = portrait.landmarks
        roll = rng.normal(0, 0.3) if rng.random() < 0.7 else rng.uniform(-1.05, 1.05)
        middle = points.mean(0)
        turned = moved(points, placement(np.asarray(middle[:2], np.float64), 1.0, roll, 1))[:, :2]
        low, high = turned.min(0), turned.max(0)
        box = np.concatenate([low, high]) + rng.normal(0, 0.07, 4) * np.tile(high - low, 2)
        inner = box_placement(box, self.options.size)
        outer = placement(np.asarray(middle[:2], np.float64), 1.0, roll, 1)
        return after(inner, outer)

    def _tight(self, portrait: Face, rng: Generator) -> Floats:
        """As from the face's own landmarks of the frame before, or of the first pass."""
        matrix = shape_placement(portrait.landmarks, self.options.size)
        jitter = placement(
            np.full(2, self.options.size / 2) + rng.normal(0, 0.035, 2) * self.options.size,
            self.options.size * np.exp(rng.normal(0, 0.06)),
            rng.normal(0, 0.09),
            self.options.size,
        )
        return after(jitter, matrix)


def bent(matrix: Floats, rng: Generator, size: int) -> Floats:
    """A little stretch and shear about the crop's middle."""
    change = np.eye(2) + rng.normal(0, 0.035, (2, 2))
    middle = np.full(2, size / 2)
    return np.concatenate([change @ matrix[:, :2], (change @ (matrix[:, 2] - middle) + middle)[:, None]], 1)


def cropped_away(image: Image, points: Floats, rng: Generator) -> tuple[Image, float]:
    """Blacken (or fill) one side of the crop as the frame's border does; also the share of points that stay."""
    size = len(image)
    axis, low = int(rng.integers(2)), rng.random() < 0.5
    line = np.quantile(points[:, axis], rng.uniform(0, 0.75))
    line = line if low else 2 * np.median(points[:, axis]) - line
    stays = points[:, axis] > line if low else points[:, axis] < line
    gone = np.arange(size) < line if low else np.arange(size) >= line
    image = image.copy()
    fill = 0 if rng.random() < 0.7 else int(rng.integers(256))
    image[(slice(None), gone) if axis == 0 else gone] = fill
    return image, float(stays.mean())


def inside(points: NDArray[np.floating], shape: tuple[int, ...]) -> float:
    """Share of the points within a picture of that shape."""
    return float(((points[:, :2] >= 0) & (points[:, :2] < shape[1::-1])).all(1).mean())


def overlap(points: NDArray[np.floating], size: int) -> float:
    """Intersection over union of the points' box and the middle of the crop, where a face should be."""
    low, high = points.min(0), points.max(0)
    ideal = np.array([0.12, 0.88]) * size
    common = np.clip(np.minimum(high, ideal[1]) - np.maximum(low, ideal[0]), 0, None).prod()
    return float(common / ((high - low).prod() + (ideal[1] - ideal[0]) ** 2 - common))


def presence_of(seen: float) -> float:
    """Presence label of a face of which this share is seen."""
    if seen > 0.55:
        return 1.0
    return 0.0 if seen < 0.35 else -1.0

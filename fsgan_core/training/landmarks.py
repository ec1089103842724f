"""Trains the dense landmark network on portraits, turned portraits and pictures without a face."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from ..networks.landmark_net import LandmarkNet, LandmarkNetConfig
from ..ops.landmarks import (
    INNER_51,
    LEFT_BROW,
    LEFT_EYE,
    LEFT_IRIS,
    LIPS_INNER,
    LIPS_OUTER,
    NOSE,
    RIGHT_BROW,
    RIGHT_EYE,
    RIGHT_IRIS,
    to_ibug68,
)
from ..stages.landmark_crops import after, box_placement, cut, inverse, moved, placement, shape_placement
from ..stages.pose import load_face_model
from ..weights.checkpoint import save_weights
from . import augment
from .labelled import Face, read_backgrounds, read_faces, read_masks
from .loop import Batch
from .turned import turn

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
    turned: float = 0.45
    """share of faces that were turned in three dimensions, if there are such"""
    tight: float = 0.65
    """share of aligned crops, as in tracking and in the second pass; the others are loose, as from a detector"""
    absent: float = 0.12
    """share of crops without a face, or with too little of it"""
    covered: float = 0.35
    """share of faces with something in front of them"""
    plain: float = 0.1
    """share of crops that keep the picture's light and sharpness"""


def point_weights() -> Tensor:
    """Weight of each point in the loss ``(478,)``, mean 1: lids, irises, lips, brows and nose count more."""
    weights = torch.ones(478)
    weights[list(NOSE)] = 2.0
    weights[[*RIGHT_BROW, *LEFT_BROW]] = 2.0
    weights[[*RIGHT_EYE, *LEFT_EYE, *RIGHT_IRIS, *LEFT_IRIS, *LIPS_OUTER, *LIPS_INNER]] = 3.0
    return weights / weights.mean()


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
        portrait = pool[rng.integers(len(pool))]
        matrix = self._tight(portrait, rng) if rng.random() < self.options.tight else self._loose(portrait, rng)
        matrix = bent(matrix, rng, self.options.size)
        mirrored = rng.random() < 0.5
        if mirrored:
            matrix = np.diag([-1.0, 1.0]) @ matrix + [[0, 0, self.options.size], [0, 0, 0]]
        points = moved(portrait.landmarks, matrix)[self.mirror if mirrored else slice(None)]
        border = BORDERS[rng.integers(len(BORDERS))]
        image = cut(portrait.image, matrix, self.options.size, border)
        seen = inside(portrait.landmarks, portrait.image.shape) if border == cv2.BORDER_CONSTANT else 1.0
        if rng.random() < 0.08:
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
            mask = self.scenes.masks[rng.integers(len(self.scenes.masks))]
            return augment.face_mask(image, mask, corners), 1.0
        hidden = np.zeros((size, size), np.float32)
        for _ in range(rng.integers(1, 4)):
            mask = augment.blob(size, rng)
            image = augment.cover(image, mask, augment.paint(size, rng, self.scenes.backgrounds))
            hidden = np.maximum(hidden, mask)
        cells = points[:, :2].astype(int).clip(0, size - 1)
        return image, 1 - float((hidden[cells[:, 1], cells[:, 0]] > 0.5).mean())

    def without_face(self, rng: Generator) -> Sample:
        """A background, or a portrait's piece that holds less than a third of the face."""
        size = self.options.size
        if rng.random() < 0.5:
            image = self.scenes.backgrounds[rng.integers(len(self.scenes.backgrounds))]
            side = np.exp(rng.uniform(np.log(40), np.log(min(image.shape[:2]))))
            centre = rng.uniform(0, 1, 2) * image.shape[1::-1]
            matrix = placement(centre, side, rng.uniform(-0.6, 0.6), size)
            return self._absent(cut(image, matrix, size, BORDERS[rng.integers(len(BORDERS))]), rng)
        portrait = self.faces[rng.integers(len(self.faces))]
        points = portrait.landmarks
        face = float(np.ptp(points[:, :2], axis=0).max())
        while True:
            side = face * np.exp(rng.normal(0, 0.7))
            centre = rng.uniform(0, 1, 2) * portrait.image.shape[1::-1]
            matrix = placement(centre, side, rng.uniform(-0.6, 0.6), size)
            if overlap(moved(points, matrix)[:, :2], size) < 0.25:
                return self._absent(cut(portrait.image, matrix, size), rng)

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


@dataclass(frozen=True)
class LandmarkTask:
    """The :class:`~fsgan_core.training.loop.Task` of this file."""

    model: LandmarkNet
    samples: Samples
    validation: Sequence[Face]
    batch: int = 32
    workers: int = 1

    def batches(self, seed: int) -> Iterator[Batch]:
        """Endless batches; batch ``i`` is made of seed ``seed + i`` alone."""
        order = Numbers(seed, self.batch)
        yield from DataLoader(self.samples, batch_sampler=order, num_workers=self.workers, worker_init_fn=_one_thread)

    def losses(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Weighted distance in eye distances, and the presence score's cross-entropy."""
        points, logit = model(as_image(batch["image"]))
        size = (batch["points"][:, 33] - batch["points"][:, 263]).norm(dim=1).clamp_min(0.05)
        gap = (points - batch["points"]).abs() / size[:, None, None]
        # Depth is a guess of the labels, too.
        distance = (gap * gap.new_tensor((1.0, 1.0, 0.4))).sum(2) @ point_weights().to(gap) / points.shape[1]
        known = batch["presence"] >= 0
        presence = nn.functional.binary_cross_entropy_with_logits(logit, batch["presence"].clamp_min(0), known.float())
        return {"points": 10 * (distance * batch["labelled"]).mean(), "presence": 0.3 * presence}

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Mean and median error in percent of the outer eye distance, from jittered boxes, in one and two passes."""
        first, second = measure(model, self.validation)
        return {"first": first.mean(), "mean": second.mean(), "median": float(np.median(second))}

    def export(self, model: nn.Module, path: Path, figures: dict[str, float]) -> None:
        """Write the network in half precision."""
        tensors = {k: v.half() if v.is_floating_point() else v for k, v in model.state_dict().items()}
        header = {name: f"{value:.3f}" for name, value in figures.items()}
        save_weights(path, tensors, "landmarks", self.model.config, **header)


def _one_thread(_worker: int) -> None:
    cv2.setNumThreads(1)


class Numbers:
    """Batches of sample numbers without end: batch ``i`` of seed ``s`` is batch ``s + i`` of seed 0."""

    def __init__(self, seed: int, batch: int) -> None:
        self.seed, self.batch = seed, batch

    def __iter__(self) -> Iterator[list[int]]:
        """Endless lists of numbers."""
        number = self.seed
        while True:
            yield list(range(number * self.batch, (number + 1) * self.batch))
            number += 1


def as_image(crops: Tensor) -> Tensor:
    """uint8 ``(B, S, S, 3)`` to float ``(B, 3, S, S)`` in [0, 1]; the memory stays as it is (channels last)."""
    return crops.permute(0, 3, 1, 2).float() / 255


def jittered_box(points: NDArray[np.floating], rng: Generator, error: float = 0.07) -> Floats:
    """The points' box with each side off by this share of the face's size (one sigma)."""
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    return np.concatenate([low, high]) + rng.normal(0, error, 4) * np.tile(high - low, 2)


def measure(model: nn.Module, portraits: Sequence[Face], seed: int = 0) -> tuple[Floats, Floats]:
    """Errors of the inner 51 points after one and after two passes, each ``(N,)`` percent of the outer eye distance."""
    rng = np.random.default_rng(seed)
    size = int(model.config.size)  # type: ignore[union-attr, arg-type]
    placements = [box_placement(jittered_box(p.landmarks, rng), size) for p in portraits]
    errors = []
    for _ in range(2):
        found = predict(model, [p.image for p in portraits], placements)
        errors.append(np.array([error(points, p.landmarks) for points, p in zip(found, portraits, strict=True)]))
        placements = [shape_placement(points, size) for points in found]
    return errors[0], errors[1]


@torch.inference_mode()
def predict(model: nn.Module, frames: Sequence[Image], placements: Sequence[Floats]) -> list[Floats]:
    """Landmarks ``(478, 3)`` in pixels of each frame, one face a frame."""
    size = int(model.config.size)  # type: ignore[union-attr, arg-type]
    crops = [cut(frame, matrix, size) for frame, matrix in zip(frames, placements, strict=True)]
    found = []
    for start in range(0, len(crops), 32):
        points, _ = model(as_image(torch.from_numpy(np.stack(crops[start : start + 32]))))
        found += list(points.numpy() * size)
    return [moved(points, inverse(matrix)) for points, matrix in zip(found, placements, strict=True)]


def error(found: NDArray[np.floating], true: NDArray[np.floating]) -> float:
    """Mean distance of the inner 51 iBUG points in percent of the outer eye distance."""
    gap = np.linalg.norm(to_ibug68(np.asarray(found, np.float64))[INNER_51, :2] - to_ibug68(true)[INNER_51, :2], axis=1)
    return float(100 * gap.mean() / np.linalg.norm(true[33, :2] - true[263, :2]))


def shape_modes(shapes: Sequence[Points], config: LandmarkNetConfig) -> tuple[Tensor, Tensor]:
    """Mean of aligned shapes ``(478, 3)`` and their principal components ``(rank / 2, 478, 3)``, units of the crop."""
    aligned = np.stack([moved(shape, shape_placement(shape, config.size)) / config.size for shape in shapes])
    mean = aligned.mean(0)
    _, deviations, modes = np.linalg.svd((aligned - mean).reshape(len(aligned), -1), full_matrices=False)
    scaled = modes * (deviations / np.sqrt(len(aligned)))[:, None]
    chosen = np.zeros((config.rank // 2, modes.shape[1]))
    chosen[: len(scaled)] = scaled[: len(chosen)]
    return torch.from_numpy(mean).float(), torch.from_numpy(chosen).float().view(-1, config.points, 3)


def task(data: Path, turns: int = 4) -> LandmarkTask:
    """The training task on this material.

    Args:
        data: folder of the material; see :mod:`.labelled` for its layout.
        turns: turned views drawn of each portrait before the training starts, about a tenth of a second each.
    """
    face_model = load_face_model()
    config = LandmarkNetConfig()
    model = LandmarkNet(config)
    faces = read_faces(data, "train")
    model.start_from(*shape_modes([face.landmarks for face in faces], config))
    rng = np.random.default_rng(0)
    moved_faces = [turn(face, face_model, rng) for _ in range(turns) for face in faces]
    scenes = Scenes(read_backgrounds(data), read_masks(data))
    samples = Samples(faces, moved_faces, scenes, face_model.mirror.numpy(), SampleOptions(size=config.size))
    return LandmarkTask(model.to(memory_format=torch.channels_last), samples, read_faces(data, "val"))

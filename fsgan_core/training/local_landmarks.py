"""Trains the local landmark network on portraits that MediaPipe measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset, default_collate

from ..networks.local_landmark_net import LocalLandmarkNet, LocalLandmarkNetConfig
from ..stages.landmark_crops import after, cut, inverse, moved, placement, shape_placement
from ..stages.landmarks import LANDMARKERS
from ..stages.open_landmarks import OpenLandmarker, load_open_landmarker
from ..stages.pose import load_face_model
from ..weights.checkpoint import save_weights
from . import augment
from .card import Card
from .labelled import read_faces
from .landmark_samples import EYES, bent
from .landmarks import as_image, distances, first, numbered
from .local_faces import Measured, kept, made
from .loop import Batch
from .reenactment_pairs import weighted
from .run_files import grid
from .segmentation import started

Points = NDArray[np.float32]


class Samples(Dataset[Batch]):
    """Sample ``i`` depends on ``i`` alone."""

    def __init__(self, faces: Sequence[Measured], errors: Points, mirror: NDArray[np.int64], size: int) -> None:
        self.faces, self.errors, self.mirror, self.size = faces, errors, mirror, size

    def __getitem__(self, index: int) -> Batch:
        """Image uint8 ``(S, S, 3)``; where its landmarks are thought and where they are, ``(478, 3)``."""
        rng = np.random.default_rng((11, index))
        face = self.faces[int(rng.integers(len(self.faces)))]
        image, points = face.image, face.points
        side = image.shape[1]
        mirrored = rng.random() < 0.5
        flip = np.array([[-1.0, 0, side], [0, 1, 0]]) if mirrored else np.eye(2, 3)
        true = moved(points, flip)[self.mirror if mirrored else slice(None)]
        guess = mistaken(true, self.errors, rng)
        matrix = bent(shape_placement(guess, self.size), rng, self.size)
        crop = cut(image, after(matrix, flip), self.size, cv2.BORDER_REPLICATE)
        true, start = moved(true, matrix), moved(guess, matrix)
        if rng.random() < 0.2:
            crop = hidden(crop, true, rng)
        if rng.random() < 0.8:
            crop = augment.photometric(crop, rng)
        return {
            "image": torch.from_numpy(np.ascontiguousarray(crop)),
            "start": torch.from_numpy((start / self.size).astype(np.float32)),
            "points": torch.from_numpy((true / self.size).astype(np.float32)),
        }


def hidden(crop: NDArray[np.uint8], points: NDArray[np.floating], rng: Generator) -> NDArray[np.uint8]:
    """Dark glasses, or something else in front of the face.

    Args:
        crop: ``(S, S, 3)`` RGB.
        points: ``(478, 3)`` landmarks in its pixels.
        rng: decides everything.
    """
    if rng.random() < 0.25:
        eyes = np.stack([points[list(pair), :2].mean(0) for pair in EYES])
        if np.linalg.norm(eyes[1] - eyes[0]) > len(crop) / 12:
            return augment.dark_glasses(crop, rng, eyes)
    return augment.cover(crop, augment.blob(len(crop), rng), augment.paint(len(crop), rng, ()))


def mistaken(points: NDArray[np.floating], errors: Points, rng: Generator) -> NDArray[np.float64]:
    """Landmarks as the first network would find them: moved as a whole, and by an error it once made.

    Args:
        points: ``(478, 3)`` true landmarks in pixels.
        errors: ``(N, 478, 3)`` of :func:`errors_of`.
        rng: decides everything.

    Returns:
        ``(478, 3)`` in the same pixels.
    """
    upright = shape_placement(points, 1)
    error = errors[int(rng.integers(len(errors)))] * np.exp(rng.normal(-0.3, 0.5))
    wide = 2.0 if rng.random() < 0.15 else 0.7
    centre, side = 0.5 + rng.normal(0, 0.012 * wide, 2), np.exp(rng.normal(0, 0.02 * wide))
    shift = placement(centre, side, rng.normal(0, 0.02 * wide), 1)
    return moved(moved(moved(points, upright) + error, shift), inverse(upright))


def errors_of(landmarker: OpenLandmarker, faces: Sequence[Measured], rng: Generator) -> Points:
    """What the first network gets wrong ``(N, 478, 3)`` in units of its crop, on faces as a camera shows them."""
    found = []
    for face in faces:
        image = augment.photometric(face.image, rng) if rng.random() < 0.7 else face.image
        seen = landmarker([image], [np.zeros((1, 4), np.float32)], [face.points[None]])[0].points[0]
        upright = shape_placement(face.points, 1)
        found.append(moved(seen, upright) - moved(face.points, upright))
    return np.stack(found).astype(np.float32)


@dataclass(frozen=True)
class LocalLandmarkTask:
    """The :class:`~fsgan_core.training.loop.Task` of this file."""

    model: LocalLandmarkNet
    samples: Samples
    validation: Samples
    batch: int = 32
    workers: int = 1
    trials: int = 512
    card: Card = Card(
        title="Local landmark network",
        purpose="Moves the landmarks of the dense network to where a larger crop shows them.",
        data="AI-generated portraits bent, turned and mixed with each other, measured by MediaPipe FaceMesh "
        "(Apache-2.0); docs/training.md names them. No real person.",
        licence="MIT",
    )

    def batches(self, seed: int) -> Iterator[Batch]:
        """Endless batches; batch ``i`` is made of seed ``seed + i`` alone."""
        return numbered(self.samples, seed, self.batch, self.workers)

    def losses(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Weighted distance in eye distances, and that of the openings."""
        points = model(as_image(batch["image"]), batch["start"])
        distance, opening = distances(points, batch["points"])
        return {"points": 10 * distance.mean(), "openings": 4 * opening.mean()}

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Mean distance of all points in percent of the eye distance, before and after."""
        before, later = list[Tensor](), list[Tensor]()
        for batch in first(self.validation, self.trials, self.batch, next(model.parameters()).device):
            with torch.inference_mode():
                found = model(as_image(batch["image"]), batch["start"])
            size = (batch["points"][:, 33] - batch["points"][:, 263]).norm(dim=1).clamp_min(0.05)
            for points, errors in ((batch["start"], before), (found, later)):
                errors.append((points - batch["points"])[..., :2].norm(dim=2).mean(1) / size)
        return {"start": float(100 * torch.cat(before).mean()), "error": float(100 * torch.cat(later).mean())}

    def export(self, model: nn.Module, path: Path, figures: dict[str, float]) -> None:
        """Write the network in half precision."""
        tensors = {k: v.half() if v.is_floating_point() else v for k, v in model.state_dict().items()}
        header = {name: f"{value:.3f}" for name, value in figures.items()}
        save_weights(path, tensors, "local_landmarks", self.model.config, licence="MIT", **header)

    def sheet(self, model: nn.Module) -> NDArray[np.uint8]:
        """Faces of the validation split: where points were thought to be (red) and where they are found (green)."""
        batch = default_collate([self.validation[row] for row in range(min(12, self.trials))])
        device = next(model.parameters()).device
        with torch.inference_mode():
            found = model(as_image(batch["image"]).to(device), batch["start"].to(device)).cpu()
        tiles = []
        for image, *both in zip(batch["image"].numpy(), batch["start"], found, strict=True):
            tile = np.ascontiguousarray(image)
            for points, color in zip(both, ((255, 0, 0), (0, 255, 0)), strict=True):
                for x, y, _ in (len(tile) * points).round().int().tolist():
                    cv2.circle(tile, (x, y), 1, color, -1)
            tiles.append(tile)
        return grid([tiles[row : row + 4] for row in range(0, len(tiles), 4)])


def task(
    data: Path,
    faces: int = 26_000,
    teacher: str = "mediapipe",
    batch: int = 32,
    workers: int = 1,
    cache: str = "",
    start: str | Path = "",
) -> LocalLandmarkTask:
    """The training task on this material.

    Args:
        data: folder of the material; see :mod:`.labelled` for its layout.
        faces: portraits drawn before the training starts.
        teacher: what measures them, a landmark backend; empty: they are where they were carried, which is coarser.
        batch: samples of a batch.
        workers: processes that make them; 0 makes them in this one.
        cache: folder in which the drawn portraits are kept for the next run; they stay in memory alone if empty.
        start: file of weights to start from; none when not given.
    """
    model = load_face_model()
    measure = LANDMARKERS[teacher]("cpu") if teacher else None
    splits = {"train": faces, "val": max(2, faces // 43)}
    drawn = {}
    for seed, (split, count) in enumerate(splits.items()):
        crops = made(weighted(read_faces(data, split)), (model, measure), seed)
        drawn[split] = kept(Path(cache) / split, crops, count) if cache else list(islice(crops, count))
    errors = errors_of(load_open_landmarker(local=None, irises=None), drawn["train"][:1500], np.random.default_rng(0))
    config, mirror = LocalLandmarkNetConfig(), model.mirror.numpy()
    network = started(LocalLandmarkNet(config), "local_landmarks", start)
    samples, validation = (Samples(drawn[split], errors, mirror, config.size) for split in splits)
    return LocalLandmarkTask(network, samples, validation, batch, workers, min(512, 4 * splits["val"]))

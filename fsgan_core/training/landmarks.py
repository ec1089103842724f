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
from torch.utils.data import DataLoader, Dataset, default_collate

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
from ..stages.landmark_crops import cut, moved, shape_placement
from ..stages.landmarks import Landmarker
from ..stages.open_landmarks import OpenLandmarker
from ..stages.pose import load_face_model
from ..weights.checkpoint import save_weights
from .card import Card
from .labelled import Face, read_backgrounds, read_faces, read_masks
from .landmark_samples import Floats, Points, SampleOptions, Samples, Scenes
from .loop import Batch
from .run_files import grid
from .turned import turn

OPENINGS = ((13, 14), (82, 87), (312, 317), (81, 178), (311, 402), (159, 145), (386, 374), (158, 153), (385, 380))
"""Upper and lower points of the mouth and the eyes, whose distance says how far they are open."""
OPEN = 0.04
"""Distance of the lips, in distances between the outer eye corners, from which a mouth is open."""
OFTEN = 4
"""How often a portrait with an open mouth is counted; few have one."""


def gap_between(points: Tensor, upper: list[int], lower: list[int]) -> Tensor:
    """Vectors ``(B, N, 3)`` from upper to lower points of ``(B, 478, 3)``."""
    return points[:, lower] - points[:, upper]


def distances(points: Tensor, true: Tensor) -> tuple[Tensor, Tensor]:
    """How far landmarks ``(B, 478, 3)`` are off, and how far the openings of mouth and eyes: ``(B,)`` eye distances."""
    size = (true[:, 33] - true[:, 263]).norm(dim=1).clamp_min(0.05)
    gap = (points - true).abs() / size[:, None, None]
    # Depth is a guess of the labels, too.
    distance = (gap * gap.new_tensor((1.0, 1.0, 0.4))).sum(2) @ point_weights().to(gap) / points.shape[1]
    upper, lower = (list(side) for side in zip(*OPENINGS, strict=True))
    opening = (gap_between(points, upper, lower) - gap_between(true, upper, lower)).abs()
    return distance, (opening / size[:, None, None])[..., :2].sum(2).mean(1)


def balanced(faces: Sequence[Face]) -> list[Face]:
    """The portraits, those with an open mouth several times."""
    result = []
    for face in faces:
        lips = np.linalg.norm(face.landmarks[13] - face.landmarks[14])
        wide = lips > OPEN * np.linalg.norm(face.landmarks[33] - face.landmarks[263])
        result += [face] * (OFTEN if wide else 1)
    return result


def point_weights() -> Tensor:
    """Weight of each point in the loss ``(478,)``, mean 1: lids, irises, lips, brows and nose count more."""
    weights = torch.ones(478)
    weights[list(NOSE)] = 2.0
    weights[[*RIGHT_BROW, *LEFT_BROW]] = 2.0
    weights[[*RIGHT_EYE, *LEFT_EYE, *RIGHT_IRIS, *LEFT_IRIS, *LIPS_OUTER, *LIPS_INNER]] = 3.0
    return weights / weights.mean()


@dataclass(frozen=True)
class LandmarkTask:
    """The :class:`~fsgan_core.training.loop.Task` of this file."""

    model: LandmarkNet
    samples: Samples
    validation: Sequence[Face]
    batch: int = 32
    workers: int = 1
    card: Card = Card(
        title="Dense landmark network",
        purpose="478 points with depth and a presence score from a crop of a face.",
        data="Portraits, turned ones, pictures without a face; docs/training.md names the shipped network's.",
        licence="MIT, if trained on the sets that docs/training.md names",
    )

    def batches(self, seed: int) -> Iterator[Batch]:
        """Endless batches; batch ``i`` is made of seed ``seed + i`` alone."""
        return numbered(self.samples, seed, self.batch, self.workers)

    def losses(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Weighted distance in eye distances, and the presence score's cross-entropy."""
        points, logit = model(as_image(batch["image"]))
        distance, opening = distances(points, batch["points"])
        known = batch["presence"] >= 0
        presence = nn.functional.binary_cross_entropy_with_logits(logit, batch["presence"].clamp_min(0), known.float())
        labelled = batch["labelled"]
        terms = {"points": 10 * (distance * labelled).mean(), "openings": 4 * (opening * labelled).mean()}
        return terms | {"presence": 0.3 * presence}

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Mean and median error in percent of the outer eye distance, from jittered boxes."""
        if not isinstance(model, LandmarkNet):
            raise ValueError(f"got a {type(model).__name__}, expected a LandmarkNet")
        errors = measure(OpenLandmarker(model), self.validation)
        return {"mean": float(errors.mean()), "median": float(np.median(errors))}

    def sheet(self, model: nn.Module) -> NDArray[np.uint8]:
        """Faces of the validation split with the points found, from jittered boxes."""
        if not isinstance(model, LandmarkNet):
            raise ValueError(f"got a {type(model).__name__}, expected a LandmarkNet")
        tiles = []
        faces = self.validation[:12]
        for face, seen in zip(faces, found_in(OpenLandmarker(model), faces), strict=True):
            matrix = shape_placement(face.landmarks, 192)
            tile = np.ascontiguousarray(cut(face.image, matrix, 192))
            for x, y, _ in moved(seen, matrix).round().astype(int).tolist():
                cv2.circle(tile, (x, y), 1, (0, 255, 0), -1)
            tiles.append(tile)
        return grid([tiles[row : row + 4] for row in range(0, len(tiles), 4)])

    def export(self, model: nn.Module, path: Path, figures: dict[str, float]) -> None:
        """Write the network in half precision."""
        tensors = {k: v.half() if v.is_floating_point() else v for k, v in model.state_dict().items()}
        header = {name: f"{value:.3f}" for name, value in figures.items()}
        save_weights(path, tensors, "landmarks", self.model.config, licence="MIT", **header)


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


def numbered(samples: Dataset[Batch], seed: int, batch: int, workers: int) -> Iterator[Batch]:
    """Endless batches of samples that depend on their number alone; batch ``i`` is made of seed ``seed + i``."""
    yield from DataLoader(samples, batch_sampler=Numbers(seed, batch), num_workers=workers)


def first(samples: Dataset[Batch], count: int, batch: int, device: torch.device) -> Iterator[Batch]:
    """The first ``count`` samples in order, in batches of at most ``batch``, on a device."""
    for start in range(0, count, batch):
        collated = default_collate([samples[row] for row in range(start, min(start + batch, count))])
        yield {name: value.to(device) for name, value in collated.items()}


def as_image(crops: Tensor) -> Tensor:
    """uint8 ``(B, S, S, 3)`` to float ``(B, 3, S, S)`` in [0, 1]; the memory stays as it is (channels last)."""
    return crops.permute(0, 3, 1, 2).float() / 255


def jittered_box(points: NDArray[np.floating], rng: Generator, error: float = 0.07) -> Floats:
    """The points' box with each side off by this share of the face's size (one sigma)."""
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    return np.asarray(np.concatenate([low, high]) + rng.normal(0, error, 4) * np.tile(high - low, 2), np.float64)


def measure(landmarker: Landmarker, faces: Sequence[Face], seed: int = 0) -> Floats:
    """Errors ``(N,)`` of the inner 51 points in percent of the outer eye distance, starting from jittered boxes."""
    found = found_in(landmarker, faces, seed)
    return np.array([error(seen, face.landmarks) for seen, face in zip(found, faces, strict=True)])


def found_in(landmarker: Landmarker, faces: Sequence[Face], seed: int = 0) -> list[Points]:
    """Landmarks ``(478, 3)`` found in each picture from its face's jittered box."""
    rng = np.random.default_rng(seed)
    boxes = [jittered_box(face.landmarks, rng)[None].astype(np.float32) for face in faces]
    return [seen.points[0] for seen in landmarker([face.image for face in faces], boxes)]


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


def task(data: Path, turns: int = 5, batch: int = 32, workers: int = 1, portraits: int = 0) -> LandmarkTask:
    """The training task on this material.

    Args:
        data: folder of the material; see :mod:`.labelled` for its layout.
        turns: turned views drawn of each portrait before the training starts, about a tenth of a second each.
        batch: samples of a batch.
        workers: processes that make them; 0 makes them in this one.
        portraits: the first so many of each split are used; 0 uses all.
    """
    face_model = load_face_model()
    config = LandmarkNetConfig()
    model = LandmarkNet(config)
    faces = read_faces(data, "train", most=portraits)
    model.start_from(*shape_modes([face.landmarks for face in faces], config))
    rng = np.random.default_rng(0)
    moved_faces = [turn(face, face_model, rng) for _ in range(turns) for face in faces]
    scenes = Scenes(read_backgrounds(data), read_masks(data))
    samples = Samples(
        balanced(faces), balanced(moved_faces), scenes, face_model.mirror.numpy(), SampleOptions(size=config.size)
    )
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return LandmarkTask(model, samples, read_faces(data, "val", most=portraits), batch, workers)

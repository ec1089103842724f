"""Trains the iris network on eyes of portraits that MediaPipe measured, most of them made to look elsewhere."""

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

from ..networks.iris_net import IrisNet, IrisNetConfig
from ..stages.irises import MARGIN, eye_placement
from ..stages.landmark_crops import after, cut, moved, placement
from ..stages.landmarks import LANDMARKERS
from ..stages.openings import IRISES
from ..stages.pose import load_face_model
from . import augment
from .blinks import apertures
from .card import Card
from .labelled import read_faces
from .landmarks import as_image, first, numbered
from .local_faces import Measured, kept, made
from .loop import Batch
from .reenactment_pairs import weighted
from .run_files import grid, save_half
from .segmentation import started

_SHUT = 0.1
"""Aperture, in widths of the eye, up to which what is seen of an iris says less about where it is."""


class Samples(Dataset[Batch]):
    """Sample ``i`` depends on ``i`` alone."""

    def __init__(self, faces: Sequence[Measured], size: int) -> None:
        self.faces, self.size = faces, size

    def __getitem__(self, index: int) -> Batch:
        """Image uint8 ``(S, S, 3)``; middle and radius of the iris ``(3,)`` in units of the crop; its weight."""
        rng = np.random.default_rng((13, index))
        face = self.faces[int(rng.integers(len(self.faces)))]
        side = int(rng.integers(2))
        region = list(IRISES)[side]
        matrix = after(_shaken(rng, self.size), eye_placement(face.points, region, self.size))
        crop = cut(face.image, matrix, self.size, cv2.BORDER_REPLICATE)
        if rng.random() < 0.8:
            crop = augment.photometric(crop, rng)
        iris = moved(face.points[list(IRISES[region])], matrix)[:, :2]
        radius = np.linalg.norm(iris[1:] - iris[0], axis=1).mean()
        seen = np.clip(apertures(face.points)[side] / _SHUT, 0.02, 1)
        return {
            "image": torch.from_numpy(np.ascontiguousarray(crop)),
            "iris": torch.from_numpy((np.append(iris[0], radius) / self.size).astype(np.float32)),
            "weight": torch.tensor(seen, dtype=torch.float32),
        }


def _shaken(rng: Generator, size: int) -> NDArray[np.float64]:
    """A crop off by as much as its corners are found wrong."""
    return placement(
        size / 2 + rng.normal(0, 0.03 * size, 2), size * np.exp(rng.normal(0, 0.07)), rng.normal(0, 0.07), size
    )


@dataclass(frozen=True)
class IrisTask:
    """The :class:`~fsgan_core.training.loop.Task` of this file."""

    model: IrisNet
    samples: Samples
    validation: Samples
    batch: int = 128
    workers: int = 1
    trials: int = 1024
    card: Card = Card(
        title="Iris network",
        purpose="Finds where an eye looks: middle and radius of its iris in a crop of the eye.",
        data="Eyes of AI-generated portraits bent, turned and mixed with each other, measured by MediaPipe FaceMesh "
        "(Apache-2.0), irises then moved by known ways; docs/training.md names them. No real person.",
        licence="MIT",
    )

    def batches(self, seed: int) -> Iterator[Batch]:
        """Endless batches; batch ``i`` is made of seed ``seed + i`` alone."""
        return numbered(self.samples, seed, self.batch, self.workers)

    def losses(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Distances in widths of the eye."""
        gap = MARGIN * (model(as_image(batch["image"])) - batch["iris"]).abs() * batch["weight"][:, None]
        return {"middle": 10 * gap[:, :2].mean(), "radius": 5 * gap[:, 2].mean()}

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Mean errors in percent of the eye's width: along the eye, across it, of the radius; open eyes count more."""
        errors, weights = list[Tensor](), list[Tensor]()
        for batch in first(self.validation, self.trials, self.batch, next(model.parameters()).device):
            with torch.inference_mode():
                gap = (model(as_image(batch["image"])) - batch["iris"]).abs()
            errors.append(gap)
            weights.append(batch["weight"])
        mean = torch.cat(weights) @ torch.cat(errors) / torch.cat(weights).sum()
        return dict(zip(("along", "across", "radius"), (100 * MARGIN * mean).tolist(), strict=True))

    def export(self, model: nn.Module, path: Path, figures: dict[str, float]) -> None:
        """Write the network in half precision."""
        save_half(path, model, "irises", self.model.config, figures)

    def sheet(self, model: nn.Module) -> NDArray[np.uint8]:
        """Eyes of the validation split, enlarged: where irises are (red) and where they are found (green)."""
        batch = default_collate([self.validation[row] for row in range(min(32, self.trials))])
        with torch.inference_mode():
            found = model(as_image(batch["image"]).to(next(model.parameters()).device)).cpu()
        tiles = []
        for image, *both in zip(batch["image"].numpy(), batch["iris"], found, strict=True):
            tile = np.ascontiguousarray(image.repeat(4, 0).repeat(4, 1))
            for iris, color in zip(both, ((255, 0, 0), (0, 255, 0)), strict=True):
                x, y, radius = (len(tile) * iris).round().int().tolist()
                cv2.circle(tile, (x, y), max(1, radius), color, 1)
            tiles.append(tile)
        return grid([tiles[row : row + 8] for row in range(0, len(tiles), 8)])


def task(
    data: Path,
    faces: int = 10_000,
    teacher: str = "mediapipe",
    batch: int = 128,
    workers: int = 1,
    cache: str = "",
    start: str | Path = "",
) -> IrisTask:
    """The training task on this material.

    Args:
        data: folder of the material; see :mod:`.labelled` for its layout.
        faces: portraits drawn before the training starts.
        teacher: what measures them, a landmark backend; empty: they are where they were carried, which is coarser.
        batch: samples of a batch.
        workers: processes that make them; 0 makes them in this one.
        cache: folder in which the drawn portraits are kept, for the next run or for the local landmark network; they
            stay in memory alone if empty.
        start: file of weights to start from; none when not given.
    """
    tools = load_face_model(), LANDMARKERS[teacher]("cpu") if teacher else None
    drawn = {}
    for seed, (split, count) in enumerate({"train": faces, "val": max(2, faces // 43)}.items()):
        crops = made(weighted(read_faces(data, split)), tools, seed)
        drawn[split] = kept(Path(cache) / split, crops, count) if cache else list(islice(crops, count))
    config = IrisNetConfig()
    network = started(IrisNet(config), "irises", start)
    samples, validation = (Samples(drawn[split], config.size) for split in ("train", "val"))
    return IrisTask(network, samples, validation, batch, workers, min(1024, 8 * len(validation.faces)))

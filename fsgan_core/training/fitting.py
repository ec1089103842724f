"""Trains the alignment network on by what it is for: how like the photo a face gets that it has shifted.

:mod:`.alignment` knows the shift to find. Here nobody does: the pairs of the refinement network are drawn by measured
landmarks, and whatever brings the drawing nearer to the photo counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor, nn

from ..networks.alignment_net import AlignmentNet, AlignmentNetConfig
from ..networks.flow_net import WINDOW, enlarged
from ..ops.flow import identity, sample
from ..ops.pooling import halved
from ..stages.alignment import BUNDLED, Aligner
from ..stages.refinement import bundled_refiner
from .alignment import KIND, bent
from .card import Card
from .likeness import Expression, dissimilarity
from .loop import Batch
from .reenactment_pairs import as_evidence
from .refinement import Pairs, augmented, drawn, plain, stored
from .run_files import save_half
from .segmentation import started

WEIGHTS = {"structure": 1.0, "expression": 0.12}
"""Of 1 - SSIM in the face and of landmarks in pixels, after the last look."""
EARLY = 0.3
"""Of 1 - SSIM after the looks before."""
CARD = Card(
    title="Fitting network",
    purpose="Says how a drawn face lies off a picture of it, to lay reenacted crops onto the target's edges.",
    data="AI-generated portraits as pairs of the refinement network; docs/training.md names them. No real person.",
    licence="MIT",
)


@dataclass(frozen=True)
class FittingTask:
    """The :class:`~fsgan_core.training.loop.Task` of this file."""

    model: AlignmentNet
    pairs: Pairs
    validation: Pairs
    batch: int = 8
    card: Card = CARD

    def batches(self, seed: int) -> Iterator[Batch]:
        """Endless batches; batch ``i`` is made of seed ``seed + i`` alone."""
        while True:
            rng = np.random.default_rng(seed)
            yield _posed(augmented(self.pairs.draw(rng, self.batch), rng), rng)
            seed += 1

    def losses(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Unlikeness of what is shifted and the photo, in structure after every look."""
        *early, last = shifted(model, batch["image"], batch["lit"], batch["cover"])
        terms = {name: WEIGHTS[name] * value for name, value in misfit(last, batch).items()}
        return terms | {"early": EARLY * sum((unlike(image, batch) for image in early), torch.zeros(()))}

    @torch.inference_mode()
    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """1 - SSIM and expression error of validation pairs, shifted and as they were drawn."""
        device = next(model.parameters()).device
        total, rows = dict[str, float](), len(self.validation.views)
        for start in range(0, rows, self.batch):
            numbers = range(start, min(start + self.batch, rows))
            batch = {name: values.to(device) for name, values in self.validation.read(numbers).items()}
            evidence = as_evidence(batch)
            batch["cover"] = evidence.geometry[:, :1].clamp(0, 1)
            image = drawn(bundled_refiner(device).network, evidence)
            laid = shifted(model, image, batch["target"].float() / 255, batch["cover"])[-1]
            for who, picture in (("", laid), ("_before", image)):
                for name, value in misfit(picture, batch).items():
                    total[name + who] = total.get(name + who, 0.0) + float(value) * len(numbers) / rows
        return total

    def export(self, model: nn.Module, path: Path, figures: dict[str, float]) -> None:
        """Write the network in half precision."""
        save_half(path, model, KIND, self.model.config, figures, 4)


def shifted(model: nn.Module, image: Tensor, photo: Tensor, cover: Tensor) -> list[Tensor]:
    """A drawing ``(B, 3, N, N)`` shifted onto a photo as in use, after each look.

    ``cover`` ``(B, 1, N / 2, N / 2)`` is its face.
    """
    ours, theirs = (halved(picture.mean(1, keepdim=True)) for picture in (image, photo))
    places = [identity(WINDOW, WINDOW, image) + enlarged(s, WINDOW) for s in Aligner(model).looks(ours, theirs, cover)]
    return [sample(image, place, "bicubic").clamp(0, 1) for place in places]


def misfit(image: Tensor, batch: Batch) -> dict[str, Tensor]:
    """How unlike the photo a drawing ``(B, 3, N, N)`` is within ``cover``: in structure and in landmarks."""
    face, target = enlarged(batch["cover"], WINDOW), batch["target"].float() / 255
    expression = _judge(image.device)(torch.lerp(target, image, face), target)
    return {"structure": unlike(image, batch), "expression": expression}


def unlike(image: Tensor, batch: Batch) -> Tensor:
    """1 - SSIM of a drawing ``(B, 3, N, N)`` and the photo within ``cover``."""
    face = enlarged(batch["cover"], WINDOW)
    return (dissimilarity(image, batch["target"].float() / 255) * face).mean() / face.mean().clamp_min(1e-3)


@cache
def _judge(device: torch.device) -> Expression:
    return Expression(device)


@torch.no_grad()
def _posed(pairs: Batch, rng: Generator) -> Batch:
    """Pairs drawn with the network or without it, mostly bent; and the photos in another light."""
    evidence = as_evidence(pairs)
    image = drawn(bundled_refiner().network, evidence) if rng.random() < 0.65 else plain(evidence)
    bends = np.stack([bent(rng) * (rng.random() < 0.6) for _ in image]).transpose(0, 3, 1, 2)
    places = identity(WINDOW, WINDOW, image) + torch.from_numpy(np.ascontiguousarray(bends, np.float32))
    cover = halved(sample(enlarged(evidence.geometry[:, :1].clamp(0, 1), WINDOW), places))
    lit = torch.stack([_lit(picture, rng) for picture in pairs["target"].float() / 255])
    bent_image = sample(image, places, "bicubic").clamp(0, 1)
    return {"image": bent_image, "cover": cover, "target": pairs["target"], "lit": lit}


def _lit(photo: Tensor, rng: Generator) -> Tensor:
    """A photo ``(3, N, N)`` brighter or darker, in places too, and with noise."""
    field = cv2.resize(
        rng.normal(0, 0.12, (3, 3)) * (rng.random() < 0.5), (WINDOW, WINDOW), interpolation=cv2.INTER_CUBIC
    )
    gain = torch.from_numpy(np.exp(field) * rng.uniform(0.8, 1.15)).float()
    noise = rng.standard_normal(photo.shape, np.float32) * np.float32(rng.uniform(0, 0.012))
    return (photo ** float(2 ** rng.uniform(-0.5, 0.5)) * gain + torch.from_numpy(noise)).clamp(0, 1)


def task(
    data: Path,
    cache: str = "",
    pairs: int = 2400,
    batch: int = 8,
    start: str | Path = "",
) -> FittingTask:
    """The training task on this material.

    Args:
        data: folder of the material; see :mod:`.labelled` for its layout.
        cache: folder of pairs, see :func:`.refinement.task`, which may use the same; temporary if empty.
        pairs: how many to make where there are none yet.
        batch: pairs of a batch.
        start: file of weights to start from; the bundled network's when not given.

    Raises:
        FSGANError: the cache holds something else.
        WeightsError: the weights are missing, damaged, or of another network.
    """
    network = started(AlignmentNet(AlignmentNetConfig()), KIND, start or BUNDLED)
    train, validation = stored(cache, data, pairs)
    return FittingTask(network, train, validation, batch)

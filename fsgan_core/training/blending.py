"""Trains the blending network from the Poisson loss (FSGAN section 4.5): its target is the exact solution."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, default_collate

from ..networks.membrane_net import MembraneConfig, MembraneNet
from ..stages.pose import load_face_model
from .blending_samples import Rendered, SampleOptions, Swaps
from .card import Card
from .crop_occluders import read_props
from .landmarks import Numbers
from .loop import Batch
from .run_files import save_half
from .segmentation import started
from .segmentation_samples import PORTRAITS, read_labelled
from .sheets import tiled

CARD = Card(
    title="Blending network",
    purpose="Makes the coarse grids of a multigrid that finds in two cycles what to add to a face so that it meets the "
    "target at the border of the mask and keeps its gradients: Poisson's equation, nearly, in less time.",
    data=f"{PORTRAITS} Crude swaps between them, each with its exact solution (`ops/poisson.py`).",
    licence="MIT",
)


@dataclass(frozen=True)
class BlendingTask:
    """The :class:`~fsgan_core.training.loop.Task` of this file."""

    model: MembraneNet
    samples: Dataset[Batch]
    validation: Sequence[Batch]
    batch: int = 8
    card: Card = CARD

    def batches(self, seed: int) -> Iterator[Batch]:
        """Endless batches; batch ``i`` is made of seed ``seed + i`` alone."""
        yield from DataLoader(self.samples, batch_sampler=Numbers(seed, self.batch))

    def losses(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """The Poisson loss: mean distance to the exact solution within the mask, in 8-bit levels."""
        return {"poisson": distance(model, varied(batch)).mean()}

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Mean distance to the exact solution in 8-bit levels: of all, and of the worst sample."""
        device = next(model.parameters()).device
        samples = [{name: value[None].to(device) for name, value in one.items()} for one in self.validation]
        with torch.inference_mode():
            found = torch.cat([distance(model, sample) for sample in samples])
        return {"levels": float(found.mean()), "worst": float(found.max())}

    def sheet(self, model: nn.Module) -> NDArray[np.uint8]:
        """Exact solution, answer and ten times their difference, all about grey, of 32 validation samples."""
        batch = default_collate(list(self.validation)[:32])
        answer, mask = batch["answer"].float(), batch["mask"].float()
        device = next(model.parameters()).device
        with torch.inference_mode():
            found = model(answer.to(device), mask.to(device)).cpu()
        return tiled([(0.5 + part * mask).clamp(0, 1) for part in (answer, found, 10 * (found - answer))])

    def export(self, model: nn.Module, path: Path, figures: dict[str, float]) -> None:
        """Write the network in half precision."""
        save_half(path, model, "blending", self.model.config, figures)


def distance(model: nn.Module, batch: Batch) -> Tensor:
    """Mean distance of every item's membrane to the exact one in 8-bit levels, ``(B,)``."""
    answer, mask = batch["answer"].float(), batch["mask"].float()
    gap = (model(answer, mask) - answer).abs().mean(1, keepdim=True) * mask
    return 255 * gap.sum((1, 2, 3)) / mask.sum((1, 2, 3)).clamp_min(1)


def varied(batch: Batch) -> Batch:
    """The same swaps mirrored, turned, and with other colours: the equation is linear, so channels may be mixed."""
    answer, mask = batch["answer"].float(), batch["mask"]
    mix = torch.eye(3) + 0.5 * torch.randn(len(answer), 3, 3)
    answer = torch.einsum("bij,bjhw->bihw", mix.to(answer.device), answer)
    if torch.rand(()) < 0.5:
        answer, mask = answer.mT, mask.mT
    sides = [side for side in (-1, -2) if torch.rand(()) < 0.5]
    return {"answer": answer.flip(sides).contiguous(), "mask": mask.flip(sides).contiguous()}


def task(
    data: Path,
    start: str | Path = "",
    turns: int = 0,
    size: int = 256,
    count: int = 600,
    batch: int = 8,
    trials: int = 32,
    portraits: int = 0,
) -> BlendingTask:
    """The training task on this material.

    Args:
        data: folder of the material; see :mod:`.labelled` for its layout.
        start: file of weights to start from; none when not given.
        turns: turned views of each portrait, about half a second each before the training starts.
        size: side in pixels of the swaps.
        count: swaps solved exactly before the training starts; at 256 px about a tenth of a second and 0.5 MB each.
        batch: samples of a batch.
        trials: swaps that are evaluated.
        portraits: the first so many of each split are used; 0 uses all.
    """
    model, options, props = load_face_model(), SampleOptions(size=size), read_props(data)
    network = started(MembraneNet(MembraneConfig()), "blending", start)
    sets = [
        Swaps(read_labelled(data, split, model, views, portraits), props, model, options)
        for split, views in (("train", turns), ("val", 0))
    ]
    return BlendingTask(network, Rendered(sets[0], count), [sets[1][index] for index in range(trials)], batch)

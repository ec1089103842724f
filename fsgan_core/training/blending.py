"""Trains the blending network from the Poisson loss (FSGAN section 4.5): its target is the exact solution."""

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
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset, default_collate

from ..networks.unet import UNet, UNetConfig
from ..ops.face_model import FaceModel
from ..ops.flow import sample, spread
from ..ops.light import match_light
from ..ops.masks import erode
from ..ops.mesh import facing, interpolate, rasterize
from ..ops.poisson import harmonic_fill, poisson_blend
from ..stages.open_blending import cells, corrected, first_guess
from ..stages.pose import load_face_model
from ..weights.checkpoint import save_weights
from . import augment
from .card import Card
from .crop_occluders import Props, cover, read_props
from .face_labels import FACE
from .landmarks import Numbers
from .loop import Batch
from .segmentation import started
from .segmentation_samples import PORTRAITS, Labelled, Placed, placed, read_labelled
from .sheets import tiled

INPUTS = 14
"""Channels of what :func:`~fsgan_core.stages.open_blending.corrected` gives the network."""


MIXED = ("difference", "guess", "membrane")
"""Parts of a sample that depend on colours in proportion."""
CARD = Card(
    title="Blending network",
    purpose="Solves Poisson's equation on cells: what to add to a face so that it meets the target at the border of "
    "the mask and keeps its gradients. It goes by the border's skin where parts of the border lie on something else.",
    data=f"{PORTRAITS} Crude swaps between them, each with its exact solution (`ops/poisson.py`).",
    licence="MIT",
)


@dataclass(frozen=True, kw_only=True)
class SampleOptions:
    """What the network gets to see."""

    size: int = 256
    """side in pixels of the crops in which swaps are made and solved exactly"""
    field: int = 128
    """side in cells of what is kept of them"""
    covered: float = 0.5
    """share of targets with something in front of them"""
    exact: float = 0.5
    """share of masks that are right; the others are too large here and too small there, as a network draws them"""
    matched: float = 0.5
    """share of faces whose light is matched before, as the blenders do"""


class Swaps(Dataset[Batch]):
    """Crude swaps between portraits with their exact solutions; sample ``i`` depends on ``i`` alone."""

    def __init__(self, faces: Sequence[Labelled], props: Props, model: FaceModel, options: SampleOptions) -> None:
        self.faces, self.props, self.model, self.options = faces, props, model, options

    def __getitem__(self, index: int) -> Batch:
        """float16 ``(3, field, field)`` difference, low, guess, membrane; ``(1, field, field)`` inside and counted."""
        rng = np.random.default_rng((11, index))
        face, target, true, given = self.swap(rng)
        size = self.options.field
        if (true > 0).sum() < 400:
            return self[index + 1_000_003]
        inner = erode(true)
        found = poisson_blend(face, target, inner) - face
        # Beyond the true border the answer is continued, as what is drawn there should look like skin, too.
        found = harmonic_fill(found, (1 - true) * (functional.max_pool2d(given, 9, 1, 4)), 0.02)
        weight = functional.adaptive_avg_pool2d(true * given, size)
        total = functional.adaptive_avg_pool2d(found * true * given, size) / weight.clamp_min(1e-6)
        difference, low, inside = cells(face, target, given, size)
        kept = {"difference": difference, "low": low, "inside": inside, "membrane": total, "counted": weight}
        return {name: value[0].half() for name, value in (kept | {"guess": first_guess(difference, inside)}).items()}

    def swap(self, rng: Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """A face ``(1, 3, S, S)`` on the geometry of a target, the target, the true mask and the one given."""
        one, other = (
            placed(self.faces[int(rng.integers(len(self.faces)))], rng, self.options.size, 0) for _ in range(2)
        )
        picture, alpha = other.image, np.zeros(other.image.shape[:2], np.float32)
        for change in (augment.color, augment.light):
            if rng.random() < 0.4:
                picture = change(picture, rng)
        if rng.random() < self.options.covered:
            drawn, alpha = cover(rng, picture, other.points, self.props)
            picture = drawn.round().astype(np.uint8)
        face, drawn_on = self._fitted(one, other)
        true = drawn_on * torch.from_numpy(((other.labels == FACE) & (alpha < 0.1)).astype(np.float32))
        true = functional.max_pool2d(erode(true, 2), 3, 1, 1)
        given = true if rng.random() < self.options.exact else drawn_on * _misdrawn(true, rng)
        target = _image(picture)
        if rng.random() < self.options.matched:
            face = match_light(face, target, given)
        return face, target, true, given

    def _fitted(self, one: Placed, other: Placed) -> tuple[Tensor, Tensor]:
        """One face drawn on the mesh of the other, and where the mesh is."""
        size = self.options.size
        flat = torch.from_numpy(np.pad(other.points, ((0, 0), (0, 1))))[None]
        number, weights = rasterize(flat, self.model.triangles, size, size, facing(flat, self.model.triangles) > 0)
        known = (number >= 0)[:, None]
        places = interpolate(torch.from_numpy(one.points)[None], self.model.triangles, number, weights)
        places, _ = spread(places, known, 3)
        return sample(_image(one.image), places), erode(known.float(), 2)


def _image(picture: np.ndarray) -> Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255


def _misdrawn(mask: Tensor, rng: Generator) -> Tensor:
    """A mask that is too large here and too small there, by up to about 4 pixels."""
    size = mask.shape[-1]
    shift = cv2.resize(rng.normal(0.04, 0.16, (10, 10)).astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    soft = cv2.GaussianBlur(mask[0, 0].numpy(), (0, 0), 6)
    return torch.from_numpy((soft + shift > 0.5).astype(np.float32))[None, None]


@dataclass(frozen=True)
class BlendingTask:
    """The :class:`~fsgan_core.training.loop.Task` of this file."""

    model: UNet
    samples: Dataset[Batch]
    validation: Sequence[Batch]
    batch: int = 16
    card: Card = CARD

    def batches(self, seed: int) -> Iterator[Batch]:
        """Endless batches; batch ``i`` is made of seed ``seed + i`` alone."""
        yield from DataLoader(self.samples, batch_sampler=Numbers(seed, self.batch))

    def losses(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """The Poisson loss: distance to the exact solution where there is one.

        Large errors count more (Huber): nearly everywhere the first guess is right, and the mean distance would leave
        it as it is.
        """
        return {"poisson": 200 * distance(model, varied(batch), 0.1).mean()}

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Mean distance to the exact solution in 8-bit levels."""
        device = next(model.parameters()).device
        batch = {name: value.to(device) for name, value in default_collate(list(self.validation)).items()}
        with torch.inference_mode():
            return {"levels": float(255 * distance(model, batch).mean())}

    def sheet(self, model: nn.Module) -> NDArray[np.uint8]:
        """Target, face laid on it, exact solution and answer of 32 validation samples, as the network sees them."""
        batch = default_collate(list(self.validation)[:32])
        difference, low, inside, guess = (batch[name].float() for name in ("difference", "low", "inside", "guess"))
        device = next(model.parameters()).device
        with torch.inference_mode():
            found = corrected(model, *(value.to(device) for value in (difference, low, inside, guess))).cpu()
        laid = [torch.lerp(low, low - difference + added, inside) for added in (0, batch["membrane"].float(), found)]
        return tiled([low, *laid])

    def export(self, model: nn.Module, path: Path, figures: dict[str, float]) -> None:
        """Write the network in half precision."""
        tensors = {k: v.half() if v.is_floating_point() else v for k, v in model.state_dict().items()}
        header = {name: f"{value:.3f}" for name, value in figures.items()}
        save_weights(path, tensors, "blending", self.model.config, licence="MIT", **header)


def distance(model: nn.Module, batch: Batch, quadratic: float = 0.0) -> Tensor:
    """Mean distance of every item's membrane to the exact one, ``(B,)``; below ``quadratic`` its square."""
    seen = [batch[name].float() for name in ("difference", "low", "inside", "guess")]
    found, true, counted = corrected(model, *seen), batch["membrane"].float(), batch["counted"].float()
    gap = functional.smooth_l1_loss(found, true, reduction="none", beta=quadratic).mean(1, keepdim=True)
    return (gap * counted).sum((1, 2, 3)) / counted.sum((1, 2, 3)).clamp_min(1e-3)


def varied(batch: Batch) -> Batch:
    """The same swaps with other colours: the equation is linear, so the channels' differences may be mixed."""
    first = batch["difference"]
    mix = torch.eye(3) + 0.5 * torch.randn(len(first), 3, 3)
    mix = (mix * torch.where(torch.rand(len(first), 1, 1) < 0.5, -1.0, 1.0)).to(first.device)
    mixed = {name: torch.einsum("bij,bjhw->bihw", mix, batch[name].float()) for name in MIXED}
    result = {name: value.float() for name, value in batch.items()} | mixed
    if torch.rand(()) < 0.5:
        result = {name: value.flip(-1) for name, value in result.items()}
    return result


class Rendered(Dataset[Batch]):
    """The first samples of a slow data set, kept in memory and repeated without end."""

    def __init__(self, samples: Dataset[Batch], count: int) -> None:
        self.kept = [samples[index] for index in range(count)]

    def __getitem__(self, index: int) -> Batch:
        """One of the samples kept; every round in another order."""
        lap, place = divmod(index, len(self.kept))
        return self.kept[int(np.random.default_rng(lap).permutation(len(self.kept))[place])]


def task(data: Path, turns: int = 1, count: int = 3000, batch: int = 16, trials: int = 48) -> BlendingTask:
    """The training task on this material.

    Args:
        data: folder of the material; see :mod:`.labelled` for its layout.
        turns: turned views of each portrait, about half a second each before the training starts.
        count: swaps solved exactly before the training starts, about a fifth of a second and 0.3 MB each.
        batch: samples of a batch.
        trials: swaps that are evaluated.
    """
    model, options, props = load_face_model(), SampleOptions(), read_props(data)
    config = UNetConfig(size=options.field, inputs=INPUTS, outputs=3, channels=(16, 32, 64, 96, 96))
    network = started(UNet(config).silenced(), "blending", None)
    sets = [
        Swaps(read_labelled(data, split, model, views), props, model, options)
        for split, views in (("train", turns), ("val", 0))
    ]
    return BlendingTask(network, Rendered(sets[0], count), [sets[1][index] for index in range(trials)], batch)

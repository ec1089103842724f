"""Fits the completion model to portraits; the loop then goes on from there on portraits with holes."""

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

from ..networks.face_space import FaceSpace, FaceSpaceConfig, relative
from ..ops.boxes import bounding_boxes
from ..ops.pull_push import pull_push
from ..stages.open_completion import FIELD, completed, framed
from ..stages.pose import load_face_model
from ..weights.checkpoint import save_weights
from . import augment
from .card import Card
from .crop_occluders import Props, cover, read_props
from .face_labels import FACE
from .landmarks import Numbers, as_image, first
from .loop import Batch
from .segmentation_samples import PORTRAITS, Labelled, Placed, placed, read_labelled
from .sheets import tiled

DETAIL = 0.5
"""Weight of gradients against that of colours."""
CARD = Card(
    title="Completion model",
    purpose="Draws the part of a face that nothing shows, such as its hidden side or what was behind an occluder, from "
    "the rest of the face: a linear model of faces (probabilistic PCA) in the box of the face's mask.",
    data=f"{PORTRAITS} Parts of their faces were cut away.",
    licence="MIT",
)


class Holes(Dataset[Batch]):
    """Faces with holes; sample ``i`` depends on ``i`` alone."""

    def __init__(self, faces: Sequence[Labelled], props: Props, size: int = FIELD) -> None:
        self.faces, self.props, self.size = faces, props, size

    def __getitem__(self, index: int) -> Batch:
        """Bytes: image ``(S, S, 3)``, and ``(1, S, S)`` of 0 and 1: the hole and the face's mask."""
        rng = np.random.default_rng((13, index))
        face = placed(self.faces[int(rng.integers(len(self.faces)))], rng, self.size)
        mask = _mask(face)
        image = augment.color(face.image, rng) if rng.random() < 0.5 else face.image
        hole = _hole(face, self.props, rng) & mask
        if hole.sum() < 20 or (mask & ~hole).sum() < 100:
            return self[index + 1_000_003]
        parts = {"hole": hole[None], "mask": mask[None]}
        result = {name: torch.from_numpy(part.astype(np.uint8)) for name, part in parts.items()}
        return result | {"image": torch.from_numpy(np.ascontiguousarray(image))}


def _mask(face: Placed) -> NDArray[np.bool_]:
    """The face as far as the mesh reaches, which is what is ever drawn."""
    return np.asarray((face.labels == FACE) & (face.prior[..., 0] > 128))


def _hole(face: Placed, props: Props, rng: Generator) -> NDArray[np.bool_]:
    """One side of the face, what a drawn thing covers, or an ellipse at the border (FSGAN section 4.4)."""
    size, kind = len(face.image), rng.random()
    if kind < 0.4:
        middle = face.points[[168, 4, 152]].mean(0)
        across = face.points[454] - face.points[234]
        across = across / max(1.0, float(np.linalg.norm(across))) * rng.choice([-1, 1])
        rows, columns = np.indices((size, size))
        place = (columns - middle[0]) * across[0] + (rows - middle[1]) * across[1]
        bow = 0.06 * size * np.sin(rows / size * rng.uniform(3, 9) + rng.uniform(0, 6))
        return np.asarray(place + bow > rng.uniform(-0.02, 0.25) * size)
    if kind < 0.75:
        return np.asarray(cover(rng, face.image, face.points, props)[1] > 0.05)
    drawn = np.zeros((size, size), np.uint8)
    centre = face.points[int(rng.integers(len(face.points)))]
    axes = rng.uniform(0.06, 0.25, 2) * size
    cv2.ellipse(
        drawn, (centre.round().astype(int).tolist()), axes.astype(int).tolist(), rng.uniform(0, 180), 0, 360, 1, -1
    )
    return drawn > 0


@dataclass(frozen=True)
class CompletionTask:
    """The :class:`~fsgan_core.training.loop.Task` of this file."""

    model: FaceSpace
    samples: Dataset[Batch]
    validation: Dataset[Batch]
    batch: int = 16
    trials: int = 96
    card: Card = CARD

    def batches(self, seed: int) -> Iterator[Batch]:
        """Endless batches; batch ``i`` is made of seed ``seed + i`` alone."""
        yield from DataLoader(self.samples, batch_sampler=Numbers(seed, self.batch))

    def losses(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Distance in colour and in gradients within the hole, in units of 0.1."""
        drawn, true, hole = drawn_and_true(model, batch)
        near = functional.max_pool2d(hole, 3, 1, 1)
        gap = (drawn - true) * near
        steps = [(gap[..., 1:] - gap[..., :-1]).abs().sum(), (gap[..., 1:, :] - gap[..., :-1, :]).abs().sum()]
        area = 0.3 * hole.sum()
        return {"color": (gap * hole).abs().sum() / area, "detail": DETAIL * (steps[0] + steps[1]) / area}

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Mean distance within the holes in 8-bit levels."""
        device = next(model.parameters()).device
        found, area = 0.0, 0.0
        for batch in first(self.validation, self.trials, self.batch, device):
            with torch.inference_mode():
                drawn, true, hole = drawn_and_true(model, batch)
            found += float((255 * (drawn.clamp(0, 1) - true).abs() * hole).sum())
            area += float(3 * hole.sum())
        return {"levels": found / area}

    def sheet(self, model: nn.Module) -> NDArray[np.uint8]:
        """What is known, the answer and the truth of 32 samples of the validation split."""
        batch = default_collate([self.validation[row] for row in range(min(32, self.trials))])
        device = next(model.parameters()).device
        with torch.inference_mode():
            drawn, true, hole = drawn_and_true(model, {name: value.to(device) for name, value in batch.items()})
        mask = batch["mask"].to(device)
        return tiled([true * mask * (1 - hole), torch.lerp(true, drawn, hole) * mask, true * mask], 4)

    def export(self, model: nn.Module, path: Path, figures: dict[str, float]) -> None:
        """Write the network in half precision."""
        tensors = {k: v.half() if v.is_floating_point() else v for k, v in model.state_dict().items()}
        header = {name: f"{value:.3f}" for name, value in figures.items()}
        save_weights(path, tensors, "completion", self.model.config, licence="MIT", **header)


def drawn_and_true(model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """What the network draws, the truth (both ``(B, 3, S, S)``) and the hole ``(B, 1, S, S)``."""
    true, hole = as_image(batch["image"]), batch["hole"].float()
    if not isinstance(model, FaceSpace):
        raise ValueError(f"got a {type(model).__name__}, expected a FaceSpace")
    return completed(model, true, hole, batch["mask"].float()), true, hole


def aligned(faces: Sequence[Labelled], count: int, size: int) -> Tensor:
    """Faces in relative colours in the boxes of their masks, ``(count, 3, size, size)``; 0 beyond the masks."""
    rng, found = np.random.default_rng(3), list[Tensor]()
    while len(found) < count:
        made = placed(faces[len(found) % len(faces)], rng, FIELD)
        mask = torch.from_numpy((_mask(made))[None, None].astype(np.float32))
        image, box = as_image(torch.from_numpy(made.image)[None]), bounding_boxes(mask).float()
        face, seen = framed(pull_push(image, mask), box, size), framed(mask, box, size)
        middle, spread = relative(face, seen)
        found.append((face - middle) / spread * seen)
    return torch.cat(found)


def task(
    data: Path, turns: int = 1, batch: int = 16, trials: int = 96, count: int = 2400, portraits: int = 0
) -> CompletionTask:
    """The training task on this material.

    Args:
        data: folder of the material; see :mod:`.labelled` for its layout.
        turns: turned views of each portrait, about half a second each before the training starts.
        batch: samples of a batch.
        trials: samples that are evaluated.
        count: faces that the model is fitted to.
        portraits: the first so many of each split are used; 0 uses all.
    """
    model, props, network = load_face_model(), read_props(data), FaceSpace(FaceSpaceConfig())
    sets = [read_labelled(data, split, model, views, portraits) for split, views in (("train", turns), ("val", 0))]
    network.fit(aligned(sets[0], count, network.config.size))
    train, val = (Holes(faces, props) for faces in sets)
    return CompletionTask(network, train, val, batch, trials)

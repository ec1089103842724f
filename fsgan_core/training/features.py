"""Trains a small VGG for the perceptual loss on whose face it is and what the face does.

The identity of a portrait is told from all other portraits under turned heads, other expressions, light and blur; pose
and the openings of eyes and mouth are measured. Both make features that know a face without knowing any real person.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from ..networks.vgg import VGGConfig, VGGFeatures
from ..ops.face_model import FaceModel, poses
from ..stages.landmark_crops import after, cut, placement, shape_placement
from ..stages.openings import openness
from ..stages.pose import load_face_model
from ..weights.checkpoint import save_weights
from . import augment
from .card import Card
from .labelled import Face, read_faces
from .landmark_samples import bent
from .landmarks import Numbers, as_image
from .loop import Batch
from .turned import turn

ATTRIBUTES = ("yaw", "pitch", "roll", "mouth", "one eye", "other eye")
"""What is measured besides the identity: angles in units of 45 degrees, areas of openings in squared eye distances
times 20."""
_SHARP = 16.0
"""Scale of the cosines between a face and the known identities."""


@dataclass(frozen=True)
class View:
    """A picture of a portrait, its own or a turned one.

    Attributes:
        face: picture and landmarks.
        identity: number of the portrait.
        attributes: ``(6,)``, see :data:`ATTRIBUTES`.
    """

    face: Face
    identity: int
    attributes: NDArray[np.float32]


class Views(Dataset[Batch]):
    """Endless random crops of views; item ``i`` depends on ``i`` alone."""

    def __init__(self, views: Sequence[View], size: int, plain: bool = False) -> None:
        self.views, self.size, self.plain = views, size, plain

    def __getitem__(self, index: int) -> Batch:
        """Image uint8 ``(S, S, 3)``, identity, attributes."""
        rng = np.random.default_rng(index)
        view = self.views[index % len(self.views) if self.plain else int(rng.integers(len(self.views)))]
        middle = np.full(2, self.size / 2) + rng.normal(0, 0.03, 2) * self.size
        jitter = placement(middle, self.size * np.exp(rng.normal(0.1, 0.1)), rng.normal(0, 0.1), self.size)
        matrix = bent(after(jitter, shape_placement(view.face.landmarks, self.size)), rng, self.size)
        image = cut(view.face.image, matrix, self.size, cv2.BORDER_REPLICATE)
        image = augment.photometric(image, rng) if rng.random() < 0.8 else image
        return {
            "image": torch.from_numpy(np.ascontiguousarray(image)),
            "identity": torch.tensor(view.identity),
            "attributes": torch.from_numpy(view.attributes),
        }


class FeatureNet(nn.Module):
    """The feature network with heads that only training needs.

    Args:
        config: of the features.
        identities: portraits to tell apart.
    """

    def __init__(self, config: VGGConfig, identities: int) -> None:
        super().__init__()
        self.vgg = VGGFeatures(config)
        width = sum(config.widths[-2:])
        self.identities = nn.Parameter(torch.randn(identities, width))
        self.attributes = nn.Linear(width, len(ATTRIBUTES))

    def forward(self, images: Tensor) -> Tensor:
        """Descriptors ``(B, D)``: means of the last tap and of what follows it."""
        tap = self.vgg(images)[-1]
        rest = self.vgg.features[30:](tap)
        return torch.cat([tap.mean((2, 3)), rest.mean((2, 3))], 1)


@dataclass(frozen=True)
class FeatureTask:
    """The :class:`~fsgan_core.training.loop.Task` of this file."""

    model: FeatureNet
    views: Views
    held_out: Views
    card: Card
    batch: int = 48
    workers: int = 1

    def batches(self, seed: int) -> Iterator[Batch]:
        """Endless batches; batch ``i`` is made of seed ``seed + i`` alone."""
        order = Numbers(seed, self.batch)
        yield from DataLoader(self.views, batch_sampler=order, num_workers=self.workers)

    def losses(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy of the identity over scaled cosines, and the attributes' distance."""
        network = _known(model)
        found = network(as_image(batch["image"])).float()
        cosines = F.normalize(found) @ F.normalize(network.identities).T
        identity = F.cross_entropy(_SHARP * cosines, batch["identity"], label_smoothing=0.05)
        distance = (network.attributes(found) - batch["attributes"]).abs().mean()
        return {"identity": identity, "attributes": distance}

    @torch.no_grad()
    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """On portraits never seen: whether the nearest other view is of the same one, and how far yaw is off."""
        network = _known(model)
        items = [self.held_out[index] for index in range(len(self.held_out.views))]
        device = next(model.parameters()).device
        images = torch.stack([item["image"] for item in items]).to(device)
        found = torch.cat([network(as_image(part)) for part in images.split(64)])
        identity = torch.stack([item["identity"] for item in items]).to(device)
        attributes = torch.stack([item["attributes"] for item in items]).to(device)
        cosines = F.normalize(found) @ F.normalize(found).T - 2 * torch.eye(len(found), device=device)
        right = identity[cosines.argmax(1)] == identity
        yaw = 45 * (network.attributes(found) - attributes)[:, 0].abs()
        return {"nearest": float(right.float().mean()), "yaw": float(yaw.mean())}

    def export(self, model: nn.Module, path: Path, figures: dict[str, float]) -> None:
        """Write the features alone, in half precision, as the kind ``vgg`` that official ones have too."""
        vgg = _known(model).vgg
        tensors = {k: v.half() if v.is_floating_point() else v for k, v in vgg.state_dict().items()}
        header = {name: f"{value:.4f}" for name, value in figures.items()}
        save_weights(path, tensors, "vgg", asdict(vgg.config), fsgan_stage="perceptual", **header)


def _known(model: nn.Module) -> FeatureNet:
    if not isinstance(model, FeatureNet):
        raise ValueError(f"got a {type(model).__name__}, expected a FeatureNet")
    return model


def attributes_of(face: Face, model: FaceModel) -> NDArray[np.float32]:
    """Attributes ``(6,)`` of a face, from its landmarks."""
    points = torch.from_numpy(face.landmarks)[None]
    angles = poses(model, points)[0] / 45
    across = (points[:, 33] - points[:, 263]).norm(dim=1)
    gaps = torch.cat([openness(points / across[:, None, None], number) for number in (1, 2, 3)])
    return np.asarray(torch.cat([angles, 20 * gaps]).numpy(), np.float32)


def read_views(data: Path, split: str, turns: int, model: FaceModel, most: int = 0) -> list[View]:
    """The portraits of a split (the first ``most``, if that is not 0) and ``turns`` turned views of each."""
    rng = np.random.default_rng(0)
    views = []
    for number, face in enumerate(read_faces(data, split, most=most)):
        faces = [face, *(turn(face, model, rng) for _ in range(turns))]
        views += [View(one, number, attributes_of(one, model)) for one in faces]
    return views


def task(
    data: Path,
    turns: int = 3,
    batch: int = 48,
    workers: int = 1,
    size: int = 96,
    widths: Sequence[int] = (16, 32, 48, 64, 64),
    portraits: int = 0,
) -> FeatureTask:
    """The training task on this material.

    Args:
        data: folder of the material; see :mod:`.labelled` for its layout.
        turns: turned views of each portrait, drawn before the training starts, about a tenth of a second each.
        batch: pictures of a batch.
        workers: processes that make them; 0 makes them in this one.
        size: side of the crops in pixels.
        widths: channels of the network's five groups.
        portraits: the first so many of each split are used; 0 uses all.
    """
    model = load_face_model()
    views = read_views(data, "train", turns, model, portraits)
    held_out = Views(read_views(data, "val", 1, model, portraits), size, plain=True)
    card = Card(
        title="Feature network for the perceptual loss",
        purpose="A small VGG whose features know faces; an aid for training. It recognises no real person.",
        data="Portraits of people who do not exist, and turned views of them; see docs/training.md.",
        licence="MIT, if trained on the sets that docs/training.md names",
        faults="Trained on few hundred portraits of adults: its idea of identity is rough.",
    )
    network = FeatureNet(VGGConfig(widths=tuple(widths)), views[-1].identity + 1)
    return FeatureTask(network, Views(views, size), held_out, card, batch, workers)

"""Trains the segmentation network on portraits with drawn occluders."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, default_collate

from ..networks.unet import UNet, UNetConfig
from ..stages.open_networks import Network
from ..stages.open_segmentation import normalized
from ..stages.pose import load_face_model
from ..weights.checkpoint import fill, load_weights, save_weights, understood
from . import segmentation_renders, worn_glasses
from .card import Card
from .crop_occluders import Props, read_props
from .landmarks import Numbers, as_image, first
from .loop import Batch
from .pairs import read_engine
from .segmentation_samples import PORTRAITS, SampleOptions, Samples, read_labelled, unpack
from .sheets import tiled, tinted

FACE, HAIR = 1, 2
"""Channels of the answer; 0 is the rest, as in FSGAN."""
CARD = Card(
    title="Segmentation network",
    purpose="Finds face, hair and the rest in a crop, from the picture and the mesh of its landmarks. Whatever is in "
    "front of a face (hands, frames of glasses, dark lenses, microphones, cloth) is rest; clear lenses and beards are "
    "face.",
    data=f"{PORTRAITS} Face and hair were labelled from the landmarks and by colour (`face_labels.py`), occluders were "
    "drawn with exact labels (`crop_occluders.py`), wearers' own glasses labelled by an earlier network "
    "(`worn_glasses.py`). The face masks among them are MaskTheFace's (MIT).",
    licence="MIT",
)


@dataclass(frozen=True)
class SegmentationTask:
    """The :class:`~fsgan_core.training.loop.Task` of this file."""

    model: UNet
    samples: Samples
    validation: Samples
    batch: int = 16
    trials: int = 96
    card: Card = CARD

    def batches(self, seed: int) -> Iterator[Batch]:
        """Endless batches; batch ``i`` is made of seed ``seed + i`` alone."""
        yield from DataLoader(self.samples, batch_sampler=Numbers(seed, self.batch))

    def losses(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy of the face, counted more where the mesh lies and near edges, and of the three classes."""
        answer = log_shares(model, batch)
        face, hair = batch["face"].float() / 255, batch["hair"].float() / 255
        known = batch["known"].float()
        weight = known * (1 + 3 * (batch["prior"][..., 0] > 128).float()) * (1 + 4 * fineness(face))
        other = torch.logaddexp(answer[:, 0], answer[:, HAIR])
        mask = -(face * answer[:, FACE] + (1 - face) * other)
        parts = -(face * answer[:, FACE] + hair * answer[:, HAIR] + (1 - face - hair) * answer[:, 0])
        return {"face": (weight * mask).sum() / weight.sum(), "parts": 0.3 * (known * parts).sum() / known.sum()}

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Intersection over union of the covered face in percent, and of the hair."""
        overlaps = torch.zeros(4)
        device = next(model.parameters()).device
        for batch in first(self.validation, self.trials, self.batch, device):
            with torch.inference_mode():
                classes = log_shares(model, batch).argmax(1)
            for number, name in ((FACE, "face"), (HAIR, "hair")):
                found, true, known = classes == number, batch[name] > 127, batch["known"] > 0
                overlaps[2 * number - 2] += (found & true & known).sum().cpu()
                overlaps[2 * number - 1] += ((found | true) & known).sum().cpu()
        return {"face_iou": float(100 * overlaps[0] / overlaps[1]), "hair_iou": float(100 * overlaps[2] / overlaps[3])}

    def sheet(self, model: nn.Module) -> NDArray[np.uint8]:
        """Picture, label and answer of 32 samples of the validation split; face green, hair purple."""
        batch = default_collate([self.validation[row] for row in range(min(32, self.trials))])
        with torch.inference_mode():
            shares = log_shares(model, {k: v.to(next(model.parameters()).device) for k, v in batch.items()}).exp().cpu()
        image, true = as_image(batch["image"]), [batch[name][:, None] / 255 for name in ("face", "hair")]
        found = [shares[:, FACE : FACE + 1], shares[:, HAIR:]]
        drawn = [tinted(tinted(image, face), hair, (1, 0, 1)) for face, hair in (true, found)]
        return tiled([image, *drawn], 4)

    def export(self, model: nn.Module, path: Path, figures: dict[str, float]) -> None:
        """Write the network in half precision."""
        tensors = {k: v.half() if v.is_floating_point() else v for k, v in model.state_dict().items()}
        header = {name: f"{value:.3f}" for name, value in figures.items()}
        save_weights(path, tensors, "segmentation", self.model.config, licence="MIT", **header)


def started(network: Network, kind: str, start: str | Path) -> Network:
    """A network with the weights of an earlier run of that kind, if a file is named; in channels-last memory.

    Raises:
        WeightsError: the file is missing, damaged, or holds something else.
    """
    if start:
        tensors, _ = load_weights(Path(start), kind)
        with understood(Path(start), "is of another network", "name weights of the same network and size"):
            fill(network, tensors)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def fineness(face: Tensor) -> Tensor:
    """How much pixels ``(B, S, S)`` differ from those around them; wires and strands else count for nothing."""
    return (face - functional.avg_pool2d(face, 9, 1, 4, count_include_pad=False)).abs()


def log_shares(model: nn.Module, batch: Batch) -> Tensor:
    """Logarithms of the classes' shares ``(B, 3, S, S)``."""
    inputs = torch.cat((normalized(as_image(batch["image"])), unpack(batch["prior"])), 1)
    return functional.log_softmax(model(inputs.contiguous(memory_format=torch.channels_last)).float(), 1)


def task(
    data: Path,
    turns: int = 1,
    batch: int = 16,
    size: int = 192,
    trials: int = 96,
    rendered: int = 0,
    start: str | Path = "",
    portraits: int = 0,
    taught: bool = False,
) -> SegmentationTask:
    """The training task on this material.

    Args:
        data: folder of the material; see :mod:`.labelled` for its layout.
        turns: turned views of each portrait, about half a second each before the training starts.
        batch: samples of a batch.
        size: side of the crops in pixels.
        trials: samples that are evaluated.
        rendered: heads that the data engine draws in addition, for which ``data`` needs ``ict/``.
        start: file of weights to start from; none when not given.
        portraits: the first so many of each split are used; 0 uses all.
        taught: wearers' own glasses are labelled as the network of ``start`` sees them, and dark ones are used too.
    """
    model, config = load_face_model(), UNetConfig(size=size, channels=(16, 32, 64, 96, 128))
    network = started(UNet(config), "segmentation", start)
    options, props = SampleOptions(size=config.size), read_props(data)
    validation = Samples(read_labelled(data, "val", model, 0, portraits), Props(props.masks, props.textures), options)
    teach = partial(worn_glasses.taught, network=copy.deepcopy(network).eval()) if taught else None
    faces = read_labelled(data, "train", model, turns, portraits, teach)
    if rendered:
        faces += segmentation_renders.rendered(read_engine(data), rendered)
    samples = Samples(faces, props, options)
    return SegmentationTask(network, samples, validation, batch, trials)

"""Trains the alignment network on faces drawn onto photos and then bent, so that the way back is known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset, default_collate

from ..networks.alignment_net import REACH, SIDE, AlignmentNet, AlignmentNetConfig, evened, moved, unlikeness
from ..networks.flow_net import WINDOW
from ..ops.pooling import box_mean, halved
from ..stages.open_landmarks import load_open_landmarker
from ..stages.pose import load_face_model
from . import augment
from .card import Card
from .drawings import Drawing, Image, drawings
from .labelled import read_faces
from .landmarks import first, numbered
from .loop import Batch
from .reenactment_pairs import weighted
from .run_files import grid, save_half
from .segmentation import started

KIND = "alignment"
SURENESS = {"own": 1.0, "exact": 1.0, "measured": 0.0, "other": 0.4}
"""Weight of the known shift, by kind: measured landmarks are wrong by more than the bend, of two people any are."""
_BENDS = ((3, 0.8), (6, 0.9), (12, 0.9), (22, 0.6))
"""Cells along a window and strength of the parts of a bend."""
_CELL = WINDOW // 64
Field = NDArray[np.float32]
Values = TypeVar("Values", Image, Field)


class Samples(Dataset[Batch]):
    """Sample ``i`` depends on ``i`` and the seed alone."""

    def __init__(self, faces: Sequence[Drawing], seed: int) -> None:
        self.faces, self.seed = faces, seed

    def __getitem__(self, index: int) -> Batch:
        """Inputs of the network; the shift it should find, how sure that is, where it matters."""
        rng = np.random.default_rng((self.seed, index))
        one = self.faces[int(rng.integers(len(self.faces)))]
        cover, trust = (np.asarray(cv2.resize(field, (WINDOW, WINDOW)), np.uint8) for field in (one.cover, one.trust))
        kind, face = one.kind, one.drawn
        if rng.random() < 0.2:  # the photo itself
            kind, face, trust = "own", one.target, cover
        place, bend = posed(rng), bent(rng)
        through = composed(place, bend)
        drawn, target = seen(looked_up(face, through), rng), seen(looked_up(one.target, place), rng)
        if rng.random() < 0.2:
            target = augment.cover(target, augment.blob(SIDE, rng), augment.paint(SIDE, rng, ()))
        fields = {"drawn": drawn.mean(2), "target": target.mean(2), "cover": small(looked_up(cover, through))}
        fields |= {"face": small(looked_up(cover, place)), "trust": small(looked_up(trust, place))}
        batch = {name: torch.from_numpy((field / 255).astype(np.float32))[None] for name, field in fields.items()}
        sure, same = torch.tensor(SURENESS[kind]), torch.tensor(float(kind != "other"))
        return batch | {"shift": torch.from_numpy(way_back(bend)), "sure": sure, "same": same}


def posed(rng: Generator) -> Field:
    """Where to look in a window turned, scaled, moved and mirrored at random, ``(WINDOW, WINDOW, 2)``."""
    angle, scale = rng.normal(0, 0.2), np.exp(rng.normal(0, 0.06))
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turn[:, 0] *= rng.choice((-1, 1))
    centred = _places(WINDOW) + 0.5 - WINDOW / 2
    return np.asarray(centred @ turn.T + WINDOW / 2 - 0.5 + rng.normal(0, 3, 2), np.float32)


def bent(rng: Generator) -> Field:
    """A random smooth displacement ``(WINDOW, WINDOW, 2)`` in pixels, as wrong landmarks cause it."""
    total, size = np.zeros((WINDOW, WINDOW, 2), np.float32), np.exp(rng.normal(-0.2, 0.7))
    for cells, share in _BENDS:
        coarse = rng.normal(0, share * size * rng.uniform(0, 1.3), (cells, cells, 2)).astype(np.float32)
        total += cv2.resize(coarse, (WINDOW, WINDOW), interpolation=cv2.INTER_CUBIC)
    return np.asarray(REACH * np.tanh(total / REACH), np.float32)


def composed(places: Field, bend: Field) -> Field:
    """Where a window bent by ``bend`` looks, if the unbent one looks at ``places``."""
    return looked_up(places, _places(WINDOW) + bend)


def way_back(bend: Field) -> Field:
    """The shift ``(2, WINDOW / 4, WINDOW / 4)`` that undoes a bend: f(x) = -bend(x + f(x)), by iteration."""
    centres = (_places(WINDOW // _CELL) + 0.5) * _CELL - 0.5
    shift = np.zeros_like(centres)
    for _ in range(4):
        shift = -looked_up(bend, centres + shift)
    return np.ascontiguousarray(shift.transpose(2, 0, 1), np.float32)


def looked_up(values: Values, places: Field) -> Values:
    """Bytes or numbers at the places of a window; mirrored beyond the border."""
    x, y = places[..., 0], places[..., 1]
    found = cv2.remap(values, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(found, values.dtype)


def small(picture: NDArray[Any]) -> Image:
    """A picture at half the window's size."""
    return np.asarray(cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def seen(picture: Image, rng: Generator) -> Image:
    """A brightness at half the window, ``(SIDE, SIDE, 3)``, as some camera shows it."""
    image = np.repeat(small(picture)[..., None], 3, 2)
    return augment.photometric(image, rng) if rng.random() < 0.8 else image


def _places(size: int) -> Field:
    """The place of each pixel, x and y counted from the first one's centre, ``(size, size, 2)``."""
    rows, columns = np.indices((size, size), dtype=np.float32)
    return np.stack((columns, rows), -1)


@dataclass(frozen=True)
class AlignmentTask:
    """The :class:`~fsgan_core.training.loop.Task` of this file."""

    model: AlignmentNet
    samples: Samples
    validation: Samples
    batch: int = 16
    workers: int = 1
    trials: int = 256
    card: Card = Card(
        title="Alignment network",
        purpose="Says how a drawn face lies off a picture of it; holds the landmarks of a clip together and lays "
        "reenacted crops onto the target's edges.",
        data="AI-generated portraits, drawn onto each other by the flow engine and bent; docs/training.md names them. "
        "No real person.",
        licence="MIT",
    )

    def batches(self, seed: int) -> Iterator[Batch]:
        """Endless batches; batch ``i`` is made of seed ``seed + i`` alone."""
        return numbered(self.samples, seed, self.batch, self.workers)

    def losses(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Distance to the known shift; and how unlike the photo one's own aligned face is."""
        shift = model(batch["drawn"], batch["target"], batch["cover"])
        sure, same = (batch[name][:, None, None, None] for name in ("sure", "same"))
        weight = halved(batch["face"] * (0.2 + batch["trust"]) * edges(batch["target"]))
        away = (shift - batch["shift"]).square().sum(1, keepdim=True).add(0.01).sqrt()
        unlike = unlikeness(moved(batch["drawn"], shift), batch["target"]) * batch["face"] * batch["trust"]
        return {
            "shift": (away * sure * weight).mean() / weight.mean(),
            "photo": 2 * (unlike * same).mean() / batch["face"].mean(),
        }

    @torch.inference_mode()
    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Mean distance to the known shift in pixels of the window, where that is sure; before and after."""
        device = next(model.parameters()).device
        before, later = list[Tensor](), list[Tensor]()
        for batch in first(self.validation, self.trials, self.batch, device):
            shift = model(batch["drawn"], batch["target"], batch["cover"])
            weight = halved(batch["face"] * batch["trust"])
            for found, errors in ((0 * shift, before), (shift, later)):
                away = (found - batch["shift"]).square().sum(1, keepdim=True).sqrt()
                errors.append(((away * weight).sum((1, 2, 3)) / weight.sum((1, 2, 3)).clamp_min(1))[batch["sure"] == 1])
        return {"start": float(torch.cat(before).mean()), "error": float(torch.cat(later).mean())}

    def export(self, model: nn.Module, path: Path, figures: dict[str, float]) -> None:
        """Write the network in half precision."""
        save_half(path, model, KIND, self.model.config, figures)

    @torch.inference_mode()
    def sheet(self, model: nn.Module) -> NDArray[np.uint8]:
        """Rows of target, drawn face, aligned by the network, and by the known shift."""
        device = next(model.parameters()).device
        batch = {k: v.to(device) for k, v in default_collate([self.validation[row] for row in range(8)]).items()}
        drawn, target = batch["drawn"], batch["target"]
        found = model(drawn, target, batch["cover"])
        columns = (target, drawn, moved(drawn, found), moved(drawn, batch["shift"]))
        bytes_ = ((c.clamp(0, 1) * 255).round().byte().expand(-1, 3, -1, -1) for c in columns)
        return grid(list(zip(*(c.permute(0, 2, 3, 1).cpu().numpy() for c in bytes_), strict=True)))


def edges(picture: Tensor) -> Tensor:
    """How much there is to see at each place of a picture ``(B, 1, N, N)``: 0.3 on plain skin, about 1 at lids."""
    even = evened(picture, torch.ones_like(picture))
    return 0.3 + (box_mean(even.square(), 7) - box_mean(even, 7).square()).clamp(0, 2)


def task(
    data: Path,
    faces: int = 9000,
    batch: int = 16,
    workers: int = 1,
    start: str | Path = "",
) -> AlignmentTask:
    """The training task on this material.

    Args:
        data: folder of the material; see :mod:`.labelled` for its layout.
        faces: drawings made before the training starts, about a tenth of a second and 160 kB of memory each.
        batch: samples of a batch.
        workers: processes that make them; 0 makes them in this one.
        start: file of weights to start from; none when not given.

    Raises:
        WeightsError: the weights do not fit.
    """
    tools = load_face_model(), load_open_landmarker()
    splits = {"train": faces, "val": max(8, faces // 60)}
    made = [
        list(islice(drawings(weighted(read_faces(data, split)), tools, seed), count))
        for seed, (split, count) in enumerate(splits.items())
    ]
    network = started(AlignmentNet(AlignmentNetConfig()), KIND, start)
    return AlignmentTask(network, Samples(made[0], 0), Samples(made[1], 1), batch, workers)

"""Training of the face detector on synthetic scenes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from ..networks.detector import Detector, DetectorConfig
from ..ops.boxes import generalized_overlaps, overlaps, suppress
from ..weights.checkpoint import save_weights
from .card import Card
from .composites import Material, Scene, pair, read_material, scene
from .run_files import grid

REACH = ((0, 40), (28, 88), (64, 190), (140, 1e6))
"""Faces that each level answers for: smallest and largest side in pixels, with overlaps so that none falls between."""

SIZES = {256: 20, 320: 16, 448: 8}
"""Scene sizes in pixels and the scenes in one batch, about as many pixels in each."""

NOTHING, FACE, UNSURE = range(3)

Batch = dict[str, Tensor]


def task(data: Path, scenes: int = 96) -> DetectionTask:
    """The detector's training task.

    Args:
        data: folder of the training material (portrait sets, backgrounds, occluders).
        scenes: held-out scenes that it is measured on.
    """
    held_out = read_material(data, "val")
    return DetectionTask(Detector(DetectorConfig()), read_material(data, "train"), held_out, scenes)


class DetectionTask:
    """Model, scenes, losses and figures of the detector."""

    card = Card(
        title="Face detector",
        purpose="Finds faces in a picture. It does not recognise anyone.",
        data="Scenes of portraits, backgrounds and occluders; docs/training.md names the shipped network's.",
        licence="MIT, if trained on the sets that docs/training.md names",
    )

    def __init__(self, model: Detector, material: Material, held_out: Material, scenes: int = 96) -> None:
        self.scenes = scenes
        self.model: nn.Module = model
        self.config = model.config
        self.material = material
        self.held_out = held_out

    def batches(self, seed: int) -> Iterator[Batch]:
        """Endless batches of scenes and their mirrors; batch ``i`` depends on ``seed + i`` alone."""
        for number in count(seed):
            rng = np.random.default_rng(number)
            size = int(rng.choice(list(SIZES), p=[0.25, 0.5, 0.25]))
            pairs = [pair(rng, self.material, size) for _ in range(SIZES[size] // 2)]
            yield collated([found for both in pairs for found in both])

    def losses(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Quality focal loss of the scores and generalised overlap of the boxes."""
        logits, boxes = model(batch["image"].float() / 255)
        cells = self.cells(batch["image"].shape[-2:]).to(logits.device)
        return detection_losses(logits, boxes, cells, batch["boxes"], batch["kinds"])

    def cells(self, size: tuple[int, ...]) -> Tensor:
        """Centre, stride and reach of every cell of a picture: ``(N, 5)`` x, y, stride, smallest, largest."""
        rows = []
        for stride, reach in zip(self.config.strides, REACH, strict=True):
            height, width = (-(-side // stride) for side in size)
            y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
            centres = (torch.stack([x, y], -1).flatten(0, 1) + 0.5) * stride
            rows.append(torch.cat([centres, torch.tensor([[stride, *reach]]).expand(len(centres), 3)], 1))
        return torch.cat(rows)

    @torch.no_grad()
    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Recall, mean overlap and false boxes a scene at score 0.5, on fixed scenes of held-out portraits."""
        rng = np.random.default_rng(7)
        hits, faces, false, quality = 0, 0, 0, 0.0
        for _ in range(self.scenes):
            found = scene(rng, self.held_out, 320)
            kept = boxes_in(model, found)
            match = overlaps(kept[:, None], torch.from_numpy(found.boxes)[None])
            best = match[:, torch.from_numpy(found.sure)].amax(0) if len(kept) else torch.zeros(int(found.sure.sum()))
            hits, faces = hits + int((best > 0.5).sum()), faces + len(best)
            quality += float(best[best > 0.5].sum())
            false += int((match.amax(1) < 0.3).sum()) if len(found.boxes) else len(kept)
        return {"recall": hits / max(1, faces), "overlap": quality / max(1, hits), "false": false / self.scenes}

    @torch.no_grad()
    def sheet(self, model: nn.Module) -> NDArray[np.uint8]:
        """Six held-out scenes, always the same, with true boxes in white and found ones in green."""
        rng, pictures = np.random.default_rng(7), []
        for _ in range(6):
            found = scene(rng, self.held_out, 320)
            picture = np.ascontiguousarray(found.image)
            for colour, boxes in (((255, 255, 255), found.boxes), ((0, 255, 0), boxes_in(model, found).numpy())):
                for left, top, right, bottom in boxes.round().astype(int).tolist():
                    cv2.rectangle(picture, (left, top), (right, bottom), colour, 2)
            pictures.append(picture)
        return grid([pictures[:3], pictures[3:]])

    def export(self, model: nn.Module, path: Path, figures: dict[str, float]) -> None:
        """Write the network in half precision."""
        tensors = {name: value.half() for name, value in model.state_dict().items() if value.is_floating_point()}
        shown = {name: f"{value:.4f}" for name, value in figures.items()}
        save_weights(path, tensors, "detector", self.config, **shown)


def boxes_in(model: nn.Module, found: Scene) -> Tensor:
    """Boxes ``(N, 4)`` that the model finds in a scene at score 0.5."""
    device = next(model.parameters()).device
    logits, boxes = model(collated([found])["image"].to(device).float() / 255)
    good = logits[0].sigmoid() > 0.5
    kept: Tensor = boxes[0][good][suppress(boxes[0][good], logits[0][good])].cpu()
    return kept


def collated(scenes: list[Scene]) -> Batch:
    """Scenes of one size as tensors: ``image`` uint8, ``boxes`` ``(B, M, 4)`` and ``kinds`` ``(B, M)``."""
    most = max(1, max(len(found.boxes) for found in scenes))
    boxes = torch.zeros(len(scenes), most, 4)
    kinds = torch.full((len(scenes), most), NOTHING)
    for row, found in enumerate(scenes):
        boxes[row, : len(found.boxes)] = torch.from_numpy(found.boxes)
        kinds[row, : len(found.boxes)] = torch.from_numpy(np.where(found.sure, FACE, UNSURE))
    images = np.stack([found.image.transpose(2, 0, 1) for found in scenes])
    return {"image": torch.from_numpy(images), "boxes": boxes, "kinds": kinds}


def assigned(cells: Tensor, boxes: Tensor, kinds: Tensor, size: float = 1e6) -> tuple[Tensor, Tensor]:
    """Which face every cell answers for.

    A cell answers for a face whose centre (of the part inside the picture) is near and whose size its level reaches;
    the smallest, if there are several.

    Args:
        cells: ``(N, 5)`` from :meth:`DetectionTask.cells`.
        boxes: ``(B, M, 4)``.
        kinds: ``(B, M)``.
        size: side of the picture in pixels.

    Returns:
        ``(B, N)`` indices of faces, -1 for none, and ``(B, N)`` whether the cell is to be left out.
    """
    x, stride = cells[:, None, :2], cells[:, None, 2]
    shown = boxes.clamp(0, size)[:, None]
    centre, sides = (shown[..., :2] + shown[..., 2:]) / 2, boxes[..., 2:] - boxes[..., :2]
    radius = (0.25 * sides.amin(-1)[:, None]).clamp(min=0).maximum(0.51 * stride).minimum(1.5 * stride)
    largest = sides.amax(-1)[:, None]
    near = ((x - centre).abs().amax(-1) <= radius) & (largest >= cells[:, None, 3]) & (largest <= cells[:, None, 4])
    near &= (kinds == FACE)[:, None]
    rank = torch.where(near, largest, torch.inf)
    best, index = rank.min(-1)
    inside = ((x >= boxes[:, None, :, :2]) & (x <= boxes[:, None, :, 2:])).all(-1)
    unsure = (inside & (kinds == UNSURE)[:, None]).any(-1) & best.isinf()
    return torch.where(best.isinf(), -1, index), unsure


def detection_losses(logits: Tensor, found: Tensor, cells: Tensor, boxes: Tensor, kinds: Tensor) -> dict[str, Tensor]:
    """Losses of one batch.

    Args:
        logits: ``(B, N)`` scores.
        found: ``(B, N, 4)`` boxes.
        cells: ``(N, 5)``.
        boxes: ``(B, M, 4)`` true boxes.
        kinds: ``(B, M)`` their kinds.

    Returns:
        ``score``: quality focal loss (Li et al. 2020, equation 2, beta = 2), ``box``: generalised overlap.
    """
    index, unsure = assigned(cells, boxes, kinds, float(cells[:, :2].max() + cells[0, 2] / 2))
    positive = index >= 0
    number = positive.sum().clamp(min=1)
    true = boxes.gather(1, index.clamp(min=0)[..., None].expand(-1, -1, 4))
    quality = torch.where(positive, overlaps(found.detach(), true), 0)
    weight = (logits.sigmoid() - quality).detach().abs() ** 2 * ~unsure
    score = (F.binary_cross_entropy_with_logits(logits, quality, reduction="none") * weight).sum() / number
    box = (1 - generalized_overlaps(found[positive], true[positive])).sum() / number
    return {"score": 2 * score, "box": 2 * box}

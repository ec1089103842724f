"""Training of the segmentation U-Net on users' own datasets (section 4.6 of the paper's supplement, v2's experiment).

What is face is read from ``NAME.labels.png`` beside a crop ``NAME.jpg`` (0 background, 1 face, 2 hair), where someone
or something has labelled it; elsewhere the mesh of the landmarks says it, and hair counts as background.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset

from ..errors import MediaError
from ..networks.seg_unet import SegmentationUNet, SegmentationUNetConfig
from ..stages.landmark_crops import after, cut, moved, placement
from ..stages.pose import load_face_model
from ..stages.segmentation import MeshSegmenter
from . import augment
from .card import Card
from .dataset import FaceTrack, face_placement, read_dataset
from .loop import Batch
from .losses import segmentation_loss
from .official_generators import Plan
from .official_nets import export, initialise, start_from
from .official_pairs import MARGIN, OWN_PICTURES, batches, first_batch, pictures
from .portraits import read_picture
from .run_files import grid

_COLOURS = np.array([[0, 0, 0], [200, 60, 60], [60, 60, 200]], np.uint8)
_SHOWN = 6


class LabelledCrops(Dataset[Batch]):
    """Endless crops with labels, turned up to 30 degrees, mirrored, in other colours; item ``i`` depends on ``i``.

    Args:
        tracks: of a dataset.
        side: of the crops in pixels.
        plain: change nothing.
    """

    def __init__(self, tracks: Sequence[FaceTrack], side: int, plain: bool = False) -> None:
        self.places = [(track, row) for track in tracks for row in range(len(track))]
        self.side, self.plain = side, plain
        self.mesh = MeshSegmenter(load_face_model())

    def __getitem__(self, index: int) -> Batch:
        """``target`` uint8 ``(S, S, 3)`` and ``labels`` int64 ``(S, S)``."""
        rng = np.random.default_rng(index)
        track, row = self.places[index % len(self.places) if self.plain else int(rng.integers(len(self.places)))]
        matrix = face_placement(track.landmarks[row], self.side, MARGIN)
        if not self.plain:
            middle = np.full(2, self.side / 2) + rng.normal(0, 0.03, 2) * self.side
            matrix = after(placement(middle, self.side, np.radians(rng.uniform(-30, 30)), self.side), matrix)
            if rng.random() < 0.5:
                matrix = np.diag([-1.0, 1.0]) @ matrix + [[0, 0, self.side], [0, 0, 0]]
        image = cut(read_picture(track.files[row]), matrix, self.side)
        labels = self._labels(track, row, matrix)
        if not self.plain:
            image = augment.color(image, rng)
            image = np.asarray(cv2.GaussianBlur(image, (5, 5), 0), np.uint8) if rng.random() < 0.5 else image
        return {"target": torch.from_numpy(np.ascontiguousarray(image)), "labels": labels}

    def _labels(self, track: FaceTrack, row: int, matrix: NDArray[np.float64]) -> Tensor:
        path = track.files[row].with_suffix(".labels.png")
        if path.is_file():
            found = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
            if found is None or found.max() > 2:
                raise MediaError(f"{path} is no picture of the classes 0, 1 and 2; mend or remove it")
            # Classes do not mix: each is moved by itself.
            layers = [cut(np.repeat(255 * (found == k)[..., None], 3, 2).astype(np.uint8), matrix, self.side)
                      for k in (0, 1, 2)]  # fmt: skip
            return torch.from_numpy(np.stack([layer[..., 0] for layer in layers]).argmax(0))
        points = torch.from_numpy(moved(track.landmarks[row], matrix).astype(np.float32))[None]
        return (self.mesh(torch.zeros(1, 3, self.side, self.side), points)[0, 0] > 0.5).long().clone()


class SegmentationTask:
    """The :class:`~fsgan_core.training.loop.Task` of this file.

    Args:
        crops: of the training split.
        held_out: of the validation split.
        plan: see :class:`~.official_generators.Plan`.
    """

    def __init__(self, crops: LabelledCrops, held_out: LabelledCrops, plan: Plan) -> None:
        self.model: nn.Module = SegmentationUNet(SegmentationUNetConfig(width=min(64, plan.width)))
        initialise(self.model)
        if plan.start:
            start_from(self.model, Path(plan.start))
        self.crops, self.held_out, self.plan = crops, held_out, plan
        purpose = "Which pixels are face, for fsgan swap --models DIR."
        self.card = Card(title="FSGAN segmentation network", purpose=purpose, data=OWN_PICTURES)

    def batches(self, seed: int) -> Iterator[Batch]:
        """Endless batches of crops."""
        yield from batches(self.crops, seed, self.plan.batch, self.plan.workers)

    def losses(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy."""
        return {"entropy": segmentation_loss(model(pictures(batch["target"])), batch["labels"])}

    @torch.no_grad()
    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Intersection over union of the face on the validation split."""
        batch = first_batch(self.held_out, min(64, len(self.held_out.places)), next(model.parameters()).device)
        found = torch.cat([model(pictures(part)).argmax(1) for part in batch["target"].split(8)]) == 1
        true = batch["labels"] == 1
        return {"overlap": float((found & true).sum() / (found | true).sum().clamp(min=1))}

    @torch.no_grad()
    def sheet(self, model: nn.Module) -> NDArray[np.uint8]:
        """Rows of picture, found and true classes."""
        batch = first_batch(self.held_out, min(_SHOWN, len(self.held_out.places)), next(model.parameters()).device)
        classes = model(pictures(batch["target"])).argmax(1).cpu().numpy()
        columns = (batch["target"].cpu().numpy(), _COLOURS[classes], _COLOURS[batch["labels"].cpu().numpy()])
        return grid(list(zip(*columns, strict=True)))

    def export(self, model: nn.Module, path: Path, figures: dict[str, float]) -> None:
        """Write the network as a converted official file."""
        export(model, path, "segmentation", figures)


def segmentation(data: Path, plan: Plan, arch: str) -> SegmentationTask:
    """S: face, hair and the rest (section 4.6)."""
    crops = [LabelledCrops(read_dataset(data, split), plan.resolution, split == "val") for split in ("train", "val")]
    return SegmentationTask(crops[0], crops[1], plan)

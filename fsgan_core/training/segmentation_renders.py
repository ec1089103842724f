"""Heads drawn by the data engine as samples of the segmentation network: other poses, lights and backgrounds."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..ops.landmarks import LEFT_BROW, RIGHT_BROW
from ..stages.open_segmentation import mesh_prior
from .face_labels import FACE, UNKNOWN
from .pairs import Engine, PairOptions, pairs
from .segmentation_samples import MARGIN, SIDE, Labelled, pack

_OPTIONS = PairOptions(size=SIDE, margins=(0.95 * MARGIN, MARGIN), chances=(1, 0, 0, 0))
_BATCH = 4


def rendered(engine: Engine, count: int, seed: int = 3) -> list[Labelled]:
    """Heads with nothing in front of them, about a tenth of a second each.

    Args:
        engine: of the split to draw.
        count: how many.
        seed: of everything random.
    """
    rng, found = np.random.default_rng(seed), list[Labelled]()
    while len(found) < count:
        batch = pairs(engine, _BATCH, rng, _OPTIONS)
        images = (batch["target"] * 255).round().byte().permute(0, 2, 3, 1).numpy()
        landmarks, labels = batch["target_landmarks"], batch["target_labels"][:, 0]
        priors = mesh_prior(landmarks, engine.model, SIDE).numpy()
        for image, label, prior, points in zip(images, labels, priors, landmarks, strict=True):
            known = below_the_brows(label, points).numpy()
            found.append(Labelled(image, known, pack(prior), points[:, :2].numpy()))
    return found[:count]


def below_the_brows(labels: Tensor, points: Tensor) -> Tensor:
    """Labels ``(S, S)`` whose face is known below the brows only: above, the drawing cannot tell hair from skin.

    Args:
        labels: see :mod:`.face_labels`.
        points: ``(478, 3)`` landmarks in pixels.
    """
    down = points[152, :2] - points[10, :2]
    line = (points[[*LEFT_BROW, *RIGHT_BROW], :2] @ down).min()
    rows, columns = torch.meshgrid(*(torch.arange(side) + 0.5 for side in labels.shape), indexing="ij")
    above = columns * down[0] + rows * down[1] < line
    return torch.where(above & (labels == FACE), UNKNOWN, labels)

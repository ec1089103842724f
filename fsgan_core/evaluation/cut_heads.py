"""Whether a source's head is cut off by its picture's border: what is beyond can only be drawn blurred."""

from __future__ import annotations

import numpy as np
import torch

from ..ops.face_model import FaceModel
from ..ops.head_mesh import place
from ..ops.head_rings import contour
from ..stages.appearance_map import AppearanceMap

_BEYOND = 0.12
"""How far, in longer sides of the face, the contour of a head lies beyond the border when it is worth a word."""


def told_cut(source: AppearanceMap, model: FaceModel) -> str:
    """What to say of a head that every view cuts off; nothing where one shows it whole.

    Args:
        source: the views, from which crops with surroundings are to be drawn.
        model: the face model.
    """
    if any(_beyond(source, number, model) < _BEYOND for number in range(len(source))):
        return ""
    cut = "the source's head is cut off by the border of its picture, and what is beyond is blurred"
    return f"{cut}; choose a picture with room around the head"


def _beyond(source: AppearanceMap, number: int, model: FaceModel) -> float:
    landmarks = torch.from_numpy(source.landmarks[number])[None].to(model.mean.device)
    placed = place(model.mean, landmarks)
    head = contour(placed.shape, placed)[0].cpu().numpy()
    height, width = source.views[number].shape[:2]
    size = float(np.ptp(source.landmarks[number, :, :2], axis=0).max())
    return float(np.maximum(-head, head - (width, height)).max()) / size

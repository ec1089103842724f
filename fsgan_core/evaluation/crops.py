"""The crops that are measured: 256 px in which the longer side of the face takes 160, whatever its size was."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..models import Models
from ..ops.flow import resize
from ..stages.cropping import Box, square_box
from ..stages.segmentation import MeshSegmenter
from ..streams import Frame

Floats = NDArray[np.float32]
SIDE, MARGIN = 256, 1.6
"""Side of the crops measured, in pixels, and over the longer side of the face."""
FACE = SIDE / MARGIN
"""Longer side of the face in them, in pixels."""


def box_of(landmarks: Floats) -> Box:
    """The square that is looked at around landmarks ``(478, 2 or 3)``."""
    return square_box(landmarks, MARGIN)


def in_crop(landmarks: Floats, box: Box) -> Floats:
    """Landmarks ``(478, 3)`` of a frame in pixels of its crop of 256."""
    moved = (landmarks - np.array((box[0], box[1], 0), np.float32)) * (SIDE / (box[2] - box[0]))
    return moved.astype(np.float32)


def cut(frame: Frame, box: Box) -> Frame:
    """The crop ``(256, 256, 3)`` of a box; beyond the frame its edge is repeated."""
    left, top, right, bottom = box
    y, x = np.arange(top, bottom).clip(0, frame.shape[0] - 1), np.arange(left, right).clip(0, frame.shape[1] - 1)
    part = np.ascontiguousarray(frame[y[0] : y[-1] + 1, x[0] : x[-1] + 1])
    above, below, before, after = (int((line == end).sum()) - 1 for line in (y, x) for end in (line[0], line[-1]))
    if max(above, below, before, after) > 0:
        part = cv2.copyMakeBorder(part, above, below, before, after, cv2.BORDER_REPLICATE).astype(np.uint8)
    way = cv2.INTER_AREA if right - left > SIDE else cv2.INTER_CUBIC
    return cv2.resize(part, (SIDE, SIDE), interpolation=way).astype(np.uint8)


def image_of(crop: Frame) -> Tensor:
    """A crop as an image ``(1, 3, 256, 256)``."""
    return torch.from_numpy(crop).permute(2, 0, 1)[None].float() / 255


def changed(result: Frame, target: Frame) -> Tensor | None:
    """Where a swap changed its target's crop, ``(1, 1, 256, 256)``; None where all changed, as by encoding anew."""
    differs = (result != target).any(-1)
    edge = np.concatenate((differs[0], differs[-1], differs[:, 0], differs[:, -1]))
    if edge.mean() > 0.2 or not differs.any():
        return None
    outlines, _ = cv2.findContours(differs.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    largest = max(outlines, key=cv2.contourArea)
    mask = cv2.drawContours(np.zeros(differs.shape, np.uint8), [largest], -1, 1, cv2.FILLED)
    return torch.from_numpy(np.asarray(mask, np.float32))[None, None]


class Outline:
    """The face in its own crop, by its mesh."""

    def __init__(self, models: Models) -> None:
        self._segment = MeshSegmenter(models.face_model)
        self._device = models.device

    def __call__(self, landmarks: Floats) -> Tensor:
        """``(1, 1, 256, 256)``, 1 on the face of landmarks ``(478, 3)``; drawn coarsely, its edge is a pixel soft."""
        points = torch.from_numpy(in_crop(landmarks, box_of(landmarks)) / 2)[None].to(self._device)
        return resize(self._segment(points.new_zeros(1, 3, SIDE // 2, SIDE // 2), points), SIDE, SIDE).cpu()


def well_inside(mask: Tensor, reach: int = 4) -> Tensor:
    """A mask ``(1, 1, H, W)`` less so many pixels along its edge, as 0 or 1."""
    kernel = np.ones((2 * reach + 1,) * 2, np.uint8)
    shrunk = cv2.erode((mask[0, 0].numpy() > 0.5).astype(np.uint8), kernel)
    return torch.from_numpy(np.asarray(shrunk, np.float32))[None, None]

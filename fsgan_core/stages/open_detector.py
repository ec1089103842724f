"""The bundled face detector on an image pyramid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from ..networks.detector import Detector, DetectorConfig, fused
from ..ops.boxes import suppress
from ..weights.checkpoint import OPEN
from .detection import Detections, Frame, check_frames
from .open_networks import load_own


@dataclass(frozen=True, kw_only=True)
class DetectionOptions:
    """How frames are searched."""

    score: float = 0.5
    """least confidence of a face, 0 to 1"""
    small_score: float = 0.4
    """the same for small faces, whose boxes are less exact and so are their scores"""
    small: float = 112
    """height in pixels of the search below which a face is small"""
    side: int = 640
    """longer side of the frame in the coarse search, for large faces, px; smaller frames are kept as they are"""
    fine_side: int = 1280
    """longer side of the frame in the fine search, for small faces, px"""
    enlarge: float = 1.5
    """most that the fine search enlarges a frame; 0 leaves it out"""
    overlap: float = 0.4
    """intersection over union above which two boxes are one face, 0 to 1"""
    batch: int = 8
    """frames computed at a time"""


class OpenDetector:
    """Our network; see :class:`~fsgan_core.stages.detection.Detector`."""

    def __init__(self, network: Detector, options: DetectionOptions | None = None) -> None:
        self.network = network
        self.options = options or DetectionOptions()

    @torch.inference_mode()
    def __call__(self, frames: Sequence[Frame]) -> list[Detections]:
        """Detect faces in frames."""
        check_frames(frames)
        found: list[Detections] = []
        for _, group in groupby(frames, key=lambda frame: frame.shape):
            alike = list(group)
            for start in range(0, len(alike), self.options.batch):
                found.extend(self._search(alike[start : start + self.options.batch]))
        return found

    def _search(self, frames: Sequence[Frame]) -> list[Detections]:
        levels = [self._level(frames, size) for size in pyramid(frames[0].shape[:2], self.options)]
        scores = torch.cat([score for score, _ in levels], 1)
        boxes = torch.cat([box for _, box in levels], 1)
        return [self._select(score, box) for score, box in zip(scores, boxes, strict=True)]

    def _level(self, frames: Sequence[Frame], size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Scores ``(B, N)``, 0 where too low, and boxes ``(B, N, 4)`` in pixels of the frame, seen at a size."""
        height, width = frames[0].shape[:2]
        seen = np.stack([resized(frame, size) for frame in frames])
        device = self.network.mean.device
        image = torch.from_numpy(seen).to(device).permute(0, 3, 1, 2).float() / 255
        logits, boxes = self.network(image.contiguous(memory_format=torch.channels_last))
        scores, options = logits.sigmoid(), self.options
        small = boxes[..., 3] - boxes[..., 1] < options.small
        scores = scores * (scores >= torch.where(small, options.small_score, options.score))
        step = boxes.new_tensor([width / size[1], height / size[0]]).repeat(2)
        return scores.cpu(), (boxes * step).cpu()

    def _select(self, scores: Tensor, boxes: Tensor) -> Detections:
        likely = scores > 0
        scores, boxes = scores[likely], boxes[likely]
        kept = suppress(boxes, scores, self.options.overlap)
        return Detections(boxes[kept].numpy(), scores[kept].numpy())


def pyramid(shape: tuple[int, ...], options: DetectionOptions) -> list[tuple[int, int]]:
    """Sizes (height, width) at which a frame of a shape (height, width) is searched."""
    longer = max(shape)
    coarse, fine = min(longer, options.side), min(round(longer * options.enlarge), options.fine_side)
    sides = [coarse, fine] if fine > coarse else [coarse]
    return [(max(1, round(shape[0] * side / longer)), max(1, round(shape[1] * side / longer))) for side in sides]


def resized(frame: Frame, size: tuple[int, int]) -> Frame:
    """The frame at a size (height, width): averaged when it shrinks, interpolated when it grows."""
    if frame.shape[:2] == size:
        return frame
    way = cv2.INTER_AREA if max(size) < max(frame.shape) else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(frame, size[::-1], interpolation=way), np.uint8)


def load_open_detector(device: torch.device | str = "cpu", path: Path = OPEN / "detection.safetensors") -> OpenDetector:
    """The bundled detector, ready on a device.

    Raises:
        WeightsError: the file is missing, damaged, or holds something else.
    """
    network = fused(load_own("detector", lambda values: Detector(DetectorConfig.of(values)), path)).to(device)
    return OpenDetector(network.to(memory_format=torch.channels_last))  # type: ignore[call-overload]

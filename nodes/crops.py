"""What travels between the stage nodes: the face crops of a swap in the making, each as the stages left it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from . import host
from .types import ModelSet

if TYPE_CHECKING:
    from ..fsgan_core.pipeline import Aim
    from ..fsgan_core.stages.reenactment import Reenactment

CropsType = host.io.Custom("FSGAN_CROPS")
SIDE = 256
"""Side in pixels of the pictures that show crops."""


@dataclass(frozen=True)
class FaceCrop:
    """One face in one frame.

    Attributes:
        frame: index of its frame.
        track: number of the face.
        aim: its frame, landmarks, pose and the user's mask.
        box: left, top, right, bottom in pixels of the frame.
        target: ``(1, 3, S, S)`` the crop.
        points: ``(1, 478, 3)`` its landmarks in pixels of the crop.
        drawn: what reenactment made.
        mask: ``(1, 1, S, S)`` what segmentation made.
        face: ``(1, 3, S, S)`` what completion made.
        blended: ``(1, 3, S, S)`` what blending made.
    """

    frame: int
    track: int
    aim: Aim
    box: tuple[int, int, int, int]
    target: Tensor
    points: Tensor
    drawn: Reenactment | None = None
    mask: Tensor | None = None
    face: Tensor | None = None
    blended: Tensor | None = None


@dataclass(frozen=True)
class Crops:
    """All crops of a batch.

    Attributes:
        faces: in the order of frames.
        count: number of frames they come from.
        models: what does the stages.
    """

    faces: tuple[FaceCrop, ...]
    count: int
    models: ModelSet | None

    def staged(self, work: Callable[[FaceCrop], FaceCrop]) -> Crops:
        """The same after a stage, with a progress bar."""
        return replace(self, faces=tuple(work(one) for one in host.Progress(len(self.faces)).watch(self.faces)))

    def shown(self, name: str) -> Tensor:
        """An attribute of every crop as an IMAGE or MASK of 256 pixels; one black picture where there is no crop."""
        values = [getattr(one, name) for one in self.faces]
        channels = values[0].shape[1] if values else 3
        small = [functional.interpolate(value, (SIDE, SIDE), mode="bilinear", antialias=True) for value in values]
        pictures = torch.cat(small) if small else torch.zeros(1, channels, SIDE, SIDE)
        pictures = pictures.clamp(0, 1).to(host.results_device())
        return pictures.permute(0, 2, 3, 1) if channels == 3 else pictures[:, 0]


def needed(value: Any, before: str) -> Any:
    """What an earlier stage made.

    Raises:
        ValueError: the stage was left out.
    """
    if value is None:
        raise ValueError(f"the crops have not been through {before}; connect that node before this one")
    return value

"""What travels between the stage nodes: the face crops of a swap in the making, each as the stages left it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from . import host
from .types import ModelSet

if TYPE_CHECKING:
    from ..fsgan_core.models import Models
    from ..fsgan_core.swapping import FaceCrop

CropsType = host.io.Custom("FSGAN_CROPS")
SIDE = 256
"""Side in pixels of the pictures that show crops."""


@dataclass(frozen=True)
class Placed:
    """A crop, the index of its frame, the number of its face, and the stages as its frame wants them."""

    frame: int
    track: int
    crop: FaceCrop
    models: Models


@dataclass(frozen=True)
class Crops:
    """All crops of a batch.

    Attributes:
        faces: in the order of frames.
        count: number of frames they come from.
        models: what does the stages.
    """

    faces: tuple[Placed, ...]
    count: int
    models: ModelSet | None

    @property
    def threads(self) -> int:
        """How many are worked on at the same time, as a whole swap does: else the last bits differed."""
        from ..fsgan_core.rendering import at_once

        if not self.faces:
            return 1
        frames = self.faces[-1].frame - self.faces[0].frame + 1
        return at_once(self.faces[0].models, frames, max(one.crop.target.shape[-1] for one in self.faces))

    def staged(self, work: Callable[[Placed], FaceCrop]) -> Crops:
        """The same after a stage, with a progress bar; several at a time."""
        from ..fsgan_core.rendering import rendered

        done = rendered(lambda one: replace(one, crop=work(one)), self.faces, self.threads)
        return replace(self, faces=tuple(host.Progress(len(self.faces)).watch(done)))

    def through(self, *nodes: str) -> Crops:
        """The same, having been through stages.

        Args:
            nodes: names of nodes in :data:`MADE`.

        Raises:
            ValueError: one was left out.
        """
        for node in nodes:
            if any(getattr(one.crop, MADE[node]) is None for one in self.faces):
                raise ValueError(f"the crops have not been through {node}; connect that node before this one")
        return self

    def shown(self, name: str) -> Tensor:
        """An attribute of every crop as an IMAGE or MASK of 256 pixels; one black picture where there is no crop."""
        values = [getattr(one.crop, name) for one in self.faces]
        channels = values[0].shape[1] if values else 3
        small = [functional.interpolate(value, (SIDE, SIDE), mode="bilinear", antialias=True) for value in values]
        pictures = torch.cat(small) if small else torch.zeros(1, channels, SIDE, SIDE)
        pictures = pictures.clamp(0, 1).to(host.results_device())
        return pictures.permute(0, 2, 3, 1) if channels == 3 else pictures[:, 0]


MADE = {"Reenact Faces": "drawn", "Segment Faces": "mask", "Blend Faces": "blended"}
"""What each stage node adds to a crop."""

"""Alignment at work: a drawn face is shifted by a few pixels until its edges lie on those of the target's picture.

Landmarks of two pictures are each a pixel or two off, and where a cheek or a brow is they hardly say at all. The
network of :mod:`~fsgan_core.networks.alignment_net` compares what was drawn with the target; only places come of it,
every colour remains the source's.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from ..networks.alignment_net import AlignmentNet, AlignmentNetConfig
from ..ops.pooling import box_max, box_mean, halved
from ..weights.checkpoint import OPEN
from .open_networks import load_own

KIND = "alignment"
"""Kind of the weights, as their header names it."""
BUNDLED = OPEN / "alignment.safetensors"
_EDGE = 5
"""Width in cells of the shift over which it fades out beyond the face."""


class Aligner:
    """The network, ready to be asked."""

    def __init__(self, network: AlignmentNet) -> None:
        self.network = network

    @torch.inference_mode()
    def __call__(self, drawn: Tensor, target: Tensor, cover: Tensor) -> Tensor:
        """How to shift a drawn face.

        Args:
            drawn: ``(1, 1, SIDE, SIDE)`` brightness in [0, 1] of the face, in a window like that of
                the refinement network.
            target: the same of the picture.
            cover: ``(1, 1, SIDE, SIDE)`` where the drawn face is.

        Returns:
            ``(1, 2, SIDE / 2, SIDE / 2)`` pixels of a window of twice that side, to look beside a place instead of at
            it; 0 beyond the face.
        """
        return self.network(drawn, target, cover) * box_mean(box_max(halved(cover), _EDGE), _EDGE)


def load_aligner(path: Path = BUNDLED, device: torch.device | str = "cpu") -> Aligner:
    """The network in a file.

    Raises:
        WeightsError: the file is missing, damaged, or holds something else.
    """
    return Aligner(load_own(KIND, lambda values: AlignmentNet(AlignmentNetConfig.of(values)), path).to(device))


@cache
def bundled_aligner(device: torch.device | str = "cpu") -> Aligner:
    """The bundled network.

    Raises:
        WeightsError: its file is missing or damaged.
    """
    return load_aligner(BUNDLED, device)

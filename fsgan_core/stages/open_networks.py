"""Our own networks for crops: loading, and the upright square of the face that they look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..networks.fast import folded
from ..networks.unet import UNet, UNetConfig
from ..ops.flow import identity, sample
from ..weights.checkpoint import OPEN, filled, load_weights, understood

Network = TypeVar("Network", bound=nn.Module)
REMEDY = "reinstall the package or name weights of this version"
EYES = (33, 263)
"""Outer eye corners; the line through them is made level."""


def load_unet(kind: str, path: Path | None = None) -> UNet:
    """A bundled U-Net on the CPU, ready for inference.

    Args:
        kind: ``"segmentation"``, the only one so far.
        path: another file of that kind.

    Raises:
        WeightsError: the file is missing, damaged, or holds something else.
    """
    return folded(load_own(kind, lambda values: UNet(UNetConfig.of(values)), path))


def load_own(kind: str, make: Callable[[dict[str, Any]], Network], path: Path | None = None) -> Network:
    """One of our networks on the CPU in float32, ready for inference.

    Args:
        kind: of the bundled file.
        make: builds the network from the configuration in its header.
        path: another file of that kind.

    Raises:
        WeightsError: the file is missing, damaged, or holds something else.
    """
    path = path or OPEN / f"{kind}.safetensors"
    tensors, values = load_weights(path, kind)
    with understood(path, "does not fit the network in its header", REMEDY):
        return filled(lambda: make(values), tensors).eval().requires_grad_(False)


def placed(network: Network, device: torch.device) -> Network:
    """The network on a device; one that is there is left alone, since other threads may be using it."""
    return network if next(network.parameters()).device == device else network.to(device)


@dataclass(frozen=True)
class Upright:
    """A square around each face in which its eyes are level, given by what leads from it to the picture.

    Attributes:
        matrix: ``(B, 2, 2)`` turns and scales.
        centre: ``(B, 2)`` pixels of the picture.
        size: side of the square in its own pixels.
    """

    matrix: Tensor
    centre: Tensor
    size: int

    @staticmethod
    def around(landmarks: Tensor, size: int, margin: float) -> Upright:
        """The square for landmarks ``(B, P, 2 or 3)``.

        Args:
            landmarks: pixels of a picture.
            size: side of the square in its own pixels.
            margin: side of the square over the longer side of the face.
        """
        points = landmarks[..., :2]
        right = points[:, EYES[1]] - points[:, EYES[0]]
        right = right / right.norm(dim=1, keepdim=True).clamp_min(1e-6)
        turn = torch.stack((right, torch.stack((-right[:, 1], right[:, 0]), 1)), 2)
        level = points @ turn
        low, high = level.amin(1), level.amax(1)
        scale = margin * (high - low).amax(1).clamp_min(1) / size
        return Upright(turn * scale[:, None, None], (turn @ ((low + high) / 2)[..., None])[..., 0], size)

    def cut(self, images: Tensor) -> Tensor:
        """The squares out of ``(B, C, H, W)``: ``(B, C, size, size)``; each is averaged before it is shrunk."""
        grid = identity(self.size, self.size, images) - self.size / 2
        cuts = []
        for image, matrix, centre in zip(images, self.matrix, self.centre, strict=True):
            shrink = max(1, int(matrix[:, 0].norm()))
            smaller = image[None]
            if shrink > 1:
                smaller = functional.avg_pool2d(smaller, shrink, ceil_mode=True, count_include_pad=False)
            places = torch.einsum("ij,bjhw->bihw", matrix, grid) + centre[:, None, None]
            cuts.append(sample(smaller, places / shrink))
        return torch.cat(cuts)

    def points(self, landmarks: Tensor) -> Tensor:
        """Landmarks ``(B, P, 3)`` of the picture as those of the square."""
        back = torch.linalg.inv(self.matrix)
        flat = (landmarks[..., :2] - self.centre[:, None]) @ back.mT + self.size / 2
        return torch.cat((flat, landmarks[..., 2:] * back[:, None, :1, 0].norm(dim=-1, keepdim=True)), -1)

    def put_back(self, values: Tensor, height: int, width: int) -> Tensor:
        """Values ``(B, C, size, size)`` of the squares in pictures: ``(B, C, height, width)``, 0 beyond the squares."""
        grid = identity(height, width, values) - self.centre[:, :, None, None]
        places = torch.einsum("bij,bjhw->bihw", torch.linalg.inv(self.matrix), grid) + self.size / 2
        # A ring of zeros, so that what lies beyond repeats it.
        return sample(functional.pad(values, (1, 1, 1, 1)), places + 1)

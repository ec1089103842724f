"""The local landmark network: moves landmarks that are nearly right to where the picture shows them.

Every point reads the picture's features where it lies, at four scales, and then hears what the others found, as shape
alone can say where a cheek's middle is. The position of a point is where it was plus a small step, so that moving crop
and points together moves the answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from .config import Config

_UNIT = 0.02
"""Size of a step of 1, in sides of the crop."""


@dataclass(frozen=True, kw_only=True)
class LocalLandmarkNetConfig(Config):
    """Shape of the network; it travels with the weights."""

    size: int = 192
    """side of the square crop in pixels, a multiple of 16"""
    points: int = 478
    """number of landmarks"""
    channels: tuple[int, ...] = (16, 32, 64, 128)
    """channels at a half, a quarter, an eighth and so on of the crop's size"""
    width: int = 128
    """numbers that a point is described by"""
    rank: int = 64
    """numbers through which the points hear of each other"""
    mixers: int = 2
    """how often they do"""


class Level(nn.Module):
    """Half the size, then two 3x3 convolutions with a shortcut."""

    def __init__(self, given: int, made: int) -> None:
        super().__init__()
        self.down = nn.Conv2d(given, made, 3, 2, 1)
        self.first = nn.Conv2d(made, made, 3, 1, 1)
        self.second = nn.Conv2d(made, made, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, given, H, W)`` to ``(B, made, H / 2, W / 2)``."""
        x = torch.relu(self.down(x))
        return torch.relu(x + self.second(torch.relu(self.first(x))))


class Mixer(nn.Module):
    """The points exchange what they know, then each thinks (Tolstikhin et al., MLP-Mixer, 2021)."""

    def __init__(self, points: int, rank: int, width: int) -> None:
        super().__init__()
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.across = nn.Sequential(nn.Linear(points, rank), nn.GELU(), nn.Linear(rank, points))
        self.within = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))

    def forward(self, x: Tensor) -> Tensor:
        """``(B, P, width)`` to the same."""
        x = x + self.across(self.before(x).mT).mT
        return x + self.within(self.between(x))


class LocalLandmarkNet(nn.Module):
    """Crop and landmarks to better landmarks; see the module."""

    def __init__(self, config: LocalLandmarkNetConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.channels
        self.stem = nn.Conv2d(3, channels[0], 5, 2, 2)
        self.levels = nn.ModuleList(Level(*pair) for pair in zip(channels, channels[1:], strict=False))
        self.read = nn.Linear(sum(channels), config.width)
        self.shape = nn.Sequential(nn.Linear(3 * config.points, 64), nn.ReLU(), nn.Linear(64, config.width))
        self.name = nn.Parameter(0.1 * torch.randn(config.points, config.width))
        self.mixers = nn.ModuleList(Mixer(config.points, config.rank, config.width) for _ in range(config.mixers))
        self.last = nn.LayerNorm(config.width)
        self.step = nn.Parameter(torch.zeros(config.points, config.width, 3))
        self.bias = nn.Parameter(torch.zeros(config.points, 3))

    def forward(self, image: Tensor, points: Tensor) -> Tensor:
        """Move landmarks.

        Args:
            image: ``(B, 3, S, S)`` RGB in [0, 1], S the configured size: the crop aligned by the points.
            points: ``(B, P, 3)`` landmarks in units of the crop.

        Returns:
            ``(B, P, 3)`` in the same units.
        """
        x = torch.relu(self.stem((image - 0.5) / 0.25))
        grid = (2 * points[:, :, None, :2] - 1).float()
        seen = [_sampled(x, grid)]
        for level in self.levels:
            x = level(x)
            seen.append(_sampled(x, grid))
        tokens = self.read(torch.cat(seen, 2)) + self.name + self.shape(((points - 0.5) / 0.25).flatten(1))[:, None]
        for mixer in self.mixers:
            tokens = mixer(tokens)
        # Half precision has too few digits for coordinates.
        with torch.autocast(image.device.type, enabled=False):
            step = torch.einsum("bpw,pwc->bpc", self.last(tokens.float()), self.step.float()) + self.bias.float()
            return points + _UNIT * step


def _sampled(features: Tensor, grid: Tensor) -> Tensor:
    """Features ``(B, C, H, W)`` at places ``(B, P, 1, 2)``: ``(B, P, C)``."""
    found = functional.grid_sample(features.float(), grid, "bilinear", "border", align_corners=False)
    return found[..., 0].mT

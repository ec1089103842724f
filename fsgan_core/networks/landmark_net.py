"""The dense landmark network: a small residual net that regresses 478 points and a presence score from a crop."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .config import Config


@dataclass(frozen=True, kw_only=True)
class LandmarkNetConfig(Config):
    """Shape of the network; it travels with the weights."""

    size: int = 128
    """side of the square crop in pixels, a multiple of 16"""
    points: int = 478
    """number of landmarks"""
    stem: int = 16
    """channels at half the crop's size"""
    channels: tuple[int, ...] = (32, 64, 128)
    """channels of the stages, each half the size of the one before"""
    blocks: tuple[int, ...] = (1, 2, 3)
    """residual blocks of the stages"""
    reduced: int = 48
    """channels kept of the last stage before it is flattened"""
    rank: int = 160
    """width of the layer before the points: how many ways the whole shape can move"""


class Block(nn.Module):
    """Two 3x3 convolutions and a shortcut, averaged where the size halves (He et al. 2016, 2019)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.norm1: nn.Module = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.norm2: nn.Module = nn.BatchNorm2d(out_channels)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Sequential(nn.AvgPool2d(stride), nn.Conv2d(in_channels, out_channels, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, in_channels, H, W)`` to ``(B, out_channels, H / stride, W / stride)``."""
        y = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


class LandmarkNet(nn.Module):
    """Crop to landmarks. The shape is regressed as a whole, so hidden points stay plausible."""

    mean: Tensor
    spread: Tensor

    def __init__(self, config: LandmarkNetConfig) -> None:
        super().__init__()
        self.config = config
        stem = nn.Conv2d(3, config.stem, 5, 2, 2, bias=False)
        layers: list[nn.Module] = [stem, nn.BatchNorm2d(config.stem), nn.ReLU()]
        width = config.stem
        for channels, blocks in zip(config.channels, config.blocks, strict=True):
            layers += [Block(width if i == 0 else channels, channels, 2 if i == 0 else 1) for i in range(blocks)]
            width = channels
        layers += [nn.Conv2d(width, config.reduced, 1), nn.ReLU()]
        self.features = nn.Sequential(*layers)
        grid = config.size // 2 ** (1 + len(config.channels))
        self.shape = nn.Sequential(nn.Linear(config.reduced * grid**2, config.rank), nn.ReLU())
        self.points = nn.Linear(config.rank, config.points * 3)
        self.presence = nn.Linear(config.rank, 1)
        self.register_buffer("mean", torch.tensor((0.5, 0.5, 0.5)).view(3, 1, 1), persistent=False)
        self.register_buffer("spread", torch.tensor((0.25, 0.25, 0.25)).view(3, 1, 1), persistent=False)

    def start_from(self, mean: Tensor, modes: Tensor) -> None:
        """Let the untrained network answer a mean shape and move it along known modes.

        Args:
            mean: ``(478, 3)`` in units of the crop.
            modes: ``(rank / 2, 478, 3)`` changes of one standard deviation each; every mode gets a feature that
                adds it and one that takes it away.
        """
        with torch.no_grad():
            self.points.bias.copy_(mean.flatten())
            self.points.weight.copy_(torch.cat((modes, -modes)).flatten(1).T)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Find the landmarks of one face a crop.

        Args:
            image: ``(B, 3, S, S)`` RGB in [0, 1], S the configured size.

        Returns:
            landmarks ``(B, 478, 3)`` in units of the crop: x, y in [0, 1] inside it, z away from the camera with 0
            at the face's middle; and the presence logit ``(B,)``.
        """
        features = self.features((image - self.mean) / self.spread)
        # bfloat16 has eight bits: enough for features, a quarter of a pixel for coordinates.
        with torch.autocast(image.device.type, enabled=False):
            shape = self.shape(features.float().flatten(1))
            return self.points(shape).view(len(image), -1, 3), self.presence(shape)[:, 0]


def fused(network: LandmarkNet) -> LandmarkNet:
    """The same function with the normalisations folded into the convolutions; for inference, changes the network."""
    network.eval()
    for block in [part for part in network.modules() if isinstance(part, Block)]:
        block.conv1, block.norm1 = _folded(block.conv1, block.norm1)
        block.conv2, block.norm2 = _folded(block.conv2, block.norm2)
    network.features[0], network.features[1] = _folded(network.features[0], network.features[1])
    return network


def _folded(convolution: nn.Module, norm: nn.Module) -> tuple[nn.Conv2d, nn.Module]:
    if not isinstance(convolution, nn.Conv2d) or not isinstance(norm, nn.BatchNorm2d):
        raise ValueError("the normalisations are already folded; load the network again")
    return fuse_conv_bn_eval(convolution, norm), nn.Identity()

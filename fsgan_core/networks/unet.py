"""A small U-Net for the segmentation of crops."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from .config import Config


@dataclass(frozen=True, kw_only=True)
class UNetConfig(Config):
    """Shape of the network; it travels with the weights."""

    size: int = 192
    """side in pixels of the square input it is trained at, a multiple of ``shuffle * 2 ** (len(channels) - 1)``"""
    inputs: int = 6
    """channels of the input, each of about unit range around 0"""
    outputs: int = 3
    """channels of the output, not limited"""
    shuffle: int = 2
    """pixels along a side that are folded into channels, so that the finest level works at ``size / shuffle``"""
    channels: tuple[int, ...] = (24, 48, 80, 128, 160)
    """channels of the levels, each half the size of the one before"""


class Residual(nn.Module):
    """Two 3x3 convolutions beside an identity (He et al. 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, C, H, W)`` to the same shape."""
        return torch.relu(x + self.norm2(self.conv2(torch.relu(self.norm1(self.conv1(x))))))


class UNet(nn.Module):
    """Crop to crop: an encoder, a decoder and, between them, skips that are added as FSGAN adds them."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        fold, widths = config.shuffle**2, config.channels
        pairs = list(zip(widths, widths[1:], strict=False))
        self.stem = nn.Conv2d(fold * config.inputs, widths[0], 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(widths[0])
        self.down = nn.ModuleList(_reduced(fine, coarse) for fine, coarse in pairs)
        self.encoder = nn.ModuleList(Residual(width) for width in widths)
        self.up = nn.ModuleList(nn.Conv2d(coarse, fine, 1) for fine, coarse in pairs)
        self.decoder = nn.ModuleList(Residual(fine) for fine, _ in pairs)
        self.head = nn.Conv2d(widths[0], fold * config.outputs, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, inputs, S, S)`` to ``(B, outputs, S, S)``, S a multiple of what the configuration says."""
        x = torch.relu(self.norm(self.stem(functional.pixel_unshuffle(x, self.config.shuffle))))
        skips = [self.encoder[0](x)]
        for down, block in zip(self.down, list(self.encoder)[1:], strict=True):
            skips.append(block(down(skips[-1])))
        x = skips.pop()
        for up, block in zip(reversed(self.up), reversed(self.decoder), strict=True):
            larger = functional.interpolate(up(x), scale_factor=2.0, mode="bilinear", align_corners=False)
            x = block(skips.pop() + larger)
        return functional.pixel_shuffle(self.head(x), self.config.shuffle)


def _reduced(fine: int, coarse: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(fine, coarse, 3, 2, 1, bias=False), nn.BatchNorm2d(coarse), nn.ReLU())

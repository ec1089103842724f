"""The U-Net that segments face and hair in both published weight sets (FSGAN, section 3.3)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True, kw_only=True)
class SegmentationUNetConfig:
    """Sizes of the segmentation network; the defaults are the published ones."""

    classes: int = 3
    """0 background, 1 face, 2 hair"""
    width: int = 64
    """channels of the first level; each of the four below doubles them"""


class SegmentationUNet(nn.Module):
    """Five levels, concatenated skips. The decoder has no batch norm.

    Args:
        config: sizes; :attr:`config` keeps it.
    """

    def __init__(self, config: SegmentationUNetConfig) -> None:
        super().__init__()
        self.config = config
        w = config.width
        self.conv1 = DoubleConv(3, w)
        self.conv2 = DoubleConv(w, 2 * w)
        self.conv3 = DoubleConv(2 * w, 4 * w)
        self.conv4 = DoubleConv(4 * w, 8 * w)
        self.center = DoubleConv(8 * w, 16 * w)
        self.up_concat4 = UpConcat(16 * w, 8 * w)
        self.up_concat3 = UpConcat(8 * w, 4 * w)
        self.up_concat2 = UpConcat(4 * w, 2 * w)
        self.up_concat1 = UpConcat(2 * w, w)
        self.final = nn.Conv2d(w, config.classes, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Segment.

        Args:
            images: ``(B, 3, H, W)`` in [0, 1], sides divisible by 16 (256 in training).

        Returns:
            logits ``(B, classes, H, W)``.

        Raises:
            ValueError: a side is not divisible by 16.
        """
        if images.ndim != 4 or images.shape[1] != 3 or images.shape[2] % 16 or images.shape[3] % 16:
            raise ValueError(
                f"found images of shape {tuple(images.shape)}, expected (B, 3, H, W) with sides divisible by 16; resize"
            )
        c1 = self.conv1(images * 2 - 1)
        c2 = self.conv2(F.max_pool2d(c1, 2))
        c3 = self.conv3(F.max_pool2d(c2, 2))
        c4 = self.conv4(F.max_pool2d(c3, 2))
        y = self.center(F.max_pool2d(c4, 2))
        y = self.up_concat4(c4, y)
        y = self.up_concat3(c3, y)
        y = self.up_concat2(c2, y)
        y = self.up_concat1(c1, y)
        logits: Tensor = self.final(y)
        return logits


class DoubleConv(nn.Module):
    """Two 3x3 convolutions with bias, each followed by batch norm (if asked) and ReLU."""

    def __init__(self, in_channels: int, out_channels: int, batch_norm: bool = True) -> None:
        super().__init__()
        self.conv1 = _conv(in_channels, out_channels, batch_norm)
        self.conv2 = _conv(out_channels, out_channels, batch_norm)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, in, H, W)`` to ``(B, out, H, W)``."""
        y: Tensor = self.conv2(self.conv1(x))
        return y


class UpConcat(nn.Module):
    """Upsample, halve the channels, append to the skip, convolve twice."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = DoubleConv(in_channels, out_channels, batch_norm=False)
        # The published name of a convolution that is 1x1 in two dimensions.
        self.conv1d = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, skip: Tensor, x: Tensor) -> Tensor:
        """Join ``(B, out, 2H, 2W)`` and ``(B, in, H, W)``."""
        up = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
        y: Tensor = self.conv(torch.cat([skip, self.conv1d(up)], 1))
        return y


def _conv(in_channels: int, out_channels: int, batch_norm: bool) -> nn.Sequential:
    norm = [nn.BatchNorm2d(out_channels)] if batch_norm else []
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 3, padding=1), *norm, nn.ReLU(inplace=True))

"""A small fully convolutional face detector: anchor-free heads at several strides.

Every cell of every level predicts one score and its distances to the four sides of a face's box
(Tian et al., "FCOS", 2019, section 3.1); the score is trained to be the overlap of that box with the face
(Li et al., "Generalized Focal Loss", 2020, section 3.1), so that it ranks boxes as well as it tells faces apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .config import Config


@dataclass(frozen=True, kw_only=True)
class DetectorConfig(Config):
    """Shape of the network. Level ``i`` has stride ``8 * 2**i``."""

    stem: tuple[int, int] = (16, 32)
    """channels at strides 2 and 4"""
    widths: tuple[int, ...] = (32, 64, 80, 80)
    """channels of the levels, at strides 8, 16, ..."""
    head: int = 32
    """channels of the top-down path and of the heads"""

    @property
    def strides(self) -> tuple[int, ...]:
        """Stride of each level in pixels."""
        return tuple(8 << level for level in range(len(self.widths)))


class ConvUnit(nn.Module):
    """3x3 convolution, batch normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, inputs, H, W)`` to ``(B, outputs, H/stride, W/stride)``."""
        return F.relu(self.norm(self.conv(x)), inplace=True)


class Residual(nn.Module):
    """Two units with a shortcut around them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = ConvUnit(width, width), ConvUnit(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, width, H, W)`` to the same shape."""
        return x + self.second(self.first(x))


class Detector(nn.Module):
    """Scores and boxes at every cell of every level."""

    mean: Tensor
    std: Tensor

    def __init__(self, config: DetectorConfig) -> None:
        super().__init__()
        self.config = config
        first, second = config.stem
        self.stem = nn.Sequential(ConvUnit(3, first, 2), ConvUnit(first, second, 2))
        inputs = (second, *config.widths[:-1])
        self.levels = nn.ModuleList(
            nn.Sequential(ConvUnit(i, o, 2), Residual(o)) for i, o in zip(inputs, config.widths, strict=True)
        )
        self.lateral = nn.ModuleList(nn.Conv2d(width, config.head, 1) for width in config.widths)
        self.merge = nn.ModuleList(ConvUnit(config.head, config.head) for _ in config.widths)
        self.score = nn.Conv2d(config.head, 1, 3, padding=1)
        self.sides = nn.Conv2d(config.head, 4, 3, padding=1)
        self.scale = nn.Parameter(torch.ones(len(config.widths)))
        nn.init.constant_(self.score.bias, -4.6)  # type: ignore[arg-type]  # one cell in a hundred is a face at first
        nn.init.constant_(self.sides.bias, 0.7)  # type: ignore[arg-type]  # boxes of four cells at first
        self.register_buffer("mean", torch.full((1, 3, 1, 1), 0.45), persistent=False)
        self.register_buffer("std", torch.full((1, 3, 1, 1), 0.25), persistent=False)

    def features(self, image: Tensor) -> list[Tensor]:
        """Pyramid of features, finest first; coarse levels have been added to the fine ones."""
        x, pyramid = self.stem((image - self.mean) / self.std), []
        for level in self.levels:
            x = level(x)
            pyramid.append(x)
        found = [lateral(x) for lateral, x in zip(self.lateral, pyramid, strict=True)]
        for fine in reversed(range(len(found) - 1)):
            found[fine] = found[fine] + F.interpolate(found[fine + 1], size=found[fine].shape[-2:], mode="nearest")
        return [merge(x) for merge, x in zip(self.merge, found, strict=True)]

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Detect.

        Args:
            image: ``(B, 3, H, W)`` RGB in [0, 1], any size of at least one pixel.

        Returns:
            ``(B, N)`` logits of the scores and ``(B, N, 4)`` boxes in pixels, for the N cells of all levels.
        """
        scores, boxes = [], []
        for number, (x, stride) in enumerate(zip(self.features(image), self.config.strides, strict=True)):
            scores.append(self.score(x).flatten(1))
            sides = (self.sides(x).float() * self.scale[number]).clamp(-4, 4).exp() * stride
            boxes.append(boxes_from_sides(cell_centres(x, stride), sides.flatten(2).transpose(1, 2)))
        return torch.cat(scores, 1).float(), torch.cat(boxes, 1)


def cell_centres(features: Tensor, stride: int) -> Tensor:
    """Centres of a level's cells, row by row: ``(H * W, 2)`` x, y in pixels of the image."""
    height, width = features.shape[-2:]
    y = (torch.arange(height, device=features.device, dtype=torch.float32) + 0.5) * stride
    x = (torch.arange(width, device=features.device, dtype=torch.float32) + 0.5) * stride
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), -1).flatten(0, 1)


def boxes_from_sides(centres: Tensor, sides: Tensor) -> Tensor:
    """Boxes ``(..., N, 4)`` from centres ``(N, 2)`` and distances left, top, right, bottom ``(..., N, 4)``."""
    return torch.cat([centres - sides[..., :2], centres + sides[..., 2:]], -1)


def fused(model: Detector) -> Detector:
    """The same function with the normalisations folded into the convolutions; for inference, changes the model."""
    model.eval()
    for unit in model.modules():
        if isinstance(unit, ConvUnit) and isinstance(unit.norm, nn.BatchNorm2d):
            unit.conv, unit.norm = fuse_conv_bn_eval(unit.conv, unit.norm), nn.Identity()
    return model

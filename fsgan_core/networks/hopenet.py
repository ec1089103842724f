"""Hopenet: head pose by binned regression on a ResNet-50 (Ruiz et al. 2018)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .residual import Bottleneck, bottlenecks


@dataclass(frozen=True, kw_only=True)
class HopenetConfig:
    """Sizes of the pose network; the defaults are the published ones."""

    blocks: tuple[int, ...] = (3, 4, 6, 3)
    """bottlenecks of the four layers"""
    width: int = 64
    """channels of the stem"""
    bins: int = 66
    """bins of 3 degrees for each angle, from -99"""


class Hopenet(nn.Module):
    """Yaw, pitch and roll of a face crop.

    Args:
        config: sizes; :attr:`config` keeps it.
    """

    def __init__(self, config: HopenetConfig) -> None:
        super().__init__()
        self.config = config
        w, blocks, e = config.width, config.blocks, Bottleneck.expansion
        self.conv1 = nn.Conv2d(3, w, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(w)
        self.layer1 = bottlenecks(w, w, blocks[0])
        self.layer2 = bottlenecks(w * e, 2 * w, blocks[1], stride=2)
        self.layer3 = bottlenecks(2 * w * e, 4 * w, blocks[2], stride=2)
        self.layer4 = bottlenecks(4 * w * e, 8 * w, blocks[3], stride=2)
        features = 8 * w * e
        self.fc_yaw = nn.Linear(features, config.bins)
        self.fc_pitch = nn.Linear(features, config.bins)
        self.fc_roll = nn.Linear(features, config.bins)
        # In every published file, used by none.
        self.fc_finetune = nn.Linear(features + 3, 3)

    def forward(self, images: Tensor) -> Tensor:
        """Predict the pose.

        Args:
            images: ``(B, 3, 224, 224)`` in [0, 1].

        Returns:
            ``(B, 3)`` yaw, pitch, roll in degrees with the signs of the network's training data, where yaw > 0 looks
            to the image's *left*: negate it for this library's convention.
        """
        y = torch.relu(self.bn1(self.conv1(images * 2 - 1)))
        y = F.max_pool2d(y, 3, stride=2, padding=1)
        y = self.layer4(self.layer3(self.layer2(self.layer1(y)))).mean((2, 3))
        logits = torch.stack([self.fc_yaw(y), self.fc_pitch(y), self.fc_roll(y)], 1)
        bins = torch.arange(self.config.bins, device=y.device, dtype=torch.float32)
        return (logits.float().softmax(2) * bins).sum(2) * 3 - 99

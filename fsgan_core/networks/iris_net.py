"""The iris network: where the iris lies in the crop of one eye, and how large it is.

A map of where its middle may be is turned into a place by its centroid (integral regression, Sun et al., 2018), so
that a crop moved by a fraction of a pixel moves the answer by as much.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .config import Config


@dataclass(frozen=True, kw_only=True)
class IrisNetConfig(Config):
    """Shape of the network; it travels with the weights."""

    size: int = 48
    """side of the square crop in pixels, a multiple of 4"""
    channels: tuple[int, int, int] = (16, 32, 48)
    """channels at a half (twice) and at a quarter of the crop's size"""


class IrisNet(nn.Module):
    """Crop of an eye to its iris; see the module."""

    def __init__(self, config: IrisNetConfig) -> None:
        super().__init__()
        self.config = config
        first, second, third = config.channels
        layers = [nn.Conv2d(3, first, 3, 2, 1), nn.Conv2d(first, second, 3, 1, 1), nn.Conv2d(second, third, 3, 2, 1)]
        layers += [nn.Conv2d(third, third, 3, 1, dilation, dilation) for dilation in (1, 2, 1)]
        self.trunk = nn.Sequential(*(part for layer in layers for part in (layer, nn.ReLU())))
        self.head = nn.Conv2d(third, 2, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Find the iris.

        Args:
            image: ``(B, 3, S, S)`` RGB in [0, 1], S the configured size; see
                :func:`~fsgan_core.stages.irises.eye_placement`.

        Returns:
            ``(B, 3)``: x and y of its middle, and its radius, in units of the crop; also where lids cover it.
        """
        # Light says nothing about where an iris is.
        mean, deviation = image.mean((2, 3), keepdim=True), image.std((1, 2, 3), keepdim=True)
        maps = self.head(self.trunk((image - mean) / (deviation + 0.02))).float()
        share = maps[:, 0].flatten(1).softmax(1)
        side = maps.shape[-1]
        places = (torch.arange(side, device=maps.device) + 0.5) / side
        weight = share.view(-1, side, side)
        radius = 0.2 * (share * maps[:, 1].flatten(1)).sum(1).exp()
        return torch.stack(((weight.sum(1) * places).sum(1), (weight.sum(2) * places).sum(1), radius), 1)

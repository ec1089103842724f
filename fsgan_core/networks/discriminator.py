"""Multi-scale patch discriminator (pix2pixHD, Wang et al. 2018) with the least-squares loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class DiscriminatorConfig:
    """Sizes of the discriminator; the defaults are the published ones."""

    width: int = 64
    """channels of the first convolution; each of the next three doubles them, up to eight times"""
    scales: int = 2
    """number of pyramid levels judged, each by a network of its own"""


class MultiScaleDiscriminator(nn.Module):
    """One patch discriminator a scale.

    Args:
        config: sizes; :attr:`config` keeps it.
    """

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        for scale in range(config.scales):
            self.add_module(f"layer{scale}", _patch_discriminator(config.width))

    def forward(self, levels: Sequence[Tensor] | Tensor) -> list[Tensor]:
        """Judge patches.

        Args:
            levels: ``(B, 3, H, W)`` in [0, 1], fine to coarse, at most ``scales`` of them.

        Returns:
            for every level ``(B, 1, about H / 8, about W / 8)``, 1 for real. The coarsest level given is judged by
            ``layer0``, whatever its size.

        Raises:
            ValueError: no list, no level or too many.
        """
        if isinstance(levels, Tensor) or not 1 <= len(levels) <= self.config.scales:
            raise ValueError(f"the discriminator takes a list of 1 to {self.config.scales} pyramid levels")
        last = len(levels) - 1
        return [self.get_submodule(f"layer{last - i}")(level * 2 - 1) for i, level in enumerate(levels)]


def least_squares_loss(scores: Sequence[Tensor], real: bool) -> Tensor:
    """Sum over scales of the mean squared distance to 1 (real) or 0 (Mao et al. 2017).

    Args:
        scores: outputs of :class:`MultiScaleDiscriminator`.
        real: whether the images are to count as real.

    Returns:
        a scalar.
    """
    return torch.stack([(score - float(real)).square().mean() for score in scores]).sum()


def _patch_discriminator(width: int) -> nn.Sequential:
    modules: list[nn.Module] = [nn.Conv2d(3, width, 4, 2, 2), nn.LeakyReLU(0.2)]
    for factor, stride in ((1, 2), (2, 2), (4, 1)):
        conv = nn.Conv2d(width * factor, width * factor * 2, 4, stride, 2)
        modules += [conv, nn.BatchNorm2d(width * factor * 2), nn.LeakyReLU(0.2)]
    return nn.Sequential(*modules, nn.Conv2d(width * 8, 1, 4, 1, 2), nn.Sigmoid())

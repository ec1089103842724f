"""A linear model of what faces look like, which answers from the part that is seen (probabilistic PCA)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .config import Config


@dataclass(frozen=True, kw_only=True)
class FaceSpaceConfig(Config):
    """Shape of the model; it travels with the weights."""

    size: int = 64
    """side in pixels of the square that the face is brought to"""
    rank: int = 128
    """number of directions in which faces differ"""
    noise: float = 12.0
    """variance of what the directions do not hold, in units of the face's own; it is correlated between pixels, so
    that a large value, which trusts each of them little, predicts best"""


class FaceSpace(nn.Module):
    """Mean face and directions; a face is the mean plus normally distributed amounts of each.

    What is not seen is the mean of its distribution given what is seen (Tipping and Bishop, Probabilistic Principal
    Component Analysis, 1999). Colours are relative to the mean and spread of those that are seen.
    """

    def __init__(self, config: FaceSpaceConfig) -> None:
        super().__init__()
        self.config = config
        self.mean = nn.Parameter(torch.zeros(3 * config.size**2))
        self.directions = nn.Parameter(torch.zeros(3 * config.size**2, config.rank))

    @torch.no_grad()
    def fit(self, faces: Tensor) -> None:
        """Take mean and principal directions from faces ``(N, 3, size, size)`` in relative colours."""
        flat = faces.flatten(1)
        self.mean.copy_(flat.mean(0))
        _, deviations, axes = torch.svd_lowrank(flat - self.mean, q=min(self.config.rank + 12, *flat.shape), niter=3)
        scaled = (axes * deviations / len(flat) ** 0.5)[:, : self.config.rank]
        self.directions.zero_()
        self.directions[:, : scaled.shape[1]] = scaled

    def forward(self, face: Tensor, known: Tensor) -> Tensor:
        """The whole face from a part of it.

        Args:
            face: ``(B, 3, size, size)``.
            known: ``(B, 1, size, size)`` of 0 and 1, where the face is seen.

        Returns:
            ``(B, 3, size, size)``, near ``face`` where that is seen.
        """
        with torch.autocast(face.device.type, enabled=False):
            middle, spread = relative(face.float(), known.float())
            seen = known.float().expand_as(face).flatten(1)
            gap = (((face.float() - middle) / spread).flatten(1) - self.mean) * seen
            parts = self.directions * seen[..., None]
            gram = parts.mT @ parts / self.config.noise + torch.eye(self.config.rank, device=face.device)
            amounts = torch.linalg.solve(gram, parts.mT @ gap[..., None] / self.config.noise)
            whole = self.mean + (self.directions @ amounts)[..., 0]
            return whole.view(face.shape) * spread + middle


def relative(face: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Mean colour ``(B, 3, 1, 1)`` and spread ``(B, 1, 1, 1)`` of what is seen."""
    area = known.sum((2, 3), keepdim=True).clamp_min(1)
    middle = (face * known).sum((2, 3), keepdim=True) / area
    variance = ((face - middle).square() * known).sum((1, 2, 3), keepdim=True) / (3 * area)
    return middle, variance.sqrt().clamp_min(0.02)

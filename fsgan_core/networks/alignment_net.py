"""The alignment network: how a drawn face lies off the target's own picture.

Landmarks say where a face is up to a pixel or two; where its edges are, only pictures show. Both pictures are
described by the same small encoder, every place of the one is compared with the places around it in the other (a cost
volume, as in Sun et al., PWC-Net, 2018), and a small hourglass makes a smooth shift of that. Only places leave the
network, never colours.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..ops.flow import identity, sample
from ..ops.pooling import box_mean, halved
from .config import Config
from .flow_net import WINDOW, enlarged, silent

SIDE = 128
"""Side of the pictures compared; they show the window of :mod:`.flow_net` at half its size."""
REACH = 8.0
"""Longest shift, in pixels of the window."""
_AROUND = 15
"""Side of the squares over which brightness and contrast are evened out."""


@dataclass(frozen=True, kw_only=True)
class AlignmentNetConfig(Config):
    """Shape of the network; it travels with the weights."""

    features: int = 16
    """numbers that describe a place"""
    radius: int = 2
    """how far places are compared, in cells of four pixels of the window"""
    widths: tuple[int, ...] = (48, 64)
    """channels of the hourglass at an eighth, a sixteenth and so on of the window"""
    blocks: int = 2
    """residual blocks at its lowest level; one at the others"""


class Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, 1, 1)
        self.second = nn.Conv2d(channels, channels, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, C, H, W)`` to the same shape."""
        return torch.relu(x + self.second(torch.relu(self.first(x))))


class AlignmentNet(nn.Module):
    """See the module."""

    def __init__(self, config: AlignmentNetConfig) -> None:
        super().__init__()
        self.config = config
        given, widths = config.features, config.widths
        self.encoder = nn.Sequential(nn.Conv2d(1, given, 3, 2, 1), nn.ReLU(), nn.Conv2d(given, given, 3, 1, 1))
        self.stem = nn.Conv2d((2 * config.radius + 1) ** 2 + 2 * given + 1, widths[0], 3, 2, 1)
        steps = list(zip(widths, widths[1:], strict=False))
        self.downs = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in steps)
        self.lowest = nn.Sequential(*(Block(widths[-1]) for _ in range(config.blocks)))
        self.lifts = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in steps)
        self.before = nn.ModuleList(Block(a) for a, _ in steps)
        self.after = nn.ModuleList(Block(a) for a, _ in steps)
        self.out = nn.Sequential(silent(nn.Conv2d(widths[0], 8, 3, 1, 1)), nn.PixelShuffle(2))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, drawn: Tensor, target: Tensor, cover: Tensor) -> Tensor:
        """The shift that brings a drawn face onto the target.

        Args:
            drawn: ``(B, 1, SIDE, SIDE)`` brightness in [0, 1].
            target: the same of the target's picture.
            cover: ``(B, 1, SIDE, SIDE)`` where the drawn picture is a face, in [0, 1].

        Returns:
            ``(B, 2, SIDE / 2, SIDE / 2)`` pixels of the window, to look beside a place of the drawn picture instead of
            at it.
        """
        pictures = torch.cat((evened(drawn, cover), evened(target, torch.ones_like(cover))))
        ours, theirs = functional.normalize(self.encoder(pictures), dim=1).contiguous().chunk(2)
        x = torch.cat((correlation(ours, theirs, self.config.radius), ours, theirs, halved(cover)), 1)
        levels = [torch.relu(self.stem(x))]
        for block, down in zip(self.before, self.downs, strict=True):
            levels[-1] = block(levels[-1])
            levels.append(torch.relu(down(levels[-1])))
        x = self.lowest(levels[-1])
        for lift, block, skip in zip(reversed(self.lifts), reversed(self.after), levels[-2::-1], strict=True):
            x = block(skip + functional.interpolate(lift(x), scale_factor=2.0, mode="bilinear"))
        return REACH * torch.tanh(self.out(x).float() / REACH)


def evened(picture: Tensor, cover: Tensor) -> Tensor:
    """A picture ``(B, 1, H, W)`` with mean 0 and about the same contrast around every place; 0 where not covered."""
    share = box_mean(cover, _AROUND).clamp_min(1e-3)
    mean = box_mean(picture * cover, _AROUND) / share
    variance = box_mean((picture - mean).square() * cover, _AROUND) / share
    return cover * (picture - mean) / (variance + 4e-4).sqrt()


def correlation(ours: Tensor, theirs: Tensor, radius: int) -> Tensor:
    """How alike each place of ``theirs`` and the places around it in ``ours`` are, ``(B, (2 radius + 1)^2, H, W)``."""
    height, width = ours.shape[-2:]
    around = functional.pad(ours, (radius,) * 4)
    steps = range(2 * radius + 1)
    products = [(around[..., y : y + height, x : x + width] * theirs).sum(1) for y in steps for x in steps]
    return torch.stack(products, 1)


def moved(picture: Tensor, shift: Tensor) -> Tensor:
    """A picture ``(B, C, N, N)`` of the window looked up beside each place; ``shift`` in pixels of the window."""
    size = picture.shape[-1]
    shift = enlarged(shift, size) * (size / WINDOW)
    return sample(picture, identity(size, size, picture) + shift)


def unlikeness(one: Tensor, other: Tensor) -> Tensor:
    """1 - the structure term of SSIM (Wang et al., 2004) at each place of pictures ``(B, 1, N, N)``.

    Brightness and contrast are evened out first, so that light hardly matters.
    """
    whole = torch.ones_like(one)
    one, other = evened(one, whole), evened(other, whole)
    means, powers = [box_mean(x, 7) for x in (one, other)], [box_mean(x.square(), 7) for x in (one, other)]
    covariance = box_mean(one * other, 7) - means[0] * means[1]
    variances = [power - mean.square() for mean, power in zip(means, powers, strict=True)]
    return 1 - (2 * covariance + 0.03) / (variances[0] + variances[1] + 0.03)

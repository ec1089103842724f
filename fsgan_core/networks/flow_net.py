"""The refinement network of the flow engine.

Two parts. The *judge* looks at every sheet (a view warped to the target, seen directly or mirrored) and says how to
shift it and, of a mirrored one, how far to believe it; the *painter* looks at the merged picture and paints what no
sheet shows. Both may change a pixel only as far as geometry is in *doubt* there, which a fixed formula says; where the
sharp source already shows the face at rest nothing changes, where it is hardly turned or deformed the painter may only
tone it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..ops.flow import identity, sample
from ..ops.pooling import box_max, box_mean, halved
from .config import Config

WINDOW = 256
"""Side of the window around the face in pixels; the face is 160 pixels high."""
CHANNELS = (
    *("mask", "mouth", "eyes", "missing", "unseen", "iris", "strain"),
    *(f"{name}_{axis}" for name in ("place", "motion", "normal", "normal_before") for axis in "xyz"),
)
"""Fields of the mesh, at half the window's size: what lies there and how it is deformed, where on the mean face, how
far it moved (in quarters of the distance between the outer eye corners), which way it faces and faced before."""
_DOUBTED = ("mask", "missing", "unseen", "strain")
_NORMAL, _BEFORE = (slice(i := CHANNELS.index(f"{name}_x"), i + 3) for name in ("normal", "normal_before"))
_SOFT = 5
"""Side in pixels of the squares over which fields are grown and softened."""
TONED = 0.3
"""How far the painter may act where a face is seen but not at rest: grain, light, an edge that landmarks blur."""
REACH = 6.0
"""Longest shift of a sheet, in pixels of the window."""


@dataclass(frozen=True, kw_only=True)
class FlowNetConfig(Config):
    """Shape of the network; it travels with the weights."""

    widths: tuple[int, ...] = (16, 32, 64, 96)
    """channels of the painter at an half, quarter, eighth and sixteenth of the window"""
    blocks: int = 1
    """residual blocks a level, below the first"""
    judge: int = 12
    """channels of the judge; 0 leaves it out"""
    geometry: bool = True
    """whether the painter sees the fields of the mesh"""
    light: bool = True
    """whether light is changed where the head turns"""


class Doubt(NamedTuple):
    """How far each part of the network may act, ``(B, 1, N / 2, N / 2)`` each in [0, 1]."""

    paint: Tensor
    shift: Tensor
    light: Tensor


def doubt(geometry: Tensor, toned: float = TONED) -> Doubt:
    """Doubts about what geometry alone would draw.

    Paint: what is unseen or deformed, with two pixels around, and a little what moved at all; not the inside of a
    mouth, nor of an eye that the source shows open: teeth, irises and whites are drawn better than they are painted.
    Shift: what is unseen or deformed, or turned. Light: what turned.

    Args:
        geometry: ``(B, len(CHANNELS), h, w)``.
        toned: how far what moved at all may be painted over, where nothing more is in doubt.
    """
    mask, lacking, unseen, strain = (geometry[:, (i := CHANNELS.index(name)) : i + 1] for name in _DOUBTED)
    moved = 1 - torch.exp(-((strain / 0.25) ** 2))
    turn = (geometry[:, _NORMAL] - geometry[:, _BEFORE]).square().sum(1, keepdim=True)
    turned = mask * (1 - torch.exp(-(turn / 0.2**2)))
    stirred = mask * (1 - torch.exp(-(turn / 0.05**2 + (strain / 0.06) ** 2)))
    paint = 1 - (1 - torch.maximum(unseen, lacking)) * (1 - moved)
    mouth, eyes = (geometry[:, (i := CHANNELS.index(name)) : i + 1] for name in ("mouth", "eyes"))
    drawn = torch.maximum(mouth, eyes * (1 - lacking))
    around = box_max(torch.cat((paint, drawn, mask), 1), _SOFT)
    paint, inside, near, light, moving = box_mean(torch.cat((around, turned, stirred), 1), _SOFT).split(1, 1)
    kept = 1 - inside
    shift = 1 - (1 - paint * kept) * (1 - turned)
    return Doubt(torch.maximum(paint, toned * moving) * kept * near, shift * near, light)


class Judgement(NamedTuple):
    """What the judge says of each sheet, at a quarter of the window's size.

    Attributes:
        shift: ``(B, S, 2, n, n)`` pixels of the window, to look beside a place instead of at it.
        belief: ``(B, S, 1, n, n)`` logarithm of a factor on the sheet's weight.
    """

    shift: Tensor
    belief: Tensor


class Painting(NamedTuple):
    """What the painter adds.

    Attributes:
        colour: ``(B, 3, N, N)`` in [-1, 1], what to add: detail finer than the window's pixels stays.
        cover: ``(B, 1, N, N)`` how far to add it, in [0, 1].
        light: ``(B, 3, N / 16, N / 16)`` logarithm of the factor on what the sheets show.
    """

    colour: Tensor
    cover: Tensor
    light: Tensor


class Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut; at first it changes nothing."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, 1, 1)
        self.conv2 = silent(nn.Conv2d(channels, channels, 3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, C, H, W)`` to the same shape."""
        y: Tensor = self.conv2(torch.relu(self.conv1(torch.relu(x))))
        return x + y


def silent(layer: nn.Conv2d) -> nn.Conv2d:
    """The layer, giving 0 at first."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class Judge(nn.Module):
    """A small hourglass over one sheet."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(4 + len(CHANNELS), channels, 3, 2, 1)
        self.down = nn.Sequential(
            nn.ReLU(), nn.Conv2d(channels, 2 * channels, 3, 2, 1), Block(2 * channels), Block(2 * channels)
        )
        self.up = nn.Conv2d(2 * channels, channels, 1)
        self.out = nn.Sequential(Block(channels), nn.ReLU(), silent(nn.Conv2d(channels, 3, 3, 1, 1)))

    def forward(self, sheets: Tensor, trust: Tensor, geometry: Tensor) -> Judgement:
        """Judge sheets ``(B, S, 3, N, N)`` with their trust, each by itself."""
        batch, count = sheets.shape[:2]
        # The stem is linear: what all sheets share passes through its part of it once.
        own, shared = self.stem.weight.split((4, len(CHANNELS)), 1)
        each = functional.conv2d(torch.cat((halved(sheets) - 0.5, trust), 2).flatten(0, 1), own, None, 2, 1)
        x = each + functional.conv2d(geometry, shared, self.stem.bias, 2, 1).repeat_interleave(count, 0)
        x = x + functional.interpolate(self.up(self.down(x)), scale_factor=2.0, mode="bilinear")
        y = self.out(x).float().contiguous().unflatten(0, (batch, count))
        return Judgement(REACH * torch.tanh(y[:, :, :2]), 4 * torch.tanh(y[:, :, 2:]))


class Painter(nn.Module):
    """A U-Net over the merged picture: full-size pixels enter and leave folded into channels (Shi et al. 2016)."""

    def __init__(self, config: FlowNetConfig) -> None:
        super().__init__()
        self.config = config
        widths = config.widths
        inputs = 12 + 3 + (len(CHANNELS) if config.geometry else 0)
        self.stem = nn.Conv2d(inputs, widths[0], 3, 1, 1)
        steps = list(zip(widths, widths[1:], strict=False))
        self.downs = nn.ModuleList(
            nn.Sequential(nn.ReLU(), nn.Conv2d(a, b, 3, 2, 1), *(Block(b) for _ in range(config.blocks)))
            for a, b in steps
        )
        self.lifts = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in steps)
        self.ups = nn.ModuleList(nn.Sequential(*(Block(a) for _ in range(config.blocks))) for a, _ in steps)
        self.light = silent(nn.Conv2d(widths[-1], 3, 1))
        self.out = nn.Sequential(nn.ReLU(), silent(nn.Conv2d(widths[0], 16, 3, 1, 1)), nn.PixelShuffle(2))

    def forward(self, merged: Tensor, doubts: Doubt, geometry: Tensor) -> Painting:
        """Paint over a merged picture ``(B, 3, N, N)``."""
        parts = [functional.pixel_unshuffle(merged - 0.5, 2), *doubts]
        levels = [self.stem(stacked((*parts, geometry) if self.config.geometry else parts))]
        for down in self.downs:
            levels.append(down(levels[-1]))
        x = levels[-1]
        light = self.light(torch.relu(x)).float()
        for lift, up, skip in zip(reversed(self.lifts), reversed(self.ups), levels[-2::-1], strict=True):
            x = up(skip + functional.interpolate(lift(x), scale_factor=2.0, mode="nearest"))
        y = self.out(x).float().contiguous()  # planes, so that what follows need not stride
        gain = torch.tanh(light) if self.config.light else torch.zeros_like(light)
        return Painting(torch.tanh(y[:, :3]), torch.sigmoid(y[:, 3:] - 1), gain)


class FlowNet(nn.Module):
    """Judge and painter; :meth:`forward` is the whole refinement at the window's size, as it is trained."""

    def __init__(self, config: FlowNetConfig) -> None:
        super().__init__()
        self.config = config
        self.judge = Judge(config.judge) if config.judge else None
        self.painter = Painter(config)

    def judged(self, sheets: Tensor, trust: Tensor, geometry: Tensor, doubts: Doubt) -> Judgement:
        """Judgement within the doubts; see :class:`Judge`."""
        if self.judge is None:
            zero = sheets.new_zeros(*sheets.shape[:2], 3, sheets.shape[-1] // 4, sheets.shape[-1] // 4)
            return Judgement(zero[:, :, :2], zero[:, :, 2:])
        found = self.judge(sheets, trust, geometry)
        limit = halved(doubts.shift)[:, None]
        return Judgement(found.shift * limit, _of_a_view(found.belief) * limit)

    def forward(self, sheets: Tensor, trust: Tensor, geometry: Tensor, features: Tensor) -> Tensor:
        """The refined picture ``(B, 3, N, N)`` of an :class:`~fsgan_core.stages.evidence.Evidence`."""
        doubts = doubt(geometry)
        merged = featured(merge(sheets, trust, self.judged(sheets, trust, geometry, doubts)), features)
        return covered(merged, self.painter(merged, doubts, geometry), doubts)


def _of_a_view(belief: Tensor) -> Tensor:
    """Beliefs ``(B, S, 1, n, n)`` in mirrored sheets relative to the direct one of their view; in that, none.

    Which view shows a place best, geometry tells better: views of training pairs come from one photo, those of a clip
    do not (docs/training.md).
    """
    direct, mirrored = belief[:, ::2], belief[:, 1::2]
    return torch.stack((torch.zeros_like(direct), mirrored - direct), 2).flatten(1, 2)


def merge(sheets: Tensor, trust: Tensor, judgement: Judgement) -> Tensor:
    """One picture ``(B, 3, N, N)`` of shifted sheets: squared trust times belief decides, so that nothing ghosts."""
    batch, count, _, size, _ = sheets.shape
    shift = enlarged(judgement.shift.flatten(0, 1), size)
    moved = sample(sheets.flatten(0, 1), identity(size, size, shift) + shift).unflatten(0, (batch, count))
    weight = box_mean((trust.flatten(0, 1) + 1e-4) ** 2, _SOFT)
    weight = enlarged(weight, size) * enlarged(judgement.belief.flatten(0, 1), size).exp()
    weight = weight.unflatten(0, (batch, count))
    return (moved * weight).sum(1) / weight.sum(1)


def featured(merged: Tensor, features: Tensor) -> Tensor:
    """Eyes and mouth ``(B, 4, N, N)``, colours times cover and cover, laid over a picture ``(B, 3, N, N)``."""
    return merged * (1 - features[:, 3:]) + features[:, :3]


def covered(merged: Tensor, painting: Painting, doubts: Doubt) -> Tensor:
    """Light changed and paint laid over a picture ``(B, 3, N, N)``, within the doubts."""
    size = merged.shape[-1]
    gain = enlarged(painting.light, size) * enlarged(doubts.light, size)
    return (merged * gain.exp() + painting.colour * painting.cover * enlarged(doubts.paint, size)).clamp(0, 1)


def stacked(parts: Sequence[Tensor]) -> Tensor:
    """Fields ``(B, C, h, w)`` as channels of one, in the order of memory in which convolutions want them."""
    return torch.cat([part.permute(0, 2, 3, 1) for part in parts], 3).permute(0, 3, 1, 2)


def enlarged(field: Tensor, size: int) -> Tensor:
    """A field ``(B, C, h, h)`` at another size."""
    return functional.interpolate(field, (size, size), mode="bilinear", align_corners=False)

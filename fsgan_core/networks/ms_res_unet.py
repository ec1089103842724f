"""MultiScaleResUNet: the generator of FSGAN's reenactment, completion and blending (ICCV 2019, sections 3.1 to 3.4).

A residual U-Net (``base``) sees the coarse level of an image pyramid; one local enhancer adds the fine level::

    fine ----> in_conv ----(+)--> flat --> out_conv --> heads          (v2)
                            |
    coarse --> base --> up -'

Skips are *added*, not concatenated. Module names are those of the published checkpoints, which load strictly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True, kw_only=True)
class MultiScaleResUNetConfig:
    """What one published generator looks like. The defaults are those of the v2 reenactment network."""

    in_channels: int = 101
    """channels of every level: images first, then landmark maps or a mask"""
    image_channels: int = 3
    """how many leading channels are images in [0, 1]; the others reach the network as they are"""
    out_channels: tuple[int, ...] = (3,)
    """channels of each head: an image, then (v1 reenactment) the logits of a segmentation"""
    flat_layers: tuple[int, ...] = (2, 2, 2, 2)
    """residual blocks of the enhancer, then of each level of the base, fine to coarse"""
    width: int = 128
    """channels of the enhancer; the base starts with twice as many"""
    max_width: int | None = 1024
    """largest number of channels; None: no limit"""
    version: Literal["v1", "v2"] = "v2"
    """v1: the enhancer's blocks work at half resolution; v2: at full resolution"""
    bins: int = 0
    """levels of the soft-binned output (64 in the published variant); 0: tanh"""


class MultiScaleResUNet(nn.Module):
    """Base U-Net plus one local enhancer.

    Args:
        config: sizes; :attr:`config` keeps it.
    """

    input_scale: Tensor
    input_shift: Tensor

    def __init__(self, config: MultiScaleResUNetConfig) -> None:
        super().__init__()
        self.config = config
        self.base = ResUNet(config)
        self.enhancer1 = EnhancerV1(config) if config.version == "v1" else EnhancerV2(config)
        images = torch.arange(config.in_channels).view(1, -1, 1, 1) < config.image_channels
        self.register_buffer("input_scale", 1.0 + images.float(), persistent=False)
        self.register_buffer("input_shift", -images.float(), persistent=False)

    def forward(self, levels: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Generate.

        Args:
            levels: ``[(B, C, H, W), (B, C, H/2, W/2)]`` with images in [0, 1]; a single level runs the base alone
                (as in the first phase of the published training).

        Returns:
            one tensor a head at the size of the first level: the image ``(B, 3, H, W)`` in [0, 1], then any
            segmentation ``(B, classes, H, W)`` as tanh-bounded logits in [-1, 1].

        Raises:
            ValueError: wrong number of levels, channels or sizes.
        """
        self._check(levels)
        inputs = [level * self.input_scale + self.input_shift for level in levels]
        y = self.base.features(inputs[-1])
        if len(inputs) == 1:
            image, *others = self.base.heads(y)
        else:
            image, *others = self.enhancer1(inputs[0], y)
        return ((image + 1) / 2, *others)

    def _check(self, levels: Sequence[Tensor] | Tensor) -> None:
        if isinstance(levels, Tensor) or len(levels) not in (1, 2):
            raise ValueError(
                "MultiScaleResUNet takes a list of one or two pyramid levels; make them with image_pyramid"
            )
        channels, step = self.config.in_channels, 2 ** (len(self.config.flat_layers) - 2)
        height, width = levels[-1].shape[-2:]
        for number, level in enumerate(reversed(levels)):
            expected = (channels, height << number, width << number)
            if level.ndim != 4 or tuple(level.shape[1:]) != expected or height % step or width % step:
                shape = ", ".join(map(str, expected))
                raise ValueError(
                    f"found a pyramid level of shape {tuple(level.shape)}, expected (B, {shape})"
                    f" with the coarse level's height and width divisible by {step}; pad or resize the image"
                )


class Heads(nn.Module):
    """Registers ``out_conv`` (one head) or ``out_conv1``, ``out_conv2``... (several) and applies them."""

    def _add_heads(self, channels: int, config: MultiScaleResUNetConfig) -> None:
        several = len(config.out_channels) > 1
        self._names = [f"out_conv{i + 1}" if several else "out_conv" for i in range(len(config.out_channels))]
        for name, out in zip(self._names, config.out_channels, strict=True):
            conv = nn.Conv2d(channels, out * max(1, config.bins), 7, bias=False)
            last = SoftBins(config.bins) if config.bins else nn.Tanh()
            self.add_module(name, nn.Sequential(nn.ReflectionPad2d(3), conv, last))

    def heads(self, features: Tensor) -> list[Tensor]:
        """Every head's output, in [-1, 1]."""
        return [self.get_submodule(name)(features) for name in self._names]


class ResUNet(Heads):
    """The base: stem, nested skip blocks, heads."""

    def __init__(self, config: MultiScaleResUNetConfig) -> None:
        super().__init__()
        levels = len(config.flat_layers) - 1
        widths = [_capped(config.width << (level + 1), config) for level in range(levels)]
        self.in_conv = nn.Sequential(*conv_block(config.in_channels, widths[0], 7))
        self._add_heads(widths[0], config)
        inner = SkipBlock(widths[-1], config.flat_layers[-1])
        for width, flat in zip(reversed(widths[:-1]), reversed(config.flat_layers[1:-1]), strict=True):
            inner = SkipBlock(width, flat, inner)
        self.inner = inner

    def features(self, x: Tensor) -> Tensor:
        """What the heads and the enhancer read: ``(B, 2 * width, H, W)``."""
        y: Tensor = self.inner(self.in_conv(x))
        return y


class EnhancerV1(Heads):
    """Down, add the base, residual blocks at half resolution, up (as pix2pixHD's)."""

    def __init__(self, config: MultiScaleResUNetConfig) -> None:
        super().__init__()
        width, inner = _capped(config.width, config), _capped(2 * config.width, config)
        self.down_block = DownBlock(width, inner)
        self.flat_block = FlatBlock(inner, config.flat_layers[0])
        self.up_block = UpBlock(inner, width)
        self.in_conv = nn.Sequential(*conv_block(config.in_channels, width, 7))
        self._add_heads(width, config)

    def forward(self, fine: Tensor, base: Tensor) -> list[Tensor]:
        """Outputs at the fine level from its input and the base's features."""
        return self.refine(self.in_conv(fine), base)

    def refine(self, stem: Tensor, base: Tensor) -> list[Tensor]:
        """The same from what ``in_conv`` made of the input."""
        return self.heads(self.up_block(self.flat_block(self.down_block(stem) + base)))


class EnhancerV2(Heads):
    """Add the upsampled base, residual blocks at full resolution."""

    def __init__(self, config: MultiScaleResUNetConfig) -> None:
        super().__init__()
        width, inner = _capped(config.width, config), _capped(2 * config.width, config)
        self.in_conv = nn.Sequential(*conv_block(config.in_channels, width, 7))
        self.up_block = UpBlock(inner, width)
        self.flat_block = FlatBlock(width, config.flat_layers[0])
        self._add_heads(width, config)

    def forward(self, fine: Tensor, base: Tensor) -> list[Tensor]:
        """Outputs at the fine level from its input and the base's features."""
        return self.refine(self.in_conv(fine), base)

    def refine(self, stem: Tensor, base: Tensor) -> list[Tensor]:
        """The same from what ``in_conv`` made of the input."""
        return self.heads(self.flat_block(stem + self.up_block(base)))


class SkipBlock(nn.Module):
    """``x + up(sub(down(x)))``, then residual blocks; the innermost has only the blocks."""

    def __init__(self, channels: int, flat: int, submodule: SkipBlock | None = None) -> None:
        super().__init__()
        self.channels = channels
        self.submodule = submodule
        if submodule is not None:
            self.down_block = DownBlock(channels, submodule.channels)
            self.up_block = UpBlock(submodule.channels, channels)
        self.flat_block = FlatBlock(channels, flat)

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape ``(B, channels, H, W)``."""
        if self.submodule is not None:
            x = x + self.up_block(self.submodule(self.down_block(x)))
        y: Tensor = self.flat_block(x)
        return y


class _Block(nn.Module):
    """A sequence of modules under the name ``model``."""

    def __init__(self, *modules: nn.Module) -> None:
        super().__init__()
        self.model = nn.Sequential(*modules)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.model(x)
        return y


class DownBlock(_Block):
    """Two 3x3 convolution blocks, the first with stride 2."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(*conv_block(in_channels, out_channels, stride=2), *conv_block(out_channels, out_channels))


class UpBlock(_Block):
    """Bilinear upsampling by 2, then one 3x3 convolution block."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(*conv_block(in_channels, out_channels))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, in, H, W)`` to ``(B, out, 2H, 2W)``."""
        return super().forward(F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False))


class ResidualBlock(_Block):
    """``relu(x + f(x))`` with two 3x3 convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__(*conv_block(channels, channels), *conv_block(channels, channels, activation=False))

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape ``(B, channels, H, W)``."""
        return torch.relu(x + super().forward(x))


class FlatBlock(_Block):
    """Residual blocks in a row; none is the identity."""

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__(*(ResidualBlock(channels) for _ in range(blocks)))


class SoftBins(nn.Module):
    """Expectation of a softmax over equally spaced intensities, for each colour (the "MSBA" output)."""

    scales: Tensor

    def __init__(self, bins: int) -> None:
        super().__init__()
        self.register_buffer("scales", torch.arange(bins, dtype=torch.float32)[None])

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, colours * bins, H, W)`` to ``(B, colours, H, W)`` in [-1, 1]."""
        bins = self.scales.shape[1]
        probability = x.unflatten(1, (-1, bins)).softmax(2)
        expectation = (probability * self.scales.view(1, 1, bins, 1, 1)).sum(2)
        return expectation * (2 / (bins - 1)) - 1


def conv_block(
    in_channels: int, out_channels: int, kernel: int = 3, stride: int = 1, activation: bool = True
) -> list[nn.Module]:
    """Reflection padding, convolution without bias, batch norm and, if asked, ReLU."""
    conv = nn.Conv2d(in_channels, out_channels, kernel, stride, bias=False)
    block = [nn.ReflectionPad2d(kernel // 2), conv, nn.BatchNorm2d(out_channels)]
    return [*block, nn.ReLU(inplace=True)] if activation else block


def _capped(width: int, config: MultiScaleResUNetConfig) -> int:
    return width if config.max_width is None else min(width, config.max_width)

"""VGG19-BN features and the perceptual loss of FSGAN (section 3.5), identity and attributes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

TAPS = (2, 6, 12, 20, 29)
"""modules after which features are read: relu1_1, pool1, relu2_2, conv3_3 before its norm, relu4_1"""
TAP_WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)
"""weights of the taps in the loss"""
_LAYERS = (2, 2, 4, 4, 4)


@dataclass(frozen=True, kw_only=True)
class VGGConfig:
    """Sizes of the feature network; the defaults are VGG19."""

    widths: tuple[int, ...] = (64, 128, 256, 512, 512)
    """channels of the five groups of 2, 2, 4, 4 and 4 convolutions"""


class VGGFeatures(nn.Module):
    """The convolutional part of VGG19 with batch norm; the published classifiers are not used.

    Args:
        config: sizes; :attr:`config` keeps it.
    """

    def __init__(self, config: VGGConfig) -> None:
        super().__init__()
        self.config = config
        modules: list[nn.Module] = []
        channels = 3
        for width, layers in zip(config.widths, _LAYERS, strict=True):
            for _ in range(layers):
                modules += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
                channels = width
            modules.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*modules)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Features at :data:`TAPS`.

        Args:
            images: ``(B, 3, H, W)`` in [0, 1], sides of at least 8.

        Returns:
            five tensors, ``(B, width, H / s, W / s)`` with s = 1, 2, 2, 4, 8.
        """
        y = images * 2 - 1
        taps = []
        for number, module in enumerate(self.features.children()):
            y = module(y)
            if number in TAPS:
                taps.append(y)
            if number == TAPS[-1]:
                break
        return taps


def perceptual_loss(found: Sequence[Tensor], expected: Sequence[Tensor]) -> Tensor:
    """Weighted mean absolute difference of features; the expected ones get no gradient.

    Args:
        found: taps of the generated images.
        expected: taps of the real images.

    Returns:
        a scalar.
    """
    terms = [(a - b.detach()).abs().mean() * w for a, b, w in zip(found, expected, TAP_WEIGHTS, strict=True)]
    total: Tensor = sum(terms[1:], terms[0])
    return total

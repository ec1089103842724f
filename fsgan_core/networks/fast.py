"""The official networks for inference: the same function in less time.

Batch norm is folded into the convolution before it, and the first convolution of a reenactment network, which is
linear, is split: its landmark half (98 of 101 channels) depends on the target alone and is computed once a frame
instead of once a view.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .ms_res_unet import MultiScaleResUNet
from .vgg import VGGFeatures

N = TypeVar("N", bound=nn.Module)


def folded(network: N) -> N:
    """A copy for inference with batch norms folded into the convolutions before them, in channels-last memory.

    Args:
        network: of ``networks.ARCHITECTURES``; not changed. In all of them a batch norm that is registered right
            after a convolution is applied right after it.

    Returns:
        a network in evaluation mode that needs no gradients; its tensors have other names than the checkpoint's.

    Raises:
        ValueError: the perceptual network, one of whose taps lies between convolution and norm.
    """
    if isinstance(network, VGGFeatures):
        raise ValueError("found the perceptual network, expected one without taps before a norm; use it as it is")
    result = copy.deepcopy(network).eval().requires_grad_(False)
    for parent in list(result.modules()):
        children = list(parent.named_children())
        for (name, conv), (after, norm) in zip(children, children[1:], strict=False):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(parent, name, fuse_conv_bn_eval(conv, norm))
                setattr(parent, after, nn.Identity())
    return result.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


class SharedReenactment(nn.Module):
    """A reenactment network whose landmark half is computed once for all views of a frame.

    Args:
        network: a multi-scale generator with image and landmark channels; not changed.
    """

    def __init__(self, network: MultiScaleResUNet) -> None:
        super().__init__()
        self.network = folded(network)
        self.config = network.config

    @property
    def _stems(self) -> tuple[Any, ...]:
        """Padding and first convolution of each level."""
        return tuple(stem[:2] for stem in (self.network.enhancer1.in_conv, self.network.base.in_conv))

    def prepare(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """What the first convolutions make of landmark maps.

        Args:
            maps: ``(B, P, R, R)`` and ``(B, P, R/2, R/2)``.

        Returns:
            one tensor a level, to be given to :meth:`forward` as often as there are views.
        """
        first = self.config.image_channels
        return [
            F.conv2d(pad(level), conv.weight[:, first:], conv.bias)
            for (pad, conv), level in zip(self._stems, maps, strict=True)
        ]

    def forward(self, images: Sequence[Tensor], prepared: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Generate one view.

        Args:
            images: ``(B, 3, R, R)`` and ``(B, 3, R/2, R/2)`` in [0, 1].
            prepared: from :meth:`prepare`.

        Returns:
            as :class:`MultiScaleResUNet`.
        """
        first = self.config.image_channels
        stems = [
            torch.relu_(F.conv2d(pad(level * 2 - 1), conv.weight[:, :first]).add_(half))
            for (pad, conv), level, half in zip(self._stems, images, prepared, strict=True)
        ]
        image, *others = self.network.enhancer1.refine(stems[0], self.network.base.inner(stems[1]))
        return ((image + 1) / 2, *others)

    def mix(self, views: Sequence[Tensor], weights: Tensor, maps: Sequence[Tensor]) -> Tensor:
        """Generate every view that has weight and sum the images by weight.

        Args:
            views: ``(B, V, 3, R, R)`` and ``(B, V, 3, R/2, R/2)`` in [0, 1].
            weights: ``(B, V)``, not negative, each row summing to 1.
            maps: see :meth:`prepare`.

        Returns:
            ``(B, 3, R, R)``.
        """
        prepared, mixed = self.prepare(maps), torch.zeros_like(views[0][:, 0])
        for view in range(weights.shape[1]):
            used = torch.nonzero(weights[:, view] > 0)[:, 0]
            if len(used):
                images, halves = [level[used, view] for level in views], [half[used] for half in prepared]
                mixed[used] += self(images, halves)[0] * weights[used, view, None, None, None]
        return mixed

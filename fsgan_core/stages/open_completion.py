"""Completion by our network: hidden sides and holes are drawn from what else is seen of the face."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ..networks.unet import UNet
from ..ops.flow import resize
from ..ops.pull_push import pull_push
from .open_networks import load_unet

_KNOWN = 0.1
"""Confidence from which on a pixel is kept, as in the smooth completion."""


class OpenCompleter:
    """Our network; see :class:`~fsgan_core.stages.completion.Completer`.

    It corrects the smooth fill at its own size; the correction is enlarged, so that holes are as fine as that size.

    Args:
        network: another network than the bundled one.
    """

    def __init__(self, network: UNet | None = None) -> None:
        self.network = network or load_unet("completion")

    @torch.inference_mode()
    def __call__(self, image: Tensor, confidence: Tensor, mask: Tensor) -> Tensor:
        """See :class:`~fsgan_core.stages.completion.Completer`."""
        hole = ((1 - confidence / _KNOWN).clamp(0, 1) * mask).clamp(0, 1)
        if not (hole > 0).any():
            return image
        filled = completed(self.network.to(image.device), image, hole, mask, self.network.config.size)
        return torch.lerp(image, resize(filled, *image.shape[-2:]).clamp(0, 1), hole)


def completed(network: torch.nn.Module, image: Tensor, hole: Tensor, mask: Tensor, size: int) -> Tensor:
    """The face at the network's size with its hole filled.

    Args:
        network: trained by ``training/completion.py``.
        image: ``(B, 3, S, S)``.
        hole: ``(B, 1, S, S)`` in [0, 1], what is to be filled.
        mask: ``(B, 1, S, S)`` where a face is wanted; beyond it nothing is looked at.
        size: side of the network's picture.

    Returns:
        ``(B, 3, size, size)``, not limited.
    """
    wanted = functional.adaptive_avg_pool2d(mask, size)
    unknown = (functional.adaptive_max_pool2d(hole, size) > 0).to(image.dtype)
    known = (wanted > 0.5).to(image.dtype) * (1 - unknown)
    coarse = functional.adaptive_avg_pool2d(image, size)
    smooth = pull_push(coarse, known)
    flipped = mirrored(torch.cat((coarse * known, known), 1), wanted)
    inputs = torch.cat(
        ((smooth - 0.5) / 0.25, unknown, wanted, flipped[:, :3] * 4 - 2 * flipped[:, 3:], flipped[:, 3:]), 1
    )
    answer = network(inputs.contiguous(memory_format=torch.channels_last))
    return smooth + 0.25 * answer.to(smooth.dtype)


def mirrored(values: Tensor, mask: Tensor) -> Tensor:
    """Values ``(B, C, S, S)`` flipped about the mask's own vertical middle, 0 where that leads beyond the picture."""
    size = mask.shape[-1]
    column = torch.arange(size, device=mask.device, dtype=mask.dtype)
    middle = (mask * column).sum((1, 2, 3)) / mask.sum((1, 2, 3)).clamp_min(1e-6)
    source = (2 * middle).round()[:, None] - column
    inside = ((source >= 0) & (source <= size - 1)).to(values.dtype)
    index = source.clamp(0, size - 1).long()[:, None, None].expand(-1, *values.shape[1:3], -1)
    return values.gather(3, index) * inside[:, None, None]

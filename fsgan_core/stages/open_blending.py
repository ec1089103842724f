"""Blending by a network that was trained to solve Poisson's equation, and not to be misled by what is no skin."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ..networks.unet import UNet
from ..ops.flow import resize
from ..ops.masks import erode
from ..ops.poisson import harmonic_fill
from ..ops.pull_push import pull_push

_RING = 3
"""Width in cells of the border on which the two pictures are compared."""


def membrane(network: UNet, face: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """What to add to the face so that it meets the target at the border and keeps its gradients.

    The network corrects a solution on cells, since the answer is smooth; sharpness is not its business.

    Args:
        network: trained by ``training/blending.py``.
        face: ``(B, 3, H, W)``, used where the mask is > 0.5.
        target: ``(B, 3, H, W)``.
        mask: ``(B, 1, H, W)``.

    Returns:
        ``(B, 3, H, W)``, meaningful where the mask is > 0.5.
    """
    size = network.config.size
    difference, low, inside = cells(face, target, mask, size)
    return resize(solved(network, difference, low, inside), *mask.shape[-2:])


def cells(face: Tensor, target: Tensor, mask: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """What the network gets to know: means over ``size`` by ``size`` cells.

    Returns:
        target minus face under the mask ``(B, 3, size, size)``, the target ``(B, 3, size, size)`` and the share of
        each cell that is inside the mask ``(B, 1, size, size)``.
    """
    hard = (mask > 0.5).to(target.dtype)
    inside = functional.adaptive_avg_pool2d(hard, size)
    total = functional.adaptive_avg_pool2d(torch.where(hard > 0, target - face, 0), size)
    return total / inside.clamp_min(1e-6), functional.adaptive_avg_pool2d(target, size), inside


def solved(network: torch.nn.Module, difference: Tensor, low: Tensor, inside: Tensor) -> Tensor:
    """The membrane on cells from what :func:`cells` returns, ``(B, 3, size, size)``."""
    return corrected(network, difference, low, inside, first_guess(difference, inside))


def first_guess(difference: Tensor, inside: Tensor) -> Tensor:
    """The membrane through the outermost cells as they are, hair and all, ``(B, 3, size, size)``."""
    whole = (inside > 0.5).to(difference.dtype)
    return pull_push(harmonic_fill(difference * whole, erode(whole)), whole)


def corrected(network: torch.nn.Module, difference: Tensor, low: Tensor, inside: Tensor, guess: Tensor) -> Tensor:
    """What the network makes of the first guess.

    Twice the difference gives twice the membrane: the network sees it in units of its own spread.
    """
    ring = inside * (1 - erode((inside > 0.5).to(inside.dtype), _RING))
    spread = (ring * difference.square()).mean((1, 2, 3), keepdim=True)
    unit = (spread / ring.mean((1, 2, 3), keepdim=True).clamp_min(1e-6)).sqrt().clamp_min(1e-3)
    seen, start = difference / unit * inside, guess / unit
    inputs = torch.cat((seen * ring, ring, inside, start, (low - 0.5) / 0.25, seen - start * inside), 1)
    answer = network(inputs.contiguous(memory_format=torch.channels_last))
    return unit * (start + answer.to(start.dtype))

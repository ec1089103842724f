"""Filling a picture from scattered values: a rough but instant membrane."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from .flow import resize


def pull_push(values: Tensor, weights: Tensor) -> Tensor:
    """Fill values everywhere from where they have weight, through a pyramid (Gortler et al., The Lumigraph, 1996).

    Args:
        values: ``(B, C, H, W)``, sides a power of two.
        weights: ``(B, 1, H, W)`` in [0, 1].

    Returns:
        ``(B, C, H, W)``.
    """
    levels = [(values * weights, weights)]
    while levels[-1][1].shape[-1] > 1:
        total, weight = (functional.avg_pool2d(part, 2) * 4 for part in levels[-1])
        # What counts more than once counts once.
        full = weight.clamp(max=1) / weight.clamp_min(1e-6)
        levels.append((total * full, weight * full))
    total, weight = levels.pop()
    filled = total / weight.clamp_min(1e-6)
    for total, weight in reversed(levels):
        filled = total + (1 - weight) * resize(filled, *total.shape[-2:])
    return filled

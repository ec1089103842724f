"""The likeliest closed line around a point, in a picture unrolled about it."""

from __future__ import annotations

import torch
from torch import Tensor

_STEP = 3
"""Rows that a path moves outwards or inwards at most from one direction to the next."""


def closed_path(evidence: Tensor, bend: float = 0.8) -> Tensor:
    """How surely the best closed path goes through each place.

    All paths around are summed up, each weighing as much as the product of the evidence on it: a hidden Markov model on
    a ring, whose marginals are on the diagonals of the product of all its transfer matrices. Products of 2, 4, 8...
    neighbouring matrices are made for all directions at a time.

    Args:
        evidence: ``(B, A, R)`` positive, by direction and distance; A is a power of two.
        bend: standard deviation in rows of how far a path moves outwards from one direction to the next.

    Returns:
        ``(B, A, R)`` not negative, summing to 1 over the distances.

    Raises:
        ValueError: A is no power of two.
    """
    directions, rows = evidence.shape[1:]
    if directions < 2 or directions & (directions - 1):
        raise ValueError(f"expected a power of two of directions, found {directions}")
    row = torch.arange(rows, device=evidence.device)
    apart = (row[:, None] - row).to(evidence.dtype)
    moved = torch.exp(-0.5 * (apart / bend) ** 2) * (apart.abs() <= _STEP)
    half = evidence.sqrt()
    product = half[..., None] * moved * half.roll(-1, 1)[..., None, :]
    for level in range(directions.bit_length() - 1):
        product = product @ product.roll(-(2**level), 1)
        if level % 2:  # only their proportions matter, and they must not run out of range
            product = product / product.amax((-2, -1), keepdim=True).clamp_min(torch.finfo(product.dtype).tiny)
    through = product.diagonal(dim1=-2, dim2=-1)
    return through / through.sum(-1, keepdim=True).clamp_min(torch.finfo(product.dtype).tiny)

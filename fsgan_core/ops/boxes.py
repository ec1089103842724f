"""Boxes as tensors: overlap, and keeping one of many that show the same thing."""

from __future__ import annotations

import torch
from torch import Tensor


def areas(boxes: Tensor) -> Tensor:
    """Areas ``(...)`` of boxes ``(..., 4)``; empty boxes have none."""
    return (boxes[..., 2:] - boxes[..., :2]).clamp(min=0).prod(-1)


def intersections(one: Tensor, other: Tensor) -> Tensor:
    """Areas that boxes ``(..., 4)`` share, pair by pair under broadcasting."""
    corner = torch.minimum(one[..., 2:], other[..., 2:]) - torch.maximum(one[..., :2], other[..., :2])
    return corner.clamp(min=0).prod(-1)


def overlaps(one: Tensor, other: Tensor) -> Tensor:
    """Intersection over union in [0, 1], pair by pair under broadcasting; 0 for empty boxes."""
    shared = intersections(one, other)
    return shared / (areas(one) + areas(other) - shared).clamp(min=1e-9)


def generalized_overlaps(one: Tensor, other: Tensor) -> Tensor:
    """Generalised intersection over union in [-1, 1], pair by pair (Rezatofighi et al., 2019, algorithm 1)."""
    shared = intersections(one, other)
    union = (areas(one) + areas(other) - shared).clamp(min=1e-9)
    corner = torch.maximum(one[..., 2:], other[..., 2:]) - torch.minimum(one[..., :2], other[..., :2])
    hull = corner.clamp(min=0).prod(-1).clamp(min=1e-9)
    return shared / union - (hull - union) / hull


def suppress(boxes: Tensor, scores: Tensor, overlap: float = 0.4, containment: float = 0.75) -> Tensor:
    """Greedy non-maximum suppression.

    A box goes when a better one overlaps it by more than ``overlap`` (intersection over union), or when more than
    ``containment`` of the smaller of the two lies inside the other: a face in a face is the same face.

    Args:
        boxes: ``(N, 4)`` left, top, right, bottom.
        scores: ``(N,)``.
        overlap: limit in [0, 1].
        containment: limit in [0, 1].

    Returns:
        ``(K,)`` indices of the boxes kept, best first; ties keep the first.
    """
    order = torch.argsort(scores, descending=True, stable=True)
    sorted_boxes = boxes[order]
    shared = intersections(sorted_boxes[:, None], sorted_boxes[None])
    size = areas(sorted_boxes)
    smaller = torch.minimum(size[:, None], size[None]).clamp(min=1e-9)
    union = (size[:, None] + size[None] - shared).clamp(min=1e-9)
    same = (shared / union > overlap) | (shared / smaller > containment)
    alive = torch.ones(len(order), dtype=torch.bool, device=boxes.device)
    for number in range(len(order)):
        if alive[number]:
            alive[number + 1 :] &= ~same[number, number + 1 :]
    return order[alive]

"""Boxes as tensors: overlap, and keeping one of many that show the same thing."""

from __future__ import annotations

from types import EllipsisType

import torch
from torch import Tensor

Part = tuple[EllipsisType, slice, slice]
"""An index of pictures ``(..., H, W)``: some rows and columns."""


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


def bounding_boxes(mask: Tensor) -> Tensor:
    """Return ``(B, 4)`` left, top, right, bottom around mask > 0 in whole pixels; all 0 if the mask is empty."""
    sides = []
    for dim in (2, 3):
        line = (mask.amax(dim)[:, 0] > 0).to(torch.int64)
        length = line.shape[-1]
        sides.append((line.argmax(-1), (length - line.flip(-1).argmax(-1)) * line.amax(-1)))
    (left, right), (top, bottom) = sides
    return torch.stack((left, top, right, bottom), -1)


def surrounding(mask: Tensor, margin: int = 0) -> Part:
    """The part of pictures ``(..., H, W)`` that holds all of a mask ``(B, 1, H, W)`` > 0, and some pixels around.

    All of them if the mask is empty.
    """
    height, width = mask.shape[-2:]
    left, top, right, bottom = bounding_boxes(mask.amax(0, keepdim=True))[0].tolist()
    if right == 0:
        left, top, right, bottom = 0, 0, width, height
    rows, columns = (
        slice(max(0, low - margin), min(size, high + margin))
        for low, high, size in ((top, bottom, height), (left, right, width))
    )
    return ..., rows, columns


def widened(part: Part, margin: int, picture: Tensor) -> tuple[Part, Part]:
    """A part of a picture ``(..., H, W)`` and some pixels around as far as there are, and where in that it lies."""
    (rows, down), (columns, across) = (
        (slice(low, min(size, line.stop + margin)), slice(line.start - low, line.stop - low))
        for line, size in zip(part[1:], picture.shape[-2:], strict=True)
        for low in [max(0, line.start - margin)]
    )
    return (..., rows, columns), (..., down, across)

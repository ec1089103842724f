"""Gradient-domain blending inside a mask of any shape (Perez, Gangnet and Blake, Poisson Image Editing, 2003)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from .multigrid import build_levels, solve

Mode = Literal["normal", "mixed"]
MODES = get_args(Mode)
_WINDOW = 32
_TOLERANCE = 0.5 / 255
_ITERATIONS = 30


def poisson_blend(
    source: Tensor, target: Tensor, mask: Tensor, mode: str = "normal", tolerance: float = _TOLERANCE
) -> Tensor:
    """Give the target the gradients of the source inside the mask (equations 3, 11 and 12).

    Pixels with mask > 0.5 are unknown; all others are the target's, bit for bit, and bound the solution. Where the mask
    touches the image border there is no neighbour and hence no constraint. A mask that covers the whole image has
    no boundary at all: the source is then shifted by the mean difference of each channel. An empty mask returns the
    target. Items of a batch are solved independently of each other.

    Args:
        source: ``(B, C, H, W)``, aligned with the target; its pixels next to the mask are used too.
        target: ``(B, C, H, W)``.
        mask: ``(B, 1, H, W)``.
        mode: "normal" keeps the source's gradients, "mixed" the larger of the source's and the target's.
        tolerance: error estimate at which iterating stops, in the unit of the images; the error left is smaller.

    Returns:
        ``(B, C, H, W)`` in the target's dtype; not clamped.

    Raises:
        ValueError: shapes do not agree or the mode is unknown.
    """
    if mode not in MODES:
        raise ValueError(f"unknown Poisson mode {mode!r}: choose one of {', '.join(MODES)}")
    if source.shape != target.shape:
        raise ValueError(f"source is {tuple(source.shape)} but target is {tuple(target.shape)}: make them equal")
    difference = target.float() - source.float()
    guidance = _mixed_divergence(source.float(), target.float()) if mode == "mixed" else None
    membrane = solve_membrane(difference, mask, guidance, tolerance=tolerance)
    return torch.where(mask > 0.5, (source + membrane).to(target.dtype), target)


def harmonic_fill(
    values: Tensor, mask: Tensor, screening: Tensor | float = 0.0, tolerance: float = _TOLERANCE
) -> Tensor:
    """Fill the mask with the smoothest continuation of what surrounds it: the membrane (equation 2).

    Args:
        values: ``(B, C, H, W)``; those under the mask are ignored.
        mask: ``(B, 1, H, W)``, filled where > 0.5. An item without any known pixel is filled with its mean.
        screening: pulls the filling to zero with distance from the border as ``exp(-screening * pixels)``, in 1 / px;
            a number or ``(B, 1, 1, 1)``.
        tolerance: error estimate at which iterating stops, in the unit of the values.

    Returns:
        ``(B, C, H, W)`` in the values' dtype, unchanged where the mask is not > 0.5.
    """
    membrane = solve_membrane(values.float(), mask, None, screening, tolerance)
    return torch.where(mask > 0.5, membrane.to(values.dtype), values)


def mixed_membrane(source: Tensor, target: Tensor, mask: Tensor, tolerance: float = _TOLERANCE) -> Tensor:
    """What the mixed guidance adds to the source when the border is already right (zero at the border).

    Arguments are those of :func:`poisson_blend`. Returns ``(B, C, H, W)``, zero outside the mask.
    """
    return solve_membrane(torch.zeros_like(source), mask, _mixed_divergence(source, target), tolerance=tolerance)


@torch.no_grad()
def solve_membrane(
    values: Tensor,
    mask: Tensor,
    guidance: Tensor | None = None,
    screening: Tensor | float = 0.0,
    tolerance: float = _TOLERANCE,
) -> Tensor:
    """Solve ``(screening^2 - laplace) u = guidance`` inside the mask with ``u = values`` around it.

    Args:
        values: ``(B, C, H, W)`` float32 or float64.
        mask: ``(B, 1, H, W)``, unknown where > 0.5.
        guidance: ``(B, C, H, W)`` right-hand side, in values per square pixel; None is zero.
        screening: in 1 / px, a number or ``(B, 1, 1, 1)``.
        tolerance: error estimate at which iterating stops, in the unit of the values.

    Returns:
        ``(B, C, H, W)``, zero outside the mask.

    Raises:
        ValueError: the mask's shape is not ``(B, 1, H, W)`` of the values.
    """
    if mask.shape != (len(values), 1, *values.shape[-2:]):
        raise ValueError(f"mask is {tuple(mask.shape)} but (B, 1, H, W) of {tuple(values.shape)} is needed")
    unknown = mask > 0.5
    result = torch.zeros_like(values)
    squared = torch.as_tensor(screening, dtype=values.dtype, device=values.device).square().expand(len(values), 1, 1, 1)
    for items, (top, left, bottom, right) in windows(unknown):
        part = (items, slice(None), slice(top, bottom), slice(left, right))
        free = unknown[part].to(values.dtype)
        degree = _degree(values[0, 0])[top:bottom, left:right]
        rhs = _border_sum(values[part] * (1 - free))
        if guidance is not None:
            rhs = rhs + guidance[part]
        levels = build_levels(free, degree + squared[items])
        result[part] = solve(levels, rhs * free, tolerance, _ITERATIONS)
    whole = unknown.flatten(1).all(1)
    mean = values.mean((2, 3), keepdim=True)
    return torch.where(whole[:, None, None, None], mean, result)


def windows(unknown: Tensor) -> Iterator[tuple[Tensor, tuple[int, int, int, int]]]:
    """Group the items to solve by the window around their mask: indices and (top, left, bottom, right).

    A window depends on its own mask alone, so that an item is solved on the same grid whatever shares its batch. It
    contains the neighbours of every unknown and is rounded outwards to let moving masks share it. On a CPU every item
    is a group of its own: one item's fields stay in the cache.
    """
    height, width = unknown.shape[-2:]
    groups: dict[tuple[int, ...], list[int]] = {}
    rows, columns = unknown.any(3)[:, 0].cpu(), unknown.any(2)[:, 0].cpu()
    whole = unknown.flatten(1).all(1).cpu()
    for item in range(len(unknown)):
        if rows[item].any() and not whole[item]:
            top, bottom = _extent(rows[item], height)
            left, right = _extent(columns[item], width)
            alone = item if unknown.device.type == "cpu" else 0
            groups.setdefault((top, left, bottom, right, alone), []).append(item)
    for (top, left, bottom, right, _), items in groups.items():
        yield torch.tensor(items, device=unknown.device), (top, left, bottom, right)


def _extent(occupied: Tensor, size: int) -> tuple[int, int]:
    places = occupied.nonzero()
    first, last = int(places[0]) - 1, int(places[-1]) + 2
    return max(first // _WINDOW * _WINDOW, 0), min(-(-last // _WINDOW) * _WINDOW, size)


def _degree(field: Tensor) -> Tensor:
    """``(H, W)`` number of neighbours a pixel has inside the image."""
    return _border_sum(torch.ones_like(field)[None])[0]


def _border_sum(field: Tensor) -> Tensor:
    """Sum of the four neighbours; those beyond the edge count as zero."""
    padded = F.pad(field, (1, 1, 1, 1))
    vertical = padded[..., :-2, 1:-1] + padded[..., 2:, 1:-1]
    return vertical + padded[..., 1:-1, :-2] + padded[..., 1:-1, 2:]


def _mixed_divergence(source: Tensor, target: Tensor) -> Tensor:
    """Divergence that the mixed guidance adds to the source's own: what stronger target gradients exceed it by."""
    total = torch.zeros_like(source)
    for dim in (-2, -1):
        ours, theirs = source.diff(dim=dim), target.diff(dim=dim)
        # The margin keeps rounding errors from deciding between gradients of equal size, common in 8-bit pictures.
        excess = torch.where(theirs.abs() > ours.abs() + 1e-4, theirs - ours, 0)
        length = excess.shape[dim]
        total.narrow(dim, 1, length).add_(excess)
        total.narrow(dim, 0, length).sub_(excess)
    return total

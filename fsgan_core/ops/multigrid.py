"""Multigrid for the Laplace operator on a mask of any shape, batched, in plain torch.

The unknowns are the mask's pixels and the operator is the graph Laplacian of the four-neighbour grid; neighbours
outside the mask are known (Dirichlet) and neighbours beyond the image do not exist (Neumann). Coarse operators are
Galerkin products ``P^T A P`` with bilinear interpolation cut to the mask; a coarse node is unknown if and only if the
fine pixel under it is. Rediscretising instead diverges on ragged masks. One V-cycle is a symmetric preconditioner
for conjugate gradients (Briggs, Henson and McCormick, A Multigrid Tutorial, chapters 3 and 8).

Fields are ``(B, C, h, w)``. Those an operator is applied to carry a ring of zeros, ``(B, C, h+2, w+2)``, so that a
neighbour is a shifted view: on a CPU this is several times faster than convolving.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from .pooling import summed

_OFFSETS = tuple((i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0))
# Roots of the Chebyshev polynomial of degree 3 on [2/8, 2], the upper part of the spectrum of D^-1 A: relaxing with
# their reciprocals is the Chebyshev smoother, without its recurrence.
_RELAXATIONS = tuple(1 / (1.125 + 0.875 * math.cos(math.pi * (2 * k + 1) / 6)) for k in range(3))
_COARSEST = 256


@dataclass(frozen=True, kw_only=True)
class Level:
    """The operator ``A`` on one grid. Everything is zero where there is no unknown.

    Attributes:
        mask: ``(B, 1, h, w)`` 1 at unknowns.
        diagonal: ``(B, 1, h, w)`` of A.
        inverse: ``(B, 1, h, w)`` its reciprocal.
        stencil: ``(B, 8, h, w)`` ``-A_ij / A_ii`` of the eight neighbours in row order, None on the finest grid, where
            the four nearest weigh ``inverse`` and the others nothing.
        solution: ``(B, n, n)`` inverse of A over all n = h*w nodes, on the coarsest grid only.
    """

    mask: Tensor
    diagonal: Tensor
    inverse: Tensor
    stencil: Tensor | None = None
    solution: Tensor | None = None


def build_levels(mask: Tensor, diagonal: Tensor) -> list[Level]:
    """Build the operator on every grid, finest first.

    Args:
        mask: ``(B, 1, h, w)`` 1 at unknowns, 0 elsewhere, of the floating type to solve in.
        diagonal: ``(B, 1, h, w)`` number of neighbours inside the image, plus any screening term; positive.

    Returns:
        Grids of halving size, down to one that is solved directly.
    """
    levels = [_level(mask, diagonal * mask, None)]
    while mask.shape[-2] * mask.shape[-1] > _COARSEST:
        mask, diagonal, stencil = _galerkin(levels[-1])
        levels.append(_level(mask, diagonal, stencil))
    coarsest = levels[-1]
    levels[-1] = replace(coarsest, solution=_invert(coarsest))
    return levels


def solve(levels: list[Level], rhs: Tensor, tolerance: float, iterations: int) -> Tensor:
    """Solve ``A x = rhs`` by conjugate gradients from a cascade of grids (Bornemann and Deuflhard, 1996).

    A V-cycle applied to the residual estimates the error itself, so iterating stops, for each item by itself,
    when that estimate is within the tolerance everywhere; it is then added, which leaves an error well below it.

    Args:
        levels: the operator, of :func:`build_levels`.
        rhs: ``(B, C, h, w)``, zero where there is no unknown.
        tolerance: largest acceptable absolute error, in the unit of x.
        iterations: at most so many conjugate gradient steps.

    Returns:
        x, ``(B, C, h, w)``, zero where there is no unknown.
    """
    finest = levels[0]
    x = _cascade(levels, rhs)
    residual = rhs - _apply(finest, x)
    x = _inner(x)
    direction: Tensor | None = None
    slope = rhs.new_ones(())
    active = torch.ones(len(rhs), 1, 1, 1, dtype=torch.bool, device=rhs.device)
    for _ in range(iterations):
        correction = _cycle(levels, residual)
        estimate = _inner(correction)
        converged = estimate.abs().amax((1, 2, 3), keepdim=True) <= tolerance
        x = x.addcmul_(estimate, (active & converged).to(x.dtype))
        active = active & ~converged
        if not bool(active.any()):
            break
        previous, slope = slope, _dot(residual, estimate)
        direction = correction if direction is None else correction.add_(direction * _ratio(slope, previous))
        image = _apply(finest, direction)
        step = _ratio(slope, _dot(image, _inner(direction))) * active
        x = x.addcmul_(_inner(direction), step)
        residual = residual.addcmul_(image, -step)
    return x


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Channels of an item share their step lengths: one dot product an item, ``(B, 1, 1, 1)``."""
    return summed(a * b, (1, 2, 3))


def _ratio(a: Tensor, b: Tensor) -> Tensor:
    return a / b.clamp_min(torch.finfo(b.dtype).tiny)


def _inner(padded: Tensor) -> Tensor:
    return padded[..., 1:-1, 1:-1]


def _shifted(padded: Tensor, i: int, j: int) -> Tensor:
    height, width = padded.shape[-2] - 2, padded.shape[-1] - 2
    return padded[..., 1 + i : 1 + i + height, 1 + j : 1 + j + width]


def _level(mask: Tensor, diagonal: Tensor, stencil: Tensor | None) -> Level:
    return Level(mask=mask, diagonal=diagonal, inverse=mask / torch.where(mask > 0, diagonal, 1), stencil=stencil)


def _neighbours(level: Level, x: Tensor, constant: Tensor | float) -> Tensor:
    """``constant + (I - D^-1 A) x``: what the unknowns would be, were all their neighbours right."""
    if level.stencil is None:
        total = _shifted(x, -1, 0) + _shifted(x, 1, 0)
        total = total.add_(_shifted(x, 0, -1)).add_(_shifted(x, 0, 1))
        return total.mul_(level.inverse).add_(constant)
    total = _shifted(x, *_OFFSETS[0]) * level.stencil[:, :1]
    for k, offset in enumerate(_OFFSETS[1:], 1):
        total = total.addcmul_(_shifted(x, *offset), level.stencil[:, k : k + 1])
    return total.add_(constant)


def _apply(level: Level, x: Tensor) -> Tensor:
    """``A x`` of a padded field."""
    return _neighbours(level, x, 0.0).sub_(_inner(x)).mul_(level.diagonal).neg_()


def _smooth(level: Level, x: Tensor, scaled_rhs: Tensor, relaxations: tuple[float, ...]) -> Tensor:
    for relaxation in relaxations:
        _inner(x).lerp_(_neighbours(level, x, scaled_rhs), relaxation)
    return x


def _cycle(levels: list[Level], residual: Tensor) -> Tensor:
    """One V-cycle from zero: an approximation of ``A^-1 residual``, padded."""
    level = levels[0]
    if level.solution is not None:
        return F.pad((residual.flatten(2) @ level.solution).view_as(residual), (1, 1, 1, 1))
    scaled = residual * level.inverse
    x = F.pad(scaled * _RELAXATIONS[0], (1, 1, 1, 1))
    x = _smooth(level, x, scaled, _RELAXATIONS[1:])
    remaining = _neighbours(level, x, scaled).sub_(_inner(x)).mul_(level.diagonal)
    coarse = _cycle(levels[1:], _restrict(remaining) * levels[1].mask)
    _inner(x).addcmul_(_prolong(_inner(coarse), residual.shape), level.mask)
    return _smooth(level, x, scaled, _RELAXATIONS[::-1])


def _cascade(levels: list[Level], rhs: Tensor) -> Tensor:
    """Solve on the coarsest grid, then interpolate and smooth grid by grid: a padded start within a few per cent."""
    level = levels[0]
    if level.solution is not None:
        return _cycle(levels, rhs)
    coarse = _cascade(levels[1:], _restrict(rhs) * levels[1].mask)
    x = F.pad(_prolong(_inner(coarse), rhs.shape) * level.mask, (1, 1, 1, 1))
    return _smooth(level, x, rhs * level.inverse, _RELAXATIONS)


def _prolong(coarse: Tensor, shape: torch.Size) -> Tensor:
    """Bilinear interpolation; coarse node (I, J) lies on fine pixel (2I, 2J), a last odd pixel copies its node."""
    return _prolong_rows(_prolong_rows(coarse.mT, shape[-1]).mT, shape[-2])


def _prolong_rows(coarse: Tensor, size: int) -> Tensor:
    fine = coarse.new_empty(*coarse.shape[:-2], size, coarse.shape[-1])
    fine[..., ::2, :] = coarse
    between = coarse.shape[-2] - 1
    torch.add(coarse[..., :-1, :], coarse[..., 1:, :], out=fine[..., 1 : 2 * between : 2, :]).mul_(0.5)
    if size % 2 == 0:
        fine[..., -1, :] = coarse[..., -1, :]
    return fine


def _restrict(fine: Tensor) -> Tensor:
    """The transpose of :func:`_prolong`."""
    return _restrict_rows(_restrict_rows(fine).mT).mT


def _restrict_rows(fine: Tensor) -> Tensor:
    coarse = fine[..., ::2, :].clone()
    between = coarse.shape[-2] - 1
    odd = fine[..., 1 : 2 * between : 2, :]
    coarse[..., :-1, :].add_(odd, alpha=0.5)
    coarse[..., 1:, :].add_(odd, alpha=0.5)
    if fine.shape[-2] % 2 == 0:
        coarse[..., -1, :].add_(fine[..., -1, :])
    return coarse


def _galerkin(level: Level) -> tuple[Tensor, Tensor, Tensor]:
    """Mask, diagonal and stencil of ``P^T A P``.

    Nodes three apart do not interact, so nine combs of unit vectors, one a colour, show all columns at once.
    """
    mask = level.mask[..., ::2, ::2]
    rows, columns = (torch.arange(n, device=mask.device) for n in mask.shape[-2:])
    colour = 3 * (rows % 3)[:, None] + columns % 3
    combs = (colour == torch.arange(9, device=mask.device)[:, None, None]).to(mask.dtype) * mask
    image = _apply(level, F.pad(_prolong(combs, level.mask.shape) * level.mask, (1, 1, 1, 1)))
    image = _restrict(image) * mask
    where = torch.stack([3 * ((rows + i) % 3)[:, None] + (columns + j) % 3 for i, j in ((0, 0), *_OFFSETS)])
    gathered = image.gather(1, where.expand(len(mask), -1, -1, -1))
    diagonal = gathered[:, :1]
    return mask, diagonal, -gathered[:, 1:] / torch.where(mask > 0, diagonal, 1)


def _invert(level: Level) -> Tensor:
    """Dense inverse of A, zero where there is no unknown."""
    height, width = level.mask.shape[-2:]
    unit = torch.eye(height * width, dtype=level.mask.dtype, device=level.mask.device).view(1, -1, height, width)
    matrix = _apply(level, F.pad(unit * level.mask, (1, 1, 1, 1))).flatten(2)
    free = level.mask.flatten(2)
    # On a CPU in double precision, in which threads that take it apart in another order agree once it is rounded.
    wide = torch.float64 if matrix.device.type == "cpu" else matrix.dtype
    inverse = torch.linalg.inv((matrix + torch.diag_embed(1 - free[:, 0])).to(wide)).to(matrix.dtype)
    return inverse * free * free.mT

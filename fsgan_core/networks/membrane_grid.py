"""Grids for :mod:`.membrane_net`: networks of resistors, and the way from one to the next and back."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

COARSEST = 8
"""Side in cells of the grid that is solved directly."""
_TINY = 1e-9
_FOUR = ((0, 0), (0, 1), (1, 0), (1, 1))


@dataclass(frozen=True)
class Grid:
    """One grid; all ``(B, 1, h, w)`` and 0 where there is no unknown.

    Attributes:
        right: conductance to the cell on the right.
        down: conductance to the cell below.
        border: conductance to what is known.
        degree: sum of all conductances of a cell.
        reciprocal: of the degree.
        left_share, right_share, up_share, down_share: of that sum, by neighbour.
    """

    right: Tensor
    down: Tensor
    border: Tensor
    degree: Tensor
    reciprocal: Tensor
    left_share: Tensor
    right_share: Tensor
    up_share: Tensor
    down_share: Tensor

    @staticmethod
    def of(right: Tensor, down: Tensor, border: Tensor) -> Grid:
        """The grid with these conductances."""
        left, up = functional.pad(right[..., :-1], (1, 0)), functional.pad(down[..., :-1, :], (0, 0, 1, 0))
        degree = right + left + down + up + border
        reciprocal = 1 / (degree + _TINY)
        return Grid(right, down, border, degree, reciprocal, *(part * reciprocal for part in (left, right, up, down)))

    def pull(self, total: Tensor, x: Tensor) -> Tensor:
        """Add the neighbours' values by their shares to a tensor, in place."""
        total[..., :-1].addcmul_(x[..., 1:], self.right_share[..., :-1])
        total[..., 1:].addcmul_(x[..., :-1], self.left_share[..., 1:])
        total[..., :-1, :].addcmul_(x[..., 1:, :], self.down_share[..., :-1, :])
        total[..., 1:, :].addcmul_(x[..., :-1, :], self.up_share[..., 1:, :])
        return total

    def inverse(self) -> Tensor:
        """``(B, N, N)``; a row ``b`` of all ``N = h*w`` cells times it is the ``x`` with ``x - pull(0, x) = b``."""
        height, width = self.border.shape[-2:]
        unit = torch.eye(height * width, dtype=self.border.dtype, device=self.border.device)
        unit = unit.view(1, -1, height, width).expand(len(self.border), -1, -1, -1)
        return torch.linalg.inv(self.pull(unit.clone(), -unit).flatten(2))


@dataclass(frozen=True)
class Step:
    """From one grid to the next and back.

    Attributes:
        fine: the grid.
        coarse: the next grid.
        gathered: ``(B, 4, h/2, w/2)`` weights of the finer grid's cells, by place in their four, in what goes down.
        spread: ``(B, 4, h/2, w/2)`` the same in what comes back up.
    """

    fine: Grid
    coarse: Grid
    gathered: Tensor
    spread: Tensor

    def down(self, fine: Tensor) -> Tensor:
        """What the finer grid's cells have too much or too little, for the coarser: ``(B, C, h/2, w/2)``."""
        total = fine[..., ::2, ::2] * self.gathered[:, :1]
        for number, (i, j) in enumerate(_FOUR[1:], 1):
            total = total.addcmul_(fine[..., i::2, j::2], self.gathered[:, number : number + 1])
        return total

    def up(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """The finer values with the coarser, linearly interpolated, added."""
        fine, wide = fine.clone(), functional.pad(coarse, (1, 1, 1, 1), mode="replicate")
        for number, (i, j) in enumerate(_FOUR):
            rows = torch.lerp(wide[..., 1:-1, :], wide[..., 2 * i : 2 * i + wide.shape[-2] - 2, :], 0.25)
            near = torch.lerp(rows[..., 1:-1], rows[..., 2 * j : 2 * j + rows.shape[-1] - 2], 0.25)
            fine[..., i::2, j::2].addcmul_(near, self.spread[:, number : number + 1])
        return fine


def fours(field: Tensor) -> Tensor:
    """``(B, 4, h/2, w/2)`` from ``(B, 1, h, w)``."""
    return torch.cat([field[..., i::2, j::2] for i, j in _FOUR], 1)


def finest(values: Tensor, unknown: Tensor) -> tuple[Grid, Tensor]:
    """The grid of the pixels, and the sums of the known values next to each unknown, padded for the coarser grids."""
    known = 1 - unknown
    total, count = (_around(part) * unknown for part in (values * known, known))
    right = functional.pad(unknown[..., 1:] * unknown[..., :-1], (0, 1))
    down = functional.pad(unknown[..., 1:, :] * unknown[..., :-1, :], (0, 0, 0, 1))
    height, width = unknown.shape[-2:]
    multiple = 1
    while COARSEST * multiple < max(height, width):
        multiple *= 2
    ends = (0, -width % multiple, 0, -height % multiple)
    right, down, count, total = (functional.pad(part, ends) for part in (right, down, count, total))
    return Grid.of(right, down, count), total


def _around(field: Tensor) -> Tensor:
    """Sum of the four neighbours; beyond the edge there is nothing."""
    total = functional.pad(field[..., 1:], (0, 1))
    total[..., 1:] += field[..., :-1]
    total[..., :-1, :] += field[..., 1:, :]
    total[..., 1:, :] += field[..., :-1, :]
    return total

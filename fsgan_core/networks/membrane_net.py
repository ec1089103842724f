"""Multigrid whose coarse grids are learned: a membrane in two cycles, without setting up exact coarse operators.

Values spread on a grid of cells as currents in a network of resistors. Two neighbouring unknown pixels are joined by
a conductance of 1, and so is an unknown pixel to each known neighbour. Four cells make a cell of the next grid. What
then joins two of those, how strongly the border holds them, and how errors go down and come back up, depends on the
shape of the mask round about: a small network looks at the finer grid's conductances and says so. It never sees the
values, so the answer is linear in them, and channels share everything.

The layout is that of convolution pyramids (Farbman, Fattal and Lischinski, Convolution Pyramids, 2011): analysis down,
synthesis up, small filters; the filters change with the mask as coarse operators do in multigrid (Briggs, Henson and
McCormick, A Multigrid Tutorial, chapter 3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

_COARSEST = 8
"""Side in cells of the grid that is solved directly."""
_TINY = 1e-6
_FOUR = ((0, 0), (0, 1), (1, 0), (1, 1))
_FACTORS = (0.1, 8.0)
"""How far the networks may change what the geometry of an open grid gives."""


@dataclass(frozen=True, kw_only=True)
class MembraneConfig:
    """Shape of the network; it travels with the weights."""

    width: int = 16
    """channels of the networks that make coarse grids"""
    own: int = 2
    """grids with a network of their own; all coarser ones share the last"""
    cycles: int = 2
    """cycles"""
    twice: int = 2
    """grid that a cycle visits twice, for little, where the pixels are grid 0; large pictures need it"""
    before: int = 1
    """relaxations of a cycle on its way down"""
    after: int = 2
    """relaxations on its way up"""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> MembraneConfig:
        """From JSON."""
        return cls(**values)


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


class Coarsener(nn.Module):
    """Makes the next grid from one, by what its conductances look like round about."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.look = nn.Conv2d(4, width, 4, 2, 1)
        self.mix = nn.Conv2d(width, width, 1)
        self.say = nn.Conv2d(width, 14, 1)
        nn.init.zeros_(self.say.weight)
        nn.init.zeros_(cast(Tensor, self.say.bias))

    def forward(self, grid: Grid) -> Step:
        """See :class:`Step`; sides of the grid must be even."""
        exists = (grid.degree > 0).to(grid.border.dtype)
        seen = torch.cat((grid.right, grid.down, grid.border / (1 + grid.border), exists), 1)
        # Far from any border geometry is right, on however coarse a grid.
        open_grid = seen.new_tensor((1, 1, 0, 1)).view(1, 4, 1, 1).expand(1, 4, 4, 4)
        factors = (1 + self.answer(seen, 1) - self.answer(open_grid, 0)).clamp(*_FACTORS)
        # Two edges side by side, each half of a way twice as long.
        right = (grid.right[..., ::2, 1::2] + grid.right[..., 1::2, 1::2]) * (0.5 * factors[:, :1])
        down = (grid.down[..., 1::2, ::2] + grid.down[..., 1::2, 1::2]) * (0.5 * factors[:, 1:2])
        border = (0.67 * _fours(grid.border) * factors[:, 2:6]).sum(1, keepdim=True)
        coarse = Grid.of(right, down, border)
        gathered = _fours(grid.degree) * factors[:, 6:10] * coarse.reciprocal
        return Step(grid, coarse, gathered, _fours(exists) * factors[:, 10:14])

    def answer(self, seen: Tensor, padding: int) -> Tensor:
        """What the network says of conductances ``(B, 4, h, w)``."""
        look = functional.conv2d(seen, self.look.weight, self.look.bias, 2, padding)
        return cast(Tensor, self.say(torch.relu(self.mix(torch.relu(look))))).to(seen.dtype)


def _fours(field: Tensor) -> Tensor:
    """``(B, 4, h/2, w/2)`` from ``(B, 1, h, w)``."""
    return torch.cat([field[..., i::2, j::2] for i, j in _FOUR], 1)


class MembraneNet(nn.Module):
    """Continues values into a mask."""

    def __init__(self, config: MembraneConfig) -> None:
        super().__init__()
        self.config = config
        self.coarseners = nn.ModuleList(Coarsener(config.width) for _ in range(config.own))
        self.relaxations = nn.Parameter(torch.full((config.cycles, config.own + 1, config.before + config.after), 0.8))

    def forward(self, values: Tensor, unknown: Tensor) -> Tensor:
        """The membrane: the values where they are known, and their smooth continuation.

        Args:
            values: ``(B, C, H, W)`` float32; those that are unknown are ignored.
            unknown: ``(B, 1, H, W)`` of 0 and 1.

        Returns:
            ``(B, C, H, W)``.
        """
        height, width = unknown.shape[-2:]
        grid, source = finest(values, unknown)
        # A constant is continued exactly; the cycles have to find what differs from it.
        mean = source.sum((2, 3), keepdim=True) / grid.border.sum((2, 3), keepdim=True).clamp_min(_TINY)
        scaled = (source - mean * grid.border) * grid.reciprocal
        steps = list[Step]()
        coarsest = grid
        while max(coarsest.border.shape[-2:]) > _COARSEST:
            steps.append(self.coarseners[min(len(steps), self.config.own - 1)](coarsest))
            coarsest = steps[-1].coarse
        inverse = coarsest.inverse()
        x = self._cycle(0, steps, 0, inverse, scaled)
        for number in range(1, self.config.cycles):
            x = x + self._cycle(number, steps, 0, inverse, grid.pull(scaled - x, x))
        return torch.where(unknown > 0, (x + mean)[..., :height, :width], values)

    def _cycle(self, number: int, steps: Sequence[Step], level: int, inverse: Tensor, scaled: Tensor) -> Tensor:
        """One cycle from zero: nearly the ``x`` with ``x - pull(0, x) = scaled``."""
        if level == len(steps):
            return (scaled.flatten(2) @ inverse).view_as(scaled)
        step, before = steps[level], self.config.before
        relaxations = self.relaxations[number, min(level, self.config.own)]
        x = scaled * relaxations[0]
        for relaxation in relaxations[1:before]:
            x = torch.lerp(x, step.fine.pull(scaled.clone(), x), relaxation)
        down = step.down(step.fine.pull(scaled - x, x))
        coarse = self._cycle(number, steps, level + 1, inverse, down)
        if level + 1 == self.config.twice and level + 1 < len(steps):
            left = step.coarse.pull(down - coarse, coarse)
            coarse = coarse + self._cycle(number, steps, level + 1, inverse, left)
        x = step.up(x, coarse)
        for relaxation in relaxations[before:]:
            x = torch.lerp(x, step.fine.pull(scaled.clone(), x), relaxation)
        return x


def finest(values: Tensor, unknown: Tensor) -> tuple[Grid, Tensor]:
    """The grid of the pixels, and the sums of the known values next to each unknown, padded for the coarser grids."""
    known = 1 - unknown
    total, count = (_around(part) * unknown for part in (values * known, known))
    right = functional.pad(unknown[..., 1:] * unknown[..., :-1], (0, 1))
    down = functional.pad(unknown[..., 1:, :] * unknown[..., :-1, :], (0, 0, 0, 1))
    height, width = unknown.shape[-2:]
    multiple = 1
    while _COARSEST * multiple < max(height, width):
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

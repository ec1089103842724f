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

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from .config import Config
from .membrane_grid import COARSEST, Grid, Step, finest, fours

_FACTORS = (0.1, 8.0)
"""How far the networks may change what the geometry of an open grid gives."""


@dataclass(frozen=True, kw_only=True)
class MembraneConfig(Config):
    """Shape of the network; it travels with the weights."""

    width: int = 16
    """channels of the networks that make coarse grids"""
    own: int = 2
    """grids with a network of their own; all coarser ones share the last"""
    cycles: int = 2
    """how often the grids are gone through, down and up"""
    twice: int = 2
    """grid that a cycle visits twice, for little, where the pixels are grid 0; large pictures need it"""
    before: int = 1
    """relaxations of a cycle on its way down"""
    after: int = 2
    """relaxations on its way up"""


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
        border = (0.67 * fours(grid.border) * factors[:, 2:6]).sum(1, keepdim=True)
        coarse = Grid.of(right, down, border)
        gathered = fours(grid.degree) * factors[:, 6:10] * coarse.reciprocal
        return Step(grid, coarse, gathered, fours(exists) * factors[:, 10:14])

    def answer(self, seen: Tensor, padding: int) -> Tensor:
        """What the network says of conductances ``(B, 4, h, w)``."""
        look = functional.conv2d(seen, self.look.weight, self.look.bias, 2, padding)
        return cast(Tensor, self.say(torch.relu(self.mix(torch.relu(look))))).to(seen.dtype)


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
        grid, source = finest(values, unknown)
        mean = _mean(grid, source)
        found = self._solved(grid, (source - mean * grid.border) * grid.reciprocal) + mean
        return torch.where(unknown > 0, found[..., : values.shape[-2], : values.shape[-1]], values)

    def checked(self, values: Tensor, unknown: Tensor) -> tuple[Tensor, Tensor]:
        """The membrane, and how good it is on that mask.

        The cycles are given a membrane of ones to find, too, without being told its mean. What they miss of it is what
        they miss of everything that changes little: where only single pixels hold a wide area, their coarse grids are
        wrong, and each cycle may make it worse. The equation's remainder would not show it: that of a smooth error is
        as small as its curvature.

        Returns:
            as :meth:`forward`, and ``(B,)`` the largest error of the ones: 0 is exact.
        """
        grid, source = finest(values, unknown)
        mean = _mean(grid, source)
        wanted = torch.cat((source - mean * grid.border, grid.border), 1) * grid.reciprocal
        found = self._solved(grid, wanted)
        missed = ((1 - found[:, -1:]) * (grid.degree > 0)).abs().amax((1, 2, 3))
        found = (found[:, :-1] + mean)[..., : values.shape[-2], : values.shape[-1]]
        return torch.where(unknown > 0, found, values), missed

    def _solved(self, grid: Grid, scaled: Tensor) -> Tensor:
        """Nearly the ``x`` with ``x - pull(0, x) = scaled``."""
        steps = list[Step]()
        coarsest = grid
        while max(coarsest.border.shape[-2:]) > COARSEST:
            steps.append(self.coarseners[min(len(steps), self.config.own - 1)](coarsest))
            coarsest = steps[-1].coarse
        inverse = coarsest.inverse()
        x = self._cycle(0, steps, 0, inverse, scaled)
        for number in range(1, self.config.cycles):
            x = x + self._cycle(number, steps, 0, inverse, grid.pull(scaled - x, x))
        return x

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


def _mean(grid: Grid, source: Tensor) -> Tensor:
    """What surrounds the unknown pixels on average; a constant is continued exactly, the cycles find what differs."""
    return source.sum((2, 3), keepdim=True) / grid.border.sum((2, 3), keepdim=True).clamp_min(1e-6)

"""Ridge regression within limits, for batches of problems that may share some unknowns."""

from __future__ import annotations

import torch
from torch import Tensor


class BoundedRidge:
    """Minimises ``x' gram x / 2 - x' target + sum(prior * x**2) / 2`` with x within limits.

    Alternating directions (ADMM, Boyd et al. 2011, section 5): a solution without limits and a clamped one are drawn
    together. What depends on ``gram`` alone is done once, so that many targets cost little.

    Args:
        gram: ``(B or 1, N, N)`` symmetric, positive semidefinite.
        prior: ``(N,)`` positive weights.
        limits: ``(2, N)`` lowest and highest values, infinite where there are none.
        count: number B of problems in a batch.
        shared: the first this many unknowns, without limits, are the same for the whole batch; their prior counts once.
    """

    def __init__(self, gram: Tensor, prior: Tensor, limits: Tensor, count: int, shared: int = 0) -> None:
        self.low, self.high = limits
        self.pull = torch.where(limits.isinf().all(0), 0.0, _PULL * gram.diagonal(dim1=1, dim2=2).mean(0))
        full = gram + torch.diag(self.pull + prior)
        cross, rest = full[:, shared:, :shared], full[:, shared:, shared:]
        self.inverse = torch.linalg.inv(rest)
        self.lever = self.inverse @ cross
        first = gram[:, :shared, :shared] - cross.mT @ self.lever
        self.first = torch.linalg.inv(first.sum(0) * (count / len(gram)) + torch.diag(prior[:shared]))
        self.shared = shared

    def solve(self, target: Tensor, start: tuple[Tensor, Tensor], rounds: int = 20) -> tuple[Tensor, Tensor]:
        """Solve one batch.

        Args:
            target: ``(B, N)``.
            start: the last result, or zeros.
            rounds: turns; a few suffice from a good start.

        Returns:
            the solution ``(B, N)`` and the forces of the limits, to start the next batch from.
        """
        bounded, force = start
        for _ in range(rounds):
            free = self._without_limits(target + self.pull * (bounded - force))
            bounded = (free + force).clamp(self.low, self.high)
            force = torch.where(self.pull > 0, force + free - bounded, 0.0)
        return bounded, force

    def _without_limits(self, target: Tensor) -> Tensor:
        """Shared unknowns from all problems together (Schur complement), then each problem's own."""
        groups, count = len(self.inverse), self.shared
        own = target[:, count:].unflatten(0, (groups, -1))
        missed = target[:, :count].unflatten(0, (groups, -1)) - own @ self.lever
        first = missed.sum((0, 1)) @ self.first
        rest = own @ self.inverse - (self.lever @ first)[:, None]
        return torch.cat((first.expand(len(target), -1), rest.flatten(0, 1)), 1)


_PULL = 0.05
"""Strength that draws the two solutions together, relative to the mean curvature of an unknown."""

"""Pairs that the data engine draws, in the form in which the official architectures take those of users' datasets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ..errors import FSGANError
from .loop import Batch
from .official_pairs import MARGIN, PairSource
from .pairs import Engine, PairOptions, pairs, read_engine


def is_material(data: Path) -> bool:
    """Whether a folder is material of the data engine rather than a dataset of ``fsgan dataset build``."""
    return (data / "ict").is_dir()


class DrawnPairs(PairSource):
    """Endless pairs; item ``i`` depends on ``i`` alone. See :class:`~.official_pairs.Pairs`.

    Args:
        engine: what they are made from.
        side: of the crops in pixels.
        same: whether both pictures show one person or two.

    Raises:
        FSGANError: two people are wanted where there is one.
    """

    about = "Pairs drawn by the data engine from portraits; see docs/data-engine.md for their homes and terms."

    def __init__(self, engine: Engine, side: int, same: bool = True) -> None:
        if len(engine.heads) < 2 - same:
            raise FSGANError("found one portrait, expected two at least; add some to the material")
        self.engine, self.same = engine, same
        self.options = PairOptions(size=side, margins=(MARGIN, MARGIN))

    def __getitem__(self, index: int) -> Batch:
        """``source``, ``target`` uint8 ``(S, S, 3)``, their landmarks ``(478, 3)`` in pixels, and a ``seed``."""
        rng = np.random.default_rng(index)
        drawn = pairs(self.engine, 2 - self.same, rng, self.options)
        while not self.same and drawn["person"][0] == drawn["person"][1]:
            drawn = pairs(self.engine, 2, rng, self.options)
        batch: Batch = {"seed": torch.tensor(index % (1 << 31))}
        for name, row in (("source", 0), ("target", -1)):
            picture = (drawn[name][row] * 255).round().to(torch.uint8)
            batch |= {name: picture.permute(1, 2, 0).contiguous(), f"{name}_landmarks": drawn[f"{name}_landmarks"][row]}
        return batch


def drawn_pairs(data: Path, side: int, same: bool = True) -> tuple[DrawnPairs, DrawnPairs]:
    """Pairs of the material's training and validation portraits; see :func:`~.pairs.read_engine`."""
    train, held = (DrawnPairs(read_engine(data, split), side, same) for split in ("train", "val"))
    return train, held

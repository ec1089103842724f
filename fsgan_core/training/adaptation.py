"""Adapts the refinement network to one person: a low-rank change learned from their own pictures.

Every picture is drawn from the others, or, where there is only one, from itself turned and with other expressions.
Some pictures are held out; the change that serves those best is kept, and none where none helps.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional

from ..errors import FSGANError
from ..networks.flow_net import FlowNet, doubt
from ..networks.low_rank import Factors, fresh
from ..networks.low_rank import changed as changed_weights
from ..ops.face_model import FaceModel
from ..options import Range, check_ranges
from ..stages.landmarks import Landmarker
from ..stages.refinement import ADAPTER
from ..weights.checkpoint import save_weights
from .labelled import Face
from .loop import Batch
from .reenactment_pairs import SHAPES, Pair, as_evidence, pair, pair_from, subject
from .refinement import distances, importance


@dataclass(frozen=True, kw_only=True)
class AdaptOptions:
    """How the network is adapted to a person."""

    minutes: Annotated[float, Range(0, math.inf)] = 4.0
    """longest time to learn, in minutes"""
    rank: Annotated[int, Range(1, 256)] = 4
    """rank of the change of each layer; more learns more and forgets more"""
    lr: Annotated[float, Range(0, 1)] = 2e-3
    """learning rate"""
    pairs: Annotated[int, Range(1, math.inf)] = 32
    """pairs of pictures to learn from"""
    held: Annotated[int, Range(1, math.inf)] = 8
    """pairs held out, which decide when to stop and whether to keep the result"""
    least: Annotated[float, Range(-1, 1)] = 0.01
    """how much lower the held-out error has to get, as a share of it"""
    seed: int = 0
    """of everything random"""

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class Adaptation:
    """A change and what it brings.

    Attributes:
        factors: by name of the weight.
        before: held-out error of the shared network.
        after: of the adapted one.
        steps: that were learned.
    """

    factors: dict[str, Factors]
    before: float
    after: float
    steps: int

    def save(self, path: Path) -> None:
        """Write the change as safetensors in half precision."""
        tensors = {f"{name}.{part}": getattr(f, part) for name, f in self.factors.items() for part in ("up", "down")}
        halves = {name: value.detach().half() for name, value in tensors.items()}
        figures = {"before": f"{self.before:.5f}", "after": f"{self.after:.5f}"}
        save_weights(path, halves, ADAPTER, {"steps": self.steps}, **figures)


def adapt(
    network: FlowNet, faces: Sequence[Face], tools: tuple[FaceModel, Landmarker], options: AdaptOptions | None = None
) -> Adaptation:
    """Learn a change of the network from pictures of one person.

    Args:
        network: the shared one; it is not changed.
        faces: pictures of the person with their landmarks.
        tools: face model and landmarker.
        options: see :class:`AdaptOptions`.

    Raises:
        FSGANError: no picture, or the change does not help on the held-out pairs.
    """
    options = options or AdaptOptions()
    if not faces:
        raise FSGANError("found no picture of the person; give at least one")
    rng = np.random.default_rng(options.seed)
    held, learned = split_pairs(faces, tools, options, rng)
    factors = fresh(network, options.rank, options.seed)
    found = _learn(network, factors, (learned, held), options, rng)
    if found.after > (1 - options.least) * found.before:
        raise FSGANError(
            f"adapting does not help: the held-out error is {found.before:.4f} before and {found.after:.4f} after; "
            "give more pictures of other poses and expressions, or use the shared network"
        )
    return found


def split_pairs(
    faces: Sequence[Face], tools: tuple[FaceModel, Landmarker], options: AdaptOptions, rng: Generator
) -> tuple[Batch, Batch]:
    """Pairs held out and pairs to learn from; of several pictures a quarter is a target only in the former."""
    order = [faces[number] for number in rng.permutation(len(faces))]
    count = max(1, len(order) // 4) if len(order) > 1 else 0
    held, rest = (order[:count], order[count:]) if count else (order, order)
    parts = []
    for targets, number in ((held, options.held), (rest, options.pairs)):
        parts.append(_stacked([_one(targets, rest, tools, rng) for _ in range(number)]))
    return parts[0], parts[1]


def _one(targets: Sequence[Face], sources: Sequence[Face], tools: tuple[FaceModel, Landmarker], rng: Generator) -> Pair:
    """A target drawn from another picture, or from itself moved where there is none other."""
    target = targets[int(rng.integers(len(targets)))]
    others = [face for face in sources if face is not target]
    if not others or rng.random() < 0.25:
        return pair(subject(target, *tools), *tools, rng)[0]
    return pair_from(target, others[int(rng.integers(len(others)))], tools[0], rng)


def _stacked(pairs: Sequence[Pair]) -> Batch:
    count = 2 * max(one.views for one in pairs)
    batch = {name: torch.from_numpy(np.stack([getattr(one, name) for one in pairs])) for name in SHAPES}
    return batch | {"sheets": batch["sheets"][:, :count], "trust": batch["trust"][:, :count]}


def _learn(
    network: FlowNet,
    factors: dict[str, Factors],
    parts: tuple[Batch, Batch],
    options: AdaptOptions,
    rng: Generator,
    every: int = 10,
) -> Adaptation:
    """Gradient steps until time is over or the held-out error has not fallen for a while; the best is kept."""
    learned, held = parts
    leaves = [part.requires_grad_() for change in factors.values() for part in change]
    optimizer = torch.optim.AdamW(leaves, lr=options.lr)
    before = best = _error(network, {}, held)
    kept, steps, patience, start = _copied(factors), 0, 0, time.monotonic()
    while time.monotonic() - start < 60 * options.minutes and patience < 6:
        chosen = rng.choice(len(learned["target"]), 4)
        batch = cropped({name: learned[name][chosen] for name in SHAPES}, rng, 160)
        optimizer.zero_grad(set_to_none=True)
        _loss(network, changed_weights(network, factors), batch).backward()
        optimizer.step()
        steps += 1
        if steps % every == 0:
            error = _error(network, factors, held)
            patience = 0 if error < best else patience + 1
            if error < best:
                best, kept = error, _copied(factors)
    return Adaptation(kept, before, best, steps)


def cropped(batch: Batch, rng: Generator, size: int) -> Batch:
    """A square of the window ``size`` pixels wide, of places in doubt, so that steps are cheap and well spent."""
    full = batch["target"].shape[-1]
    interest = importance(doubt(as_evidence(batch).geometry)).mean((0, 1))
    total = functional.avg_pool2d(interest[None], size // 2, 8)[0]
    chance = (total.flatten() / total.sum()).double().numpy()
    top, left = divmod(int(rng.choice(len(chance), p=chance / chance.sum())), total.shape[-1])
    result = dict(batch)
    for name in SHAPES:
        scale = full // batch[name].shape[-1]
        y, x, side = 16 * top // scale, 16 * left // scale, size // scale
        result[name] = batch[name][..., y : y + side, x : x + side]
    return result


def _loss(network: FlowNet, weights: Mapping[str, Tensor], batch: Batch) -> Tensor:
    evidence, target = as_evidence(batch), batch["target"].float() / 255
    given = (evidence.sheets, evidence.trust, evidence.geometry, evidence.features)
    image = functional_call(network, dict(weights), given)
    found = distances(image, target, importance(doubt(evidence.geometry)))
    return found["colour"] + found["detail"]


@torch.no_grad()
def _error(network: FlowNet, factors: Mapping[str, Factors], batch: Batch) -> float:
    weights = changed_weights(network, factors)
    each = [{name: batch[name][i : i + 1] for name in SHAPES} for i in range(len(batch["target"]))]
    return float(torch.stack([_loss(network, weights, one) for one in each]).mean())


def _copied(factors: Mapping[str, Factors]) -> dict[str, Factors]:
    return {name: Factors(*(part.detach().clone() for part in change)) for name, change in factors.items()}

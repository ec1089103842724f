"""The training loop, read from top to bottom: config, model, data, losses, loop, checkpoint.

A task (one file each beside this one) brings the model, endless batches and its losses; everything else is here.
The same loop serves adversarial training, on one processor, one GPU, or several (``torchrun``).
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Protocol, runtime_checkable

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..errors import FSGANError
from ..options import Range, check_ranges
from .card import Card, write_card
from .parallel import APART, Group, joined
from .run_files import CHECKPOINT, Progress, load_checkpoint, log, save_checkpoint, trim_log, write_curves, write_sheet

Batch = dict[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """How long and how fast to train. A run is resumed from ``checkpoint.safetensors`` in its folder."""

    steps: Annotated[int, Range(0, math.inf)] = 20000
    """optimiser steps in the whole run"""
    lr: Annotated[float, Range(0, 1)] = 1e-3
    """peak learning rate of AdamW"""
    warmup: Annotated[int, Range(0, math.inf)] = 300
    """steps of linear warm-up; then the rate falls along a cosine to 1 % of its peak"""
    halve: Annotated[int, Range(0, math.inf)] = 0
    """halve the rate after every so many steps instead of the cosine, as the paper; 0: cosine"""
    weight_decay: Annotated[float, Range(0, 1)] = 0.02
    """share of each weight that AdamW takes off in a step, times the rate"""
    beta1: Annotated[float, Range(0, 1)] = 0.9
    """decay of the mean gradient; 0.5 is usual in adversarial training"""
    clip: Annotated[float, Range(0, math.inf)] = 1.0
    """longest gradient, longer ones are shortened"""
    critic_rate: Annotated[float, Range(0, math.inf)] = 0.1
    """learning rate of a critic (discriminator) relative to the model's"""
    ema: Annotated[float, Range(0, 1)] = 0.998
    """decay of the moving average of the weights, which is what is evaluated and exported"""
    every: Annotated[int, Range(1, math.inf)] = 500
    """steps between checkpoints, evaluations, sheets and lines of the log"""
    seed: int = 0
    """of the batches and of chance inside the model"""
    device: str = "cpu"
    bfloat16: bool = True
    """autocast to bfloat16"""
    tensorboard: bool = False
    """write curves for TensorBoard too, if that package is installed"""
    minutes: Annotated[float, Range(0, math.inf)] = math.inf
    """stop (with a checkpoint) after this much wall time; the learning rate then falls along that time"""

    def __post_init__(self) -> None:
        check_ranges(self)


class Task(Protocol):
    """What differs between one training and another."""

    model: nn.Module

    def batches(self, seed: int) -> Iterator[Batch]:
        """Endless batches; the ``i``-th depends on ``seed + i`` alone, so that a resumed run misses nothing."""

    def losses(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Named scalar losses, already weighted; their sum is minimised."""

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Figures on the validation split."""

    def export(self, model: nn.Module, path: Path, figures: dict[str, float]) -> None:
        """Write the averaged model as safetensors; the loop writes its model card beside it."""


@runtime_checkable
class Adversarial(Protocol):
    """A task with a critic, which is trained after the model on the same batch.

    The critic gets no gradient from :meth:`Task.losses`, which may call ``self.critic`` and should leave in the batch
    what the critic is to judge (detached), so that nothing is generated twice.
    """

    critic: nn.Module

    def critic_losses(self, critic: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Named scalar losses of the critic."""


@runtime_checkable
class Illustrated(Protocol):
    """A task that can draw what its model does."""

    def sheet(self, model: nn.Module) -> NDArray[np.uint8]:
        """A picture ``(H, W, 3)`` in RGB: samples of the validation split, always the same."""


@runtime_checkable
class Described(Protocol):
    """A task that knows what its model card has to say."""

    card: Card


class Learner:
    """A network and its optimiser."""

    def __init__(self, network: nn.Module, options: TrainOptions) -> None:
        self.network = network
        self.clip = options.clip
        betas, decay = (options.beta1, 0.999), options.weight_decay
        self.optimizer = torch.optim.AdamW(network.parameters(), lr=options.lr, betas=betas, weight_decay=decay)

    def learn(self, losses: dict[str, Tensor], rate: float, group: Group) -> None:
        """One step down the sum of the losses."""
        for values in self.optimizer.param_groups:
            values["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()
        group.average_gradients(self.network)
        nn.utils.clip_grad_norm_(self.network.parameters(), self.clip)
        self.optimizer.step()


def learning_rate(step: int, minutes: float, options: TrainOptions) -> float:
    """Linear warm-up, then a cosine down to 1 % of the peak, or halvings.

    Args:
        step: steps done.
        minutes: wall time of this call so far; the cosine follows steps or time, whichever ends first.
        options: peak, warm-up and length.
    """
    if step < options.warmup:
        return options.lr * (step + 1) / options.warmup
    if options.halve:
        return float(options.lr * 0.5 ** (step // options.halve))
    progress = (step - options.warmup) / max(1, options.steps - options.warmup)
    progress = min(1.0, max(progress, minutes / options.minutes))
    return options.lr * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))


def train(task: Task, options: TrainOptions, out: Path, command: str = "") -> dict[str, float]:
    """Train, log, checkpoint, export.

    Args:
        task: model, data and losses; it may be :class:`Adversarial`, :class:`Illustrated` and :class:`Described`.
        options: length, rate, device.
        out: folder of the run: ``checkpoint.safetensors``, ``log.csv``, ``sheets`` and, at the end,
            ``model.safetensors`` with its card ``model.md``.
        command: what started the run, for the card.

    Returns:
        the figures of what was exported; nothing in processes other than the first.

    Raises:
        WeightsError: the folder's checkpoint is damaged, of another network or no checkpoint of a training.
        FSGANError: a loss is not finite any more.
        ModuleNotFoundError: curves for TensorBoard are asked for, which is not installed.
    """
    if options.tensorboard:
        import_module("tensorboard")
    out.mkdir(parents=True, exist_ok=True)
    group = joined(options.device)
    with _forkable():
        figures = _train(task, options, out, command, group)
    group.wait()
    return figures


@contextmanager
def _forkable() -> Iterator[None]:
    """OpenCV has one thread meanwhile: loaders fork, and a child would wait for threads that only its parent has."""
    setting = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(setting)


def _train(task: Task, options: TrainOptions, out: Path, command: str, group: Group) -> dict[str, float]:
    model = task.model.to(group.device)
    average = copy.deepcopy(model).eval().requires_grad_(False)
    learners = {"optimizer": Learner(model, options)}
    modules = {"model": model, "average": average}
    if isinstance(task, Adversarial):
        modules["critic"] = task.critic.to(group.device)
        learners["critic_optimizer"] = Learner(task.critic, options)
    optimizers = {name: learner.optimizer for name, learner in learners.items()}
    before = load_checkpoint(out / CHECKPOINT, modules, optimizers)
    for module in modules.values():
        group.share(module.state_dict().values())
    trim_log(out / "log.csv", before.step)

    step, start = before.step, time.monotonic()
    seed = options.seed + group.rank * APART
    batches = task.batches(seed + step)
    sums, figures, minutes = dict[str, Tensor](), dict[str, float](), 0.0
    logged, measured = step, -1
    while step < options.steps and (minutes := group.agreed((time.monotonic() - start) / 60)) < options.minutes:
        torch.manual_seed(seed + step)
        batch = {k: v.to(group.device, non_blocking=True) for k, v in next(batches).items()}
        rate = learning_rate(step, minutes, options)
        autocast = torch.autocast(group.device.partition(":")[0], torch.bfloat16, enabled=options.bfloat16)
        if isinstance(task, Adversarial):
            task.critic.requires_grad_(False)
        with autocast:
            losses = task.losses(model, batch)
        learners["optimizer"].learn(losses, rate, group)
        if isinstance(task, Adversarial):
            task.critic.requires_grad_(True)
            with autocast:
                judged = task.critic_losses(task.critic, batch)
            learners["critic_optimizer"].learn(judged, rate * options.critic_rate, group)
            losses |= judged
        step += 1
        _update_average(average, model, min(options.ema, (1 + step) / (10 + step)))
        for name, value in losses.items():
            sums[name] = sums.get(name, 0.0) + value.detach()
        if group.first and (step % options.every == 0 or step == options.steps):
            row = {name: float(value) / (step - logged) for name, value in sums.items()}
            _check(row, logged, step)
            figures, measured, logged = task.evaluate(average), step, step
            done = Progress(step, before.minutes + minutes)
            log(out / "log.csv", {"step": step, "minutes": done.minutes, **row, **figures})
            if options.tensorboard:
                write_curves(out / "tensorboard", step, {**row, **figures})
            if isinstance(task, Illustrated):
                write_sheet(out / "sheets", step, task.sheet(average))
            save_checkpoint(out / CHECKPOINT, modules, optimizers, done)
            sums.clear()
    if not group.first:
        return figures
    done = Progress(step, before.minutes + (time.monotonic() - start) / 60)
    save_checkpoint(out / CHECKPOINT, modules, optimizers, done)
    figures = figures if measured == step else task.evaluate(average)
    task.export(average, out / "model.safetensors", figures)
    card = task.card if isinstance(task, Described) else Card()
    write_card(out / "model.safetensors", card, figures, done, command)
    return figures


def _check(row: Mapping[str, float], last: int, step: int) -> None:
    """Stop before a checkpoint is overwritten by numbers that are none."""
    broken = [name for name, value in row.items() if not math.isfinite(value)]
    if broken:
        raise FSGANError(
            f"the loss '{broken[0]}' is not finite between steps {last} and {step}; the checkpoint of step {last}, if"
            " any, is kept: lower --lr or try --no-bfloat16, and call again"
        )


@torch.no_grad()
def _update_average(average: nn.Module, model: nn.Module, decay: float) -> None:
    for mean, value in zip(average.parameters(), model.parameters(), strict=True):
        mean.lerp_(value, 1 - decay)
    for kept, now in zip(average.buffers(), model.buffers(), strict=True):
        kept.copy_(now)

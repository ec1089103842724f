"""The training loop, read from top to bottom: config, model, data, losses, loop, checkpoint.

A task (one file each beside this one) brings the model, endless batches and its losses; everything else is here.
"""

from __future__ import annotations

import copy
import csv
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from ..weights.checkpoint import load_weights, save_weights

Batch = dict[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """How long and how fast to train. A run is resumed from ``checkpoint.safetensors`` in its folder."""

    steps: int = 20000
    """optimiser steps in the whole run"""
    lr: float = 1e-3
    """peak learning rate of AdamW"""
    warmup: int = 300
    """steps of linear warm-up; then the rate falls along a cosine to 1 % of its peak"""
    weight_decay: float = 0.02
    ema: float = 0.998
    """decay of the moving average of the weights, which is what is evaluated and exported"""
    every: int = 500
    """steps between checkpoints, evaluations and lines of the log"""
    seed: int = 0
    device: str = "cpu"
    bfloat16: bool = True
    """autocast to bfloat16"""
    minutes: float = math.inf
    """stop (with a checkpoint) after this much wall time; the learning rate then falls along that time"""


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
        """Write the averaged model as safetensors with its model card."""


def learning_rate(step: int, minutes: float, options: TrainOptions) -> float:
    """Linear warm-up, then a cosine down to 1 % of the peak.

    Args:
        step: steps done.
        minutes: wall time of this call so far; the cosine follows steps or time, whichever ends first.
        options: peak, warm-up and length.
    """
    if step < options.warmup:
        return options.lr * (step + 1) / options.warmup
    progress = (step - options.warmup) / max(1, options.steps - options.warmup)
    progress = min(1.0, max(progress, minutes / options.minutes))
    return options.lr * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))


def train(task: Task, options: TrainOptions, out: Path) -> dict[str, float]:
    """Train, log, checkpoint, export.

    Args:
        task: model, data and losses.
        options: length, rate, device.
        out: folder of the run: ``checkpoint.safetensors``, ``log.csv`` and, at the end, ``model.safetensors`` with
            its card.

    Returns:
        the figures of the last evaluation.

    Raises:
        WeightsError: the folder's checkpoint is damaged or no checkpoint of a training.
    """
    out.mkdir(parents=True, exist_ok=True)
    model = task.model.to(options.device)
    average = copy.deepcopy(model).eval().requires_grad_(False)
    optimizer = torch.optim.AdamW(model.parameters(), lr=options.lr, weight_decay=options.weight_decay)
    step = first = _resume(out / "checkpoint.safetensors", model, average, optimizer)
    batches = task.batches(options.seed + step)
    start, sums, figures = time.monotonic(), dict[str, float](), dict[str, float]()
    while step < options.steps and (minutes := (time.monotonic() - start) / 60) < options.minutes:
        torch.manual_seed(options.seed + step)
        batch = {k: v.to(options.device, non_blocking=True) for k, v in next(batches).items()}
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, minutes, options)
        with torch.autocast(options.device, torch.bfloat16, enabled=options.bfloat16):
            losses = task.losses(model, batch)
        optimizer.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        _update_average(average, model, min(options.ema, (1 + step) / (10 + step)))
        for name, value in losses.items():
            sums[name] = sums.get(name, 0.0) + float(value.detach())
        if step % options.every == 0 or step == options.steps:
            figures = task.evaluate(average)
            row = {name: value / min(options.every, step - first) for name, value in sums.items()} | figures
            _log(out / "log.csv", {"step": step, "minutes": minutes, **row})
            _checkpoint(out / "checkpoint.safetensors", model, average, optimizer, step)
            sums.clear()
    _checkpoint(out / "checkpoint.safetensors", model, average, optimizer, step)
    task.export(average, out / "model.safetensors", figures or task.evaluate(average))
    return figures


@torch.no_grad()
def _update_average(average: nn.Module, model: nn.Module, decay: float) -> None:
    for mean, value in zip(average.parameters(), model.parameters(), strict=True):
        mean.lerp_(value, 1 - decay)
    for kept, now in zip(average.buffers(), model.buffers(), strict=True):
        kept.copy_(now)


def _checkpoint(path: Path, model: nn.Module, average: nn.Module, optimizer: torch.optim.Optimizer, step: int) -> None:
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"average.{name}": value for name, value in average.state_dict().items()}
    for number, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{name}": value for name, value in state.items()}
    save_weights(path, tensors, "training", {"step": step})


def _resume(path: Path, model: nn.Module, average: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Load a checkpoint if there is one; the number of steps done."""
    if not path.is_file():
        return 0
    tensors, values = load_weights(path, "training")
    parts: dict[str, dict[str, Tensor]] = {"model": {}, "average": {}, "optimizer": {}}
    for name, value in tensors.items():
        part, rest = name.split(".", 1)
        parts[part][rest] = value
    model.load_state_dict(parts["model"])
    average.load_state_dict(parts["average"])
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in parts["optimizer"].items():
        number, field = name.split(".", 1)
        state.setdefault(int(number), {})[field] = value
    optimizer.load_state_dict(optimizer.state_dict() | {"state": state})
    return int(values["step"])


def _log(path: Path, row: dict[str, float]) -> None:
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(row)
        writer.writerow([f"{value:.6g}" for value in row.values()])

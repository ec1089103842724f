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
from typing import Any, Protocol

import torch
from torch import Tensor, nn

Batch = dict[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """How long and how fast to train. A run is resumed from ``checkpoint.pt`` in its folder."""

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
    """stop (with a checkpoint) after this much wall time"""


class Task(Protocol):
    """What differs between one training and another."""

    model: nn.Module

    def batches(self, seed: int) -> Iterator[Batch]:
        """Endless batches; the seed changes at every resume so that no batch is seen twice in a row."""

    def losses(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Named scalar losses, already weighted; their sum is minimised."""

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Figures on the validation split."""

    def export(self, model: nn.Module, path: Path, figures: dict[str, float]) -> None:
        """Write the averaged model as safetensors with its model card."""


def learning_rate(step: int, options: TrainOptions) -> float:
    """Linear warm-up, then a cosine down to 1 % of the peak."""
    if step < options.warmup:
        return options.lr * (step + 1) / options.warmup
    progress = (step - options.warmup) / max(1, options.steps - options.warmup)
    return options.lr * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))


def train(task: Task, options: TrainOptions, out: Path) -> dict[str, float]:
    """Train, log, checkpoint, export.

    Args:
        task: model, data and losses.
        options: length, rate, device.
        out: folder of the run: ``checkpoint.pt``, ``log.csv`` and, at the end, ``model.safetensors`` with its card.

    Returns:
        the figures of the last evaluation.
    """
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    model = task.model.to(options.device)
    average = copy.deepcopy(model).eval().requires_grad_(False)
    optimizer = torch.optim.AdamW(model.parameters(), lr=options.lr, weight_decay=options.weight_decay)
    step = _resume(out / "checkpoint.pt", model, average, optimizer)
    batches = task.batches(options.seed + step)
    start, sums, figures = time.monotonic(), dict[str, float](), dict[str, float]()
    while step < options.steps and time.monotonic() - start < 60 * options.minutes:
        batch = {k: v.to(options.device, non_blocking=True) for k, v in next(batches).items()}
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, options)
        with torch.autocast(options.device, torch.bfloat16, enabled=options.bfloat16):
            losses = task.losses(model, batch)
        optimizer.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        _update_average(average, model, min(options.ema, (1 + step) / (10 + step)))
        for name, value in losses.items():
            sums[name] = sums.get(name, 0.0) + float(value.detach())
        if step % options.every == 0 or step == options.steps:
            figures = task.evaluate(average)
            row = {name: value / options.every for name, value in sums.items()} | figures
            _log(out / "log.csv", {"step": step, "minutes": (time.monotonic() - start) / 60, **row})
            _checkpoint(out / "checkpoint.pt", model, average, optimizer, step)
            sums.clear()
    _checkpoint(out / "checkpoint.pt", model, average, optimizer, step)
    task.export(average, out / "model.safetensors", figures)
    return figures


@torch.no_grad()
def _update_average(average: nn.Module, model: nn.Module, decay: float) -> None:
    for mean, value in zip(average.parameters(), model.parameters(), strict=True):
        mean.lerp_(value, 1 - decay)
    for mean, value in zip(average.buffers(), model.buffers(), strict=True):
        mean.copy_(value)


def _checkpoint(path: Path, model: nn.Module, average: nn.Module, optimizer: torch.optim.Optimizer, step: int) -> None:
    state = {"model": model.state_dict(), "average": average.state_dict()}
    state |= {"optimizer": optimizer.state_dict(), "step": step}
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


def _resume(path: Path, model: nn.Module, average: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    if not path.is_file():
        return 0
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"])
    average.load_state_dict(state["average"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])


def _log(path: Path, row: dict[str, float]) -> None:
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(row)
        writer.writerow([f"{value:.6g}" for value in row.values()])

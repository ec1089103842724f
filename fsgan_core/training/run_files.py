"""What a training leaves in its folder: checkpoint, log, curves and sheets of samples."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer

from ..weights.checkpoint import load_weights, save_weights, understood

CHECKPOINT = "checkpoint.safetensors"
KIND = "training"


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        step: optimiser steps done.
        minutes: wall time of all calls together.
    """

    step: int = 0
    minutes: float = 0.0


def save_checkpoint(
    path: Path, modules: Mapping[str, nn.Module], optimizers: Mapping[str, Optimizer], progress: Progress
) -> None:
    """Write everything that a run needs to go on, in one step, so that a kill leaves the old file or the new one."""
    tensors = {f"{part}.{name}": value for part, module in modules.items() for name, value in _named(module)}
    for part, optimizer in optimizers.items():
        for number, state in optimizer.state_dict()["state"].items():
            tensors |= {f"{part}.{number}.{name}": value for name, value in state.items()}
    save_weights(path, tensors, KIND, {"step": progress.step, "minutes": round(progress.minutes, 3)})


def load_checkpoint(path: Path, modules: Mapping[str, nn.Module], optimizers: Mapping[str, Optimizer]) -> Progress:
    """Load what :func:`save_checkpoint` wrote, if there is a file.

    Raises:
        WeightsError: it is damaged, of something else, or of another network.
    """
    if not path.is_file():
        return Progress()
    tensors, values = load_weights(path, KIND)
    with understood(path, "is of another network", "name another folder with --out"):
        parts: dict[str, dict[str, Tensor]] = {part: {} for part in (*modules, *optimizers)}
        for name, value in tensors.items():
            part, rest = name.split(".", 1)
            parts.setdefault(part, {})[rest] = value
        for part, module in modules.items():
            module.load_state_dict(parts[part])
        for part, optimizer in optimizers.items():
            state: dict[int, dict[str, Tensor]] = {}
            for name, value in parts[part].items():
                number, field = name.split(".", 1)
                state.setdefault(int(number), {})[field] = value
            optimizer.load_state_dict(optimizer.state_dict() | {"state": state})
        return Progress(int(values["step"]), float(values.get("minutes", 0)))


def trim_log(path: Path, step: int) -> None:
    """Drop the rows after a step: those between a checkpoint and a kill will be written again."""
    if path.is_file():
        with path.open(newline="") as file:
            head, *rows = list(csv.reader(file)) or [[]]
        kept = [row for row in rows if row and float(row[0]) <= step]
        if len(kept) < len(rows):
            partial = path.with_name(path.name + ".partial")
            with partial.open("w", newline="") as file:
                csv.writer(file).writerows([head, *kept])
            partial.replace(path)


def log(path: Path, row: Mapping[str, float]) -> None:
    """Append a row of figures; the first writes their names."""
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(row)
        writer.writerow([f"{value:.6g}" for value in row.values()])


def read_log(path: Path) -> list[dict[str, float]]:
    """The rows of a log."""
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]


def write_curves(folder: Path, step: int, row: Mapping[str, float]) -> None:
    """Append figures for TensorBoard.

    Raises:
        ModuleNotFoundError: the package ``tensorboard`` is not installed.
    """
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(folder)) as writer:
        for name, value in row.items():
            writer.add_scalar(name, value, step)


def write_sheet(folder: Path, step: int, sheet: NDArray[np.uint8]) -> None:
    """Keep a picture ``(H, W, 3)`` of what the model does at a step."""
    folder.mkdir(exist_ok=True)
    cv2.imwrite(str(folder / f"{step:07d}.png"), sheet[..., ::-1])


def grid(rows: Sequence[Sequence[NDArray[np.uint8]]], gap: int = 2) -> NDArray[np.uint8]:
    """Pictures of one size ``(H, W, 3)`` side by side, row below row, on white; rows may be short."""
    height, width = rows[0][0].shape[:2]
    columns = max(len(row) for row in rows)
    paper = np.full((len(rows) * (height + gap), columns * (width + gap), 3), 255, np.uint8)
    for y, row in enumerate(rows):
        for x, cell in enumerate(row):
            top, left = y * (height + gap) + gap, x * (width + gap) + gap
            paper[top : top + height, left : left + width] = cell
    return paper


def _named(module: nn.Module) -> list[tuple[str, Tensor]]:
    return list(module.state_dict().items())


def save_half(
    path: Path, network: nn.Module, kind: str, config: Any, figures: Mapping[str, float], digits: int = 3
) -> None:
    """Write a network under the MIT licence in half precision.

    Args:
        path: see :func:`~fsgan_core.weights.checkpoint.save_weights`, as for ``kind`` and ``config``.
        network: all its values are floating point.
        kind: what it is.
        config: rebuilds it.
        figures: go into the header.
        digits: of the figures, behind the point.
    """
    tensors = {name: value.half() for name, value in network.state_dict().items()}
    header = {name: f"{value:.{digits}f}" for name, value in figures.items()}
    save_weights(path, tensors, kind, config, licence="MIT", **header)

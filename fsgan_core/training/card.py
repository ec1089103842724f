"""Model cards: what a trained file is, what it is made of, how good it is, and how to make it again."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ..weights.checkpoint import read_header
from ..weights.convert import sha256

if TYPE_CHECKING:
    from .run_files import Progress


@dataclass(frozen=True, kw_only=True)
class Card:
    """The words of a model card; numbers are filled in.

    Attributes:
        title: of the card.
        purpose: what the network does and is for.
        data: what it was trained on, and under which terms.
        licence: of the file.
        faults: what is known to go wrong.
    """

    title: str = "Trained network"
    purpose: str = ""
    data: str = "Not described. Name what it was trained on, and under which terms, before passing the file on."
    licence: str = "Not stated: it depends on the pictures trained on."
    faults: str = "Not looked at yet."


_OTHER = "\n\nThat is what the shipped network learned from; if this run was given other material, say here what."


def write_card(weights: Path, card: Card, figures: Mapping[str, float], progress: Progress, command: str = "") -> Path:
    """Write the card beside a file of weights, under the same name with ``.md``.

    Args:
        weights: safetensors file.
        card: words.
        figures: of the last evaluation.
        progress: steps and minutes of the run.
        command: what started it.

    Returns:
        the card's path.
    """
    header = read_header(weights)
    rows = {
        "file": f"`{weights.name}`, {weights.stat().st_size / 1e6:.2f} MB",
        "kind": f"`{header.get('fsgan_kind', 'unknown')}`",
        "configuration": f"`{header.get('fsgan_config', '{}')}`",
        "sha256": f"`{sha256(weights)}`",
        "licence": card.licence,
        "run": f"{progress.step} steps, {progress.minutes / 60:.2f} hours on {hardware()}",
        "command": f"`{command}`" if command else "not recorded",
    }
    table = "\n".join(f"| {name} | {value} |" for name, value in rows.items())
    shown = "\n".join(f"| {name} | {value:.5g} |" for name, value in figures.items())
    other = "" if card.data == Card.data else _OTHER
    text = f"""# {card.title}

{card.purpose}

| | |
|---|---|
{table}

## Data

{card.data}{other}

## Figures

On the validation split, at the end of the run.

| figure | value |
|---|---|
{shown}

## Known faults

{card.faults}
"""
    path = weights.with_suffix(".md")
    path.write_text(text.replace("\n\n\n", "\n\n"), encoding="utf-8")
    return path


def hardware() -> str:
    """What this process computes on, in words."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if torch.cuda.is_available():
        return f"{max(size, 1)} x {torch.cuda.get_device_name()}, torch {torch.__version__}"
    threads = torch.get_num_threads() * size
    return f"{threads} thread(s) of a {platform.machine()} processor, torch {torch.__version__}"

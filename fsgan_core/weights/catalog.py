"""Which official weight files are there, which are missing, and what to do about it.

Nothing is downloaded. A file counts as present as soon as its converted ``.safetensors`` or its original ``.pth``
lies in one of the folders.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .. import networks
from ..errors import WeightsError
from .checkpoint import load_network, read_header
from .known_files import KNOWN, KnownFile, WeightSet


@dataclass(frozen=True)
class Listed:
    """A known file and where it lies.

    Attributes:
        file: what it is.
        converted: its ``.safetensors``, or None.
        original: its ``.pth``, or None.
    """

    file: KnownFile
    converted: Path | None
    original: Path | None

    @property
    def state(self) -> Literal["ready", "convert", "missing"]:
        """Ready to use, to be converted first, or missing."""
        if self.converted is not None:
            return "ready"
        return "convert" if self.original is not None else "missing"

    @property
    def advice(self) -> str:
        """What to do next, in one line; empty when ready."""
        if self.state == "convert":
            return f"fsgan convert {self.original}" if self.file.kind else ""
        return "" if self.state == "ready" else f"get {self.file.name}.pth from {self.file.source}"


def user_folder() -> Path:
    """The platform's folder for this user's weights; it may not exist."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "fsgan" / "models"


def folders(extra: Iterable[Path] = ()) -> list[Path]:
    """Where weights are looked for, first come first served.

    Args:
        extra: folders to search after ``$FSGAN_MODELS`` (which may name several) and before the user's, for instance
            ComfyUI's ``models/fsgan``.
    """
    named = [Path(part) for part in os.environ.get("FSGAN_MODELS", "").split(os.pathsep) if part]
    return [*named, *extra, user_folder()]


def find(name: str, extra: Iterable[Path] = (), suffix: str = ".safetensors") -> Path | None:
    """The first file of that name in :func:`folders`, or None.

    Args:
        name: of a known file, without suffix.
        extra: see :func:`folders`.
        suffix: ``.safetensors`` for converted files, ``.pth`` for originals.
    """
    places = (folder / f"{name}{suffix}" for folder in folders(extra))
    return next((place for place in places if place.is_file()), None)


def listing(extra: Sequence[Path] = ()) -> list[Listed]:
    """Every known file with what is there of it, in the order of :data:`KNOWN`."""
    return [Listed(file, find(file.name, extra), find(file.name, extra, ".pth")) for file in KNOWN]


def locate(weight_set: WeightSet, stage: str, extra: Sequence[Path] = (), variant: str = "") -> Path:
    """The converted file of one stage of an official set.

    Args:
        weight_set: ``"v1"`` or ``"v2"``.
        stage: ``fsgan_stage`` of the file.
        extra: see :func:`folders`.
        variant: see :class:`KnownFile`.

    Raises:
        ValueError: the set has no such stage.
        WeightsError: the file is not there; the message says what to do.
    """
    wanted = [f for f in KNOWN if weight_set in f.sets and f.stage == stage and f.variant == variant and f.kind]
    if not wanted:
        stages = sorted({f.stage for f in KNOWN if weight_set in f.sets and f.kind})
        raise ValueError(f"weight set '{weight_set}' has no stage '{stage}' '{variant}', expected one of {stages}")
    file = wanted[0]
    listed = Listed(file, find(file.name, extra), find(file.name, extra, ".pth"))
    if listed.converted is None:
        places = ", ".join(str(folder) for folder in folders(extra))
        raise WeightsError(f"no {file.name}.safetensors in {places}: {listed.advice}")
    return listed.converted


def verify(path: Path) -> str:
    """Load a converted file completely and say what it is.

    Args:
        path: a ``.safetensors`` file written by ``convert``.

    Returns:
        one line: kind, stage, source.

    Raises:
        WeightsError: the file is missing, damaged, or does not fit its network.
    """
    if not path.is_file():
        raise WeightsError(f"no weights at {path}; name a converted file")
    header = read_header(path)
    kind = header.get("fsgan_kind", "")
    if kind not in networks.ARCHITECTURES:
        raise WeightsError(
            f"{path} holds '{kind or 'unknown'}' weights, expected an official network; convert one first"
        )
    network = load_network(path, kind)
    damaged = [name for name, tensor in network.state_dict().items() if not bool(tensor.isfinite().all())]
    if damaged:
        raise WeightsError(f"{path} has values in '{damaged[0]}' that are not finite numbers; convert it again")
    count = sum(parameter.numel() for parameter in network.parameters())
    source = f"{header.get('source_name', 'unknown')} (sha256 {header.get('source_sha256', 'unknown')[:16]})"
    return f"{kind} for {header.get('fsgan_stage', 'unknown')}, {count:,} parameters, from {source}"

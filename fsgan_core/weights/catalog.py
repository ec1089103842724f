"""Which official weight files are there, which are missing, and what to do about it.

Nothing is downloaded here (:mod:`~fsgan_core.weights.fetch` does, when asked). A file counts as present as soon as its
converted ``.safetensors`` or its original ``.pth`` lies in one of the folders.
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
        name = self.file.name
        if self.state == "convert":
            return f"fsgan convert {self.original}" if self.file.kind else ""
        if self.state == "ready":
            return ""
        if self.file.kind and self.file.source.startswith("https:"):
            return f"fsgan weights fetch {name} (gets {self.file.source})"
        place = user_folder() / f"{name}.pth"
        how = f", put it at {place} and type: fsgan convert {place}" if self.file.kind else ""
        return f"get {name}.pth from {self.file.source}{how}"


def user_folder() -> Path:
    """The platform's folder for this user's weights; it may not exist."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "fsgan" / "models"


def host_folder(package: Path = Path(__file__).parents[1]) -> Path | None:
    """ComfyUI's ``models/fsgan``, if this package lies in a pack among its custom nodes.

    Args:
        package: folder of ``fsgan_core``.
    """
    nodes = package.parent.parent
    return nodes.parent / "models" / "fsgan" if nodes.name == "custom_nodes" else None


def folders(extra: Iterable[Path] = ()) -> list[Path]:
    """Where weights are looked for, first come first served.

    Args:
        extra: folders to search after ``$FSGAN_MODELS`` (which may name several) and before ComfyUI's and the user's.
    """
    named = [Path(part) for part in os.environ.get("FSGAN_MODELS", "").split(os.pathsep) if part]
    host = host_folder()
    return list(dict.fromkeys([*named, *extra, *([host] if host else []), user_folder()]))


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
        raise WeightsError(
            f"{stage} of '{weight_set}' needs {file.name}.safetensors, which is not in {places};"
            f" terms: {file.licence}; to do: {listed.advice}"
        )
    return listed.converted


def in_folder(folder: Path) -> dict[str, Path]:
    """The converted files of one folder by the stage that their headers name.

    Args:
        folder: holds ``.safetensors`` files written by ``convert``; other files are passed over.

    Returns:
        one file a stage; files for the loss alone are left out.

    Raises:
        WeightsError: no such folder, nothing in it, or two files for one stage.
    """
    if not folder.is_dir():
        raise WeightsError(f"no folder {folder} with converted weights; name open, v1, v2 or such a folder")
    found: dict[str, Path] = {}
    for path in sorted(folder.glob("*.safetensors")):
        stage = read_header(path).get("fsgan_stage", "")
        if stage in ("", "perceptual", "discriminator"):
            continue
        if stage in found:
            both = f"{found[stage].name} and {path.name}"
            raise WeightsError(f"{folder} holds two files for '{stage}', {both}; keep one of them there")
        found[stage] = path
    if not found:
        raise WeightsError(f"{folder} holds no converted weights; write some there with fsgan convert")
    return found


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

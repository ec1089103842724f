"""Appearance maps on disk: one safetensors file with the pictures inside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from ..errors import MediaError
from .appearance_map import AppearanceMap

KIND = "appearance_map"
VERSION = "1"
_OWN = ("fsgan_kind", "fsgan_version")


def save(appearance: AppearanceMap, path: Path) -> None:
    """Write a map; an existing file is replaced in one step.

    Raises:
        ValueError: a note has a reserved name.
        MediaError: the file cannot be written.
    """
    taken = [name for name in appearance.notes if name in _OWN]
    if taken:
        raise ValueError(f"got a note named {taken[0]}, which is reserved; name it otherwise")
    tensors: dict[str, NDArray[Any]] = {f"view_{number:04d}": view for number, view in enumerate(appearance.views)}
    tensors |= {"poses": appearance.poses, "landmarks": appearance.landmarks, "boxes": appearance.boxes}
    tensors = {name: np.ascontiguousarray(values) for name, values in tensors.items()}
    partial = path.with_name(path.name + ".partial")
    try:
        save_file(tensors, partial, metadata={"fsgan_kind": KIND, "fsgan_version": VERSION, **appearance.notes})
        partial.replace(path)
    except (SafetensorError, OSError) as error:
        partial.unlink(missing_ok=True)
        raise MediaError(f"cannot write {path} ({error}); name a folder that can be written to") from error


def load(path: Path) -> AppearanceMap:
    """Read a map written by :func:`save`.

    Raises:
        MediaError: the file is missing, damaged, or holds something else.
    """
    if not path.is_file():
        raise MediaError(f"no appearance map at {path}; expected a file made by 'fsgan faces build'")
    try:
        with safe_open(path, framework="np") as file:
            header = dict(file.metadata() or {})
            if header.get("fsgan_kind") != KIND:
                raise MediaError(f"{path} holds '{header.get('fsgan_kind')}', expected '{KIND}'; name a map of a face")
            if header["fsgan_version"] != VERSION:
                raise MediaError(f"{path} has version {header['fsgan_version']}, expected {VERSION}; build it again")
            names = sorted(name for name in file.keys() if name.startswith("view_"))  # noqa: SIM118 (not a mapping)
            views = tuple(file.get_tensor(name) for name in names)
            numbers = [file.get_tensor(name).astype(np.float32) for name in ("poses", "landmarks", "boxes")]
        notes = {name: value for name, value in header.items() if name not in _OWN}
        return AppearanceMap(views, numbers[0], numbers[1], numbers[2], notes)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise MediaError(f"{path} is not a readable appearance map ({error}); build it again") from error

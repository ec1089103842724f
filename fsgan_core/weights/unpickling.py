"""The only place that unpickles: official checkpoints, and of them nothing but tensors and plain values.

Three fences, each enough against a file that wants to run something: every name that a pickle mentions is read and
compared with a short list before anything is built, PyTorch's own unpickler of weights does the building, and it begins
on the ``meta`` device, where a tensor takes no memory, so that what is declared can be compared with the file's size.
"""

from __future__ import annotations

import pickle
import pickletools
import re
import struct
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from ..errors import WeightsError

MAX_BYTES = 4 << 30
"""largest file read; the largest official one has about 0.9e9 bytes"""
_SCALAR: Any = np.float64(0).__reduce__()[0]
_DTYPES = [type(np.dtype(code)) for code in ("f8", "f4", "i8")]
_ALLOWED: list[Any] = [_SCALAR, (_SCALAR, "numpy.core.multiarray.scalar"), np.dtype, *_DTYPES]
"""what a numpy number (the best loss of a training) is pickled with, by old numpy too"""
_NAMES = re.compile(
    r"collections OrderedDict|torch\._utils _rebuild_(tensor|tensor_v2|parameter)|_codecs encode"
    r"|torch (\w+Storage|Size|device|b?float\d+|u?int\d+|bool)|torch\.storage \w+Storage"
    r"|(__builtin__|builtins) set|numpy dtype|numpy\._?core\.multiarray scalar"
)
"""what a checkpoint's pickle may mention; PyTorch allows more, some of which takes any amount of memory"""
_PICKLES = 5
"""pickles at the beginning of a file of the older form: mark, version, machine, content, names of the data"""
_DAMAGE = (
    pickle.UnpicklingError, zipfile.BadZipFile, struct.error, RuntimeError, ValueError, TypeError, KeyError, IndexError,
    AttributeError, AssertionError, EOFError, OSError, MemoryError, OverflowError, NotImplementedError, RecursionError,
)  # fmt: skip


def outline(path: Path) -> Any:
    """What a checkpoint holds, with tensors on the ``meta`` device.

    Args:
        path: the ``.pth`` file.

    Raises:
        WeightsError: the file is too large, compressed, damaged, mentions what is neither a tensor nor a plain value,
            or declares more than it holds.
    """
    _check_size(path)
    _check_names(path)
    content = _load(path, "meta")
    declared = sum(tensor.numel() * tensor.element_size() for tensor in _tensors_in(content))
    if declared > path.stat().st_size:
        raise WeightsError(
            f"{path} declares {declared} bytes of tensors in {path.stat().st_size} bytes; it is damaged or hostile"
        )
    return content


def content(path: Path) -> Any:
    """What a checkpoint holds; only after :func:`outline` has accepted it.

    Raises:
        WeightsError: the file is damaged.
    """
    return _load(path, "cpu")


def line(error: BaseException) -> str:
    """The beginning of an error's message, or else its name."""
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0].split(". ")[0][:160]


def _check_size(path: Path) -> None:
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise WeightsError(f"{path} has {size} bytes, more than the {MAX_BYTES} that any official checkpoint needs")
    with path.open("rb") as file:
        start = file.read(16)
    if start[8:9] == b"{":
        raise WeightsError(f"{path} looks like safetensors already, expected a .pth checkpoint; use it as it is")
    if not start.startswith((b"PK", b"\x80")):
        raise WeightsError(
            f"{path} begins with {start!r}, expected a .pth checkpoint; a page may have been saved in its place"
        )
    if not start.startswith(b"PK"):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise WeightsError(f"{path} is a damaged archive ({line(error)}); get another copy") from error
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > size or any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise WeightsError(f"{path} unpacks to {unpacked} bytes from {size}; checkpoints are never compressed")


def _check_names(path: Path) -> None:
    try:
        foreign = next((name for name in _names(path) if not _NAMES.fullmatch(name)), None)
    except _DAMAGE as error:
        raise _unreadable(path, line(error)) from error
    if foreign is not None:
        name = ".".join(foreign.split(" "))
        raise _unreadable(path, f"it asks for '{name}', which is not a tensor or plain value")


def _names(path: Path) -> Iterator[str]:
    """Module and name of everything that a file's pickles mention."""
    if not zipfile.is_zipfile(path):
        with path.open("rb") as file:
            for _ in range(_PICKLES):
                yield from _mentioned(file)
        return
    with zipfile.ZipFile(path) as archive:
        # Whatever an archive calls so: which of several PyTorch reads is its own business.
        for entry in archive.infolist():
            if entry.filename.lower().endswith(".pkl"):
                with archive.open(entry) as file:
                    yield from _mentioned(file)


def _mentioned(file: IO[bytes]) -> Iterator[str]:
    words = ["", ""]
    for code, argument, _ in pickletools.genops(file):
        if code.name in ("GLOBAL", "INST"):
            yield str(argument)
        elif code.name == "STACK_GLOBAL" or code.name.startswith("EXT"):
            yield " ".join(words) + " (by way of the stack)"
        elif isinstance(argument, str):
            words = [words[1], argument]


def _load(path: Path, device: str) -> Any:
    try:
        with torch.serialization.safe_globals(_ALLOWED), warnings.catch_warnings():
            # About pickle protocols; what cannot be read is an error anyway.
            warnings.simplefilter("ignore", UserWarning)
            return torch.load(path, map_location=device, weights_only=True)
    except _DAMAGE as error:
        raise _unreadable(path, line(error)) from error


def _unreadable(path: Path, reason: str) -> WeightsError:
    return WeightsError(f"{path} is not a checkpoint that can be read safely ({reason}); get another copy")


def _tensors_in(value: Any) -> Iterator[Tensor]:
    """Every tensor in nested containers, each container once."""
    seen: set[int] = set()
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, Tensor):
            yield item
        elif isinstance(item, Mapping):
            waiting.extend(item.values())
        elif isinstance(item, (list, tuple, set)):
            waiting.extend(item)

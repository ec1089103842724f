"""Official checkpoints (pickles) to safetensors: the only place that unpickles, and only tensors and plain values.

Nothing stored in a file is executed: the unpickler knows tensors, containers, numbers and strings, and the ``arch``
text, which the original passes to ``eval``, is never read. What a file holds is inferred from its shapes, and every
name and shape must fit the network built from that.
"""

from __future__ import annotations

import hashlib
import pickle
import re
import struct
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor

from .. import networks
from ..errors import WeightsError
from .checkpoint import load_weights, save_weights
from .infer import Inferred, infer

MAX_BYTES = 4 << 30
"""largest file converted; the largest official one has about 0.9e9 bytes"""
_SCALAR: Any = np.float64(0).__reduce__()[0]
_DTYPES = [type(np.dtype(code)) for code in ("f8", "f4", "i8")]
_ALLOWED: list[Any] = [_SCALAR, (_SCALAR, "numpy.core.multiarray.scalar"), np.dtype, *_DTYPES]
"""what a numpy number (the best loss of a training) is pickled with, by old numpy too"""
_DAMAGE = (
    pickle.UnpicklingError, zipfile.BadZipFile, struct.error, RuntimeError, ValueError, TypeError, KeyError, IndexError,
    AttributeError, AssertionError, EOFError, OSError, MemoryError, OverflowError, NotImplementedError,
)  # fmt: skip
_UNUSED = re.compile(r"classifier\.[036]\.(weight|bias)")
"""classifiers of the perceptual networks, of which only the features are used"""


def convert(path: Path, output: Path | None = None, *, overwrite: bool = False) -> Path:
    """Convert an official checkpoint.

    Args:
        path: the ``.pth`` file.
        output: the ``.safetensors`` file to write; default beside ``path`` under the same name.
        overwrite: replace an existing output.

    Returns:
        the file written. Its header has ``fsgan_kind`` (key of ``networks.ARCHITECTURES``), ``fsgan_config`` (JSON),
        ``fsgan_stage``, ``source_name``, ``source_sha256``.

    Raises:
        WeightsError: the file is missing, too large, damaged, hostile or not an official network, has values that are
            not finite, or the output exists or cannot be written.
    """
    output = path.with_name(path.name.removesuffix(".pth") + ".safetensors") if output is None else output
    _check_paths(path, output, overwrite)
    found, tensors = read_official(path)
    header = {"fsgan_stage": found.stage, "source_name": path.name, "source_sha256": sha256(path)}
    unverified = output.with_name(output.name + ".unverified")
    try:
        save_weights(unverified, tensors, found.kind, found.config, **header)
        _verify(unverified, found, tensors)
        unverified.replace(output)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"cannot write {output} ({error}); name a place that can be written") from error
    finally:
        for left in (unverified, unverified.with_name(unverified.name + ".partial")):
            left.unlink(missing_ok=True)
    return output


def read_official(path: Path) -> tuple[Inferred, dict[str, Tensor]]:
    """Read an official checkpoint without writing anything.

    Args:
        path: the ``.pth`` file.

    Returns:
        what it is, and its tensors (float32 or int64, contiguous, on the CPU) by official name.

    Raises:
        WeightsError: see :func:`convert`.
    """
    _check_size(path)
    # First without memory for the tensors: what is declared must fit the file and the network.
    outline = _load(path, "meta")
    declared = sum(tensor.numel() * tensor.element_size() for tensor in _tensors_in(outline))
    if declared > path.stat().st_size:
        raise WeightsError(
            f"{path} declares {declared} bytes of tensors in {path.stat().st_size} bytes; it is damaged or hostile"
        )
    found = _matched(path, _state(path, outline))
    state = _state(path, _load(path, "cpu"))
    tensors = {name: _plain(tensor) for name, tensor in state.items()}
    for name, tensor in tensors.items():
        if not bool(tensor.isfinite().all()):
            raise WeightsError(f"{path} has values in '{name}' that are not finite numbers; get another copy")
    return found, tensors


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _check_paths(path: Path, output: Path, overwrite: bool) -> None:
    if not path.is_file():
        raise WeightsError(f"no file at {path}; name an official .pth checkpoint")
    if output.suffix != ".safetensors":
        raise WeightsError(f"found the output name {output.name}, expected one that ends in .safetensors")
    if output.exists() and (not overwrite or not output.is_file()):
        raise WeightsError(f"{output} exists; choose another name or allow overwriting")
    if not output.parent.is_dir():
        raise WeightsError(f"no folder {output.parent} to write into; make it first")


def _check_size(path: Path) -> None:
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise WeightsError(f"{path} has {size} bytes, more than the {MAX_BYTES} that any official checkpoint needs")
    with path.open("rb") as file:
        start = file.read(16)
    if start[8:9] == b"{":
        raise WeightsError(f"{path} looks like safetensors already, expected a .pth checkpoint; use it as it is")
    if not start.startswith(b"PK"):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise WeightsError(f"{path} is a damaged archive ({_line(error)}); get another copy") from error
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > size or any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise WeightsError(f"{path} unpacks to {unpacked} bytes from {size}; checkpoints are never compressed")


def _load(path: Path, device: str) -> Any:
    try:
        with torch.serialization.safe_globals(_ALLOWED), warnings.catch_warnings():
            # About pickle protocols; what cannot be read is an error anyway.
            warnings.simplefilter("ignore", UserWarning)
            return torch.load(path, map_location=device, weights_only=True)
    except (*_DAMAGE, RecursionError) as error:
        reason = _line(error)
        blocked = re.search(r"GLOBAL (\S+)", str(error)) or re.search(r"global (\S+) was not", str(error))
        if blocked:
            reason = f"it asks for '{blocked.group(1)}', which is not a tensor or plain value"
        raise WeightsError(
            f"{path} is not a checkpoint that can be read safely ({reason}); get another copy"
        ) from error


def _line(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0].split(". ")[0][:160]


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


def _state(path: Path, content: Any) -> dict[str, Tensor]:
    """The tensors of the network, without prefix and unused classifiers, batch counters completed."""
    state = content.get("state_dict", content) if isinstance(content, Mapping) else None
    if not isinstance(state, Mapping) or not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise WeightsError(f"{path} has no mapping of names to tensors; expected a 'state_dict' or bare tensors")
    if not all(isinstance(name, str) for name in state):
        raise WeightsError(f"{path} has tensors whose names are not text; expected an official checkpoint")
    prefix = "module." if all(name.startswith("module.") for name in state) else ""
    plain = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    kept = {name: tensor for name, tensor in plain.items() if not _UNUSED.fullmatch(name)}
    for name in list(kept):
        counter = name.removesuffix("running_mean") + "num_batches_tracked"
        if name.endswith(".running_mean") and counter not in kept:
            kept[counter] = torch.zeros((), dtype=torch.int64)
    return kept


def _matched(path: Path, state: Mapping[str, Tensor]) -> Inferred:
    """Infer the network and compare every name and shape with it."""
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    try:
        found = infer(shapes)
        with torch.device("meta"):
            expected = {n: tuple(t.shape) for n, t in networks.build(found.kind, found.config).state_dict().items()}
    except (ValueError, RuntimeError, IndexError) as error:
        raise WeightsError(f"{path} has shapes that no official network has ({_line(error)})") from error
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error
    for name in sorted(expected.keys() | shapes.keys()):
        if shapes.get(name) != expected.get(name):
            raise WeightsError(
                f"{path} is not a complete '{found.kind}': '{name}' is {shapes.get(name, 'missing')},"
                f" expected {expected.get(name, 'no such tensor')}; get another copy"
            )
    return found


def _plain(tensor: Tensor) -> Tensor:
    """A contiguous copy in a memory of its own, as float32 or int64."""
    dtype = torch.float32 if tensor.is_floating_point() else torch.int64
    return tensor.detach().to(dtype, copy=True).contiguous()


def _verify(path: Path, found: Inferred, tensors: Mapping[str, Tensor]) -> None:
    """Read the file back and compare every tensor."""
    written, config = load_weights(path, found.kind)
    with torch.device("meta"):
        networks.build(found.kind, config).load_state_dict(written, strict=True, assign=True)
    if written.keys() != tensors.keys() or not all(torch.equal(written[name], tensors[name]) for name in tensors):
        raise WeightsError(f"{path} does not read back as it was written; check the disk")

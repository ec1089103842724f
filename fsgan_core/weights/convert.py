"""Official checkpoints (pickles) to safetensors.

Nothing stored in a file is executed (:mod:`~fsgan_core.weights.unpickling`), and the ``arch`` text, which the original
passes to ``eval``, is never read. What a file holds is inferred from its shapes, and every name and shape must fit the
network built from that.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from .. import networks
from ..errors import WeightsError
from . import unpickling
from .checkpoint import load_weights, save_weights
from .infer import Inferred, infer
from .unpickling import line

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
    # First without memory for the tensors: what is declared must fit the file and the network.
    found = _matched(path, _state(path, unpickling.outline(path)))
    state = _state(path, unpickling.content(path))
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
        found = f"{path} is not a file" if path.exists() else f"no file at {path}"
        raise WeightsError(f"{found}; name an official .pth checkpoint")
    if output.suffix != ".safetensors":
        raise WeightsError(f"found the output name {output.name}, expected one that ends in .safetensors")
    if output.exists() and (not overwrite or not output.is_file()):
        raise WeightsError(f"{output} exists; choose another name with -o, or --overwrite it")
    if not output.parent.is_dir():
        raise WeightsError(f"no folder {output.parent} to write into; make it first")


def _state(path: Path, content: Any) -> dict[str, Tensor]:
    """The tensors of the network, without prefix and unused classifiers, batch counters completed."""
    state = content.get("state_dict", content) if isinstance(content, Mapping) else None
    if not isinstance(state, Mapping) or not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise WeightsError(f"{path} has no mapping of names to tensors; expected a 'state_dict' or bare tensors")
    if not all(isinstance(name, str) for name in state):
        raise WeightsError(f"{path} has tensors whose names are not text; expected an official checkpoint")
    for name, tensor in state.items():
        if tensor.is_complex() or tensor.is_quantized:
            raise WeightsError(f"{path} has '{name}' as {tensor.dtype}, expected plain numbers; get another copy")
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
        raise WeightsError(f"{path} has shapes that no official network has ({line(error)})") from error
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

"""One safe door for weights: safetensors files whose header says what they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from ..errors import WeightsError
from ..networks import build

OPEN = Path(__file__).parent / "open"
"""Folder of the bundled weights."""


def save_weights(path: Path, tensors: Mapping[str, torch.Tensor], kind: str, config: Any = None, **header: str) -> None:
    """Write tensors with a header that names their kind and configuration.

    Args:
        path: file to write; an existing file is replaced in one step.
        tensors: name to tensor.
        kind: what the tensors are, for instance ``"landmarks"``.
        config: a dataclass or mapping that rebuilds the network; stored as JSON.
        header: more strings for the header (licence, version, figures).
    """
    values = asdict(config) if is_dataclass(config) and not isinstance(config, type) else dict(config or {})
    metadata = {"fsgan_kind": kind, "fsgan_config": json.dumps(values), **header}
    partial = path.with_name(path.name + ".partial")
    save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, partial, metadata=metadata)
    partial.chmod(0o644)  # the library makes files that only their owner reads
    partial.replace(path)


def read_header(path: Path) -> dict[str, str]:
    """Read only the header of a file written by :func:`save_weights`.

    Args:
        path: safetensors file.

    Returns:
        its strings by name; empty for a safetensors file of other origin.

    Raises:
        WeightsError: the file is missing or damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return dict(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is not a readable safetensors file ({error}); fetch or convert it again") from error


def load_network(path: Path, kind: str) -> nn.Module:
    """Build an official network and load a converted file into it.

    Args:
        path: file written by :func:`~fsgan_core.weights.convert.convert`.
        kind: a key of ``networks.ARCHITECTURES``.

    Returns:
        the network in evaluation mode, float32, on the CPU.

    Raises:
        WeightsError: the file is missing, damaged, of another kind, or does not fit its own configuration.
    """
    tensors, config = load_weights(path, kind)
    try:
        # First without memory: a header may ask for any size, the tensors are what is there.
        with torch.device("meta"):
            build(kind, config).load_state_dict(tensors, strict=True, assign=True)
        network = build(kind, config)
        network.load_state_dict(tensors, strict=True)
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(f"{path} does not fit the network in its header ({reason}); convert it again") from error
    return network.eval()


def load_weights(path: Path, kind: str) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read a file written by :func:`save_weights`.

    Args:
        path: safetensors file.
        kind: the kind expected.

    Returns:
        the tensors by name (on the CPU) and the configuration.

    Raises:
        WeightsError: the file is missing, damaged, or of another kind.
    """
    if not path.is_file():
        raise WeightsError(f"no weights at {path}; expected a '{kind}' safetensors file. Reinstall or name another set")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is not a readable safetensors file ({error}); fetch or convert it again") from error
    found = metadata.get("fsgan_kind")
    if found != kind:
        raise WeightsError(f"{path} holds '{found}' weights, expected '{kind}'; name a file of that kind")
    return tensors, _config(path, metadata.get("fsgan_config", "{}"))


def _config(path: Path, text: str) -> dict[str, Any]:
    try:
        config = json.loads(text)
    except ValueError:
        config = None
    if not isinstance(config, dict):
        raise WeightsError(f"{path} has the configuration {text[:80]!r}, expected a JSON object; convert it again")
    return config

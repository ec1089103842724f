"""One safe door for weights: safetensors files whose header says what they are."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from ..errors import WeightsError
from ..networks import build

N = TypeVar("N", bound=nn.Module)
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
    with understood(path, "does not fit the network in its header", "convert it again"):
        return filled(lambda: build(kind, config), tensors).eval()


def filled(make: Callable[[], N], tensors: Mapping[str, torch.Tensor]) -> N:
    """A network with the tensors of a file, in its own dtype.

    Args:
        make: builds it.
        tensors: all that it has; batch normalisation's counters, which inference does not need, may be missing.

    Raises:
        RuntimeError: they do not fit.
    """
    # First without memory: a header may ask for any size, the tensors are what is there.
    with torch.device("meta"):
        fill(make(), tensors, assign=True)
    network = make()
    fill(network, tensors)
    return network


def fill(network: nn.Module, tensors: Mapping[str, torch.Tensor], assign: bool = False) -> None:
    """Load a file's tensors into a network that is there; see :func:`filled`."""
    counters = {name: value for name, value in network.state_dict().items() if name.endswith("num_batches_tracked")}
    network.load_state_dict({**counters, **tensors}, assign=assign)


@contextmanager
def understood(path: Path, fault: str, remedy: str) -> Iterator[None]:
    """Within, whatever a file's contents cause is a :class:`~fsgan_core.errors.WeightsError` of one line.

    Args:
        path: the file.
        fault: what is then wrong with it.
        remedy: what to do.
    """
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        said = f"found no {error}" if isinstance(error, KeyError) else str(error)
        raise WeightsError(f"{path} {fault} ({textwrap.shorten(said, 200, placeholder=' ...')}); {remedy}") from error


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

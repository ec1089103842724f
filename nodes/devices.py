"""Networks under ComfyUI's care: its memory management, half precision, and what to do when either fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from . import host
from .telling import note

if TYPE_CHECKING:
    from ..fsgan_core.models import Models

MEASURING = ("detection", "landmarks", "alignment", "fitting")
"""Stages whose networks give places in a picture; half precision would move them."""

_LEAST = 512 << 20
_FACE, _HEAD = (1.6, 240), (2.6, 120)
"""Side of the square that is worked on over the face's, and bytes for a pixel: of a swap, and of a head that moves."""


def room(size: tuple[int, int], head: bool = False) -> int:
    """Bytes that work on pictures of a size (width, height) takes at most, the networks themselves aside.

    Measured as peaks of allocated memory: finding faces takes 254 MB whatever the size, measuring 32 faces 71 MB, an
    official generator 242 MB, a swap 235 to 247 bytes for each pixel of its square, a head 117 of its larger one: here
    of a face as large as the picture.

    Args:
        size: width and height.
        head: whether heads move within their pictures, as in edits, reenactments and where they take another shape.
    """
    margin, a_pixel = _HEAD if head else _FACE
    return max(_LEAST, round((margin * min(size)) ** 2 * a_pixel))


class Managed(nn.Module):
    """A network that works on smaller batches when memory runs out, and in float32 when half precision overflows.

    Args:
        network: takes and gives tensors ``(B, ...)``, alone or in lists; items must not influence each other.
        half: precision of its convolutions; None for float32.
    """

    def __init__(self, network: nn.Module, half: torch.dtype | None = None) -> None:
        super().__init__()
        self.network, self.half = network, half
        self.limit: int | None = None

    def __getattr__(self, name: str) -> Any:
        """What the network has."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("network"), name)

    def forward(self, *inputs: Any) -> Any:
        """The network's results.

        Raises:
            host.OUT_OF_MEMORY: one item alone is too much.
        """
        count = len(next(_tensors(inputs)))
        while True:
            step = min(self.limit or count, count)
            try:
                parts = [self._careful(_part(inputs, start, step, count)) for start in range(0, count, step)]
                return parts[0] if len(parts) == 1 else _joined(parts)
            except host.OUT_OF_MEMORY:
                if step == 1:
                    raise
                self.limit = step // 2
            # Out of the except clause, which keeps the failed run's tensors alive.
            note(f"out of memory; {self._name} takes {step // 2} instead of {step} at a time from here on")
            host.tidy()

    def _careful(self, inputs: Any) -> Any:
        if self.half is None:
            return self.network(*inputs)
        with torch.autocast(next(_tensors(inputs)).device.type, self.half):
            result = _each(self.network(*inputs), torch.Tensor.float)
        if all(bool(tensor.isfinite().all()) for tensor in _tensors(result)):
            return result
        note(f"{self._name} overflowed in half precision and runs in float32 from here on")
        self.half = None
        return self.network(*inputs)

    @property
    def _name(self) -> str:
        return type(self.network).__name__


def managed(models: Models) -> tuple[Models, list[Any]]:
    """Stages whose networks ComfyUI may move off the device, and what it moves them by."""
    patchers: dict[int, tuple[Managed, Any]] = {}

    def change(stage: str, network: nn.Module) -> nn.Module:
        if id(network) not in patchers:
            half = None if stage in MEASURING else host.half_precision()
            patchers[id(network)] = (Managed(network, half), host.patcher(network))
        return patchers[id(network)][0]

    return models.with_networks(change), [patcher for _, patcher in patchers.values()]


def _tensors(values: Any) -> Iterator[torch.Tensor]:
    if isinstance(values, torch.Tensor):
        yield values
    elif isinstance(values, (list, tuple)):
        for value in values:
            yield from _tensors(value)


def _each(values: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    if isinstance(values, torch.Tensor):
        return change(values)
    return type(values)(_each(value, change) for value in values) if isinstance(values, (list, tuple)) else values


def _part(inputs: Any, start: int, step: int, count: int) -> Any:
    """Items of every tensor that has one a batch item."""
    return _each(inputs, lambda tensor: tensor[start : start + step] if len(tensor) == count else tensor)


def _joined(parts: Sequence[Any]) -> Any:
    if isinstance(parts[0], torch.Tensor):
        return torch.cat(list(parts))
    return type(parts[0])(_joined(values) for values in zip(*parts, strict=True))

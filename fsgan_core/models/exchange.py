"""The networks of a stage exchanged for others."""

from __future__ import annotations

import copy
from collections.abc import Callable
from types import MethodType
from typing import Any

from torch import nn

_OURS = __name__.rpartition(".models.")[0]
"""The package whose objects are looked into."""


def exchanged(part: Any, change: Callable[[nn.Module], nn.Module]) -> Any:
    """A stage, or a part of one, with its networks exchanged; a copy if it has any."""
    if isinstance(part, nn.Module):
        return change(part)
    if isinstance(part, MethodType):
        return getattr(exchanged(part.__self__, change), part.__name__)
    ours = type(part).__module__.startswith(_OURS)
    if not ours or not hasattr(part, "__dict__"):
        return part
    found = {name: exchanged(value, change) for name, value in vars(part).items()}
    if all(found[name] is value for name, value in vars(part).items()):
        return part
    copied = copy.copy(part)
    for name, value in found.items():
        object.__setattr__(copied, name, value)
    return copied

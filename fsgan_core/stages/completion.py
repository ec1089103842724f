"""Completion (Gc): what the source cannot show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from ..ops.flow import resize
from ..ops.poisson import harmonic_fill
from .open_completion import OpenCompleter

_FIELD = 128
"""Side in pixels at which holes are filled; the fill is smooth and is upsampled."""


class Completer(Protocol):
    """Fills the part of a reenacted face that no source pixel shows."""

    def __call__(self, image: Tensor, confidence: Tensor, mask: Tensor) -> Tensor:
        """Complete.

        Args:
            image: ``(B, 3, S, S)`` reenacted face.
            confidence: ``(B, 1, S, S)`` how much of it the source really shows.
            mask: ``(B, 1, S, S)`` where a face is wanted.

        Returns:
            ``(B, 3, S, S)``; pixels of full confidence are unchanged.
        """


class SmoothCompleter:
    """Extends the surrounding skin smoothly into the hole (the membrane through its border)."""

    @torch.inference_mode()
    def __call__(self, image: Tensor, confidence: Tensor, mask: Tensor) -> Tensor:
        """See :class:`Completer`."""
        size = image.shape[-1]
        field = min(_FIELD, size)
        hole = ((1 - confidence / 0.1).clamp(0, 1) * mask).clamp(0, 1)
        if not (hole > 0).any():
            return image
        coarse = functional.adaptive_avg_pool2d(image, field)
        unknown = functional.adaptive_max_pool2d(hole, field) > 0
        filled = harmonic_fill(coarse, unknown.to(image.dtype))
        return torch.lerp(image, resize(filled, size, size), hole)


COMPLETERS: dict[str, Callable[[], Completer]] = {"learned": OpenCompleter, "smooth": SmoothCompleter}
"""Completion backends by name."""

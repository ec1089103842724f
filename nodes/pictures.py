"""IMAGE and MASK as the core's frames and masks, and back; nothing given is ever changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..fsgan_core.words import plural
from . import host

if TYPE_CHECKING:
    from ..fsgan_core.streams import Clip, Frame

RATE = Fraction(25)
"""Frames a second taken for a batch, which does not say; only tracking and smoothing use it."""


def frame(image: Tensor) -> Frame:
    """One picture ``(H, W, 1, 3 or 4)`` of an IMAGE as a uint8 frame ``(H, W, 3)``."""
    values = image.detach().float()[..., :3].clamp(0, 1)
    values = values.expand(*values.shape[:2], 3) if values.shape[-1] == 1 else values
    return (values * 255).round().byte().cpu().numpy()


def frames(images: Tensor) -> list[Frame]:
    """All pictures of an IMAGE ``(B, H, W, C)``.

    Raises:
        ValueError: it is no IMAGE.
    """
    if images.ndim != 4 or images.shape[-1] not in (1, 3, 4) or 0 in images.shape:
        raise ValueError(f"found an image of shape {tuple(images.shape)}, expected (B, H, W, 3); check the wire")
    return [frame(image) for image in images]


def clip(images: Tensor) -> Clip:
    """An IMAGE as a clip: one picture is a still."""
    from ..fsgan_core.streams import Frames, Still

    found = frames(images)
    return Still(found[0]) if len(found) == 1 else Frames(found, RATE)


def image(found: Iterable[Frame]) -> Tensor:
    """Frames of one size as an IMAGE ``(B, H, W, 3)`` on the host's device."""
    stacked = torch.from_numpy(np.stack(list(found)))
    return (stacked.float() / 255).to(host.results_device())


def merged(original: Tensor, results: Sequence[Frame]) -> Tensor:
    """An IMAGE with what results changed of it; all other values stay as they were, to the last bit.

    Args:
        original: ``(B, H, W, C)``; alpha is dropped.
        results: B frames made from it.
    """
    rows = []
    for before, after in zip(original, results, strict=True):
        kept = before.detach().float().cpu()[..., :3]
        kept = kept.expand(*kept.shape[:2], 3)
        changed = torch.from_numpy(after != frame(before)).any(-1, keepdim=True)
        rows.append(torch.where(changed, torch.from_numpy(after).float() / 255, kept))
    return torch.stack(rows).to(host.results_device())


def mask_values(mask: Tensor | None, size: tuple[int, int], count: int) -> list[Any]:
    """A MASK as one array ``(H, W)`` a frame, or None where it is empty.

    Args:
        mask: ``(B, h, w)`` or ``(h, w)`` of any size; B is 1 or ``count``. None: no mask.
        size: width and height wanted.
        count: number of frames.

    Raises:
        ValueError: another number of masks.
    """
    if mask is None:
        return [None] * count
    layers = mask.detach().float().cpu().reshape(-1, *mask.shape[-2:]).clamp(0, 1)
    if len(layers) not in (1, count):
        found = f"found {plural(len(layers), 'mask')} for {plural(count, 'picture')}"
        raise ValueError(f"{found}; give one, or one for each")
    if layers.shape[-2:] != (size[1], size[0]):
        layers = functional.interpolate(layers[:, None], (size[1], size[0]), mode="bilinear", antialias=True)[:, 0]
    values = [layer.numpy() if bool(layer.any()) else None for layer in layers]
    return values * count if len(values) == 1 else values

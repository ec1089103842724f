"""The membrane of Poisson blending by our network, nearly as exact as the solver's and found in less time."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ..networks.membrane_net import MembraneConfig, MembraneNet
from ..ops.poisson import harmonic_fill, windows
from .open_networks import load_own

_MISSED = 0.1
"""Error of a membrane of ones beyond which the exact solver is asked; up to it pictures are a few levels off."""


def load_membrane_net(path: Path | None = None) -> MembraneNet:
    """The bundled network on the CPU, or that of another file.

    Raises:
        WeightsError: the file is missing, damaged, or holds something else.
    """
    return load_own("blending", lambda values: MembraneNet(MembraneConfig.of(values)), path)


def learned_fill(network: MembraneNet, values: Tensor, mask: Tensor) -> Tensor:
    """Continue what surrounds the mask into it: :func:`~fsgan_core.ops.poisson.harmonic_fill`, nearly.

    Items on whose mask the network is found not to be exact enough are left to that function.

    Args:
        network: trained by ``training/blending.py``.
        values: ``(B, C, H, W)``; those under the mask are ignored.
        mask: ``(B, 1, H, W)``, filled where > 0.5. An item without any known pixel is filled with its mean.

    Returns:
        ``(B, C, H, W)`` in the values' dtype, unchanged where the mask is not > 0.5; an item depends on nothing else
        in its batch.
    """
    unknown = mask > 0.5
    whole = unknown.flatten(1).all(1)[:, None, None, None]
    result = torch.where(whole, values.mean((2, 3), keepdim=True), values)
    for items, (top, left, bottom, right) in windows(unknown):
        part = (items, slice(None), slice(top, bottom), slice(left, right))
        found, missed = network.checked(values[part].float(), unknown[part].float())
        result[part] = torch.where(unknown[part], found.to(values.dtype), values[part])
        if len(doubtful := items[missed > _MISSED]):
            result[doubtful] = harmonic_fill(values[doubtful], mask[doubtful])
    return result

"""The membrane of Poisson blending by our network, nearly as exact as the solver's and found in less time."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ..networks.membrane_net import MembraneConfig, MembraneNet
from ..ops.poisson import windows
from .open_networks import load_own


def load_membrane_net(path: Path | None = None) -> MembraneNet:
    """The bundled network on the CPU, or that of another file.

    Raises:
        WeightsError: the file is missing, damaged, or holds something else.
    """
    return load_own("blending", lambda values: MembraneNet(MembraneConfig.of(values)), path)


def learned_fill(network: MembraneNet, values: Tensor, mask: Tensor) -> Tensor:
    """Continue what surrounds the mask into it: :func:`~fsgan_core.ops.poisson.harmonic_fill`, nearly.

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
        found = network(values[part].float(), unknown[part].float())
        result[part] = torch.where(unknown[part], found.to(values.dtype), values[part])
    return result

"""Sheets of samples to look at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .run_files import grid


def tiled(columns: Sequence[Tensor], across: int = 2) -> NDArray[np.uint8]:
    """Pictures of samples side by side, with several samples in a row.

    Args:
        columns: ``(N, 3, S, S)`` each, in [0, 1]; the k-th picture of every sample.
        across: samples in a row.

    Returns:
        ``(H, W, 3)`` RGB.
    """
    parts = [(column.float().clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy() for column in columns]
    samples = list(zip(*parts, strict=True))
    return grid([sum(samples[start : start + across], ()) for start in range(0, len(samples), across)])


def tinted(image: Tensor, mask: Tensor, color: tuple[float, float, float] = (0.0, 1.0, 0.0)) -> Tensor:
    """Images ``(N, 3, S, S)`` with masks ``(N, 1, S, S)`` laid over them in a colour."""
    return torch.lerp(image, image.new_tensor(color).view(3, 1, 1).expand_as(image), 0.4 * mask.to(image.dtype))

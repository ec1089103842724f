"""Details at a face's border: no stronger than the target's there, or wrinkles and shadows end at a line one sees."""

from __future__ import annotations

import torch
from torch import Tensor

from .flow import resize
from .lowpass import face_size, lowpass, pooled, weighted_lowpass

_FIELD = 64
"""Cells along a side in which details are compared: those that are finer are texture, which ends nowhere in a line."""
_REACH, _DETAIL, _AROUND = 0.06, 0.06, 0.03
"""Standard deviations of low-passes in sides of the face: how far the border reaches inwards; what is coarser than
detail; over what details are compared."""
_FAINT = 0.003
"""Size of details in [0, 1] below which none is weakened."""


def limit_border_detail(face: Tensor, target: Tensor, mask: Tensor, strength: float = 1.0) -> Tensor:
    """Weaken a face's details near its border where the target's are weaker.

    Args:
        face: ``(B, 3, H, W)`` in [0, 1], valid where the mask is not 0, in the target's light.
        target: ``(B, 3, H, W)`` in [0, 1].
        mask: ``(B, 1, H, W)``.
        strength: 0 changes nothing, 1 weakens them right at the border to the target's.

    Returns:
        ``(B, 3, H, W)``, meaningful where the mask is not 0.
    """
    cells, weight, scale = pooled(torch.cat((face, target), 1), mask, _FIELD)
    size, shape = scale * face_size(mask), (mask.shape[-2], mask.shape[-1])
    details = cells - weighted_lowpass(cells, weight, _DETAIL * size, _FIELD)
    energy = [part.square().mean(1, keepdim=True) for part in details.split(3, 1)]
    ours, theirs = weighted_lowpass(torch.cat(energy, 1), weight, _AROUND * size, _FIELD).split(1, 1)
    excess = 1 - ((theirs + _FAINT**2) / (ours + _FAINT**2)).clamp(max=1).sqrt()
    near = (2 - 2 * lowpass((weight > 0.5).to(weight.dtype), _REACH * size, _FIELD)).clamp(0, 1)
    coarse = weighted_lowpass(cells[:, :3], weight, _DETAIL * size, _FIELD, shape)
    return torch.lerp(face, coarse, resize(strength * near * excess, *shape))

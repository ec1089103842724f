"""Soft masks: eroding, feathering, combining. All are ``(B, 1, H, W)`` in [0, 1], every item by itself."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .lowpass import face_size, lowpass
from .pooling import box_max

_REFERENCE = 256


def soft_erosion(mask: Tensor, kernel: int = 21, threshold: float = 0.6, iterations: int = 1) -> Tensor:
    """Shrink a mask and give it a soft edge (FSGAN v2): blur with a cone, 1 above the threshold, scaled up below.

    The soft edge reaches half a kernel beyond the mask; :func:`feather` stays inside. In FSGAN the scale of the edge
    depends on the whole batch; here it is each item's own, and an empty mask stays empty.

    Args:
        mask: ``(B, 1, H, W)``.
        kernel: side of the cone in pixels of a 256 px crop, odd; it grows with the larger side of the mask.
        threshold: blurred value from which on the result is 1, in (0, 1].
        iterations: times the mask is blurred, each time kept from growing but the last.

    Returns:
        ``(B, 1, H, W)`` soft mask.

    Raises:
        ValueError: kernel is even or below 1, the threshold is out of range or there is no iteration.
    """
    if kernel < 1 or kernel % 2 == 0 or not 0 < threshold <= 1 or iterations < 1:
        raise ValueError(
            f"kernel {kernel}, threshold {threshold}, iterations {iterations}: give an odd kernel, "
            "a threshold in (0, 1] and at least one iteration"
        )
    height, width = mask.shape[-2:]
    # Above the reference size the blur is wider than the pixels are fine, so the work is done at the reference.
    scale = min(1.0, _REFERENCE / max(height, width))
    work = F.adaptive_avg_pool2d(mask, (max(1, round(height * scale)), max(1, round(width * scale))))
    cone = _cone(2 * round((kernel - 1) / 2 * max(work.shape[-2:]) / _REFERENCE) + 1).to(mask)
    for _ in range(iterations - 1):
        work = torch.minimum(work, F.conv2d(work, cone, padding=cone.shape[-1] // 2))
    blurred = F.conv2d(work, cone, padding=cone.shape[-1] // 2)
    hard = blurred >= threshold
    largest = torch.where(hard, 0, blurred).amax((1, 2, 3), keepdim=True)
    soft = torch.where(hard, 1, blurred / largest.clamp_min(1e-6))
    return soft if scale == 1 else F.interpolate(soft, (height, width), mode="bilinear", align_corners=False)


def feather(mask: Tensor, width: float = 0.08) -> Tensor:
    """Give a mask a soft edge that lies inside it.

    Where the mask ends at the image's border it is not softened.

    Args:
        mask: ``(B, 1, H, W)``.
        width: of the edge in sides of the face (:func:`~fsgan_core.ops.lowpass.face_size`); 0 changes nothing.

    Returns:
        ``(B, 1, H, W)``, nowhere above the mask.
    """
    if width <= 0:
        return mask
    inner = (2 * lowpass(mask, 0.5 * width * face_size(mask), _REFERENCE) - 1) / 0.95
    return torch.minimum(mask, inner.clamp(0, 1))


def erode(mask: Tensor, radius: int = 1) -> Tensor:
    """Take a square's minimum; pixels beyond the image do not count."""
    return -box_max(-mask, 2 * radius + 1)


def smoothstep(value: Tensor) -> Tensor:
    """A soft step: 0 up to 0, 1 from 1 on, level at both ends; values of any shape."""
    part = value.clamp(0, 1)
    return part * part * (3 - 2 * part)


def ramp(value: Tensor, ends: tuple[float, float]) -> Tensor:
    """A soft step from 0 at the lower end to 1 at the higher; see :func:`smoothstep`."""
    low, high = ends
    return smoothstep((value - low) / (high - low))


def union(mask: Tensor, other: Tensor) -> Tensor:
    """Return the larger of two masks."""
    return torch.maximum(mask, other)


def subtract(mask: Tensor, other: Tensor) -> Tensor:
    """Cut the other mask out."""
    return mask * (1 - other)


def _cone(size: int) -> Tensor:
    """``(1, 1, size, size)``, falling linearly from the centre to zero at the corners, sum 1."""
    offset = torch.arange(size, dtype=torch.float32) - size // 2
    distance = torch.hypot(offset[:, None], offset)
    cone = distance.max() - distance if size > 1 else torch.ones(1, 1)
    return (cone / cone.sum())[None, None]

"""The original's pyramids, mask operations and training targets, for its weight sets and for training such networks.

``ops.masks`` and ``ops.poisson`` hold the library's own operations.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

INNER_MOUTH_98 = slice(88, 96)
"""WFLW landmarks of the inner lips"""
_SMALLEST = 10
"""masks of at most this extent, in pixels, are left alone"""
_MARGIN = 2


def image_pyramid(images: Tensor, levels: int = 2) -> list[Tensor]:
    """Halve by 3x3 means, padding not counted.

    Args:
        images: ``(B, C, H, W)``.
        levels: number of levels, the first being ``images``.

    Returns:
        fine to coarse; sides are rounded up.
    """
    pyramid = [images]
    for _ in range(levels - 1):
        pyramid.append(F.avg_pool2d(pyramid[-1], 3, stride=2, padding=1, count_include_pad=False))
    return pyramid


def erosion_kernel(size: int) -> Tensor:
    """A cone that falls from the centre to zero at the corners; ``(1, 1, size, size)``, sum 1."""
    offset = torch.arange(size, dtype=torch.float32) - size // 2
    distance = (offset.square()[:, None] + offset.square()).sqrt()
    cone = distance.max() - distance
    return (cone / cone.sum())[None, None]


def soft_erosion(
    mask: Tensor, kernel: int = 21, threshold: float = 0.6, iterations: int = 1, whole_batch: bool = False
) -> tuple[Tensor, Tensor]:
    """Shrink a mask and give it a soft edge across its old border.

    Args:
        mask: ``(B, 1, H, W)``, 0 or 1.
        kernel: side of the cone in pixels, odd.
        threshold: blurred value from which on the result is 1.
        iterations: times the cone is applied.
        whole_batch: scale the soft edge by the maximum over the batch, as the original does, instead of that of each
            item; results then depend on what else is in the batch.

    Returns:
        the soft mask and the hard (0 or 1) mask, both ``(B, 1, H, W)`` float; an empty mask stays empty.
    """
    cone = erosion_kernel(kernel).to(mask)
    for _ in range(iterations - 1):
        mask = torch.minimum(mask, F.conv2d(mask, cone, padding=kernel // 2))
    blurred = F.conv2d(mask, cone, padding=kernel // 2)
    hard = blurred >= threshold
    edge = blurred.masked_fill(hard, 0)
    top = edge.amax() if whole_batch else edge.amax((1, 2, 3), keepdim=True)
    soft = edge / top.clamp(min=torch.finfo(edge.dtype).tiny)
    return torch.where(hard, torch.ones_like(soft), soft), hard.to(soft)


def remove_inner_mouth(mask: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Set what lies between the lips to 0.

    Args:
        mask: ``(H, W)``.
        landmarks: ``(98, 2)`` as fractions of the mask's sides.

    Returns:
        same shape.
    """
    polygon = np.round(landmarks[INNER_MOUTH_98] * np.array(mask.shape[::-1])).astype(np.int32)
    return np.asarray(cv2.fillPoly(mask.copy(), [polygon], 0), np.uint8)


def transfer(inside: Tensor, outside: Tensor, mask: Tensor) -> Tensor:
    """``inside`` where the mask is 1, ``outside`` where it is 0, mixed between."""
    return inside * mask + outside * (1 - mask)


def random_occluder(mask: NDArray[np.bool_], random: np.random.RandomState) -> NDArray[np.bool_]:
    """An ellipse on the edge of a face, as hair or a hand might cover it (training of completion).

    Args:
        mask: ``(H, W)`` face.
        random: source of chance.

    Returns:
        ``(H, W)``: the covered part of the face; nothing for a face of at most 10 px.
    """
    box = _extent(mask)
    if box is None:
        return np.zeros_like(mask)
    left, _, right, _ = box
    rows = np.flatnonzero(mask.any(1))
    y = rows[random.randint(len(rows))]
    columns = np.flatnonzero(mask[y])
    x = columns[0] if random.rand() > 0.5 else columns[-1]
    width = right - left + 1
    axes = (random.randint(width // 4, width // 2), random.randint(width // 4, width // 2))
    angle = random.randint(0, 180)
    ellipse = np.zeros(mask.shape, np.uint8)
    cv2.ellipse(ellipse, (int(x), int(y)), axes, angle, 0, 360, (255,), -1, 8)
    covered: NDArray[np.bool_] = (ellipse > 0) & mask
    return covered


def poisson_target(source: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """The target of the original's blending network: OpenCV's seamless clone on 8-bit colours.

    Args:
        source: ``(B, 3, H, W)`` in [0, 1].
        target: ``(B, 3, H, W)`` in [0, 1].
        mask: ``(B, 1, H, W)``, 0 or 1. Where it spans at most 10 px the target is returned.

    Returns:
        ``(B, 3, H, W)`` in [0, 1], in steps of 1/255.
    """
    mixed = _bytes(transfer(source, target, mask))
    masks = (mask[:, 0] > 0.5).cpu().numpy()
    results = [_clone(a, b, m) for a, b, m in zip(mixed, _bytes(target), masks, strict=True)]
    return torch.from_numpy(np.stack(results)).to(target).permute(0, 3, 1, 2) / 255


def _bytes(images: Tensor) -> NDArray[np.uint8]:
    colours = (images.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1)
    return colours.contiguous().cpu().numpy()


def _clone(source: NDArray[np.uint8], target: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    box = _extent(mask)
    if box is None:
        return target
    inside, centre = mask.astype(np.uint8) * 255, ((box[0] + box[2]) // 2, (box[1] + box[3]) // 2)
    try:
        return np.asarray(cv2.seamlessClone(source, target, inside, centre, cv2.NORMAL_CLONE), np.uint8)
    except cv2.error:
        # Some versions refuse masks at the border of the picture; then solve in a wider one.
        around = ((_MARGIN, _MARGIN), (_MARGIN, _MARGIN), (0, 0))
        wide = [np.pad(picture, around, mode="edge") for picture in (source, target)]
        centre = (centre[0] + _MARGIN, centre[1] + _MARGIN)
        cloned = cv2.seamlessClone(wide[0], wide[1], np.pad(inside, _MARGIN), centre, cv2.NORMAL_CLONE)
        return np.asarray(cloned[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN], np.uint8)


def _extent(mask: NDArray[np.bool_]) -> tuple[int, int, int, int] | None:
    """First and last column and row of a mask as left, top, right, bottom; None if empty or too small."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows) or rows[-1] - rows[0] <= _SMALLEST or columns[-1] - columns[0] <= _SMALLEST:
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])

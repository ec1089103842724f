"""Compositing: faces back into the frame, at the frame's own resolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

Frame = NDArray[np.uint8]
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Patch:
    """A rendered face and where it belongs.

    Attributes:
        image: ``(1, 3, h, w)`` in [0, 1].
        mask: ``(1, 1, h, w)`` in [0, 1]. For a picture that is already blended: 1 wherever it may differ.
        box: left, top, right, bottom in whole pixels of the frame; may extend beyond it.
    """

    image: Tensor
    mask: Tensor
    box: Box


def crop(frame: Frame, box: Box) -> Tensor:
    """Cut a box out of a frame.

    Args:
        frame: ``(H, W, 3)``.
        box: left, top, right, bottom in whole pixels; beyond the frame its edge is repeated.

    Returns:
        ``(1, 3, bottom - top, right - left)`` in [0, 1].

    Raises:
        ValueError: the box is empty.
    """
    left, top, right, bottom = _checked(box)
    rows = np.arange(top, bottom).clip(0, frame.shape[0] - 1)
    columns = np.arange(left, right).clip(0, frame.shape[1] - 1)
    part = np.ascontiguousarray(frame[rows[:, None], columns].transpose(2, 0, 1))
    return torch.from_numpy(part)[None].float() / 255


def composite(frame: Frame, patches: Sequence[Patch]) -> Frame:
    """Lay faces over a frame, later ones over earlier ones.

    A patch of another size than its box is resized. Values are rounded to the nearest level; pixels whose mask is
    0, and all pixels outside the boxes, keep the frame's exact value.

    Args:
        frame: ``(H, W, 3)``; not changed.
        patches: the faces.

    Returns:
        ``(H, W, 3)``, a new array.

    Raises:
        ValueError: a box is empty or a patch does not have the shapes above.
    """
    result = frame.copy()
    for patch in patches:
        _paste(result, patch)
    return result


def _paste(frame: Frame, patch: Patch) -> None:
    left, top, right, bottom = _checked(patch.box)
    image, mask = _resized(patch, (bottom - top, right - left))
    y0, x0, y1, x1 = max(top, 0), max(left, 0), min(bottom, frame.shape[0]), min(right, frame.shape[1])
    if y0 >= y1 or x0 >= x1:
        return
    inside = (0, slice(None), slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
    weight = mask[inside].permute(1, 2, 0).cpu().numpy()
    face = image[inside].permute(1, 2, 0).cpu().numpy() * 255
    region = frame[y0:y1, x0:x1]
    mixed = np.rint(np.clip(region + weight * (face - region), 0, 255)).astype(np.uint8)
    np.copyto(region, mixed, where=weight > 0)


def _resized(patch: Patch, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    image, mask = patch.image, patch.mask
    if image.ndim != 4 or image.shape[:2] != (1, 3) or mask.shape != (1, 1, *image.shape[2:]):
        raise ValueError(
            f"a patch of image {tuple(image.shape)} and mask {tuple(mask.shape)}: expected (1, 3 | 1, h, w)"
        )
    if image.shape[2:] == size:
        return image, mask
    image = F.interpolate(image, size, mode="bicubic", align_corners=False, antialias=True)
    mask = F.interpolate(mask, size, mode="bilinear", align_corners=False, antialias=True)
    return image, mask.clamp(0, 1)


def _checked(box: Box) -> Box:
    left, top, right, bottom = box
    if right <= left or bottom <= top:
        raise ValueError(f"the box {tuple(box)} is empty: left < right and top < bottom are needed")
    return box

"""Thin things in front of a face: rims of glasses, strands of hair, wires.

A mask with their gaps in it would be softened around each of them, and their colours would be taken for the light of
the face. So they are taken off before a face is joined and laid over it afterwards.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from .boxes import bounding_boxes
from .flow import resize
from .lowpass import face_size
from .pooling import box_max
from .pull_push import pull_push

_FIELD = 128
"""Cells along a side in which gaps are looked for, and in which the part of a picture that has some is filled."""
_AROUND = 8
"""Pixels around that part."""
_LEAST = 0.001
"""Share of a picture up to which thin things are not worth being taken off."""


def bridged(mask: Tensor, width: float = 0.08) -> Tensor:
    """Fill gaps of a mask that are narrower than a width (a closing).

    Args:
        mask: ``(B, 1, H, W)``.
        width: in sides of the face (:func:`~fsgan_core.ops.lowpass.face_size`).

    Returns:
        ``(B, 1, H, W)``, nowhere below the mask.
    """
    coarse = functional.adaptive_avg_pool2d(mask, _FIELD)
    reach = (0.5 * width * face_size(coarse)).round().int().clamp_min(1).tolist()
    closed = [1 - box_max(1 - box_max(one[None], 2 * r + 1), 2 * r + 1) for one, r in zip(coarse, reach, strict=True)]
    return torch.maximum(mask, resize(torch.cat(closed), *mask.shape[-2:]))


def behind(picture: Tensor, front: Tensor, least: float = _LEAST) -> Tensor:
    """A picture without the thin things in it; what they hide is continued from beside them.

    Args:
        picture: ``(B, 3, H, W)``.
        front: ``(B, 1, H, W)`` in [0, 1]: their opacity.
        least: share of the picture up to which they are left.

    Returns:
        ``(B, 3, H, W)``, changed only on and right beside them; the same picture if there are hardly any.
    """
    solid = front > 0.5
    enough = (solid.float().mean((1, 2, 3)) > least).tolist()
    if not any(enough):
        return picture
    boxes, result = bounding_boxes(solid).tolist(), picture.clone()
    for image, cover, (left, top, right, bottom), changed in zip(result, front, boxes, enough, strict=True):
        if changed:
            rows, columns = (
                slice(max(0, top - _AROUND), bottom + _AROUND),
                slice(max(0, left - _AROUND), right + _AROUND),
            )
            image[:, rows, columns] = _continued(image[None, :, rows, columns], cover[None, :, rows, columns])[0]
    return result


def _continued(picture: Tensor, front: Tensor) -> Tensor:
    near = box_max((3 * functional.adaptive_avg_pool2d(front, _FIELD)).clamp(max=1), 3)
    filled = pull_push(functional.adaptive_avg_pool2d(picture, _FIELD), 1 - box_max(near, 3))
    size = front.shape[-2:]
    return torch.lerp(picture, resize(filled, *size), torch.maximum(front, resize(near, *size)))

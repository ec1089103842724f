"""What moves along with a head around its face: hair, ears, neck and background."""

from __future__ import annotations

import torch
from torch import Tensor

from ..ops.flow import identity, resize
from ..ops.head_mesh import Placement
from ..ops.head_rings import head_rings, ring_triangles
from ..ops.mesh import rasterize
from ..ops.poisson import harmonic_fill
from ..ops.pooling import box_max
from .layers import Layer
from .warping import carried

_HARDLY = 0.05
"""Pixels of motion that nobody misses."""


def surroundings_flow(layer: Layer, target: Placement, sizes: tuple[int, int]) -> Tensor:
    """Flow of what moves along with the head, in pixels of the layer's picture.

    Args:
        layer: a warped view.
        target: the face wanted, in pixels of the field.
        sizes: sides of the field and of the result in pixels.

    Returns:
        ``(1, 2, size, size)``.
    """
    field, size = sizes
    before, after = head_rings(layer.start, target)
    rings = ring_triangles(after.device)
    draw, grid = rasterize(after, rings, field, field), identity(field, field, after)
    # A pixel less than the rings reach, so that nothing beyond them moves when the field is enlarged.
    inside = torch.maximum((draw[0] >= 0)[:, None].float(), layer.near)
    inside = 1 - box_max(1 - inside, 3)
    motion = (carried(before[..., :2], rings, draw, grid) - grid) * inside
    if layer.own:
        motion = _held(motion, layer)
    return layer.base.flow(identity(size, size, after) * (field / size) + resize(motion, size, size))


def _held(motion: Tensor, layer: Layer) -> Tensor:
    """A motion ``(1, 2, F, F)`` of a head within its own picture that leaves the picture's border where it is.

    Nothing is known beyond it. What a motion would fetch from there is taken back at the border, and evenly less
    towards the face: hair and background next to the border are stretched.
    """
    grid = identity(motion.shape[2], motion.shape[3], motion)
    high, wide = layer.picture.shape[-2:]
    corners = motion.new_tensor(((-layer.base.left, -layer.base.top), (wide - layer.base.left, high - layer.base.top)))
    low, top = (corner[:, None, None] for corner in corners / layer.base.scale)
    fetched = grid + motion
    # Of what lies beyond already only the motion is taken back: where a head hardly moves nothing may change.
    back, already = (torch.minimum(torch.maximum(places, low), top) - places for places in (fetched, grid))
    back = torch.where(back == 0, 0.0, back - already)
    within = ((grid > low + 1) & (grid < top - 1)).all(1, keepdim=True)
    border = ~within & (back.abs().amax(1, keepdim=True) > _HARDLY)
    if not border.any():
        return motion
    kept = (layer.near > 0) | (motion == 0).all(1, keepdim=True)  # the face, and what lies beyond the head's reach
    return motion + harmonic_fill(torch.where(kept, 0.0, back), (within & ~kept).to(motion.dtype))

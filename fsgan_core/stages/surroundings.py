"""What moves along with a head around its face: hair, ears, neck and background."""

from __future__ import annotations

import torch
from torch import Tensor

from ..networks.flow_net import WINDOW
from ..ops.flow import compose, identity, lies_within, resize, sample
from ..ops.head_mesh import Placement
from ..ops.head_rings import head_rings, ring_triangles
from ..ops.masks import smoothstep
from ..ops.mesh import rasterize
from ..ops.poisson import harmonic_fill
from ..ops.pooling import box_max, box_mean, halved
from .alignment import Aligner
from .evidence import Window
from .layers import Layer
from .warping import carried

_HARDLY = 0.05
"""Pixels of motion that nobody misses."""
_CALM = 5
"""Width in cells over which a found shift is averaged twice: hair would come out curled, and straight lines wavy."""
_EDGE = 0.1
"""Share of a window's side over which a shift found in it fades out towards its border."""


def surroundings_motion(layer: Layer, target: Placement) -> Tensor:
    """How far beside each place of the field what moves along with the head is found in the view.

    Args:
        layer: a warped view.
        target: the face wanted, in pixels of the field.

    Returns:
        ``(1, 2, F, F)`` pixels of the field.
    """
    field = layer.flow.shape[-1]
    before, after = head_rings(layer.start, target)
    rings = ring_triangles(after.device)
    draw, grid = rasterize(after, rings, field, field), identity(field, field, after)
    # A pixel less than the rings reach, so that nothing beyond them moves when the field is enlarged.
    inside = torch.maximum((draw[0] >= 0)[:, None].float(), layer.near)
    inside = 1 - box_max(1 - inside, 3)
    motion = (carried(before[..., :2], rings, draw, grid) - grid) * inside
    return _held(motion, layer) if layer.own else motion


def surroundings_flow(layer: Layer, motion: Tensor, size: int) -> Tensor:
    """A motion of :func:`surroundings_motion` as flow ``(1, 2, size, size)`` in pixels of the layer's picture."""
    grid = identity(size, size, motion) * (motion.shape[-1] / size)
    return layer.base.flow(grid + resize(motion, size, size))


def laid(motion: Tensor, layer: Layer, image: Tensor, wanted: Tensor, aligner: Aligner, window: Window) -> Tensor:
    """A motion of surroundings, shifted so that hair, ears and neck lie where the target's picture shows them.

    The rings follow the head's turn, not the neck, nor hair that hangs; and where the outline of a face is seen to be
    depends on these as much as on the face.

    Args:
        motion: ``(1, 2, F, F)``, see :func:`surroundings_motion`.
        layer: the warped view.
        image: ``(1, 3, S, S)`` the face drawn, already where it belongs.
        wanted: ``(1, 3, T, T)`` the same crop as the target shows it.
        aligner: finds the shift.
        window: of the face, in pixels of the field.

    Returns:
        ``(1, 2, F, F)``.
    """
    field, places = motion.shape[-1], window.places(WINDOW, motion)
    flow = layer.base.flow(places + sample(motion, places))
    face, theirs = (window.look(one.mean(1, keepdim=True), one.shape[-1] / field) for one in (image, wanted))
    cover = window.look(layer.mask, 1.0)
    ours = torch.lerp(sample(layer.picture, flow).mean(1, keepdim=True), face, cover)
    seen = lies_within(flow, layer.picture.shape[-2], layer.picture.shape[-1])
    shift = aligner(halved(ours), halved(theirs), halved(seen))
    cells = shift.shape[-1]
    grid = identity(cells, cells, shift)
    inward = torch.minimum(grid, cells - grid).amin(1, keepdim=True)
    shift = _calm(shift, 1 - halved(halved(cover))) * smoothstep(inward / (_EDGE * cells))
    places = identity(field, field, motion)
    inside = (places - places.new_tensor((window.left, window.top))[:, None, None]) * (cells / window.side)
    return compose(places + motion, places + sample(shift, inside) * (window.side / WINDOW)) - places


def _calm(shift: Tensor, outside: Tensor) -> Tensor:
    """A shift averaged over its neighbourhood ``outside`` the face, ``(1, 1, H, W)``; the face has another."""
    weight = outside + 1e-3
    fields = torch.cat((shift * weight, weight), 1)
    for _ in range(2):
        fields = box_mean(fields, _CALM)
    return fields[:, :2] / fields[:, 2:]


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

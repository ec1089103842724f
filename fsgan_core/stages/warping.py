"""Geometry of the flow engine: one source view on its way to the face wanted.

A path of faces leads from the source's pose and expression to the target's; the flows of its steps are composed, so
that the source is sampled once. What comes out are fields: where to look, how well it is seen, what is missing.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from ..ops.face_model import FaceModel
from ..ops.flow import compose, identity, sample, spread
from ..ops.geometry import angle
from ..ops.head_mesh import Placement, between, points
from ..ops.mesh import facing, interpolate, rasterize
from ..ops.pooling import box_max
from .creases import unfolded
from .layers import Anchor, Layer
from .lookup import followed, lookup, stretched
from .openings import missing, recessed
from .outline import torn
from .views import View, detail

_STILL = 8.0
"""Degrees of pose gap up to which nothing turns into sight."""


def warp(
    view: View, target: Placement, sizes: tuple[int, int], model: FaceModel, anchor: Anchor | None, steps: int = 0
) -> Layer:
    """One view on its way to the target: a path of faces, its flows composed back to the view.

    Args:
        view: a view of the source.
        target: the face wanted, in pixels of the field.
        sizes: sides of the field and of the result in pixels.
        model: the face model.
        anchor: where the result lies in the view's picture before anything moves; None brings the faces together.
        steps: steps of the path; 0 takes one per 30 degrees.
    """
    field, size = sizes
    base = _together(view.placement, target) if anchor is None else replace(anchor, scale=anchor.scale * size / field)
    start = _moved(view.placement, base)
    gap = angle(start.rotation, target.rotation).item()
    steps = steps or max(1, math.ceil(gap / 30))
    way = [start, *(between(start, target, step / steps) for step in range(1, steps)), target]
    path = [points(face) for face in way]
    draws = [_draw(vertices, field, model) for vertices in path[1:]]
    grid = identity(field, field, target.shape)
    total = grid
    for before, draw in zip(path[-2:0:-1], draws[:0:-1], strict=True):
        total = compose(carried(before[..., :2], model.triangles, draw, grid), total)
    own = anchor is not None
    places, trust, other = lookup(view, path[0], path[-1], model, own)
    twin = torch.cat((view.landmarks[..., :2], other), -1)[:, model.mirror]
    uneven = stretched(view, places, path[-1], model, own) if gap > _STILL else torch.zeros_like(trust)
    folds = unfolded(view, target, model)
    values = torch.cat((places, trust, twin, uneven, folds, model.mean[None]), -1)
    outside = functional.pad(base.flow(grid), (0, 0, 0, 0, 0, 9))
    maps = carried(values, model.triangles, draws[-1], outside)
    if steps > 1:
        maps = followed(sample(carried(values, model.triangles, draws[0], outside), total), maps)
    number = draws[-1][0]
    mask = (number >= 0)[:, None].float()
    regions = torch.where(number >= 0, model.regions[number.clamp_min(0)].long(), 0)
    picture, shrink = detail(view, base.scale * field / size)
    flow = maps[:, :2] * shrink
    return Layer(
        picture=picture,
        flow=flow,
        mirror_flow=maps[:, 3:5] * shrink,
        seen=maps[:, 2:3],
        mirrored=maps[:, 5:6],
        blur=maps[:, 6:7],
        mask=mask,
        near=box_max(mask, 7),
        openings=(regions > 0)[:, None].float(),
        missing=missing(start.shape, target.shape, regions),
        unfolded=maps[:, 7:8],
        steps=steps,
        start=start,
        base=replace(base, scale=base.scale * shrink, left=base.left * shrink, top=base.top * shrink),
        own=own,
        outline=torn(flow, base.flow(grid) * shrink, number, gap, model),
    )


def carried(values: Tensor, triangles: Tensor, draw: tuple[Tensor, Tensor], outside: Tensor) -> Tensor:
    """Per-vertex values drawn as a field; just outside the mesh they are continued, farther away ``outside``."""
    number, weights = draw
    known = (number >= 0)[:, None]
    # The difference is what is continued: places themselves would be repeated, as a smear.
    field, _ = spread(interpolate(values, triangles, number, weights) - outside, known, rounds=3)
    return outside + field


def _together(source: Placement, target: Placement) -> Anchor:
    """What brings the two faces together in scale and place."""
    scale = (source.scale / target.scale).item()
    left, top = (source.translation - scale * target.translation)[0, :2].tolist()
    return Anchor(scale, left, top)


def _draw(vertices: Tensor, field: int, model: FaceModel) -> tuple[Tensor, Tensor]:
    front = facing(vertices, model.triangles) > 0
    return rasterize(recessed(vertices), model.triangles, field, field, front)


def _moved(placement: Placement, base: Anchor) -> Placement:
    """A placement in the view's pixels as one in the field's."""
    offset = placement.translation.new_tensor((base.left, base.top, 0.0))
    translation = (placement.translation - offset) / base.scale
    return replace(placement, scale=placement.scale / base.scale, translation=translation)

"""Geometry of the flow engine: one source view on its way to the face wanted.

A path of faces leads from the source's pose and expression to the target's; the flows of its steps are composed, so
that the source is sampled once. What comes out are fields: where to look, how well it is seen, what is missing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from ..ops.face_model import FaceModel
from ..ops.flow import compose, identity, resize, sample, spread
from ..ops.geometry import angle
from ..ops.head_mesh import Placement, between, points
from ..ops.head_rings import head_rings, ring_triangles
from ..ops.masks import bounding_boxes, smoothstep
from ..ops.mesh import facing, interpolate, rasterize, unevenness, vertex_facing
from ..ops.poisson import harmonic_fill
from ..ops.pooling import box_max
from .openings import missing, recessed
from .views import View, detail, facing_camera

_OWN = 0.8
"""How far the mirrored half of a face counts as seen in its own picture."""
_FIELDS = ("flow", "mirror_flow", "seen", "mirrored", "blur", "mask", "near", "openings", "missing")
"""What a layer says of each place."""
_ASTRAY = (0.02, 0.06)
"""Distances on the mean face, in those between the outer eye corners, from which on a composed flow is less and not at
all believed."""
_HARDLY = 0.05
"""Levels of detail that nobody misses."""
_EVEN, _GROWTH, _COARSEST = 0.8, 1.3, 3.0
"""Unevenness up to which pixels are drawn as they are, and beyond which each doubling takes so many more levels of
detail away, and how many at most."""
_STILL = 8.0
"""Degrees of pose gap up to which nothing turns into sight."""
_TURNING = (0.1, 0.25)
"""Growths of the cosine to the camera up to which a place does not count as turned into sight, and from which on it
does."""
_TURNED = 6.0
"""How fast an outline in a face's own picture loses trust as it turns into sight, by the cosine to the camera."""


@dataclass(frozen=True)
class Anchor:
    """Where a crop lies in a picture: a pixel p of the crop shows the picture's pixel ``scale * p + (left, top)``."""

    scale: float
    left: float
    top: float

    def flow(self, places: Tensor) -> Tensor:
        """The picture's pixels for places ``(B, 2, H, W)`` of the crop."""
        return self.scale * places + places.new_tensor((self.left, self.top))[:, None, None]


@dataclass(frozen=True)
class Layer:
    """One view warped to the target, in the field's resolution.

    Attributes:
        picture: ``(1, 3, h, w)`` the level of the view to sample.
        flow: ``(1, 2, F, F)`` pixels of ``picture``.
        mirror_flow: the same for the mirrored half of the face.
        seen: ``(1, 1, F, F)`` trust in ``flow``, in [0, 1].
        mirrored: trust in ``mirror_flow``.
        blur: levels of detail to leave out along ``flow``, since pixels seen edge-on are stretched to streaks.
        mask: where the mesh is drawn, 0 or 1; between them at its edge once it is shifted.
        near: ``mask`` grown by three pixels.
        openings: inside of mouth and eyes.
        missing: the part of ``openings`` that the view does not show.
        steps: number of steps taken.
        start: the view's face in pixels of the field.
        base: where the field lies in ``picture``.
        own: whether the result lies in the view's own picture.
    """

    picture: Tensor
    flow: Tensor
    mirror_flow: Tensor
    seen: Tensor
    mirrored: Tensor
    blur: Tensor
    mask: Tensor
    near: Tensor
    openings: Tensor
    missing: Tensor
    steps: int
    start: Placement
    base: Anchor
    own: bool

    def shifted(self, shift: Tensor) -> Layer:
        """The same looked at beside each place, by ``(1, 2, F, F)`` pixels of the field."""
        fields = [getattr(self, name) for name in _FIELDS]
        places = identity(shift.shape[2], shift.shape[3], shift) + shift
        moved = sample(torch.cat(fields, 1), places).split([field.shape[1] for field in fields], 1)
        return replace(self, **dict(zip(_FIELDS, moved, strict=True)))


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
        total = compose(_carried(before[..., :2], model.triangles, draw, grid), total)
    places, trust, other = _lookup(view, path[0], path[-1], model, own=anchor is not None)
    twin = torch.cat((view.landmarks[..., :2], other), -1)[:, model.mirror]
    uneven = _stretched(view, places, path[-1], model) if gap > _STILL else torch.zeros_like(trust)
    values = torch.cat((places, trust, twin, uneven, model.mean[None]), -1)
    outside = functional.pad(base.flow(grid), (0, 0, 0, 0, 0, 8))
    maps = _carried(values, model.triangles, draws[-1], outside)
    if steps > 1:
        maps = _followed(sample(_carried(values, model.triangles, draws[0], outside), total), maps)
    number = draws[-1][0]
    mask = (number >= 0)[:, None].float()
    regions = torch.where(number >= 0, model.regions[number.clamp_min(0)].long(), 0)
    picture, shrink = detail(view, base.scale * field / size)
    return Layer(
        picture=picture,
        flow=maps[:, :2] * shrink,
        mirror_flow=maps[:, 3:5] * shrink,
        seen=maps[:, 2:3],
        mirrored=maps[:, 5:6],
        blur=maps[:, 6:7],
        mask=mask,
        near=box_max(mask, 7),
        openings=(regions > 0)[:, None].float(),
        missing=missing(start.shape, target.shape, regions),
        steps=steps,
        start=start,
        base=replace(base, scale=base.scale * shrink, left=base.left * shrink, top=base.top * shrink),
        own=anchor is not None,
    )


def _lookup(view: View, before: Tensor, after: Tensor, model: FaceModel, own: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Where each vertex is looked up in a view ``(1, 478, 2)``, and trust ``(1, 478, 1)`` in that and in its twin.

    Args:
        view: a view of the source.
        before: ``(1, 478, 3)`` the view's face in pixels of the field.
        after: the face wanted, in the same.
        model: the face model.
        own: whether the face is drawn into its own picture.
    """
    seen = view.visibility[..., None]
    # What comes into sight is looked up on the skin beside it; what does not move keeps its own pixels.
    revealed = (2 * (facing_camera(after, model) - seen)).clamp(0, 1)
    trust, other = view.trust[..., None], seen
    if own:
        # In its own picture a face keeps what lies along its outline, background too, unless more comes into sight;
        # and skin stretched from beside a place fits its light better than the other half's.
        turned = vertex_facing(after, model.triangles) - vertex_facing(before, model.triangles)
        turned = (_TURNED * turned[..., None]).clamp(0, 1)
        revealed = torch.minimum(revealed, turned)
        trust, other = torch.maximum(trust, 1 - turned), _OWN * seen
    return torch.lerp(view.landmarks[..., :2], view.safe, revealed), trust, other


def looked_up(picture: Tensor, flow: Tensor, blur: Tensor, mode: str = "bilinear") -> Tensor:
    """Sample a picture ``(1, 3, h, w)`` with a flow ``(1, 2, H, W)``, leaving out levels of detail ``(1, 1, H, W)``."""
    image, blurred = sample(picture, flow, mode), blur > _HARDLY
    if not blurred.any():
        return image
    left, top, right, bottom = bounding_boxes(blurred)[0].tolist()
    box = (..., slice(top, bottom), slice(left, right))
    flow, blur = flow[box], blur[box]
    levels = min(math.ceil(float(blur.max()) - _HARDLY), int(math.log2(min(picture.shape[-2:]))))
    for level in range(1, levels + 1):
        picture, flow = functional.avg_pool2d(picture, 2), flow / 2
        image[box] = torch.lerp(image[box], sample(picture, flow, mode), (blur - level + 1).clamp(0, 1))
    return image


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
    motion = (_carried(before[..., :2], rings, draw, grid) - grid) * inside
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


def _stretched(view: View, places: Tensor, vertices: Tensor, model: FaceModel) -> Tensor:
    """Levels of detail ``(1, 478, 1)`` that a view lacks at vertices ``(1, 478, 3)`` that turn into sight.

    They are those by which its ``places (1, 478, 2)`` are stretched more one way than the other.
    """
    own, wanted = (vertex_facing(one, model.triangles).clamp_min(0) for one in (view.landmarks, vertices))
    turned = ((wanted - own - _TURNING[0]) / (_TURNING[1] - _TURNING[0])).clamp(0, 1)
    uneven = unevenness(places, vertices, model.triangles) - _EVEN
    return (turned * (_GROWTH * uneven).clamp(0, _COARSEST))[..., None]


def _followed(composed: Tensor, direct: Tensor) -> Tensor:
    """Values composed along a path, or drawn directly where a face on the way hides the place and shows another.

    The last three channels say which place of the mean face it is.
    """
    astray = (composed[:, -3:] - direct[:, -3:]).norm(dim=1, keepdim=True)
    return torch.lerp(composed, direct, smoothstep((astray - _ASTRAY[0]) / (_ASTRAY[1] - _ASTRAY[0])))


def _carried(values: Tensor, triangles: Tensor, draw: tuple[Tensor, Tensor], outside: Tensor) -> Tensor:
    """Per-vertex values drawn as a field; just outside the mesh they are continued, farther away ``outside``."""
    number, weights = draw
    known = (number >= 0)[:, None]
    # The difference is what is continued: places themselves would be repeated, as a smear.
    field, _ = spread(interpolate(values, triangles, number, weights) - outside, known, rounds=3)
    return outside + field

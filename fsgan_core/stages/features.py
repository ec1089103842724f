"""Eyes and mouth, drawn at the result's own resolution.

The flow field is coarse and continuous; lids and lips are edges at which what lies behind appears and disappears. Here
they are drawn sharply from one view: an iris keeps its form and goes where the landmarks say, a lid that comes down
covers it, upper teeth stay with the skull, and what no picture shows inside a mouth is drawn plainly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from ..ops.face_model import FaceModel
from ..ops.flow import identity, sample
from ..ops.head_mesh import Placement, place, points
from ..ops.masks import smoothstep
from ..ops.mesh import facing, interpolate, rasterize
from .eyes import behind_lids
from .lids import Lids
from .mouth import behind_lips, parted
from .openings import MOUTH, RINGS, recessed, without_irises
from .views import View, detail

_FINE = 2
"""Samples along a pixel's side, so that edges are smooth."""
_AROUND = 0.35
"""How far beyond an opening is drawn with it, in its widths; fading out."""

_SHADE = 0.5
"""How much darker an eye gets between lids that have nearly come together."""


@dataclass(frozen=True)
class _Window:
    """Whole pixels around an opening: a part of the result."""

    left: int
    top: int
    width: int
    height: int
    reach: float

    @staticmethod
    def around(ring: Tensor, size: int) -> _Window:
        """The window of points ``(P, 2)`` in a picture of some size; empty where it would be outside."""
        low, high = ring.amin(0), ring.amax(0)
        reach = _AROUND * (high - low).max()
        (left, top), (right, bottom) = ((low - reach).floor().tolist(), (high + reach).ceil().tolist())
        left, top, right, bottom = (int(min(max(edge, 0), size)) for edge in (left, top, right, bottom))
        return _Window(left, top, right - left, bottom - top, float(reach))

    @property
    def part(self) -> tuple[slice, slice]:
        """Rows and columns."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)

    def fading(self, places: Tensor) -> Tensor:
        """1 in the middle, 0 at the window's edges; ``(1, 1, 4, N)`` for samples ``(1, 2, 4, N)``."""
        size = places.new_tensor((self.width * _FINE, self.height * _FINE))[:, None, None]
        inward = torch.minimum(places, size - places).amin(1, keepdim=True)
        return smoothstep(2 * inward / (self.reach * _FINE))


def feature_layer(size: int, view: View, landmarks: Tensor, model: FaceModel) -> tuple[Tensor, Tensor]:
    """Eyes and mouth of a reenacted face, where a view shows them, as a layer over what the flow field gives.

    Args:
        size: side of the result in pixels.
        view: what the source shows.
        landmarks: ``(1, 478, 3)`` the face wanted, in pixels of the result.
        model: the face model.

    Returns:
        colours ``(1, 3, size, size)`` times cover, and cover ``(1, 1, size, size)`` in [0, 1].
    """
    target = place(model.mean, landmarks)
    layer = landmarks.new_zeros(1, 4, size, size)
    for region in RINGS:
        window = _Window.around(_edges(region, view, target), size)
        if min(window.width, window.height) > 2:
            colours, cover = _drawn(region, view, target, window, model)
            rows, columns = window.part
            solid = torch.cat((colours, torch.ones_like(cover)), 1)
            layer[..., rows, columns] = torch.lerp(layer[..., rows, columns], solid, cover)
    return layer[:, :3], layer[:, 3:]


def _edges(region: int, view: View, target: Placement) -> Tensor:
    """The edge of an opening, ``(P, 2)`` pixels; of an eye also where its lids would be if they had not moved."""
    shapes = (target.shape,) if region == MOUTH else (target.shape, view.placement.shape)
    return torch.cat([points(replace(target, shape=shape[:, list(RINGS[region])])) for shape in shapes], 1)[0, :, :2]


def _drawn(region: int, view: View, target: Placement, window: _Window, model: FaceModel) -> tuple[Tensor, Tensor]:
    """Colours ``(1, 3, h, w)`` of a window and how far they cover what was there, ``(1, 1, h, w)``."""
    corner = target.scale.new_tensor((window.left, window.top, 0))
    vertices = (points(replace(target, shape=without_irises(target.shape))) - corner) * _FINE
    front = facing(vertices, model.triangles) > 0
    size = (window.height * _FINE, window.width * _FINE)
    number, weights = rasterize(recessed(vertices), model.triangles, *size, front)
    places = _folded(identity(*size, weights))
    number, weights = _folded(number[:, None])[:, 0], _folded(weights.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    origin = parted(view, target) if region == MOUTH else view.landmarks[..., :2]
    known = torch.cat((origin, view.visibility[..., None], target.shape), -1)
    flow, seen, surface = interpolate(known, model.triangles, number, weights).split((2, 1, 3), 1)
    hit = (number >= 0)[:, None].to(flow.dtype)
    inside = hit * (model.regions[number.clamp_min(0)] == region)[:, None]
    skin = hit - inside
    lids = None if region == MOUTH else Lids.at(_mean(surface, skin), view, target, region)
    if lids is not None:
        flow = lids.moved(flow)
    # What is behind an opening is seen as well as its edge.
    seen = torch.lerp(seen, view.visibility[0, list(RINGS[region])].mean().expand_as(seen), inside)
    cover = ((2 * seen - 0.5).clamp(0, 1) * hit * window.fading(places)).mean(2)
    ratio = float(view.placement.scale / target.scale)
    picture, shrink = detail(view, ratio)
    grid = places * (ratio * shrink / _FINE)
    colours = _looked_up(picture, flow * shrink, skin, grid)
    if lids is not None:
        colours = lids.skinned(colours, view, ratio)
    through = inside[0, 0].amax(0).nonzero()[:, 0]
    if len(through):
        number, weights, inside = number[..., through], weights[:, :, through], inside[..., through]
        if region == MOUTH:
            flow, drawing, lacking = behind_lips(view, target, (number, weights), model)
        else:
            where = places[..., through] / _FINE + corner[:2, None, None]
            flow, drawing, lacking = behind_lids(view, target, where, region)
        behind = _looked_up(picture, flow * shrink, inside, grid[..., through])
        behind = torch.lerp(
            behind, _mean(drawing.expand(-1, -1, *flow.shape[2:]), lacking * inside), _mean(lacking, inside)
        )
        if lids is not None:
            behind = behind * (1 - _SHADE * lids.together)
        colours[..., through] = torch.lerp(colours[..., through], behind, inside.mean(2, keepdim=True))
    return colours.view(1, 3, window.height, window.width), cover.view(1, 1, window.height, window.width)


def _folded(samples: Tensor) -> Tensor:
    """Samples ``(1, C, 2h, 2w)`` as the four of each of N = h w pixels, ``(1, C, 4, N)``."""
    return functional.pixel_unshuffle(samples, _FINE).view(1, samples.shape[1], _FINE**2, -1)


def _looked_up(picture: Tensor, flow: Tensor, member: Tensor, grid: Tensor) -> Tensor:
    """Colours of pixels ``(1, 3, 1, N)``.

    Their samples' mean place is looked up, so that what does not move stays as sharp as it is. Where the samples come
    from far apart, on both sides of closed lips, each is looked up by itself.

    Args:
        picture: ``(1, 3, H, W)``.
        flow: ``(1, 2, 4, N)`` a place in it for each sample.
        member: ``(1, 1, 4, N)`` which samples count; of the others the motion of those is taken.
        grid: ``(1, 2, 4, N)`` the samples themselves, in the picture's scale.
    """
    motion = flow - grid
    mean = _mean(motion, member)
    away = torch.hypot(*(motion - mean).split(1, 1)) * member
    apart = (away.amax(2, keepdim=True) / _FINE - 0.75).clamp(0, 1)
    colours = sample(picture, mean + grid.mean(2, keepdim=True), "bicubic")
    torn = apart.flatten().nonzero()[:, 0]
    if len(torn):
        each = _mean(sample(picture, flow[..., torn], "bicubic"), member[..., torn])
        colours[..., torn] = torch.lerp(colours[..., torn], each, apart[..., torn])
    return colours.clamp(0, 1)


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    """Mean of each pixel's samples ``(1, C, 4, N)``: ``(1, C, 1, N)``."""
    weight = weight + 1e-6
    return (values * weight).mean(2, keepdim=True) / weight.mean(2, keepdim=True)

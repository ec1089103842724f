"""Reenactment (Gr): the source's face in the target's pose and expression.

The flow engine warps sharp source pixels instead of generating soft ones. A path of faces leads from the source's pose
and expression to the target's; the flows of its steps are composed and the source is sampled once, so that
sharpness does not depend on the number of steps. Views are merged by how well each sees a place, not by averaging.
What no view shows is taken from the mirrored side of the face and marked in ``confidence``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from ..ops.face_model import FaceModel
from ..ops.flow import compose, identity, resize, sample
from ..ops.geometry import angle
from ..ops.head_mesh import Placement, head_path, place, ring_triangles
from ..ops.landmarks import COUNT
from ..ops.mesh import facing, interpolate, rasterize
from .openings import missing
from .views import View


@dataclass(frozen=True, kw_only=True)
class FlowOptions:
    """How the flow engine works."""

    steps: int = 0
    """steps from the source's face to the target's; 0 takes one per 30 degrees of pose gap"""
    grid: int = 256
    """side in pixels of the field in which flow is computed; it is upsampled to the result's size"""
    mirror: float = 0.15
    """trust in the mirrored half of the face relative to pixels really seen, in [0, 1]"""


@dataclass(frozen=True)
class Reenactment:
    """What reenactment returns.

    Attributes:
        image: ``(1, 3, S, S)`` the reenacted face with the hair and surroundings that move along.
        mask: ``(1, 1, S, S)`` where the face mesh is drawn.
        confidence: ``(1, 1, S, S)`` how much of it a source pixel really shows; 1 outside the face.
        missing: ``(1, 1, S, S)`` inside of mouth and eyes that are open here but closed in the views.
        steps: number of steps taken.
    """

    image: Tensor
    mask: Tensor
    confidence: Tensor
    missing: Tensor
    steps: int


class Reenactor(Protocol):
    """Draws the source's face with the target's landmarks."""

    def __call__(
        self,
        views: Sequence[View],
        weights: Sequence[float],
        landmarks: Tensor,
        size: int,
        anchor: tuple[float, float, float] | None = None,
    ) -> Reenactment:
        """Reenact one face.

        Args:
            views: views of the source.
            weights: one a view, positive, sum 1.
            landmarks: ``(1, 478, 3)`` the face wanted, in pixels of the crop.
            size: side S of the crop in pixels.
            anchor: scale, left and top that lead from a pixel of the crop to the view's pixel which shows what stays
                put far from the face; when not given the source is scaled and moved to the face wanted.
        """


@dataclass(frozen=True)
class _Layer:
    """One view warped to the target, in the field's resolution; flows in pixels of ``picture``."""

    picture: Tensor
    flow: Tensor
    mirror_flow: Tensor
    seen: Tensor
    mirrored: Tensor
    mask: Tensor
    missing: Tensor
    steps: int


class FlowReenactor:
    """The flow engine in its geometric form; see the module."""

    def __init__(self, model: FaceModel, options: FlowOptions | None = None) -> None:
        self.model = model
        self.options = options or FlowOptions()
        self._triangles = torch.cat((model.triangles, ring_triangles(model.triangles.device)))

    @torch.inference_mode()
    def __call__(
        self,
        views: Sequence[View],
        weights: Sequence[float],
        landmarks: Tensor,
        size: int,
        anchor: tuple[float, float, float] | None = None,
    ) -> Reenactment:
        """See :class:`Reenactor`."""
        field = min(self.options.grid, size)
        target = place(self.model.mean, landmarks * (field / size))
        layers = [self._layer(view, target, field, size, anchor) for view in views]
        image, total = torch.zeros(()), torch.zeros(())
        unseen, lacking = torch.ones(()), torch.zeros(())
        for layer, share in zip(layers, weights, strict=True):
            unseen = unseen * (1 - layer.seen)
            lacking = lacking + share * layer.missing
            mirrored = self.options.mirror * layer.mirrored * (1 - layer.seen)
            for flow, trust in ((layer.flow, layer.seen), (layer.mirror_flow, mirrored)):
                # Squared, so that the view that sees a place best decides there and no ghost of the others remains.
                weight = resize(_soft((share * trust + 1e-4) ** 2), size, size)
                image = image + weight * _look_up(layer.picture, flow, trust, size)
                total = total + weight
        outputs = (layers[0].mask, 1 - unseen, _soft(lacking))
        resized = [resize(output, size, size).clamp(0, 1) for output in outputs]
        return Reenactment((image / total).clamp(0, 1), *resized, max(layer.steps for layer in layers))

    def _layer(
        self, view: View, target: Placement, field: int, size: int, anchor: tuple[float, float, float] | None
    ) -> _Layer:
        """One view on its way to the target: a path of faces, its flows composed back to the view."""
        base = _base(view.placement, target) if anchor is None else (anchor[0] * size / field, *anchor[1:])
        start = _moved(view.placement, base)
        steps = self.options.steps or max(1, math.ceil(angle(start.rotation, target.rotation).item() / 30))
        path = head_path(start, target, steps)
        grid = identity(field, field, target.shape)
        draws = [self._draw(vertices, field) for vertices in path[1:]]
        total = grid
        for before, draw in zip(path[-2:0:-1], draws[:0:-1], strict=True):
            total = compose(self._carried(before[..., :2], draw, grid), total)
        scale, left, top = base
        still = scale * grid + grid.new_tensor((left, top))[:, None, None]
        values, mirror = self._values(view, path[0], base)
        flow = compose(self._carried(values[..., :2], draws[0], still), total)
        mirror_flow = compose(self._carried(mirror[..., :2], draws[0], still), total)
        one = torch.ones_like(grid[:, :1])
        seen = sample(self._carried(values[..., 2:], draws[0], one), total)
        mirrored = sample(self._carried(mirror[..., 2:], draws[0], 0 * one), total)
        number = draws[-1][0]
        inside = (number >= 0) & (number < len(self.model.triangles))
        regions = torch.where(inside, self.model.regions[torch.where(inside, number, 0)].long(), 0)
        lacking = missing(start.shape, target.shape, regions)
        detail = max(0, round(math.log2(max(1.0, scale * field / size))))
        picture = view.levels[min(detail, len(view.levels) - 1)]
        shrink = picture.shape[-1] / view.levels[0].shape[-1]
        mask = inside[:, None].float()
        return _Layer(picture, flow * shrink, mirror_flow * shrink, seen, mirrored, mask, lacking, steps)

    def _draw(self, vertices: Tensor, field: int) -> tuple[Tensor, Tensor]:
        """Draw the face's front and, behind it, both sides of the rings."""
        front = facing(vertices, self._triangles) > 0
        front[:, len(self.model.triangles) :] = True
        return rasterize(vertices, self._triangles, field, field, front)

    def _carried(self, values: Tensor, draw: tuple[Tensor, Tensor], outside: Tensor) -> Tensor:
        number, weights = draw
        return torch.where((number >= 0)[:, None], interpolate(values, self._triangles, number, weights), outside)

    def _values(self, view: View, start: Tensor, base: tuple[float, float, float]) -> tuple[Tensor, Tensor]:
        """Per vertex x, y in the view and visibility ``(1, V, 3)``; the same of its mirror twin."""
        scale, left, top = base
        rings = scale * start[:, COUNT:, :2] + start.new_tensor((left, top))
        face = torch.cat((view.landmarks[..., :2], view.visibility[..., None]), -1)
        own = torch.cat((rings, torch.ones_like(rings[..., :1])), -1)
        other = torch.cat((rings, torch.zeros_like(rings[..., :1])), -1)
        return torch.cat((face, own), 1), torch.cat((face[:, self.model.mirror], other), 1)


def _base(source: Placement, target: Placement) -> tuple[float, float, float]:
    """Scale, left and top from the target's pixels to the source's that bring the two faces together."""
    scale = (source.scale / target.scale).item()
    left, top = (source.translation - scale * target.translation)[0, :2].tolist()
    return scale, left, top


def _moved(placement: Placement, base: tuple[float, float, float]) -> Placement:
    """A placement in the view's pixels as one in the field's."""
    scale, left, top = base
    offset = placement.translation.new_tensor((left, top, 0.0))
    return replace(placement, scale=placement.scale / scale, translation=(placement.translation - offset) / scale)


def _look_up(picture: Tensor, flow: Tensor, weight: Tensor, size: int) -> Tensor:
    """Sample a view at the result's resolution, only in the rows where it counts."""
    rows = (weight > 1e-3).any(-1).any(1)[0].nonzero()[:, 0]
    image = picture.new_zeros(1, 3, size, size)
    if not len(rows):
        return image
    field = flow.shape[-1]
    low, high = max(0, int(rows[0]) - 4) * size // field, min(field, int(rows[-1]) + 5) * size // field
    image[:, :, low:high] = sample(picture, resize(flow, size, size)[:, :, low:high], "bicubic")
    return image


def _soft(weight: Tensor) -> Tensor:
    """Round off the corners of a field so that no edge shows where one view takes over from another."""
    return functional.avg_pool2d(weight, 5, 1, 2, count_include_pad=False)


REENACTORS = {"flow": FlowReenactor}
"""Reenactment backends by name."""

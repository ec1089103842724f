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
from ..ops.flow import compose, identity, reflected, resize, sample, spread
from ..ops.geometry import angle
from ..ops.head_mesh import Placement, between, head_rings, place, points, ring_triangles
from ..ops.mesh import facing, interpolate, rasterize
from .features import draw_features
from .openings import missing, recessed
from .views import View, detail, facing_camera


@dataclass(frozen=True, kw_only=True)
class FlowOptions:
    """How the flow engine works."""

    steps: int = 0
    """steps from the source's face to the target's; 0 takes one per 30 degrees of pose gap"""
    grid: int = 256
    """pixels of the field in which flow is computed, along 1.6 times the face; flow is upsampled to the result"""
    mirror: float = 0.5
    """trust in the mirrored half of the face relative to pixels really seen, in [0, 1]"""


@dataclass(frozen=True)
class Reenactment:
    """What reenactment returns.

    Attributes:
        image: ``(1, 3, S, S)`` the reenacted face with the hair and surroundings that move along.
        mask: ``(1, 1, S, S)`` where the face mesh is drawn.
        confidence: ``(1, 1, S, S)`` how well the source shows it: 1 seen (and outside the face), at most 0.5 where
            only its mirrored half is seen, 0 where nothing is.
        openings: ``(1, 1, S, S)`` inside of mouth and eyes.
        missing: ``(1, 1, S, S)`` the part of ``openings`` that is closed in the views and cannot come from them.
        steps: number of steps taken.
    """

    image: Tensor
    mask: Tensor
    confidence: Tensor
    openings: Tensor
    missing: Tensor
    steps: int


@dataclass(frozen=True)
class Anchor:
    """Where a crop lies in a picture: a pixel p of the crop shows the picture's pixel ``scale * p + (left, top)``."""

    scale: float
    left: float
    top: float

    def flow(self, places: Tensor) -> Tensor:
        """The picture's pixels for places ``(B, 2, H, W)`` of the crop."""
        return self.scale * places + places.new_tensor((self.left, self.top))[:, None, None]


class Reenactor(Protocol):
    """Draws the source's face with the target's landmarks."""

    def __call__(
        self,
        views: Sequence[View],
        weights: Sequence[float],
        landmarks: Tensor,
        size: int,
        anchor: Anchor | None = None,
        surroundings: bool = False,
        picture: Tensor | None = None,
    ) -> Reenactment:
        """Reenact one face.

        Args:
            views: views of the source.
            weights: one a view, positive, sum 1.
            landmarks: ``(1, 478, 3)`` the face wanted, in pixels of the crop.
            size: side S of the crop in pixels.
            anchor: where the crop lies in the view's picture, so that what is far from the face stays put; when not
                given the source is scaled and moved to the face wanted.
            surroundings: also draw hair, neck and background; without them only the face is meaningful.
            picture: ``(1, 3, S, S)`` the target's own, for engines that measure it themselves.
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
    near: Tensor
    openings: Tensor
    missing: Tensor
    steps: int
    start: Placement
    base: Anchor


class FlowReenactor:
    """The flow engine in its geometric form; see the module."""

    def __init__(self, model: FaceModel, options: FlowOptions | None = None) -> None:
        self.model = model
        self.options = options or FlowOptions()
        self._rings = ring_triangles(model.triangles.device)

    @torch.inference_mode()
    def __call__(
        self,
        views: Sequence[View],
        weights: Sequence[float],
        landmarks: Tensor,
        size: int,
        anchor: Anchor | None = None,
        surroundings: bool = False,
        picture: Tensor | None = None,
    ) -> Reenactment:
        """See :class:`Reenactor`; the target's picture is not looked at."""
        field = self._field(landmarks, size)
        target = place(self.model.mean, landmarks * (field / size))
        image, total = torch.zeros(()), torch.zeros(())
        unseen, lacking = torch.ones(()), torch.zeros(())
        layers = [self._layer(view, target, (field, size), anchor) for view in views]
        for layer, share in zip(layers, weights, strict=True):
            unseen = unseen * (1 - layer.seen) * (1 - 0.5 * layer.mirrored)
            lacking = lacking + share * layer.missing
            mirrored = self.options.mirror * layer.mirrored**2 * (1 - layer.seen)
            for flow, trust in ((layer.flow, layer.seen), (layer.mirror_flow, mirrored)):
                # Squared, so that the view that sees a place best decides there and no ghost of the others remains.
                weight = resize(_soft((share * trust + 1e-4) ** 2), size, size)
                image = image + weight * _look_up(layer.picture, flow, trust * layer.near, size)
                total = total + weight
        mask = _soft(layers[0].mask, 3)
        fields = (mask, 1 - unseen * mask, _soft(layers[0].openings, 3), _soft(lacking))
        mask, confidence, openings, lacking = (resize(values, size, size).clamp(0, 1) for values in fields)
        main = max(range(len(views)), key=lambda index: weights[index])
        image = draw_features(image / total, views[main], landmarks, self.model)
        if surroundings:
            around = self._surroundings(layers[main], target, field)
            around = resize(around, size, size)
            if anchor is not None:  # a crop of its own reaches far beyond the view, where a mirror would show faces
                around = reflected(around, layers[main].picture)
            image = torch.lerp(sample(layers[main].picture, around, "bicubic"), image, mask)
        steps = max(layer.steps for layer in layers)
        return Reenactment(image.clamp(0, 1), mask, confidence, openings, lacking, steps)

    def _field(self, landmarks: Tensor, size: int) -> int:
        """Side of the flow field, so that the face has the same number of pixels in it however large the crop."""
        extent = (landmarks[0, :, :2].amax(0) - landmarks[0, :, :2].amin(0)).max().item()
        return max(16, min(size, round(0.625 * self.options.grid * size / max(extent, 1.0)), 4 * self.options.grid))

    def _layer(self, view: View, target: Placement, sizes: tuple[int, int], anchor: Anchor | None) -> _Layer:
        """One view on its way to the target: a path of faces, its flows composed back to the view."""
        field, size = sizes
        base = _base(view.placement, target) if anchor is None else replace(anchor, scale=anchor.scale * size / field)
        start = _moved(view.placement, base)
        steps = self.options.steps or max(1, math.ceil(angle(start.rotation, target.rotation).item() / 30))
        path = [points(between(start, target, step / steps)) for step in range(steps + 1)]
        draws = [self._draw(vertices, field) for vertices in path[1:]]
        grid = identity(field, field, target.shape)
        total = grid
        for before, draw in zip(path[-2:0:-1], draws[:0:-1], strict=True):
            total = compose(_carried(before[..., :2], self.model.triangles, draw, grid), total)
        seen = view.visibility[..., None]
        # What comes into sight is looked up on the skin beside it; what does not move keeps its own pixels.
        revealed = (2 * (facing_camera(path[-1], self.model) - seen)).clamp(0, 1)
        places = torch.lerp(view.landmarks[..., :2], view.safe, revealed)
        twin = torch.cat((view.landmarks[..., :2], seen), -1)[:, self.model.mirror]
        values = torch.cat((places, view.trust[..., None], twin), -1)
        outside = functional.pad(base.flow(grid), (0, 0, 0, 0, 0, 4))
        maps = sample(_carried(values, self.model.triangles, draws[0], outside), total)
        number = draws[-1][0]
        mask = (number >= 0)[:, None].float()
        regions = torch.where(number >= 0, self.model.regions[number.clamp_min(0)].long(), 0)
        picture, shrink = detail(view, base.scale * field / size)
        return _Layer(
            picture=picture,
            flow=maps[:, :2] * shrink,
            mirror_flow=maps[:, 3:5] * shrink,
            seen=maps[:, 2:3],
            mirrored=maps[:, 5:6],
            mask=mask,
            near=functional.max_pool2d(mask, 7, 1, 3),
            openings=(regions > 0)[:, None].float(),
            missing=missing(start.shape, target.shape, regions),
            steps=steps,
            start=start,
            base=replace(base, scale=base.scale * shrink, left=base.left * shrink, top=base.top * shrink),
        )

    def _draw(self, vertices: Tensor, field: int) -> tuple[Tensor, Tensor]:
        front = facing(vertices, self.model.triangles) > 0
        return rasterize(recessed(vertices), self.model.triangles, field, field, front)

    def _surroundings(self, layer: _Layer, target: Placement, field: int) -> Tensor:
        """Flow of what moves along with the head, in pixels of the layer's picture."""
        before, after = head_rings(layer.start, layer.start), head_rings(layer.start, target)
        grid = identity(field, field, after)
        draw = rasterize(after, self._rings, field, field)
        return layer.base.flow(_carried(before[..., :2], self._rings, draw, grid))


def _base(source: Placement, target: Placement) -> Anchor:
    """What brings the two faces together in scale and place."""
    scale = (source.scale / target.scale).item()
    left, top = (source.translation - scale * target.translation)[0, :2].tolist()
    return Anchor(scale, left, top)


def _moved(placement: Placement, base: Anchor) -> Placement:
    """A placement in the view's pixels as one in the field's."""
    offset = placement.translation.new_tensor((base.left, base.top, 0.0))
    translation = (placement.translation - offset) / base.scale
    return replace(placement, scale=placement.scale / base.scale, translation=translation)


def _carried(values: Tensor, triangles: Tensor, draw: tuple[Tensor, Tensor], outside: Tensor) -> Tensor:
    """Per-vertex values drawn as a field; just outside the mesh they are continued, farther away ``outside``."""
    number, weights = draw
    known = (number >= 0)[:, None]
    # The difference is what is continued: places themselves would be repeated, as a smear.
    field, _ = spread(interpolate(values, triangles, number, weights) - outside, known, rounds=3)
    return outside + field


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


def _soft(weight: Tensor, width: int = 5) -> Tensor:
    """Round off the corners of a field so that no hard edge shows."""
    return functional.avg_pool2d(weight, width, 1, width // 2, count_include_pad=False)


REENACTORS = {"flow": FlowReenactor}
"""Reenactment backends by name."""

"""What geometry knows about a face to be drawn, gathered in a window of fixed size for the refinement network.

The window lies around the target's face whatever crop is drawn. It holds the *sheets*, that is every view warped
directly and by the mirrored half of the face, how far each is trusted, and fields of the mesh: where on the face a
pixel lies, how it moved, which way it faced and faces now, and the openings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ..networks.flow_net import CHANNELS, WINDOW, stacked
from ..ops.face_model import FaceModel
from ..ops.flow import identity, sample
from ..ops.head_mesh import Placement, points
from ..ops.landmarks import LEFT_IRIS, RIGHT_IRIS
from ..ops.mesh import facing, interpolate, rasterize, strain, vertex_normals
from ..ops.pooling import halved
from .layers import Layer
from .lookup import looked_up
from .openings import MOUTH, missing, recessed

MARGIN = 1.6
"""Side of the window over the longer side of the face."""
_SHORT = 0.03
"""Edges of the mesh shorter than this hardly count as deformed; in distances between the outer eye corners."""
_MOTION = 4.0
"""Motion is given in quarters of the distance between the outer eye corners."""


@dataclass(frozen=True)
class Window:
    """A square of the field, in pixels of the field."""

    left: float
    top: float
    side: float

    @staticmethod
    def around(landmarks: Tensor) -> Window:
        """The window of a face ``(1, 478, 3)`` in pixels of the field."""
        low, high = landmarks[0, :, :2].amin(0), landmarks[0, :, :2].amax(0)
        side = MARGIN * float((high - low).max())
        left, top = ((low + high) / 2 - side / 2).tolist()
        return Window(left, top, side)

    def places(self, size: int, like: Tensor) -> Tensor:
        """Flow ``(1, 2, size, size)``: pixels of the window -> pixels of the field."""
        corner = like.new_tensor((self.left, self.top))[:, None, None]
        return identity(size, size, like) * (self.side / size) + corner

    def look(self, picture: Tensor, scale: float) -> Tensor:
        """A picture ``(1, C, S, S)`` of ``scale`` pixels per pixel of the field, in the window ``(1, C, N, N)``."""
        factor = max(1, int(self.side * scale / WINDOW))
        if factor > 1:
            picture = functional.avg_pool2d(picture, factor)
        return sample(picture, self.places(WINDOW, picture) * (scale / factor))

    def inside(self, landmarks: Tensor, size: int) -> Tensor:
        """Landmarks ``(1, P, 3)`` of the field in pixels of a window ``size`` pixels wide."""
        return (landmarks - landmarks.new_tensor((self.left, self.top, 0.0))) * (size / self.side)


@dataclass(frozen=True)
class Evidence:
    """What the network looks at.

    Attributes:
        sheets: ``(B, S, 3, N, N)`` colours in [0, 1] with N = :data:`~fsgan_core.networks.flow_net.WINDOW`; two a
            view, seen directly and mirrored.
        trust: ``(B, S, 1, N / 2, N / 2)`` in [0, 1].
        geometry: ``(B, len(CHANNELS), N / 2, N / 2)`` in [-1, 1]; see
            :data:`~fsgan_core.networks.flow_net.CHANNELS`.
        features: ``(B, 4, N, N)`` eyes and mouth drawn from the main view: colours times cover, and cover.
    """

    sheets: Tensor
    trust: Tensor
    geometry: Tensor
    features: Tensor


def gather(
    layers: Sequence[Layer],
    weights: Sequence[float],
    target: Placement,
    window: Window,
    model: FaceModel,
    features: Tensor,
    mirror: float,
) -> Evidence:
    """Evidence of warped views.

    Args:
        layers: the views, warped.
        weights: one a view, sum 1.
        target: the face wanted, in pixels of the field.
        window: where to look.
        model: the face model.
        features: ``(1, 4, N, N)``, see :class:`Evidence`.
        mirror: trust in mirrored pixels relative to seen ones.
    """
    places = window.places(WINDOW, target.shape)
    sheets, trust, unseen = [], [], torch.ones(())
    for layer, weight in zip(layers, weights, strict=True):
        fields = (layer.flow, layer.mirror_flow, layer.blur, layer.seen, layer.mirrored, layer.near)
        maps = sample(torch.cat(fields, 1), places)
        seen, mirrored, near = halved(maps[:, 5:]).split(1, 1)
        # What is seen is as sharp as the result, which is looked up likewise, for paint is what the result lacks.
        shown = looked_up(layer.picture, maps[:, :2], maps[:, 4:5], "bicubic")
        if layer.outline is not None:
            layer.outline.draw(layer.picture, shown, window.side / WINDOW, (window.left, window.top))
        sheets += [shown, sample(layer.picture, maps[:, 2:4])]
        trust += [weight * seen * near, weight * mirror * mirrored**2 * (1 - seen) * near]
        unseen = unseen * (1 - seen) * (1 - 0.5 * mirrored)
    main = layers[max(range(len(layers)), key=lambda index: weights[index])]
    geometry = _geometry(main.start, target, window, model)
    geometry[:, CHANNELS.index("unseen")] *= unseen[:, 0]
    return Evidence(torch.stack(sheets, 1).clamp(0, 1), torch.stack(trust, 1), geometry, features)


def _geometry(source: Placement, target: Placement, window: Window, model: FaceModel) -> Tensor:
    """The channels that the mesh alone decides ``(1, C, N / 2, N / 2)``; "unseen" is 1 in the mesh."""
    size = WINDOW // 2
    vertices = window.inside(points(target), size)
    front = facing(vertices, model.triangles) > 0
    number, weights = rasterize(recessed(vertices), model.triangles, size, size, front)
    turned = vertex_normals(source.shape, model.triangles) @ source.rotation.mT
    normals = vertex_normals(target.shape, model.triangles) @ target.rotation.mT
    deformed = strain(source.shape, target.shape, model.triangles, _SHORT)[..., None]
    motion = (_MOTION * (target.shape - source.shape)).clamp(-1, 1)
    values = torch.cat((deformed.clamp(max=1), model.mean.expand_as(normals), motion, normals, turned), 2)
    drawn = interpolate(values, model.triangles, number, weights)
    regions = torch.where(number >= 0, model.regions[number.clamp_min(0)].long(), 0)
    mask = (number >= 0)[:, None].float()
    parts = [mask, (regions == MOUTH)[:, None].float(), (regions > MOUTH)[:, None].float()]
    parts += [missing(source.shape, target.shape, regions), mask, _irises(vertices, size), drawn]
    return stacked(parts)


def _irises(vertices: Tensor, size: int) -> Tensor:
    """Soft discs ``(1, 1, size, size)`` where the irises belong."""
    grid = identity(size, size, vertices)
    discs = torch.zeros_like(grid[:, :1])
    for centre, *rim in (RIGHT_IRIS, LEFT_IRIS):
        middle = vertices[:, centre, :2]
        radius = (vertices[:, rim, :2] - middle[:, None]).norm(dim=2).mean(1).clamp_min(0.5)
        away = torch.hypot(*(grid - middle[:, :, None, None]).split(1, 1))
        discs = torch.maximum(discs, (radius[:, None, None, None] - away + 0.5).clamp(0, 1))
    return discs

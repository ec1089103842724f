"""A source's glasses that do not come off, as a layer that is laid over a swapped face.

Glasses are stiff: bent along with a face's mesh they tear where it ends, and lit like skin they turn pale. So their
picture is taken in the plane that they are worn in, and drawn where that plane is on another face.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ..ops.face_model import FaceModel, poses
from ..ops.flow import sample
from ..ops.geometry import inverse_2x2
from ..ops.masks import ramp, smoothstep
from ..ops.pooling import box_mean
from .glasses_plane import GlassesPlane
from .glasses_seen import SeenGlasses
from .lenses import CENTRE, HALF

_UNIT, _WIDE, _HIGH = 300, 592, 272
"""Pixels of the layer per distance between the outer eye corners, and its sides; its middle lies between the lenses."""
_REACH = (1.35, 1.6)
"""How far from the centre of a usual lens, in usual lenses, glasses are, and where they have ended."""
_BRIDGE = (0.2, -0.16, 0.12)
"""The part between the lenses: how far aside, from and down to which height."""
_OUTLINE = 13
"""Side in pixels of the square around a place that has to lie in the mesh: its outline is never sure."""
_ASIDE = (14.0, 22.0)
"""Degrees of yaw: both halves are taken; the near one, and its mirror image."""


@dataclass(frozen=True)
class WornGlasses:
    """The layer.

    Attributes:
        layer: ``(1, 4, H, W)`` colours and opacity in the plane, in [0, 1].
        plane: where that is on a face.
    """

    layer: Tensor
    plane: GlassesPlane

    @staticmethod
    def taken(seen: SeenGlasses, landmarks: Tensor, model: FaceModel) -> WornGlasses:
        """Off a face with landmarks ``(1, 478, 3)`` in pixels of the crop."""
        plane, yaw = GlassesPlane(model), float(poses(model, landmarks)[0, 0])
        at, places = plane(landmarks), places_of(landmarks)
        pixels = torch.einsum("bij,bjhw->bihw", at[..., :2], places) + at[..., 2:, None]
        looked = sample(torch.cat((seen.picture, seen.hidden, seen.rims, seen.near, seen.mesh), 1), pixels)
        picture, hidden, rims, near, mesh = looked.split((3, 1, 1, 1, 1), 1)
        inside = ((2 * box_mean(mesh, _OUTLINE) - 1) / 0.8).clamp(0, 1)
        where = torch.maximum(_where(places), near * (2 * box_mean(mesh, 2 * _OUTLINE + 1) - 1).clamp(0, 1))
        worn = torch.cat((picture, torch.lerp(rims, hidden, inside) * where), 1)
        aside = smoothstep(places.new_tensor((abs(yaw) - _ASIDE[0]) / (_ASIDE[1] - _ASIDE[0])))
        far, worse = ((0.5 + 8 * side * places[:, :1]).clamp(0, 1) for side in (1 if yaw > 0 else -1, seen.worse))
        trust = inside * (1 - torch.lerp(worse * abs(seen.worse), far, aside))
        return WornGlasses(torch.lerp(worn, worn.flip(3), (1 - trust) * trust.flip(3)), plane)

    def drawn(self, landmarks: Tensor, size: int) -> Tensor:
        """On a face with landmarks ``(1, 478, 3)`` in pixels of a crop: colours and opacity ``(1, 4, size, size)``."""
        at = self.plane(landmarks)
        back = inverse_2x2(at[..., :2])
        # A face of a few pixels, or seen from its very side, shows less than a line of them.
        shrink = int(min(_HIGH, max(1.0, _UNIT * float(back[0].norm(dim=0).amax()))))
        layer = functional.avg_pool2d(self.layer, shrink) if shrink > 1 else self.layer
        low, high = _extent(at, size)
        result = landmarks.new_zeros(1, 4, size, size)
        if (high <= low).any():
            return result
        (left, top), (right, bottom) = low.tolist(), high.tolist()
        rows, columns = (torch.arange(*ends, device=at.device) + 0.5 for ends in ((top, bottom), (left, right)))
        grid = torch.stack(torch.meshgrid(columns, rows, indexing="xy"))[None]
        places = torch.einsum("bij,bjhw->bihw", back, grid - at[..., 2:, None])
        pixels = (places - places.new_tensor((0, CENTRE[1]))[:, None, None]) * _UNIT
        pixels = (pixels + pixels.new_tensor((_WIDE / 2, _HIGH / 2))[:, None, None]) / shrink
        result[..., top:bottom, left:right] = sample(layer, pixels)
        return result


def places_of(like: Tensor) -> Tensor:
    """Places ``(1, 2, H, W)`` of the layer's pixels in the plane."""
    x = (torch.arange(_WIDE, device=like.device) + 0.5 - _WIDE / 2) / _UNIT
    y = (torch.arange(_HIGH, device=like.device) + 0.5 - _HIGH / 2) / _UNIT + CENTRE[1]
    return torch.stack(torch.meshgrid(x, y, indexing="xy"))[None].to(like.dtype)


def _where(places: Tensor) -> Tensor:
    """Where glasses are in the plane, ``(1, 1, H, W)`` in [0, 1]: around the lenses and between them."""
    x, y = places.abs()[:, :1], places[:, 1:]
    away = torch.hypot((x - CENTRE[0]) / HALF[0], (y - CENTRE[1]) / HALF[1])
    bridge = (x < _BRIDGE[0]) & (y > _BRIDGE[1]) & (y < _BRIDGE[2])
    return torch.maximum(1 - ramp(away, _REACH), bridge.to(x.dtype))


def _extent(at: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """The part of a crop in which the layer lies: left, top and right, bottom in pixels."""
    x, y = _WIDE / 2 / _UNIT, _HIGH / 2 / _UNIT
    corners = at.new_tensor([(a, CENTRE[1] + b, 1) for a in (-x, x) for b in (-y, y)]) @ at[0].T
    return corners.amin(0).floor().long().clamp(0, size), corners.amax(0).ceil().long().clamp(0, size)

"""The person's own skin behind what covers a face: hair, hats, hands.

Views are looked up between landmarks, so what lies right beside a face's seen part shows in a swap. It had better be
skin. And of two people's patches on one forehead none fits the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ..ops.face_model import FaceModel
from ..ops.flow import resize
from ..ops.masks import ramp
from ..ops.mesh import facing, interpolate, rasterize
from ..ops.pooling import box_max
from ..ops.pull_push import pull_push

_CELLS, _WIDER = 128, 3
"""Side in cells of the crop in which skin goes on behind what covers it, and of the square that what covers it and the
mesh are widened by."""
_BROWS = (70, 63, 105, 66, 107, 46, 53, 52, 65, 55, 300, 293, 334, 296, 336, 276, 283, 282, 295, 285)
"""Landmarks around the brows."""
_TOPS, _MOSTLY = (105, 334), (0.33, 0.48)
"""Landmarks on top of the brows, and the share of a forehead that is covered: what is seen of it counts; nothing."""


@dataclass(frozen=True)
class Skin:
    """Where a crop's face is, in cells.

    Attributes:
        inside: ``(1, 1, N, N)`` 0 or 1, the mesh.
        plain: without brows, eyes and mouth.
        forehead: above the brows.
    """

    inside: Tensor
    plain: Tensor
    forehead: Tensor

    @staticmethod
    def of(points: Tensor, size: int, model: FaceModel) -> Skin:
        """That of landmarks ``(1, 478, 3)`` in pixels of a crop of a side."""
        cells = points * (_CELLS / size)
        number, corners = rasterize(cells, model.triangles, _CELLS, _CELLS, facing(cells, model.triangles) > 0)
        brows = torch.zeros_like(points[..., :1])
        brows[:, list(_BROWS)] = 1
        values = torch.cat((brows, model.mean[None, :, 1:2]), 2)
        brow, height = interpolate(values, model.triangles, number, corners).split(1, 1)
        inside, region = (number >= 0)[:, None], model.regions[number.clamp_min(0)][:, None]
        plain = inside & (region == 0) & (brow < 0.5)
        forehead = inside & (height < model.mean[list(_TOPS), 1].mean())
        return Skin(*(part.to(points.dtype) for part in (inside, plain, forehead)))

    def behind(self, part: Tensor, covered: Tensor) -> Tensor:
        """The crop ``(1, 3, S, S)`` with skin gone on behind what covers it, ``(1, 1, S, S)`` in [0, 1]."""
        share = (3 * box_max(functional.adaptive_avg_pool2d(covered, _CELLS), _WIDER)).clamp(max=1)
        skin = self.plain * (1 - box_max(share, _WIDER))
        if not skin.any():
            return part
        filled = pull_push(functional.adaptive_avg_pool2d(part, _CELLS), skin)
        share = share * box_max(self.inside, _WIDER)
        return torch.lerp(part, resize(filled, *part.shape[-2:]), resize(share, *part.shape[-2:]))

    def lost(self, covered: Tensor, size: int) -> Tensor:
        """The forehead ``(1, 1, size, size)`` if most of it is covered, as ``(1, 1, S, S)`` says: none of it counts."""
        hidden = self.forehead * functional.adaptive_avg_pool2d(covered, _CELLS)
        share = hidden.sum() / self.forehead.sum().clamp_min(1)
        return ramp(share, _MOSTLY) * resize(self.forehead, size, size)

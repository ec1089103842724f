"""A face seen from the front: its picture on a mesh whose halves are each other's mirror image, and the way back."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ..ops.face_model import FaceModel
from ..ops.flow import sample
from ..ops.landmarks import LEFT_BROW, LIPS_INNER, LIPS_OUTER, RIGHT_BROW
from ..ops.lowpass import lowpass
from ..ops.mesh import facing, interpolate, rasterize

_AROUND, _MARK = 0.012, 0.15
"""Lips and brows are widened by a low-pass of this standard deviation, in sides of the square, to where so much of them
is left."""


@dataclass(frozen=True)
class Frontal:
    """The mean face drawn upright into a square of N x N pixels.

    Attributes:
        model: the face model.
        points: ``(1, 478, 3)`` the mesh in pixels of the square.
        number: ``(1, N, N)`` triangles, -1 beyond the face.
        corners: ``(1, N, N, 3)`` places in them.
    """

    model: FaceModel
    points: Tensor
    number: Tensor
    corners: Tensor

    @staticmethod
    def of(model: FaceModel, side: int) -> Frontal:
        """The square of N = ``side`` pixels."""
        low, high = model.mean.amin(0), model.mean.amax(0)
        middle, extent = (low + high) / 2, 1.08 * (high - low)[:2].max()
        middle[0] = 0
        points = ((model.mean - middle) / extent * side + side / 2)[None]
        drawn = rasterize(points, model.triangles, side, side, facing(points, model.triangles) > 0)
        return Frontal(model, points, *drawn)

    @property
    def side(self) -> int:
        """N."""
        return self.number.shape[-1]

    @property
    def face(self) -> Tensor:
        """``(1, 1, N, N)`` bool, where the face is."""
        return (self.number >= 0)[:, None]

    @property
    def skin(self) -> Tensor:
        """``(1, 1, N, N)`` bool, the face without eyes and mouth."""
        return self.face & (self.model.regions[self.number.clamp_min(0)] == 0)[:, None]

    @property
    def features(self) -> Tensor:
        """``(1, 1, N, N)`` in [0, 1], lips and brows and a little around them."""
        marked = torch.zeros_like(self.model.mean[None, :, :1])
        marked[:, [*LIPS_OUTER, *LIPS_INNER, *RIGHT_BROW, *LEFT_BROW]] = 1
        return (lowpass(self.spread(marked), _AROUND * self.side, self.side) / _MARK).clamp(max=1)

    def spread(self, values: Tensor) -> Tensor:
        """Values of the landmarks ``(1, 478, C)`` as a picture ``(1, C, N, N)``, 0 beyond the face."""
        return interpolate(values, self.model.triangles, self.number, self.corners)

    def seen(self, image: Tensor, landmarks: Tensor) -> Tensor:
        """A picture ``(1, C, h, w)`` of a face with landmarks ``(1, 478, 3)`` in its pixels: ``(1, C, N, N)``."""
        extent = float((landmarks[0, :, :2].amax(0) - landmarks[0, :, :2].amin(0)).max())
        factor = max(1, min(int(extent / self.side), *image.shape[2:]))
        smaller = functional.avg_pool2d(image, factor) if factor > 1 else image
        return sample(smaller, self.spread(landmarks[..., :2] / factor))

    def carried(
        self, values: Tensor, landmarks: Tensor, size: tuple[int, int], most: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Bring values to where the face is in a picture.

        Args:
            values: ``(1, C, N, N)``.
            landmarks: ``(1, 478, 3)`` in pixels of the picture.
            size: its height and width.
            most: larger pictures get a smaller result, with its longer side of so many pixels.

        Returns:
            ``(1, C, h, w)``, and ``(1, 1, h, w)`` bool where the face is, and where its eyes and mouth are.
        """
        scale = min(1.0, most / max(size))
        height, width = (max(1, round(scale * side)) for side in size)
        points = landmarks * landmarks.new_tensor((width / size[1], height / size[0], scale))
        triangles = self.model.triangles
        number, corners = rasterize(points, triangles, height, width, facing(points, triangles) > 0)
        places = interpolate(self.points[..., :2], triangles, number, corners)
        face, inner = (number >= 0)[:, None], self.model.regions[number.clamp_min(0)][:, None]
        return sample(values, places), face, face & (inner > 0)

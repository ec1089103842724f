"""Segmentation (Gs): which pixels of a crop are face."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from ..ops.face_model import FaceModel
from ..ops.flow import resize
from ..ops.mesh import facing, interpolate, rasterize
from .open_segmentation import OpenSegmenter

_FIELD = 256
"""Largest side in pixels at which the mesh is drawn; its outline is smooth and is upsampled."""
_BROW, _TOP = 105, 10
"""Landmarks on a brow and at the top of the face oval."""


class Segmenter(Protocol):
    """Finds the face's pixels.

    Attributes:
        occluders: whether it tells what is in front of a face from the face.
    """

    occluders: bool

    def __call__(self, images: Tensor, landmarks: Tensor) -> Tensor:
        """Segment.

        Args:
            images: ``(B, 3, S, S)`` crops.
            landmarks: ``(B, 478, 3)`` pixels of the crops.

        Returns:
            mask ``(B, 1, S, S)``, 1 on the face.
        """


class MeshSegmenter:
    """The outline of the dense mesh. It knows nothing of hands, hair or glasses in front of the face.

    Args:
        model: the face model.
        forehead: how much of the forehead belongs to the face, from 0 (up to the brows) to 1 (up to the hairline).
            Most people's hair reaches into its upper part, where it would be swapped along.
    """

    occluders = False

    def __init__(self, model: FaceModel, forehead: float = 0.3) -> None:
        self.model = model
        height = model.mean[None, :, 1:2]
        self._above = height - torch.lerp(height[:, _BROW], height[:, _TOP], forehead)

    @torch.inference_mode()
    def __call__(self, images: Tensor, landmarks: Tensor) -> Tensor:
        """See :class:`Segmenter`."""
        size = images.shape[-1]
        field = min(_FIELD, size)
        vertices = landmarks * (field / size)
        front = facing(vertices, self.model.triangles) > 0
        number, weights = rasterize(vertices, self.model.triangles, field, field, front)
        below = self._above.expand(len(landmarks), -1, -1)
        kept = interpolate(below, self.model.triangles, number, weights) > 0
        return resize((kept & (number >= 0)[:, None]).to(images.dtype), size, size)


SEGMENTERS: dict[str, Callable[[FaceModel], Segmenter]] = {"learned": OpenSegmenter, "mesh": MeshSegmenter}
"""Segmentation backends by name."""

"""Segmentation (Gs): which pixels of a crop are face."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from ..ops.face_model import FaceModel
from ..ops.flow import resize
from ..ops.mesh import facing, rasterize

_FIELD = 256
"""Largest side in pixels at which the mesh is drawn; its outline is smooth and is upsampled."""


class Segmenter(Protocol):
    """Finds the face's pixels."""

    def __call__(self, images: Tensor, landmarks: Tensor) -> Tensor:
        """Segment.

        Args:
            images: ``(B, 3, S, S)`` crops.
            landmarks: ``(B, 478, 3)`` pixels of the crops.

        Returns:
            mask ``(B, 1, S, S)``, 1 on the face.
        """


class MeshSegmenter:
    """The outline of the dense mesh. It knows nothing of hands, hair or glasses in front of the face."""

    def __init__(self, model: FaceModel) -> None:
        self.model = model

    @torch.inference_mode()
    def __call__(self, images: Tensor, landmarks: Tensor) -> Tensor:
        """See :class:`Segmenter`."""
        size = images.shape[-1]
        field = min(_FIELD, size)
        vertices = landmarks * (field / size)
        front = facing(vertices, self.model.triangles) > 0
        number, _ = rasterize(vertices, self.model.triangles, field, field, front)
        return resize((number >= 0).to(images.dtype)[:, None], size, size)


SEGMENTERS = {"mesh": MeshSegmenter}
"""Segmentation backends by name."""

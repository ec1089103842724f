"""What covers the source's forehead, so that a fringe or a hat's brim is not swapped along with the face.

Below the brows what is covered is taken from the other half of the face or completed; a forehead is better left to
the target, whose skin fits its hair and light.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from ..ops.face_model import FaceModel
from ..ops.mesh import facing, interpolate, rasterize
from .views import View

_BROWS, _RAMP = (105, 334), 0.06
"""Landmarks on top of the brows, and how far above them a forehead counts fully, in distances between the eyes."""


def bare(views: Sequence[View], weights: Sequence[float], landmarks: Tensor, field: int, model: FaceModel) -> Tensor:
    """How much of the forehead the views show as skin.

    Args:
        views: views of the source.
        weights: one a view, sum 1.
        landmarks: ``(1, 478, 3)`` the face wanted, in pixels of the field.
        field: side F of the field in pixels.
        model: the face model.

    Returns:
        ``(1, 1, F, F)`` in [0, 1]; 1 below the brows and where nobody looked for what covers a face.
    """
    seen = [(view, view.shown, weight) for view, weight in zip(views, weights, strict=True)]
    result = landmarks.new_ones(1, 1, field, field)
    if all(shown is None for _, shown, _ in seen):
        return result
    number, corners = rasterize(landmarks, model.triangles, field, field, facing(landmarks, model.triangles) > 0)
    above = (model.mean[list(_BROWS), 1].mean() - model.mean[None, :, 1:2]) / _RAMP
    forehead = interpolate(above, model.triangles, number, corners).clamp(0, 1)
    for view, shown, weight in seen:
        if shown is not None:
            share = shown.at(interpolate(view.landmarks[..., :2], model.triangles, number, corners))
            result = result - weight * forehead * (1 - share)
    return result

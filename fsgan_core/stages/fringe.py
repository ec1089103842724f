"""Where a source shows its face: less than the mesh under a fringe, and more than it around its outline.

A fringe or a hat's brim is not to be swapped along with the face. Below the brows what is covered is taken from the
other half of the face or completed; a forehead is better left to the target, whose skin fits its hair and light. The
mesh ends short of the hair and of the jaw's edge; what of the face lies just beyond is part of who someone is.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..ops.face_model import FaceModel
from ..ops.mesh import facing, interpolate, rasterize
from ..ops.pooling import box_max
from .layers import Layer
from .views import View

_BROWS, _RAMP = (105, 334), 0.06
"""Landmarks on top of the brows, and how far above them a forehead counts fully, in distances between the eyes."""
_BEYOND = 2
"""Pixels of the field that a face is drawn beyond its mesh: as far as flow and trust are continued there, less one."""


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


def with_skin_beyond(mask: Tensor, views: Sequence[View], weights: Sequence[float], layers: Sequence[Layer]) -> Tensor:
    """Masks with what the views show of the face just beyond the mesh.

    Args:
        mask: ``(1, M, F, F)`` in [0, 1], within the mesh.
        views: views of the source.
        weights: one a view, sum 1.
        layers: the views, warped to the target.

    Returns:
        ``(1, M, F, F)``, nowhere below the masks; the same where nobody looked for what is face.
    """
    share = torch.zeros_like(mask)
    for view, weight, layer in zip(views, weights, layers, strict=True):
        if view.shown is not None:
            scale = view.levels[0].shape[-1] / layer.picture.shape[-1]
            share = share + weight * view.shown.at(scale * layer.flow)
    edge = box_max(1 - layers[0].mask, 3)
    return torch.maximum(mask, box_max(mask, 2 * _BEYOND + 1) * share * edge)

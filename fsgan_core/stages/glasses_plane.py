"""The plane that glasses are worn in, on faces as pictures show them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ..ops.face_model import FaceModel

_DEPTH = -0.12
"""How far before the eyes it lies (distances between the outer eye corners)."""


class GlassesPlane:
    """From that plane, in places x and y on the mean face, to pixels.

    Args:
        model: the face model; on the device of the landmarks.
    """

    def __init__(self, model: FaceModel) -> None:
        mean = model.mean
        near = (mean[:, 1] > -0.5) & (mean[:, 1] < 0.35) & (mean[:, 0].abs() < 0.6)
        self._near = near.nonzero()[:, 0]
        self._fit = torch.linalg.pinv(functional.pad(mean[self._near], (0, 1), value=1.0))

    def __call__(self, landmarks: Tensor) -> Tensor:
        """As landmarks ``(B, 478, 3)`` show it: ``(B, 2, 3)``, made for places x, y, 1."""
        x, y, z, shift = (self._fit @ landmarks[:, self._near, :2]).unbind(1)
        return torch.stack((x, y, _DEPTH * z + shift), 2)

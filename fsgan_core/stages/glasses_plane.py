"""The plane that glasses are worn in, on faces as pictures show them."""

from __future__ import annotations

from functools import lru_cache

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
        self._near, self._fit = _fitting(model)

    def __call__(self, landmarks: Tensor) -> Tensor:
        """As landmarks ``(B, 478, 3)`` show it: ``(B, 2, 3)``, made for places x, y, 1."""
        x, y, z, shift = (self._fit @ landmarks[:, self._near, :2]).unbind(1)
        return torch.stack((x, y, _DEPTH * z + shift), 2)


@lru_cache(maxsize=4)
def _fitting(model: FaceModel) -> tuple[Tensor, Tensor]:
    """Numbers of the landmarks around the eyes ``(P,)``, and what fits a plane to them, ``(4, P)``."""
    mean = model.mean
    near = ((mean[:, 1] > -0.5) & (mean[:, 1] < 0.35) & (mean[:, 0].abs() < 0.6)).nonzero()[:, 0]
    # In double precision, rounded at the end, so that the number of threads does not show.
    places = functional.pad(mean[near], (0, 1), value=1.0).cpu().double()
    return near, torch.linalg.pinv(places).to(mean)

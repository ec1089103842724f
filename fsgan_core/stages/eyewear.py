"""Glasses of a source: whether they come off its picture, and what must not come off with them.

Behind a wire there is skin on both sides to go on from. Behind thick frames lie brows and the edges of lids, and behind
dark lenses the eyes: what is drawn instead is a blur where a face is looked at most. Such glasses are better laid over
it again (:mod:`~fsgan_core.stages.worn_glasses`).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..ops.face_model import FaceModel
from ..ops.flow import resize
from ..ops.pooling import box_max
from .frontal import Frontal
from .lenses import Lenses
from .openings import LEFT, RIGHT

_SIDE, _FIELD = 128, 512
"""Side of the frontal face in which glasses are judged, and largest side of what is carried to a picture."""
_WORN = (-0.44, 0.42, 0.95)
"""Where glasses are on the mean face: top, bottom, and how far to the sides (distances between the outer eye corners,
eyes at about 0, y down)."""
_JUDGED = (-0.32, 0.3, 0.45)
"""The part of it in which they are judged, likewise: brows, eyes and what is between them."""
_LID = 3
"""Side in pixels of the frontal face of the square by which the opening of an eye is widened: the edges of its lids."""
_BELIEVED = 0.3
"""Mean belief in each rim (:class:`~fsgan_core.stages.lenses.Lenses`) from which on it is glasses, not a hand."""
_CHANGED = 0.026
"""Mean change of brightness around the eyes from which on glasses are kept. Of 43 portraits with glasses 15 with wires
and light or narrow frames changed by 0.023 to 0.040; from 0.028 on marks of the rims were left on the skin that looked
worse than the layer. Above 0.042 most lost brows and eyes."""
_DARK = 0.02
"""Share of that part that is hidden by more than lines, in either half, from which on both lenses are dark: 0.048 to
0.32 behind seven of eight sunglasses (the change tells of the other), 0.007 at most behind clear lenses."""

_EYE = (0.33, 0.1, 0.5)
"""How far aside an eye is on the mean face, how far around it is looked, and what share of both dark lenses hide."""


@dataclass(frozen=True)
class Eyewear:
    """Glasses on a face.

    Attributes:
        frontal: the face seen from the front.
        landmarks: ``(1, 478, 3)`` pixels of the picture.
    """

    frontal: Frontal
    landmarks: Tensor

    @staticmethod
    def of(model: FaceModel, landmarks: Tensor) -> Eyewear:
        """Those of the face with these landmarks."""
        return Eyewear(Frontal.of(model, _SIDE), landmarks)

    def stays(self, picture: Tensor, cleared: Tensor, face: Tensor, lenses: Lenses) -> bool:
        """Whether the glasses are better kept, over the face.

        Args:
            picture: ``(1, 3, H, W)`` in [0, 1].
            cleared: ``(1, 3, H, W)`` the same without glasses.
            face: ``(1, 1, H, W)`` share of the face, what is thin in front of it counted as face.
            lenses: in their pixels.
        """
        if self.dark(face):
            return True
        if lenses.belief.mean(2).amin() < _BELIEVED:
            return False
        judged = self._zone(*_JUDGED)
        change = (picture - cleared).abs().mean(1, keepdim=True)
        seen = self.frontal.seen(torch.cat((change, 1 - face), 1), self.landmarks) * judged / judged.sum()
        changed, hidden = seen.unflatten(3, (2, _SIDE // 2)).sum((0, 2, 4))
        return bool(changed.sum() > _CHANGED) or bool(hidden.amin() > _DARK)

    def dark(self, face: Tensor) -> bool:
        """Whether both eyes are behind dark lenses, given the share of the face ``(1, 1, H, W)``."""
        x, y, _ = self.frontal.spread(self.frontal.model.mean[None]).split(1, 1)
        eyes = self.frontal.face * (torch.hypot(x.abs() - _EYE[0], y) < _EYE[1])
        hidden = (self.frontal.seen(1 - face, self.landmarks) * eyes).unflatten(3, (2, _SIDE // 2)).sum((0, 2, 4))
        return bool((2 * hidden / eyes.sum()).amin() > _EYE[2])

    def around(self, size: tuple[int, int]) -> Tensor:
        """Where glasses may be in a picture of a height and width, ``(1, 1, *size)`` in [0, 1]."""
        return self._carried(self._zone(*_WORN), size)

    def openings(self, size: tuple[int, int]) -> Tensor:
        """The eyes with the edges of their lids in a picture of a height and width, ``(1, 1, *size)`` in [0, 1]."""
        regions = self.frontal.model.regions[self.frontal.number.clamp_min(0)][:, None]
        eyes = self.frontal.face & ((regions == RIGHT) | (regions == LEFT))
        return self._carried(box_max(eyes.to(self.landmarks.dtype), _LID), size)

    def _zone(self, top: float, bottom: float, across: float) -> Tensor:
        """A part of the frontal face, ``(1, 1, N, N)``."""
        x, y, _ = self.frontal.spread(self.frontal.model.mean[None]).split(1, 1)
        return (self.frontal.face & (y > top) & (y < bottom) & (x.abs() < across)).to(x.dtype)

    def _carried(self, values: Tensor, size: tuple[int, int]) -> Tensor:
        carried, inside, _ = self.frontal.carried(values, self.landmarks, size, _FIELD)
        return resize(carried * inside, *size)

"""The rims of a pair of lenses, each followed around the eye as one closed line.

A network sees a wire here and there. What it sees is unrolled around each eye, in the plane that glasses are worn in,
and the best closed path through it (:mod:`~fsgan_core.ops.closed_path`) tells where the rest of the rim is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from ..ops.closed_path import closed_path
from ..ops.face_model import FaceModel
from ..ops.flow import sample
from ..ops.geometry import inverse_2x2
from ..ops.masks import ramp
from .glasses_plane import GlassesPlane

CENTRE, HALF = (0.355, 0.045), (0.27, 0.22)
"""Where a usual lens is on the mean face, and half its width and height (distances between the outer eye corners)."""
_DIRECTIONS, _ROWS = 64, 24
_RANGE = (0.55, 1.65)
"""How far from its centre a rim may be, a usual lens's being at 1."""
_SPREAD = 4
"""Rows beside a line within which it has to be darker or brighter, or less hidden."""
_EDGE = 0.4
"""How much an edge of the picture counts as a line, where the network sees none."""
_BELIEF = (0.2, 0.36)
"""Mean evidence along a part of the path: not believed; believed."""
_GAP, _LEAST = 6, 5
"""Half the directions of a gap that is closed, and of a part that stands alone."""
_ROUND = (0.5, 0.8)
"""Share of a rim that is believed: what is within is not known; it is a lens."""
_WIDTH = (0.045, 0.105)
"""Half the width of a rim that is drawn, and where it has faded; in usual lenses."""


@dataclass(frozen=True)
class Lenses:
    """Both rims of each face, the one on the left of the picture first; directions from the inner side by the lower.

    Attributes:
        radius: ``(B, 2, A)`` how far the rim is from the centre, in usual lenses.
        belief: ``(B, 2, A)`` in [0, 1], whether there is a rim.
        centre: ``(B, 2, 2)`` pixels.
        axes: ``(B, 2, 2)`` pixels of half a usual lens, its width and its height as columns.
    """

    radius: Tensor
    belief: Tensor
    centre: Tensor
    axes: Tensor

    def moved(self, matrix: Tensor, shift: Tensor) -> Lenses:
        """The same in a picture where pixel ``p`` is at ``matrix p + shift``, given ``(B, 2, 2)`` and ``(B, 2)``."""
        return replace(self, centre=self.centre @ matrix.mT + shift[:, None], axes=matrix @ self.axes)

    def around(self, beyond: Tensor) -> Tensor:
        """Places ``(B, 2, 2, A, N)``, x and y of each lens in pixels, ``beyond`` the rims by ``(N,)`` usual lenses."""
        places = torch.einsum("bij,eja,bean->biean", self.axes, _rays(beyond), self.radius[..., None] + beyond)
        return places + self.centre.mT[..., None, None]

    def away(self, places: Tensor) -> Tensor:
        """How far places ``(1, 2, H, W)`` are from each centre in x and y, in usual lenses, ``(B, 2, 2, H, W)``."""
        away = places[:, None] - self.centre[..., None, None]
        return (inverse_2x2(self.axes)[:, None] @ away.flatten(3)).view_as(away)

    def drawn(self, places: Tensor) -> tuple[Tensor, Tensor]:
        """The rims, and what is well within each, if most of it is seen.

        Args:
            places: ``(1, 2, H, W)`` pixels to draw at.

        Returns:
            ``(B, 1, H, W)`` and ``(B, 2, H, W)``, all in [0, 1].
        """
        away = self.away(places)
        x, y = away.unbind(2)
        turn = torch.atan2(-y, x * x.new_tensor((-1, 1))[:, None, None])
        column = (turn / (2 * math.pi) + 0.5) * _DIRECTIONS + 0.5
        around = functional.pad(torch.stack((self.radius, self.belief), 2).flatten(0, 1), (0, 1), mode="circular")
        flow = torch.stack((column, torch.full_like(column, 0.5)), 2).flatten(0, 1)
        radius, belief = sample(around[:, :, None], flow).view_as(away).unbind(2)
        gap = torch.hypot(x, y) - radius
        rim = ((_WIDTH[1] - gap.abs()) / (_WIDTH[1] - _WIDTH[0])).clamp(0, 1) * belief
        sure = ramp(self.belief.mean(2), _ROUND)
        return rim.amax(1, keepdim=True), (-gap / _WIDTH[1] - 1).clamp(0, 1) * sure[..., None, None]


class LensTracer:
    """Finds the rims of glasses.

    Args:
        model: the face model; on the device of the pictures.
    """

    def __init__(self, model: FaceModel) -> None:
        self.plane = GlassesPlane(model)
        self._centre = model.mean.new_tensor([(side * CENTRE[0], CENTRE[1], 1) for side in (-1, 1)])

    def __call__(self, hidden: Tensor, pictures: Tensor, landmarks: Tensor) -> Lenses:
        """Trace.

        Args:
            hidden: ``(B, 1, S, S)`` how much of each pixel is not face, in [0, 1].
            pictures: ``(B, 3, S, S)`` what it was found in.
            landmarks: ``(B, 478, 3)`` pixels.
        """
        plane = self.plane(landmarks)
        centre = self._centre @ plane.mT
        axes = plane[..., :2] * plane.new_tensor(HALF)
        radius = torch.linspace(*_RANGE, _ROWS, device=hidden.device)
        places = torch.einsum("bij,eja,r->biear", axes, _rays(hidden), radius) + centre.mT[..., None, None]
        looked = torch.cat((hidden, pictures.mean(1, keepdim=True)), 1)
        seen, gray = sample(looked, places.flatten(2, 3)).view(-1, 2, 2, _DIRECTIONS, _ROWS).unbind(1)
        line = (seen - torch.maximum(*_beside(seen, _SPREAD))).clamp_min(0)
        edge = _edges(gray)
        path = closed_path(((0.03 + line + 0.15 * edge) ** 4).flatten(0, 1)).view_as(line)
        belief = _believed((path * (line + _EDGE * edge)).sum(-1))
        return Lenses((path * radius).sum(-1), belief, centre, axes)


def turns(like: Tensor) -> Tensor:
    """The directions ``(A,)``: 0 outwards, pi / 2 upwards."""
    return torch.arange(_DIRECTIONS, device=like.device) * (2 * math.pi / _DIRECTIONS) - math.pi


def _rays(like: Tensor) -> Tensor:
    """The directions of each lens as x and y, ``(2, 2, A)``."""
    turn = turns(like)
    outward = torch.stack((turn.cos(), -turn.sin()))
    return torch.stack((outward * outward.new_tensor((-1, 1))[:, None], outward))


def _beside(values: Tensor, rows: int) -> tuple[Tensor, Tensor]:
    """Values ``(B, 2, A, R)`` so many rows inwards and outwards."""
    padded = functional.pad(values, (rows, rows, 0, 0), mode="replicate")
    return padded[..., : -2 * rows], padded[..., 2 * rows :]


def _edges(gray: Tensor) -> Tensor:
    """How much a place ``(B, 2, A, R)`` is darker or brighter than beside it, in [0, 1]."""
    inner, outer = (side - gray for side in _beside(gray, _SPREAD // 2))
    step = torch.where(inner * outer > 0, (inner + outer).abs() / 2, 0.0)
    edge = (step / (0.03 + 0.5 * gray.std((2, 3), keepdim=True))).clamp(max=1)
    return _smoothed(edge, 2, 1)


def _smoothed(values: Tensor, dim: int, reach: int) -> Tensor:
    """Mean over neighbouring directions."""
    return torch.stack([values.roll(k, dim) for k in range(-reach, reach + 1)]).mean(0)


def _believed(evidence: Tensor) -> Tensor:
    """Whether there is a rim in each direction ``(B, 2, A)``: no short gaps, no short parts, both lenses alike."""
    mean = _smoothed(evidence, 2, 3)
    belief = ramp(torch.lerp(mean, mean.flip(1), 0.2), _BELIEF)
    belief = -_most(-_most(belief, _GAP), _GAP)
    return _most(-_most(-belief, _LEAST), _LEAST)


def _most(values: Tensor, reach: int) -> Tensor:
    """The largest among neighbouring directions."""
    return functional.max_pool1d(functional.pad(values, (reach, reach), mode="circular"), 2 * reach + 1, 1)

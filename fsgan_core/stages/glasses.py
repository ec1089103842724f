"""Frames of glasses in an answer of the segmentation network, kept whole where it sees them in part.

A network is less sure of a wire than of a hand. Once it is sure that glasses are worn, which a bridge or half a rim
tells, little is needed to believe the rest of the line.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..ops.boxes import Part, surrounding
from ..ops.face_model import FaceModel
from ..ops.flow import identity, sample
from ..ops.geometry import inverse_2x2
from ..ops.masks import ramp
from ..ops.pooling import box_max
from .dark_lenses import both_dark, broad, darkness, decided, tints
from .lenses import Lenses, LensTracer

_BESIDE = 7
"""Pixels around the part of the network's square that is looked at."""
_ROUNDS, _STEP = 8, 7
"""How often a line that is hardly seen is followed from where it is surely seen, and in squares of how many pixels."""
_ACROSS, _TOP, _BOTTOM = 0.95, -0.32, 0.3
"""Where glasses are, on the mean face (distances between the outer eye corners, eyes at about 0, y down)."""
_RIM = 0.12
"""How much farther up and down a rim may be that was followed all around."""
_MIDDLE = 0.45
"""Half the width of the part in which no hair or background is taken for them."""
_EDGE = 13
"""Side in pixels of the square around a place of that part that lies in the mesh: outlines are never sure."""
_SEEN = (0.02, 0.05)
"""Share of that part that is surely hidden: none worn; worn."""
_NEWS = 0.2
"""How much a frame counts in what is hidden as a rule."""
_KEPT, _ALIKE = 0.7, 0.6
"""How much of what was seen before is kept at most, and by how much it may differ to be kept at all."""
_SURE = (0.75, 0.95)
"""How much of a place behind a clear lens is hidden if nothing, and if something, is in front of the lens."""


@dataclass(frozen=True)
class Look:
    """What the network was given.

    Attributes:
        pictures: ``(B, 3, S, S)``.
        landmarks: ``(B, 478, 3)`` pixels.
        prior: ``(B, 3, S, S)``, see :func:`~fsgan_core.stages.open_segmentation.mesh_prior`.
    """

    pictures: Tensor
    landmarks: Tensor
    prior: Tensor


@dataclass(frozen=True)
class Seen:
    """What a frame of a track leaves for the next one.

    Attributes:
        hidden: ``(B, 1, S, S)`` how much of each pixel is not face.
        share: ``(B, 1, 1, 1)`` how much of the part between the eyes is hidden, as a rule.
        landmarks: ``(B, 478, 3)`` pixels.
        tint: ``(B, 2)`` how much of each lens is hidden, as a rule; None before glasses are seen.
    """

    hidden: Tensor
    share: Tensor
    landmarks: Tensor
    tint: Tensor | None = None


class Glasses:
    """Completes frames of glasses.

    Args:
        model: the face model; on the device of the pictures.
    """

    def __init__(self, model: FaceModel) -> None:
        self.traced = LensTracer(model)

    def kept_whole(self, hidden: Tensor, look: Look, before: Seen | None = None) -> tuple[Tensor, Seen]:
        """Lines around the eyes that are hardly seen are believed if glasses are worn; the rest is decided.

        Lines are followed from where they are surely seen (hysteresis, Canny 1986), so that an iris is none, and rims
        all around their lenses. What is hidden in parts behind clear lenses, as lids are, is face. If one lens is dark,
        both are, and hide what is behind them.

        Args:
            hidden: ``(B, 1, S, S)`` how much of each pixel is not face, in [0, 1].
            look: what it was found in.
            before: what was seen in the frame before of the same face; there glasses are worn or not as a rule.

        Returns:
            ``(B, 1, S, S)``, the same away from the eyes and where no glasses are seen; and what the next frame is
            to be given.
        """
        inside, x, y = look.prior.split(1, 1)
        zone = inside * ((y > _TOP - _RIM) & (y < _BOTTOM + _RIM) & (x.abs() < _ACROSS))
        part = surrounding(zone, _BESIDE)
        share = hidden_share(hidden[part], look.prior[part])
        if before is not None:
            share = torch.lerp(before.share, share, _NEWS)
        sure = _worn(share)
        if not sure.any():
            return hidden, Seen(hidden, share, look.landmarks, before.tint if before else None)
        if before is not None:
            hidden = hidden.clone()
            hidden[part] = torch.lerp(hidden[part], self._steadied(hidden, look, before, part), zone[part])
        seen, size = hidden[part], hidden.shape[-1]
        lenses = self.traced(hidden, look.pictures, look.landmarks)
        rim, within = lenses.drawn(identity(size, size, hidden)[part])
        found = torch.lerp(seen, _followed(seen), (zone * ((y > _TOP) & (y < _BOTTOM)))[part])
        tint = tints(hidden, inside, lenses)
        if before is not None and before.tint is not None:
            tint = torch.lerp(before.tint, tint, _NEWS)
        clear, tinted = _cleared(found, seen, within), darkness(tint)
        if tinted.any():
            whole = both_dark(hidden, inside, lenses, self.traced.plane(look.landmarks))
            clear = torch.lerp(clear, torch.maximum(found, whole[part]), tinted)
        found = torch.maximum(clear, rim)
        result = hidden.clone()
        result[part] = torch.lerp(seen, found, zone[part] * sure)
        return result, Seen(hidden, share, look.landmarks, tint)

    def lenses(self, hidden: Tensor, look: Look) -> tuple[Lenses, Tensor]:
        """The rims, and their :func:`~fsgan_core.stages.dark_lenses.tints`.

        Nothing is believed of them where no glasses are worn. Arguments as for :meth:`kept_whole`.
        """
        found = self.traced(hidden, look.pictures, look.landmarks)
        worn = _worn(hidden_share(hidden, look.prior))[..., 0]
        return replace(found, belief=found.belief * worn), tints(hidden, look.prior[:, :1], found)

    def _steadied(self, hidden: Tensor, look: Look, before: Seen, part: Part) -> Tensor:
        """What is hidden in a part, drawn to what was before where that is much alike; a hand is seen at once."""
        now, then = (self.traced.plane(points) for points in (look.landmarks, before.landmarks))
        size = hidden.shape[-1]
        places = identity(size, size, hidden)[part]
        back = then[..., :2] @ inverse_2x2(now[..., :2])
        moved = back @ (places.flatten(2) - now[..., 2:]) + then[..., 2:]
        past = sample(before.hidden, moved.unflatten(2, places.shape[2:]))
        return torch.lerp(hidden[part], past, _KEPT * (1 - (hidden[part] - past).abs() / _ALIKE).clamp_min(0))


def _followed(hidden: Tensor) -> Tensor:
    """What is hidden, decided, with lines that are hardly seen where they go on from others."""
    sure = decided(hidden)
    line = ((hidden - broad(hidden) - 0.1) / 0.22).clamp(0, 1)
    joined = torch.minimum(line, sure)
    for _ in range(_ROUNDS):
        joined = torch.minimum(box_max(joined, _STEP), line)
    return torch.maximum(joined, sure)


def _cleared(found: Tensor, hidden: Tensor, within: Tensor) -> Tensor:
    """What was found ``(B, 1, H, W)`` without what is half hidden within clear lenses ``(B, 2, H, W)``."""
    surely = ramp(hidden, _SURE)
    return torch.lerp(found, torch.minimum(found, surely), within.amax(1, keepdim=True))


def _worn(share: Tensor) -> Tensor:
    """How surely glasses are worn, given what is hidden between the eyes."""
    return ramp(share, _SEEN)


def hidden_share(hidden: Tensor, prior: Tensor) -> Tensor:
    """Share of the part between the eyes that is surely hidden, ``(B, 1, 1, 1)``.

    Args:
        hidden: ``(B, 1, S, S)`` how much of each pixel is not face, in [0, 1].
        prior: see :class:`Look`.
    """
    inside, x, y = prior.split(1, 1)
    middle = (1 - box_max(1 - inside, _EDGE)) * ((y > _TOP) & (y < _BOTTOM) & (x.abs() < _MIDDLE))
    return ((hidden > 0.5) * middle).sum((2, 3), keepdim=True) / middle.sum((2, 3), keepdim=True).clamp_min(1)

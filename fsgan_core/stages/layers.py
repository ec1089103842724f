"""What warping a view gives: fields that say of each place of a result where it is looked up."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..ops.flow import identity, sample
from ..ops.head_mesh import Placement
from .outline import Outline

_FIELDS = ("flow", "mirror_flow", "seen", "mirrored", "blur", "mask", "near", "openings", "missing", "unfolded")
"""What a layer says of each place."""


@dataclass(frozen=True)
class Anchor:
    """Where a crop lies in a picture: a pixel p of the crop shows the picture's pixel ``scale * p + (left, top)``."""

    scale: float
    left: float
    top: float

    def flow(self, places: Tensor) -> Tensor:
        """The picture's pixels for places ``(B, 2, H, W)`` of the crop."""
        return self.scale * places + places.new_tensor((self.left, self.top))[:, None, None]


@dataclass(frozen=True)
class Layer:
    """One view warped to the target, in the field's resolution.

    Attributes:
        picture: ``(1, 3, h, w)`` the level of the view to sample.
        flow: ``(1, 2, F, F)`` pixels of ``picture``.
        mirror_flow: the same for the mirrored half of the face.
        seen: ``(1, 1, F, F)`` trust in ``flow``, in [0, 1].
        mirrored: trust in ``mirror_flow``.
        blur: levels of detail to leave out along ``flow``, since pixels seen edge-on are stretched to streaks.
        mask: where the mesh is drawn, 0 or 1; between them at its edge once it is shifted.
        near: ``mask`` grown by three pixels.
        openings: inside of mouth and eyes.
        missing: the part of ``openings`` that the view does not show.
        unfolded: how far skin loses its creases; see :mod:`~fsgan_core.stages.creases`.
        steps: number of steps taken.
        start: the view's face in pixels of the field.
        base: where the field lies in ``picture``.
        own: whether the result lies in the view's own picture.
        outline: ``flow`` torn along the nose, if it turns enough.
    """

    picture: Tensor
    flow: Tensor
    mirror_flow: Tensor
    seen: Tensor
    mirrored: Tensor
    blur: Tensor
    mask: Tensor
    near: Tensor
    openings: Tensor
    missing: Tensor
    unfolded: Tensor
    steps: int
    start: Placement
    base: Anchor
    own: bool
    outline: Outline | None = None

    def shifted(self, shift: Tensor) -> Layer:
        """The same looked at beside each place, by ``(1, 2, F, F)`` pixels of the field."""
        fields = [getattr(self, name) for name in _FIELDS]
        places = identity(shift.shape[2], shift.shape[3], shift) + shift
        moved = sample(torch.cat(fields, 1), places).split([field.shape[1] for field in fields], 1)
        outline = self.outline and self.outline.at(places)
        return replace(self, **dict(zip(_FIELDS, moved, strict=True)), outline=outline)

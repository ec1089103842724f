"""Blending (Gb): the source's face into the target's picture, in its light and without a seam."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Protocol

import torch
from torch import Tensor

from ..networks.membrane_net import MembraneNet
from ..ops.border_detail import limit_border_detail
from ..ops.boxes import Part, surrounding
from ..ops.color import ColorMatch, apply_color_match, estimate_color_match, oklab_to_srgb, srgb_to_oklab, widened
from ..ops.fineness import grained, softened
from ..ops.light import border_membrane, low_frequencies
from ..ops.masks import erode, feather
from ..ops.multiband import multiband_blend
from ..ops.poisson import Mode, mixed_membrane, poisson_blend
from ..ops.relighting import relit
from ..options import Range, check_ranges
from .open_blending import learned_fill, load_membrane_net
from .open_networks import placed


@dataclass(frozen=True, kw_only=True)
class BlendOptions:
    """How a face is blended; every blender uses what concerns it."""

    mode: Mode = "normal"
    """poisson: normal keeps the source's details, mixed the stronger of the source's and the target's"""
    color: bool = True
    """match colours and contrast; constant along a track if the blender is given a ColorMatch"""
    light: Annotated[float, Range(0, 1)] = 1.0
    """how much of the target's low-frequency light is taken over"""
    fineness: Annotated[float, Range(0, 1)] = 1.0
    """how much of the target's blur and grain the face takes over, constant along a track; nothing is sharpened"""
    feather: Annotated[float, Range(0, 1)] = 0.08
    """width of the soft edge made inside the mask, in sides of the face; 0 takes the mask as it is"""
    exact: bool = False
    """poisson: meet the target exactly at the border and do not feather; with color off, light 0 and
    fineness 0 this is the plain method, which bleeds where the two are lit differently"""

    def __post_init__(self) -> None:
        check_ranges(self)


Skins = tuple[Tensor, Tensor]
"""Source and target without what grows on their skin, see :func:`~fsgan_core.stages.beards.shaved`."""

PLAIN_POISSON = BlendOptions(color=False, light=0.0, fineness=0.0, exact=True)
"""Poisson image editing without the remedies, for comparison."""


class Blender(Protocol):
    """Puts a face into a picture.

    Attributes:
        options: those that concern it are used.
    """

    options: BlendOptions

    def __call__(
        self,
        source: Tensor,
        target: Tensor,
        mask: Tensor,
        color: ColorMatch | None = None,
        skins: Skins | None = None,
    ) -> Tensor:
        """Blend; items of a batch do not influence each other.

        Args:
            source: ``(B, 3, H, W)`` the face, aligned with the target; only used where the mask is not 0.
            target: ``(B, 3, H, W)``.
            mask: ``(B, 1, H, W)``, soft or hard: the face.
            color: colours and fineness of the track; None estimates them for every item.
            skins: ``(B, 3, H, W)`` each, whose light is exchanged; source and target themselves without.

        Returns:
            ``(B, 3, H, W)`` the finished picture in [0, 1] and the target's dtype; exactly the target where the mask
            is 0. To paste it into a larger frame take ``mask > 0`` as the mask, or the soft edge is applied twice.
        """


class FloatBlender(ABC):
    """A :class:`Blender` that computes in at least float32, whatever it is given.

    Args:
        options: see :class:`BlendOptions`.
    """

    def __init__(self, options: BlendOptions | None = None) -> None:
        self.options = options or BlendOptions()

    @torch.inference_mode()
    def __call__(
        self,
        source: Tensor,
        target: Tensor,
        mask: Tensor,
        color: ColorMatch | None = None,
        skins: Skins | None = None,
    ) -> Tensor:
        """See :class:`Blender`."""
        wide = widened(source, target, mask, *(skins or (source, target)))
        return self.blend(wide[0], wide[1], wide[2], color, (wide[3], wide[4])).to(target.dtype)

    @abstractmethod
    def blend(self, source: Tensor, target: Tensor, mask: Tensor, color: ColorMatch | None, skins: Skins) -> Tensor:
        """See :meth:`__call__`; all are float32 or float64."""


class FeatherBlender(FloatBlender):
    """Lay the face over the target under the soft mask, after matching colour and light."""

    def blend(self, source: Tensor, target: Tensor, mask: Tensor, color: ColorMatch | None, skins: Skins) -> Tensor:
        """See :class:`FloatBlender`."""
        face = match_appearance(source, target, mask, self.options, color, skins)
        return _overlay(face, target, feather(mask, self.options.feather))


class MultibandBlender(FloatBlender):
    """Blend a Laplacian pyramid, after matching colour and light."""

    def blend(self, source: Tensor, target: Tensor, mask: Tensor, color: ColorMatch | None, skins: Skins) -> Tensor:
        """See :class:`FloatBlender`."""
        face = match_appearance(source, target, mask, self.options, color, skins)
        return multiband_blend(face, target, mask).clamp(0, 1)


class PoissonBlender(FloatBlender):
    """Blend gradients, after matching colour and light, with a bounded correction at the border (the default).

    See :mod:`fsgan_core.ops.light` for why; ``exact`` gives the classical border.
    """

    def blend(self, source: Tensor, target: Tensor, mask: Tensor, color: ColorMatch | None, skins: Skins) -> Tensor:
        """See :class:`FloatBlender`."""
        options = self.options
        face = match_appearance(source, target, mask, options, color, skins)
        # One pixel less, so that no pixel beyond the mask is needed for the gradients across the border.
        inner = erode((mask > 0.5).to(target.dtype))
        if options.exact:
            return poisson_blend(face, target, inner, options.mode).clamp(0, 1)
        face = face + border_membrane(face, skins[1], mask)
        if options.mode == "mixed":
            face = face + mixed_membrane(face, target, inner)
        return _overlay(face, target, feather(mask, options.feather))


class OpenBlender(FloatBlender):
    """Blend gradients as :class:`PoissonBlender` does, with a network that was trained to solve Poisson's equation.

    Args:
        options: see :class:`BlendOptions`.
        network: another network than the bundled one.
    """

    def __init__(self, options: BlendOptions | None = None, network: MembraneNet | None = None) -> None:
        super().__init__(options)
        self.network = network or load_membrane_net()

    def blend(self, source: Tensor, target: Tensor, mask: Tensor, color: ColorMatch | None, skins: Skins) -> Tensor:
        """See :class:`FloatBlender`."""
        options, fill = self.options, partial(learned_fill, placed(self.network, target.device))
        face = match_appearance(source, target, mask, options, color, skins)
        inner = erode((mask > 0.5).to(target.dtype))
        joined = fill(target - face, inner) if options.exact else border_membrane(face, skins[1], mask, fill=fill)
        if options.mode == "mixed":
            joined = joined + mixed_membrane(face, target, inner)
        return _overlay(face + joined, target, inner if options.exact else feather(mask, options.feather))


def match_appearance(
    source: Tensor,
    target: Tensor,
    mask: Tensor,
    options: BlendOptions,
    color: ColorMatch | None = None,
    skins: Skins | None = None,
) -> Tensor:
    """Bring the source into the target's colours, light and fineness as the options say.

    Args:
        source: ``(B, 3, H, W)`` in [0, 1].
        target: ``(B, 3, H, W)`` in [0, 1].
        mask: ``(B, 1, H, W)``.
        options: color, light and fineness are used.
        color: see :class:`Blender`.
        skins: see :class:`Blender`.

    Returns:
        ``(B, 3, H, W)``, meaningful where the mask is not 0.
    """
    skins = skins or (source, target)
    if not options.color and options.fineness == 0:
        return _lit(source, target, mask, None, options.light, skins)
    match = (color or estimate_color_match(source, target, mask)).eased(options.fineness)
    blur, *grain = match.fineness.unbind(1)
    face = softened(source, mask, blur)
    face = _lit(face, target, mask, match if options.color else None, options.light, skins)
    part = surrounding(mask)
    return _with(face, part, grained(face[part], target, part, grain))


def _lit(source: Tensor, target: Tensor, mask: Tensor, match: ColorMatch | None, light: float, skins: Skins) -> Tensor:
    """The source in the target's colours, if there is a match, and in some of its light."""
    if match is None and light == 0:
        return source
    if light == 0 and match:
        return apply_color_match(source, match)
    part = surrounding(mask)
    before, theirs = (low[part] for low in low_frequencies(*skins, mask))
    ours, gain = (match.moved(before), match.gain[..., None, None]) if match else (before, None)
    skin = torch.lerp(ours, theirs, light)
    lab = relit(srgb_to_oklab(source[part]), before, skin, gain)
    lab = match.dimmed(skin, mask[part]).bounded(lab, skin) if match else lab
    face = _with(source, part, oklab_to_srgb(lab))
    return limit_border_detail(face, target, mask, light)


def _with(image: Tensor, part: Part, values: Tensor) -> Tensor:
    """The picture with other values in a part of it."""
    result = image.clone()
    result[part] = values
    return result


def _overlay(face: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    return torch.where(mask > 0, torch.lerp(target, face.clamp(0, 1), mask), target)


BLENDERS: dict[str, Callable[[BlendOptions | None], Blender]] = {
    "poisson": PoissonBlender,
    "learned": OpenBlender,
    "multiband": MultibandBlender,
    "feather": FeatherBlender,
}
"""Blending backends by name."""

"""Colour spaces, and colour matching with parameters that can be kept for a whole track."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from .fineness import estimate_fineness
from .pooling import length, summed
from .relighting import DARK, at_lightness, bounded, relit, saturation

_FINE = 256
"""Side in pixels up to which colour statistics are taken pixel by pixel."""

_ALONE, _WHOLE = 32768, 32 * 840
"""Values up to which one thread does the work, and a number of vectors that one to eight threads share evenly."""

_CONTRAST, _COLOR = (0.8, 1.2), 1.2
"""Bounds of the gain of lightness, and most of saturation's."""
_PLAIN = 0.03
"""Variety of saturation that any skin may have."""
_BLACK, _VIVID = 0.002, 0.99
"""Quantiles of a face's lightness and of its differences in saturation that are taken for its extremes."""
_DARKENED = 0.8
"""Share of the lightness that was measured below which a frame is darker, not only another of the same clip."""
_NOSTRILS = 0.75
"""Share of the skin's lightness below which any face may have something."""

# OKLab (Ottosson, A perceptual color space for image processing, 2020): linear sRGB to cone responses, whose cube
# roots are combined into lightness and two opponent colours.
_CONES = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
_OPPONENTS = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)
_FROM_CONES, _FROM_OPPONENTS = (
    torch.linalg.inv(torch.tensor(matrix, dtype=torch.float64)).tolist() for matrix in (_CONES, _OPPONENTS)
)


def _power(values: Tensor, exponent: float) -> Tensor:
    """Raise to a power, with the same bits from any number of threads up to eight.

    Each thread computes the values left over from its vectors in another way, so the threads' shares are made whole
    vectors.
    """
    if values.device.type != "cpu" or values.numel() <= _ALONE:
        return values.pow(exponent)
    filled = F.pad(values.flatten(), (0, -values.numel() % _WHOLE), value=1.0)
    return filled.pow(exponent)[: values.numel()].view_as(values)


def srgb_to_linear(image: Tensor) -> Tensor:
    """Undo the sRGB transfer curve (IEC 61966-2-1): values in [0, 1] become proportional to light."""
    return torch.where(image <= 0.04045, image / 12.92, _power((image.clamp_min(0) + 0.055) / 1.055, 2.4))


def linear_to_srgb(image: Tensor) -> Tensor:
    """Apply the sRGB transfer curve; the inverse of :func:`srgb_to_linear`, values clamped to [0, 1]."""
    light = image.clamp(0, 1)
    return torch.where(light <= 0.0031308, light * 12.92, 1.055 * _power(light.clamp_min(0.0031308), 1 / 2.4) - 0.055)


def srgb_to_oklab(image: Tensor) -> Tensor:
    """Convert ``(B, 3, H, W)`` sRGB in [0, 1] to OKLab: L in [0, 1], a and b within about +-0.35."""
    cones = _mix(srgb_to_linear(image.clamp(0, 1)), image.new_tensor(_CONES))
    return _mix(_power(cones.clamp_min(0), 1 / 3), image.new_tensor(_OPPONENTS))


def oklab_to_srgb(lab: Tensor) -> Tensor:
    """Convert ``(B, 3, H, W)`` OKLab to sRGB; colours that do not exist are clamped to [0, 1]."""
    cones = _mix(lab, lab.new_tensor(_FROM_OPPONENTS)).pow(3)
    return linear_to_srgb(_mix(cones, lab.new_tensor(_FROM_CONES)))


@dataclass(frozen=True, kw_only=True)
class ColorMatch:
    """Colours, and fineness, moved from one face to another; constant along a track, so that they do not flicker.

    Attributes:
        source: ``(B, 3)`` mean OKLab colour of the source's face, or ``(1, 3)`` for any batch.
        target: ``(B, 3)`` or ``(1, 3)`` mean of the target's.
        gain: ``(B, 3)`` or ``(1, 3)``, see :func:`~fsgan_core.ops.relighting.relit`.
        bounds: ``(B, 2)`` or ``(1, 2)``, see :func:`~fsgan_core.ops.relighting.bounded`.
        fineness: ``(B, 4)`` or ``(1, 4)``, see :func:`~fsgan_core.ops.fineness.estimate_fineness`.
        whites: ``(B, 2, 3)`` or ``(1, 2, 3)``, see :func:`~fsgan_core.stages.eye_light.unusual_whites`.
        beards: ``(1, 2)`` see :func:`~fsgan_core.stages.beards.bearded`.
    """

    source: Tensor
    target: Tensor
    gain: Tensor
    bounds: Tensor
    fineness: Tensor
    whites: Tensor = field(default_factory=lambda: torch.zeros(1, 2, 3))
    beards: Tensor = field(default_factory=lambda: torch.zeros(1, 2))

    @staticmethod
    def usual(matches: Sequence[ColorMatch]) -> ColorMatch:
        """One mapping for a track, ``(1, 3)``, of those of some of its frames: the median of each value."""
        values = {name: torch.cat([vars(match)[name] for match in matches]) for name in vars(matches[0])}
        return ColorMatch(**{name: value.quantile(0.5, 0, keepdim=True) for name, value in values.items()})

    def eased(self, share: float) -> ColorMatch:
        """The same with a share in [0, 1] of the blur and of the grain; colours stay."""
        return replace(self, fineness=self.fineness * self.fineness.new_tensor((share, share, 1, 1)))

    def dimmed(self, skin: Tensor, mask: Tensor) -> ColorMatch:
        """The same for a frame that is much darker than those that were measured, as in a fade: so are its blacks.

        Args:
            skin: ``(B, 3, H, W)`` OKLab, the light in the frame.
            mask: ``(B, 1, H, W)`` the face.
        """
        usual = (skin[:, :1] * mask).sum((1, 2, 3)) / mask.sum((1, 2, 3)).clamp_min(1e-6)
        share = (usual / (_DARKENED * self.target[:, 0]).clamp_min(1e-3)).clamp(0, 1)
        return replace(self, bounds=torch.stack((share * self.bounds[:, 0], self.bounds[:, 1].expand_as(share)), 1))

    def moved(self, lab: Tensor) -> Tensor:
        """Map OKLab colours ``(B, 3, H, W)``."""
        return relit(lab, *(x[..., None, None] for x in (self.source, self.target, self.gain)))

    def bounded(self, lab: Tensor, skin: Tensor | None = None) -> Tensor:
        """Keep colours ``(B, 3, H, W)`` within the bounds, seen against a skin of that shape or the target's mean."""
        return bounded(lab, self.target[..., None, None] if skin is None else skin, self.bounds[..., None, None])


def estimate_color_match(source: Tensor, target: Tensor, mask: Tensor) -> ColorMatch:
    """Match mean and spread of the colours under the mask (after Reinhard et al., Color Transfer between Images, 2001).

    Both are robust: eyes, a beard or an occluder count less than skin. The contrast of a face as a share of its
    lightness is its own; it is moved half of the way to the target's, within bounds. Differences in saturation shrink
    with the skin's, to nothing in a black-and-white target, and where they vary more than the target's, as in coloured
    light. The target's blacks and its most colourful details are bounds, and fineness is measured as well.

    Args:
        source: ``(B, 3, H, W)`` in [0, 1].
        target: ``(B, 3, H, W)`` in [0, 1].
        mask: ``(B, 1, H, W)`` weights of the pixels; the items with an empty one are not changed by the mapping.

    Returns:
        One mapping an item, in at least float32.
    """
    source, target, mask = widened(source, target, mask)
    match = _estimate_colors(source, target, mask)
    matched = oklab_to_srgb(match.moved(srgb_to_oklab(source)))
    return replace(match, fineness=estimate_fineness(matched, target, mask))


def _estimate_colors(source: Tensor, target: Tensor, mask: Tensor) -> ColorMatch:
    """See :func:`estimate_color_match`; without fineness."""
    larger = max(mask.shape[-2:])
    if larger > _FINE:
        # Statistics need no fine pixels, and a large crop would cost seconds.
        source, target, mask = (
            F.interpolate(x, scale_factor=_FINE / larger, mode="area") for x in (source, target, mask)
        )
    ours, theirs = (_moments(x, mask) for x in (source, target))
    contrast = (theirs.contrast / ours.contrast).sqrt().clamp(*_CONTRAST)
    saturated = theirs.saturation / ours.saturation
    plain = theirs.variety.clamp_min(_PLAIN) / ours.variety
    # Of what is lighter than skin the difference stays, not the ratio: shine, and the white of an eye.
    lighter = contrast * (ours.mean[:, :1] + DARK) / (theirs.mean[:, :1] + DARK)
    gain = torch.cat((contrast, lighter, torch.minimum(saturated, plain).clamp(max=_COLOR)), 1)
    return ColorMatch(
        source=ours.mean,
        target=theirs.mean,
        gain=gain,
        bounds=_bounds(target, mask),
        fineness=gain.new_zeros(len(gain), 4),
    )


def apply_color_match(image: Tensor, match: ColorMatch) -> Tensor:
    """Map the colours of ``(B, 3, H, W)`` in [0, 1]; the result is clamped to [0, 1] and of the same dtype."""
    (wide,) = widened(image)
    return oklab_to_srgb(match.bounded(match.moved(srgb_to_oklab(wide)))).to(image.dtype)


def widened(*pictures: Tensor) -> list[Tensor]:
    """Pictures in at least float32: half precision is too coarse for sums over pixels, and lacks some kernels."""
    return [picture.to(torch.promote_types(picture.dtype, torch.float32)) for picture in pictures]


def _mix(image: Tensor, matrix: Tensor) -> Tensor:
    return torch.einsum("ij,bjhw->bihw", matrix, image)


def _bounds(image: Tensor, mask: Tensor) -> Tensor:
    """Blacks of a face, and how far its saturation differs from its usual one: ``(B, 2)``; none where there is none."""
    bounds = image.new_tensor([0.0, 1e3]).repeat(len(image), 1)
    for one, colors, face in zip(bounds, srgb_to_oklab(image).flatten(2), mask.flatten(1) > 0.5, strict=True):
        if face.any():
            lab = colors[:, face]
            usual = lab.median(1, keepdim=True).values
            beyond = length(saturation(lab[None]) - saturation(usual[None]))
            one[0] = torch.minimum(torch.quantile(lab[0], _BLACK), _NOSTRILS * usual[0, 0])
            one[1] = torch.quantile(beyond, _VIVID).clamp_min(_PLAIN)
    return bounds


@dataclass(frozen=True)
class _Moments:
    """Colours of a face: mean ``(B, 3)`` in OKLab; contrast, saturation and its variety ``(B, 1)``."""

    mean: Tensor
    contrast: Tensor
    saturation: Tensor
    variety: Tensor


def _moments(image: Tensor, mask: Tensor) -> _Moments:
    """Statistics under the mask by reweighting: what is far from the rest is no skin."""
    lab, weight = srgb_to_oklab(image), mask
    values = torch.cat((lab[:, :1], saturation(lab)), 1)
    for _ in range(4):
        share = weight / summed(weight, (2, 3)).clamp_min(1e-6)
        mean = summed(values * share, (2, 3))
        variance = summed((values - mean).square() * share, (2, 3)) + 1e-6
        weight = mask / (1 + ((values - mean).square() / variance).mean(1, keepdim=True))
    color = at_lightness(mean[:, :1], mean[:, 1:])
    contrast = variance[:, :1].sqrt() / (color[:, :1] + DARK)
    variety = variance[:, 1:].sum(1, keepdim=True)
    tint = mean[:, 1:].square().sum(1, keepdim=True) + variety
    return _Moments(*(x[..., 0, 0] for x in (color, contrast, tint.sqrt(), variety.sqrt())))

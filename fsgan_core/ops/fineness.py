"""Fineness of a picture: how far its lens, size or coding blurs it, and its grain; a face takes over both.

A crisp face in a soft picture looks pasted, and so does a smooth one in a noisy picture. Blur is told from contrast
and from how much texture a skin has by the shape of the spectrum: what the finer of two neighbouring bands holds of
what the coarser one does. Nothing is ever sharpened.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from .masks import erode

_LUMA = (0.299, 0.587, 0.114)
_WINDOW = 192
"""Side in pixels of the middle of a face that is looked at."""
_FINE, _MIDDLE, _COARSE = 0.7, 1.4, 2.8
"""Standard deviations in pixels of the blurs between which the two bands lie."""
_LEAST, _MOST = 0.3, 3.0
"""Blurs in pixels that are not worth drawing, and that nothing goes beyond."""
_STEPS = 20
"""Bins of a spectrum a radian."""
_NOISY = 54
"""Bin from which on there is little but noise in photos."""
_CLIPPED = 4.0
"""Grain is at most so many times its usual size: more is an edge."""


def estimate_fineness(source: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """What makes a face as fine as a picture.

    Args:
        source: ``(B, 3, H, W)`` in [0, 1], valid where the mask is not 0.
        target: ``(B, 3, H, W)`` in [0, 1].
        mask: ``(B, 1, H, W)``.

    Returns:
        ``(B, 3)``: standard deviation in pixels of a blur of the source; share of the target's grain to be added; usual
        size of that grain, in [0, 1].
    """
    return torch.stack([_fineness(*one) for one in zip(source.split(1), target.split(1), mask.split(1), strict=True)])


def softened(image: Tensor, mask: Tensor, blur: Tensor) -> Tensor:
    """Blur what is under a mask, from nothing but that.

    Args:
        image: ``(B, C, H, W)``.
        mask: ``(B, 1, H, W)``.
        blur: ``(B,)`` standard deviations in pixels.
    """
    if not (blur > _LEAST).any():
        return image
    inside = (mask > 0).to(image.dtype)
    soft = blurred(torch.cat((torch.where(mask > 0, image, 0), inside), 1), blur)
    return torch.where(inside > 0, soft[:, :-1] / soft[:, -1:].clamp_min(1e-4), image)


def grained(image: Tensor, target: Tensor, share: Tensor, size: Tensor) -> Tensor:
    """Add the target's grain: its finest details as far as they are no larger than grain is.

    Args:
        image: ``(B, 3, H, W)``.
        target: ``(B, 3, H, W)``.
        share: ``(B,)`` of it.
        size: ``(B,)`` usual size of it.
    """
    if not (share > 0).any():
        return image
    most = (_CLIPPED * size)[:, None, None, None]
    grain = target - blurred(target, torch.full_like(share, _FINE))
    return image + share[:, None, None, None] * grain.clamp(-most, most)


def blurred(image: Tensor, sigma: Tensor) -> Tensor:
    """Blur ``(B, C, H, W)`` with Gaussians of ``(B,)`` pixels; the border is repeated."""
    reach = max(1, math.ceil(2.5 * float(sigma.amax())))
    places = torch.arange(-reach, reach + 1, dtype=image.dtype, device=image.device)
    weights = torch.softmax(-0.5 * (places / sigma.to(image)[:, None].clamp_min(0.1)).square(), 1)[
        ..., None, None, None
    ]
    for dim, margin in ((3, (reach, reach, 0, 0)), (2, (0, 0, reach, reach))):
        padded, length = functional.pad(image, margin, mode="replicate"), image.shape[dim]
        # Sums of shifted pictures: convolutions with a filter a channel take ten times as long on a CPU.
        image = weights[:, reach] * image
        for step in range(1, reach + 1):
            both = padded.narrow(dim, reach - step, length) + padded.narrow(dim, reach + step, length)
            image = image.addcmul_(both, weights[:, reach + step])
    return image


def _fineness(source: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    ours, theirs, inner = (_middle(x, mask) for x in (_luma(source), _luma(target), mask))
    inner = erode((inner > 0.5).to(source.dtype), max(1, min(inner.shape[-2:]) // 32))
    if inner.sum() < 256:
        return source.new_zeros(3)
    spectra = [_spectrum(luma, inner) for luma in (ours, theirs)]
    sigmas = torch.linspace(0, _MOST, 61, device=source.device, dtype=source.dtype)
    wanted = _bands(spectra[1], sigmas[:1])
    blur = sigmas[int((_bands(spectra[0], sigmas) > wanted).sum().clamp(max=60))]
    grains = [_grain(luma, inner) for luma in (ours, theirs)]
    share = (1 - (grains[0] / grains[1].clamp_min(1e-4)).square()).clamp_min(0).sqrt()
    return torch.stack((blur, share, grains[1]))


def _luma(image: Tensor) -> Tensor:
    return (image * image.new_tensor(_LUMA)[:, None, None]).sum(1, keepdim=True)


def _middle(image: Tensor, mask: Tensor) -> Tensor:
    """The window around a mask's middle."""
    rows, columns = (mask[0, 0].sum(dim) for dim in (1, 0))
    corners = []
    for line in (rows, columns):
        middle = (line * torch.arange(len(line), device=line.device)).sum() / line.sum().clamp_min(1e-6)
        corners.append(max(0, min(int(middle) - _WINDOW // 2, len(line) - _WINDOW)))
    return image[..., corners[0] : corners[0] + _WINDOW, corners[1] : corners[1] + _WINDOW]


def _spectrum(luma: Tensor, inner: Tensor) -> Tensor:
    """Power by frequency ``(F,)``, in steps of 1 / :data:`_STEPS` radians a pixel, of what is finer than shading."""
    coarse = luma.new_tensor([2 * _COARSE])
    shade = blurred(luma * inner, coarse) / blurred(inner, coarse).clamp_min(1e-4)
    power = torch.fft.rfft2((luma - shade) * inner * blurred(inner, coarse / 2)).abs().square()
    down, across = torch.fft.fftfreq(luma.shape[-2]), torch.fft.rfftfreq(luma.shape[-1])
    bins = (2 * math.pi * _STEPS * torch.hypot(down[:, None], across)).long().to(luma.device)
    sums, counts = (
        power.new_zeros(5 * _STEPS).index_add_(0, bins.flatten(), values.flatten())
        for values in (power, torch.ones_like(power))
    )
    # What the finest frequencies hold is noise, and the same in all.
    noise = sums[_NOISY:].sum() / counts[_NOISY:].sum()
    return (sums - noise * counts).clamp_min(0)


def _bands(power: Tensor, sigmas: Tensor) -> Tensor:
    """Energy of the finer band over that of the coarser one, of a spectrum ``(F,)`` after blurs ``(N,)``."""
    square = ((torch.arange(len(power)).to(power) + 0.5) / _STEPS).square()
    fine, middle, coarse = (torch.exp(-0.5 * sigma**2 * square) for sigma in (_FINE, _MIDDLE, _COARSE))
    left = power * torch.exp(-sigmas[:, None].square() * square)
    return (left * (fine - middle).square()).sum(1) / (left * (middle - coarse).square()).sum(1).clamp_min(1e-12)


def _grain(luma: Tensor, inner: Tensor) -> Tensor:
    """Usual size of the finest details where there are few: grain, not edges."""
    fine = (luma - blurred(luma, luma.new_tensor([_FINE]))).abs()[inner > 0]
    return torch.quantile(fine, 0.4)

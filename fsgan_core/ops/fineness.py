"""Fineness of a picture: how far its lens, size or coding blurs it, and its grain; a face takes over both.

A crisp face in a soft picture looks pasted, and so does a smooth one in a noisy picture. Blur is told from contrast
and from how much texture a skin has by how wide the steepest edges are: lids, nostrils and lips are sharp in a sharp
picture however smooth its skin is. Nothing is ever sharpened, nor softened to less detail than the target has.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from .boxes import Part, bounding_boxes, surrounding, widened
from .lowpass import weighted_lowpass
from .masks import erode

_LUMA = (0.299, 0.587, 0.114)
_WINDOW = 320
"""Side in pixels of the middle of a face that is looked at."""
_FINE, _DETAIL, _COARSE = 0.7, 1.0, 1.8
"""Standard deviations in pixels: of what is finest, of what detail is finer than; edges are as sharp as
slopes after the finest exceed those after the coarsest."""
_SHADE, _LEVEL = 12.0, 0.02
"""Standard deviation in pixels of what is light rather than detail; least light to divide by."""
_STEEP, _SHARP = 0.95, 0.9
"""Quantiles: slopes above the first are edges, and the sharpest of them above the second."""
_SLACK = 0.4
"""Square pixels by which edges may be wider than the target's: two faces differ by as much through one lens."""
_LEAST, _MOST = 0.3, 3.0
"""Blurs in pixels that are not worth drawing, and that nothing goes beyond."""
_HALVINGS = 6
"""How often the range of blurs is halved."""
_GRAIN, _LARGEST = 0.008, 2.8
"""Standard deviation of what grain and pores are finer than: share of the face's longer side, from ``_FINE`` pixels up
to so many, which a face of 350 pixels has: that blur already reaches 7 pixels beyond a mask."""
_CLIPPED = 1.8
"""Grain is at most so many times its usual size: more is an edge or a wrinkle."""


def estimate_fineness(source: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """What makes a face as fine as a picture.

    Args:
        source: ``(B, 3, H, W)`` in [0, 1], valid where the mask is not 0, in the target's colours.
        target: ``(B, 3, H, W)`` in [0, 1].
        mask: ``(B, 1, H, W)``.

    Returns:
        ``(B, 4)``: standard deviation in pixels of a blur of the source; share of the target's grain to be added; usual
        size of that grain, in [0, 1]; standard deviation in pixels of what it is finer than.
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
    part, result = surrounding(mask, 1), image.clone()  # beyond a pixel around there is nothing to blur with
    face, inside = image[part], (mask[part] > 0).to(image.dtype)
    soft = blurred(torch.cat((torch.where(inside > 0, face, 0), inside), 1), blur)
    result[part] = torch.where(inside > 0, soft[:, :-1] / soft[:, -1:].clamp_min(1e-4), face)
    return result


def grained(image: Tensor, target: Tensor, part: Part, grain: Sequence[Tensor]) -> Tensor:
    """Add the target's grain and pores: its finest details as far as they are no larger than those are.

    Args:
        image: ``(B, 3, h, w)`` what lies in a part of the target.
        target: ``(B, 3, H, W)``.
        part: which part of it.
        grain: each ``(B,)``, share of it, its usual size, and standard deviation in pixels of what it is finer than.
    """
    share, size, finer = grain
    if not (share > 0).any():
        return image
    wide, inner = widened(part, int(_reaches(finer).amax()), target)
    most = (_CLIPPED * size)[:, None, None, None]
    fine = (target[wide] - blurred(target[wide], finer))[inner]
    return image + share[:, None, None, None] * fine.clamp(-most, most)


def blurred(image: Tensor, sigma: Tensor) -> Tensor:
    """Blur ``(B, C, H, W)`` with Gaussians of ``(B,)`` pixels; the border is repeated."""
    sigma = sigma.to(image)[:, None].clamp_min(0.1)
    own = _reaches(sigma)  # an item's kernel does not depend on the others'
    far = int(own.amax())
    places = torch.arange(-far, far + 1, dtype=image.dtype, device=image.device)
    exponents = (-0.5 * (places / sigma).square()).masked_fill(places.abs() > own, -torch.inf)
    weights = torch.softmax(exponents, 1)[..., None, None, None]
    for dim, margin in ((3, (far, far, 0, 0)), (2, (0, 0, far, far))):
        padded, length = functional.pad(image, margin, mode="replicate"), image.shape[dim]
        # Sums of shifted pictures: convolutions with a filter a channel take ten times as long on a CPU.
        image = weights[:, far] * image
        for step in range(1, far + 1):
            both = padded.narrow(dim, far - step, length) + padded.narrow(dim, far + step, length)
            image = image.addcmul_(both, weights[:, far + step])
    return image


def _reaches(sigma: Tensor) -> Tensor:
    """How many pixels around a place count in such a blur."""
    return (2.5 * sigma).ceil()


def _fineness(source: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    left, top, right, bottom = bounding_boxes(mask)[0].tolist()
    finer = min(max(_GRAIN * max(right - left, bottom - top), _FINE), _LARGEST)
    ours, theirs, inner = (_middle(x, mask) for x in (_luma(source), _luma(target), mask))
    inner = erode((inner > 0.5).to(source.dtype), max(1, min(inner.shape[-2:]) // 16))
    if inner.sum() < 256:
        return source.new_tensor((0.0, 0.0, 0.0, _FINE))
    # In one light, or the lit half of a face would be compared with the dark half of another.
    shades = [weighted_lowpass(luma, inner, luma.new_tensor([_SHADE])) for luma in (ours, theirs)]
    ours = ours * shades[1] / shades[0].clamp_min(_LEVEL)
    blur = _blur(ours, theirs, inner)
    grains = [_grain(luma, inner, finer) for luma in (ours, theirs)]
    share = (1 - (grains[0] / grains[1].clamp_min(1e-4)).square()).clamp_min(0).sqrt()
    return torch.stack((share.new_tensor(blur), share, grains[1], share.new_tensor(finer)))


def _blur(source: Tensor, target: Tensor, inner: Tensor) -> float:
    """Most blur of the source up to which its edges are no wider, and its details no fainter, than the target's."""
    widest, faintest = _edges_and_detail(target, inner, 0.0)
    least, most = 0.0, 2 * _MOST
    for _ in range(_HALVINGS):
        blur = (least + most) / 2
        width, detail = _edges_and_detail(source, inner, blur)
        if width < widest + _SLACK and detail > faintest:
            least = blur
        else:
            most = blur
    return min(least, _MOST) if least > _LEAST else 0.0


def _edges_and_detail(luma: Tensor, inner: Tensor, blur: float) -> tuple[float, float]:
    """Variance in square pixels of the blur of the sharpest edges, and the size of details, after one more blur.

    An edge's slopes after two further blurs differ by the less the wider it is, whatever its height (after Zhuo and
    Sim, Defocus Map Estimation from a Single Image, 2011).
    """
    soft = softened(luma, inner, luma.new_tensor([blur]))
    fine, middle, coarse = (softened(soft, inner, luma.new_tensor([more])) for more in (_FINE, _DETAIL, _COARSE))
    inside = erode(inner) > 0
    steep, slight = (_slopes(picture)[inside] for picture in (fine, coarse))
    edges = slight >= torch.quantile(slight, _STEEP)
    ratio = torch.quantile(steep[edges] / slight[edges].clamp_min(1e-6), _SHARP)
    width = (_COARSE**2 - _FINE**2) / (ratio.square() - 1).clamp_min(1e-3) - _FINE**2
    return float(width), float((soft - middle)[inside].square().mean().sqrt())


def _slopes(luma: Tensor) -> Tensor:
    padded = functional.pad(luma, (1, 1, 1, 1), mode="replicate")
    across = padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]
    return torch.hypot(across, padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1])


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


def _grain(luma: Tensor, inner: Tensor, finer: float) -> Tensor:
    """Usual size of the finest details where there are few: grain, not edges."""
    fine = (luma - blurred(luma, luma.new_tensor([finer]))).abs()[inner > 0]
    return torch.quantile(fine, 0.4)

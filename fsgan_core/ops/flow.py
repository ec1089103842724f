"""Backward flow: for every pixel of a result, the place in another picture that it comes from.

A flow is ``(B, 2, H, W)``: x, y in pixels of the other picture, pixel centres at half-integers. Flows are composed
as coordinates, so that however many steps lead to a result its pixels are sampled once.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from .pooling import box_mean


def identity(height: int, width: int, like: Tensor) -> Tensor:
    """The flow ``(1, 2, H, W)`` that leaves a picture as it is, on the device and of the type of ``like``."""
    y = torch.arange(height, device=like.device, dtype=like.dtype) + 0.5
    x = torch.arange(width, device=like.device, dtype=like.dtype) + 0.5
    return torch.stack((x.expand(height, width), y[:, None].expand(height, width)))[None]


def sample(picture: Tensor, flow: Tensor, mode: str = "bilinear") -> Tensor:
    """Look a picture up at the places a flow names.

    Args:
        picture: ``(B or 1, C, h, w)``.
        flow: ``(B, 2, H, W)`` pixels of ``picture``; places outside repeat its border.
        mode: ``"bilinear"``, ``"bicubic"`` (sharper; may overshoot) or ``"nearest"``.

    Returns:
        ``(B, C, H, W)``.
    """
    height, width = picture.shape[-2:]
    scale = flow.new_tensor((2 / width, 2 / height))
    grid = flow.permute(0, 2, 3, 1) * scale - 1
    picture = picture.expand(len(flow), -1, -1, -1)
    return functional.grid_sample(picture, grid, mode=mode, padding_mode="border", align_corners=False)


def reflected(flow: Tensor, picture: Tensor) -> Tensor:
    """The same flow with places beyond a picture ``(B, C, h, w)`` mirrored at its border, where streaks would show."""
    limit = flow.new_tensor((picture.shape[-1], picture.shape[-2]))[:, None, None]
    folded = flow.remainder(2 * limit)
    return torch.where((flow < 0) | (flow > limit), torch.minimum(folded, 2 * limit - folded), flow)


def lies_within(flow: Tensor, height: int, width: int) -> Tensor:
    """Which places ``(B, 2, H, W)`` lie within a picture of that size: ``(B, 1, H, W)``, 0 or 1."""
    limit = flow.new_tensor((width, height))[:, None, None]
    return ((flow >= 0) & (flow <= limit)).all(1, keepdim=True).to(flow.dtype)


def compose(first: Tensor, second: Tensor) -> Tensor:
    """The flow that follows ``second`` to the picture between, then ``first`` from there.

    Args:
        first: ``(B, 2, h, w)``, result pixels of the picture between -> the far picture.
        second: ``(B, 2, H, W)``, result -> pixels of the picture between, which has ``first``'s size.

    Returns:
        ``(B, 2, H, W)``, result -> far picture. Beyond the border of the picture between, ``first`` is continued
        with its displacement at the border, so that identities stay identities.
    """
    height, width = first.shape[-2:]
    limit = second.new_tensor((width, height))[:, None, None]
    within = torch.minimum(second.clamp_min(0.5), limit - 0.5)
    displacement = first - identity(height, width, first)
    return second + sample(displacement, within)


def resize(flow: Tensor, height: int, width: int) -> Tensor:
    """The same flow for a result of another size, ``(B, 2, height, width)``; places keep their pixels.

    Any field ``(B, C, H, W)`` goes, with the same bits from any number of threads.
    """
    # Channel by channel: three together are computed otherwise by one thread than by several.
    alone = flow.flatten(0, 1)[:, None]
    return functional.interpolate(alone, (height, width), mode="bilinear", align_corners=False).view(
        *flow.shape[:2], height, width
    )


def spread(values: Tensor, known: Tensor, rounds: int) -> tuple[Tensor, Tensor]:
    """Continue a field beyond where it is known, one pixel a round, by the mean of known neighbours.

    Args:
        values: ``(B, C, H, W)``.
        known: ``(B, 1, H, W)`` bool.
        rounds: how many pixels far.

    Returns:
        the field, 0 where still unknown, and the grown ``known``.
    """
    values = torch.where(known, values, 0)
    for _ in range(rounds):
        total = box_mean(torch.cat((values, known.to(values.dtype)), 1), 3)
        grown = total[:, :-1] / total[:, -1:].clamp_min(1e-6)
        values, known = torch.where(known, values, grown), total[:, -1:] > 0
    return values, known


def found(places: Tensor, shift: Tensor, scale: float) -> Tensor:
    """Where things drawn at some places are once the drawing is looked up a shift beside each place.

    Args:
        places: ``(1, P, 2)`` pixels of the drawing.
        shift: ``(1, 2, H, W)`` pixels of the drawing.
        scale: cells of ``shift`` per pixel.

    Returns:
        ``(1, P, 2)``, x with x + shift(x) = place, by iteration.
    """
    result = places
    for _ in range(2):
        result = places - sample(shift, (result * scale).mT[..., None])[..., 0].mT
    return result

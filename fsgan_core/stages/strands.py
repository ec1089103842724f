"""Single hairs across a source's forehead, which would be scratches on the target's.

They are too thin for the segmentation network, and a mask with gaps of their width would not help. Seen from the front
and upright they are dark lines that hang: narrow across, and connected with the hair or the border of the forehead.
Wrinkles lie; on a wrinkled forehead only what is far darker than the wrinkles counts.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ..ops.face_model import FaceModel
from ..ops.flow import resize
from .frontal import Frontal

_SIDE, _FIELD = 256, 512
"""Side of the frontal face in which hairs are looked for, and of the largest mask of them."""
_BROWS, _ABOVE = (105, 334), 4
"""Landmarks on top of the brows, and how far below that line the forehead reaches, in pixels of the frontal face."""
_WIDE = 7
"""A strand is narrower than so many of them."""
_DARKER, _WRINKLED = 0.1, 2.5
"""How much darker than what is beside it a hair is at least, as a share; and relative to what three quarters of the
forehead keep below: next to nothing where skin is smooth, 0.15 to 0.3 where it is wrinkled."""
_GAP = (11, 9)
"""Height and width in which pieces of a hair are taken for connected."""


def strands(image: Tensor, share: Tensor, landmarks: Tensor, model: FaceModel) -> Tensor:
    """Find thin dark hairs on a forehead.

    Args:
        image: ``(1, 3, S, S)`` in [0, 1].
        share: ``(1, 1, S, S)`` how much of each pixel is face, as segmentation says.
        landmarks: ``(1, 478, 3)`` in its pixels.
        model: the face model.

    Returns:
        ``(1, 1, S, S)`` in [0, 1].
    """
    frontal = Frontal.of(model, _SIDE)
    light, face = frontal.seen(torch.cat((image.mean(1, keepdim=True), share), 1), landmarks).split(1, 1)
    rows = torch.arange(_SIDE, device=image.device)[:, None]
    forehead = frontal.face & (rows < frontal.points[0, list(_BROWS), 1].min() + _ABOVE)
    border = forehead & (_widest((~frontal.face).to(light.dtype), 5, 5) > 0)
    lines = _hanging(torch.where(frontal.face, light, 0), forehead, forehead & (face > 0.5))
    connected = _grown(lines, ((face < 0.5) & forehead | border).to(light.dtype))
    values, inside, _ = frontal.carried(_widest(connected, 3, 3), landmarks, (image.shape[-2], image.shape[-1]), _FIELD)
    return resize((1.5 * values * inside).clamp(max=1), *image.shape[-2:])


def _hanging(light: Tensor, forehead: Tensor, skin: Tensor) -> Tensor:
    """Dark lines ``(1, 1, N, N)``, 0 or 1: those that are narrower across than down, and very dark slanted ones."""
    across, down = _depth(light, 1, _WIDE), _depth(light, _WIDE, 1)
    least = _DARKER
    if skin.any():
        least = max(least, _WRINKLED * float(torch.maximum(across, down)[skin].quantile(0.75)))
    hanging = (across > least) & (across > 1.3 * down) | (across - 0.6 * down > least)
    return (hanging & forehead).to(light.dtype)


def _depth(light: Tensor, height: int, width: int) -> Tensor:
    """How much darker each place is than what lies around it within a window, as a share (a black top-hat)."""
    closed = -_widest(-_widest(light, height, width), height, width)
    return ((closed - light) / closed.clamp_min(0.02)).clamp_min(0)


def _grown(lines: Tensor, seeds: Tensor) -> Tensor:
    """The parts of lines that are connected with seeds."""
    found = lines * _widest(seeds, 7, 7)
    for _ in range(_SIDE // 4):
        wider = torch.minimum(_widest(found, *_GAP), lines)
        if torch.equal(wider, found):
            break
        found = wider
    return found


def _widest(values: Tensor, height: int, width: int) -> Tensor:
    return functional.max_pool2d(values, (height, width), 1, (height // 2, width // 2))

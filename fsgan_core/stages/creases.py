"""Creases of a smile: they go where a face stops smiling, and come where it begins to.

A warped picture keeps the folds from nose to mouth that its face had, whatever the mouth then does. They are changes of
light over a few hundredths of the face: so much of them is evened out as the smile is less than the source's. Where it
is more, those of the target's picture are laid over, if there is one: a ratio of light, as in expression ratio images
(Liu, Shan and Zhang, 2001).
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

from ..ops.expressions import readings
from ..ops.face_model import FaceModel
from ..ops.flow import resize, sample
from ..ops.head_mesh import Placement
from ..ops.landmarks import LIPS_INNER, LIPS_OUTER
from ..ops.lowpass import weighted_lowpass
from ..ops.masks import bounding_boxes, smoothstep
from .views import View

_FOLDS = ((142, 129, 203, 206, 216, 57, 212, 202), (371, 358, 423, 426, 436, 287, 432, 422))
"""The folds from the wing of the nose to beside the chin, the subject's right one first."""
_SMILES = ("mouthSmile_R", "mouthSmile_L")
_REACH, _FADING = 0.18, 0.09
"""How far beside a fold its crease is, and over how much that fades; in distances between the outer eye corners."""
_LIP, _CHEEK = (167, 165, 92, 393, 391, 322), (205, 187, 50, 425, 411, 280)
"""Where a moustache grows, and skin to compare it with."""
_HAIR = (0.16, 0.34)
"""Logarithms of light by which a lip is darker than cheeks: by shade; by a moustache."""
_NATURAL, _WHOLE = 0.12, 0.5
"""Differences of a smile up to which no crease changes, and from which on it is wholly another's."""
_BROAD = 0.11
"""Standard deviation of what stays: light and colour around a crease; in the same unit."""
_FINE = 2
"""Creases are looked at in so many pixels per pixel of the field."""
_SLIGHT, _TEXTURE, _DEEPEST, _BULGE = 0.15, 0.06, 1.2, 0.5
"""Logarithms of light: what a crease hardly differs by from what is around it, what is texture of the skin, the most
that a crease may differ by; and how far skin that bulges beside it counts."""


def unfolded(view: View, target: Placement, model: FaceModel) -> Tensor:
    """How far the skin at each landmark loses its creases, or gets some.

    Args:
        view: what the source shows.
        target: the face wanted.
        model: the face model.

    Returns:
        ``(1, 478, 1)`` in [-1, 1]: 1 where all creases go, -1 where the target's come.
    """
    less = readings(view.placement.shape, _SMILES, model) - readings(target.shape, _SMILES, model)
    share = less.sign() * smoothstep((less.abs() - _NATURAL) / (_WHOLE - _NATURAL))
    outside, inside = _zones(model)
    return (share @ (outside + (1 - _moustache(view)) * inside))[..., None]


def creased(image: Tensor, share: Tensor, scale: float, picture: Tensor | None = None) -> Tensor:
    """A face with its creases evened out, or with another's.

    Args:
        image: ``(1, 3, S, S)`` the face drawn.
        share: ``(1, 1, F, F)`` in [-1, 1], see :func:`unfolded`.
        scale: pixels of ``share`` per distance between the outer eye corners.
        picture: ``(1, 3, S, S)`` the face wanted, as its own picture shows it; without it no crease comes.
    """
    if not bool((share > 0).any()) and (picture is None or not bool((share < 0).any())):
        return image
    step = max(1, image.shape[-1] // (_FINE * share.shape[-1]))
    side = image.shape[-1] // step
    scale, share = scale * side / share.shape[-1], resize(share, side, side)
    left, top, right, bottom = bounding_boxes((share != 0).to(share.dtype))[0].tolist()
    share = share[..., top:bottom, left:right]
    box = (..., slice(step * top, step * bottom), slice(step * left, step * right))
    own = _creases(image[box], share, scale, step)
    gain = -share.clamp_min(0) * own
    if picture is not None and bool((share < 0).any()):  # a person's own creases stay, and the target's have no colour
        deeper = (_creases(picture[box], share, scale, step) - own).mean(1, keepdim=True).clamp(max=0)
        gain = gain + (-share).clamp_min(0) * deeper
    result = image.clone()
    result[box] = (image[box] * resize(gain, step * (bottom - top), step * (right - left)).exp()).clamp(0, 1)
    return result


def _creases(image: Tensor, share: Tensor, scale: float, step: int) -> Tensor:
    """Logarithm of what creases do to the light of each colour ``(1, 3, h, w)``, averaged over ``step`` pixels."""
    level = (functional.avg_pool2d(image, step).clamp_min(0) + 0.02).log()
    trust, grid = (share != 0).to(level.dtype) + 1e-3, min(64, math.ceil(3 * max(share.shape) / (_BROAD * scale)))
    around = weighted_lowpass(level, trust, _BROAD * scale, grid)
    # Once more without what is a crease, else it would darken what it is compared with.
    trust = trust / (1 + ((level - around).mean(1, keepdim=True) / _SLIGHT).square())
    change = (level - weighted_lowpass(level, trust, _BROAD * scale, grid)).clamp_min(-_DEEPEST)
    change = torch.where(change > 0, _BULGE * change, change)
    return change * (change.square() / (change.square() + _TEXTURE**2))


def _moustache(view: View) -> Tensor:
    """How far a view's upper lip is darker than its cheeks on both sides, as under a moustache; one number."""
    places = view.landmarks[:, [*_LIP, *_CHEEK], :2].mT[:, :, None]
    light = sample(view.levels[0], places).mean(1).clamp_min(0.02).log().view(2, 2, -1).mean(2)
    return smoothstep(((light[1] - light[0]).amin() - _HAIR[0]) / (_HAIR[1] - _HAIR[0]))


@lru_cache(maxsize=4)
def _zones(model: FaceModel) -> tuple[Tensor, Tensor]:
    """How far each landmark lies in the crease of the right and the left smile, twice ``(2, 478)``.

    Outside of the fold, and inside of it above the mouth's corner.
    """
    zones, inside = [], []
    for fold in _FOLDS:
        line = model.mean[list(fold), :2]
        start, way = line[:-1], line[1:] - line[:-1]
        away = model.mean[:, None, :2] - start
        part = ((away * way).sum(2) / way.square().sum(1)).clamp(0, 1)
        beside = away - part[..., None] * way
        near, nearest = beside.norm(dim=2).min(1)
        zones.append(smoothstep((_REACH - near) / _FADING))
        across = beside[..., 0].gather(1, nearest[:, None])[:, 0]
        inside.append((across * line[0, 0] < 0) & (model.mean[:, 1] < model.mean[61, 1]))
    zone, within = torch.stack(zones), torch.stack(inside)
    zone[:, [*LIPS_OUTER, *LIPS_INNER]] *= 0.5  # a mouth's corners are dark at rest too
    return zone * ~within, zone * within

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

from ..ops.boxes import bounding_boxes
from ..ops.expressions import readings
from ..ops.face_model import FaceModel
from ..ops.flow import resize, sample
from ..ops.head_mesh import Placement
from ..ops.landmarks import LIPS_INNER, LIPS_OUTER, NOSE
from ..ops.lowpass import weighted_lowpass
from ..ops.masks import ramp, smoothstep
from ..ops.pooling import box_max, box_mean
from .views import View

_FOLDS = ((203, 206, 216, 57, 212, 202), (423, 426, 436, 287, 432, 422))
"""The folds from below the wing of the nose to beside the chin, the subject's right one first."""
_SMILES = ("mouthSmile_R", "mouthSmile_L")
_REACH, _FADING = 0.18, 0.09
"""How far beside a fold its crease is, and over how much that fades; in distances between the outer eye corners."""
_NOSE_CLEAR, _LIPS_CLEAR = (0.06, 0.16), (0.02, 0.1)
"""How far from a nose, whose wings may be wider in another face, and from lips skin is no crease, and is wholly one."""
_LIP, _CHIN, _CHEEK = (167, 165, 92, 393, 391, 322), (202, 204, 211, 422, 424, 431), (205, 187, 50, 425, 411, 280)
"""Where a moustache and a beard grow, and skin to compare them with."""
_HAIR = (0.16, 0.34)
"""Logarithms of light by which lip and chin are darker than cheeks: by shade; by hair."""
_NATURAL, _WHOLE = 0.15, 0.5
"""Differences of a smile up to which no crease changes, and from which on it is wholly another's."""
_BROAD = 0.11
"""Standard deviation of what stays: light and colour around a crease; in the same unit."""
_FINE = 2
"""Creases are looked at in so many pixels per pixel of the field."""
_SLIGHT, _TEXTURE, _BULGE = 0.15, 0.06, 0.5
"""Logarithms of light: what a crease hardly differs by from what is around it, what is texture of the skin; and how far
skin that bulges beside it counts."""
_LIFT, _SHADE = 0.6, 0.3
"""The most by which a crease is lightened, and by which one is drawn; logarithms of light."""
_SPREAD = 0.18
"""How far around a place what is too deep there is less changed; in distances between the outer eye corners."""


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
    less = less.amin().clamp_min(0) + less.amax().clamp_max(0)  # what only one side does may be an error of landmarks
    share = less.sign() * ramp(less.abs(), (_NATURAL, _WHOLE))
    free = torch.stack((torch.ones_like(share), *(1 - _hair(view.levels[0], view.landmarks)).unbind()))
    return (share * free @ _zones(model))[None, :, None]


def creased(
    image: Tensor, share: Tensor, scale: float, picture: Tensor | None = None, landmarks: Tensor | None = None
) -> Tensor:
    """A face with its creases evened out, or with another's.

    Light is changed, within bounds; what is lightened also comes nearer to the colour of the skin around it.

    Args:
        image: ``(1, 3, S, S)`` the face drawn.
        share: ``(1, 1, F, F)`` in [-1, 1], see :func:`unfolded`.
        scale: pixels of ``share`` per distance between the outer eye corners.
        picture: ``(1, 3, S, S)`` the face wanted, as its own picture shows it; without it no crease comes.
        landmarks: ``(1, 478, 3)`` the face wanted, in pixels of ``picture``; if it has hair there no crease comes.
    """
    wanted = picture if bool((share < 0).any()) else None
    if wanted is None and not bool((share > 0).any()):
        return image
    step = max(1, image.shape[-1] // (_FINE * share.shape[-1]))
    side = image.shape[-1] // step
    scale, share = scale * side / share.shape[-1], resize(share, side, side)
    left, top, right, bottom = bounding_boxes((share != 0).to(share.dtype))[0].tolist()
    share = share[..., top:bottom, left:right]
    box = (..., slice(step * top, step * bottom), slice(step * left, step * right))
    own, skin = _creases(image[box], share, scale, step)
    width = 2 * round(_SPREAD * scale) + 1
    gain = _bounded(-share.clamp_min(0) * own, _LIFT, width)
    if wanted is not None:  # a person's own creases stay
        deeper = (_creases(wanted[box], share, scale, step)[0] - own).clamp(max=0)
        bare = 1 if landmarks is None else 1 - _hair(wanted, landmarks).amax()
        gain = gain + bare * (-share).clamp_min(0) * _bounded(deeper, _SHADE, width)
    tint = (gain / own.abs().clamp_min(_TEXTURE)).clamp(0, 1)  # as far as the crease is gone, so is its colour
    fields = torch.cat((gain, tint, skin), 1)
    gain, tint, skin = resize(fields, step * (bottom - top), step * (right - left)).split((1, 1, 3), 1)
    lit = image[box] * gain.exp()
    skin = lit.mean(1, keepdim=True) * skin.exp() / skin.exp().mean(1, keepdim=True)
    result = image.clone()
    result[box] = torch.lerp(lit, skin, tint).clamp(0, 1)
    return result


def _bounded(values: Tensor, limit: float, width: int) -> Tensor:
    """Values so much smaller, all over a neighbourhood alike, that none exceeds a limit: a cut leaves a thin line."""
    return values * limit / box_mean(box_max(values.abs(), width), width).clamp_min(limit)


def _creases(image: Tensor, share: Tensor, scale: float, step: int) -> tuple[Tensor, Tensor]:
    """Logarithms, averaged over ``step`` pixels: what creases do to light ``(1, 1, h, w)``; the skin around."""
    level = (functional.avg_pool2d(image, step).clamp_min(0) + 0.02).log()
    trust, grid = (share != 0).to(level.dtype) + 1e-3, min(64, math.ceil(3 * max(share.shape) / (_BROAD * scale)))
    around = weighted_lowpass(level, trust, _BROAD * scale, grid)
    # Once more without what is a crease, else it would darken what it is compared with.
    trust = trust / (1 + ((level - around).mean(1, keepdim=True) / _SLIGHT).square())
    around = weighted_lowpass(level, trust, _BROAD * scale, grid)
    change = (level - around).mean(1, keepdim=True)
    change = torch.where(change > 0, _BULGE * change, change)
    return change * (change.square() / (change.square() + _TEXTURE**2)), around


def _hair(image: Tensor, landmarks: Tensor) -> Tensor:
    """How far upper lip and chin are darker than cheeks on both sides, as under a moustache and a beard: ``(2,)``."""
    places = landmarks[:, [*_LIP, *_CHIN, *_CHEEK], :2].mT[:, :, None]
    light = sample(image, places).mean(1).clamp_min(0.02).log().view(3, 2, -1).mean(2)
    return ramp((light[2] - light[:2]).amin(1), _HAIR)


@lru_cache(maxsize=4)
def _zones(model: FaceModel) -> Tensor:
    """How far each landmark lies in the creases of a smile ``(3, 478)``.

    On the cheek; inside of the fold, where a moustache is; below the mouth's corners, where a beard is.
    """
    points = model.mean[:, :2]
    zones, inside = [], []
    for fold in _FOLDS:
        line = points[list(fold)]
        start, way = line[:-1], line[1:] - line[:-1]
        away = points[:, None] - start
        part = ((away * way).sum(2) / way.square().sum(1)).clamp(0, 1)
        beside = away - part[..., None] * way
        near, nearest = beside.norm(dim=2).min(1)
        zones.append(smoothstep((_REACH - near) / _FADING))
        across = beside[..., 0].gather(1, nearest[:, None])[:, 0]
        inside.append((across * line[0, 0] < 0) & (zones[-1] > 0))
    zone, below = torch.stack(zones).amax(0), points[:, 1] > points[57, 1]
    for feature, ends in ((NOSE, _NOSE_CLEAR), (LIPS_OUTER, _LIPS_CLEAR), (LIPS_INNER, _LIPS_CLEAR)):
        clear = torch.cdist(points, points[list(feature)]).amin(1)
        zone = zone * ramp(clear, ends)
    lip = torch.stack(inside).any(0) & ~below
    return torch.stack((zone * ~(lip | below), zone * lip, zone * below))

"""Curls and loose hair on a source's forehead and temples that the segmentation network takes for face.

What the network is sure of tells how this person's hair and skin look: their colours, and how rough they are. A place
where hair may hang is what the nearest of them are (nearest neighbours, Fix and Hodges 1951). Brows, lids, beards and
cheeks are left alone, and so is everybody whose hair looks like skin.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ..ops.color import srgb_to_oklab
from ..ops.masks import ramp
from ..ops.pooling import box_max, box_mean
from .glasses import Look

_ABOVE, _ASIDE, _BELOW = 0.03, 0.57, 0.45
"""Where it is looked for on the mean face (distances between the outer eye corners, eyes at about 0, y down): so far
above the top of the brows; or beyond the eyes, down to below the cheekbones, so that sideburns are hair."""
_BROW, _TAIL, _SPARED = ((0.15, -0.2), (0.45, -0.25), (0.61, -0.168)), (0.72, -0.1), 0.055
"""A brow from its inner to its outer end, how far its tail may go beyond that, and how far around it is left alone,"""
_CURTAIN = 15
"""unless there is hair within so many pixels both above and below: it hangs over the brow."""
_CHEEK, _BROWS, _EYES, _LIPS = (0.02, 0.62), (-0.12, 0.08), (0.16, 0.12, 0.56), (0.42, 0.35)
"""Where skin is looked at, likewise: from so far above the top of the brows down; without brows, eyes and lips."""
_FACE, _HAIR, _EDGE = 0.8, 0.6, 7
"""How sure the network has to be of either, and side in pixels of the square around a place in which it has to be."""
_SMOOTH, _DARK, _BRIGHT = 0.75, 0.1, 0.6
"""Shares of the cheeks' places that are smoother, darker and darker than what of a forehead is plainly skin, and than
what is only bright: shine is no hair."""
_LEAST, _SAMPLES, _NEAREST = 50, 256, 8
"""Places of hair and of skin that are needed, that are compared with, and nearest ones that count."""
_APART = (0.75, 1.05)
"""How much farther (natural logarithm) hair and skin are from each other than from themselves: alike; well apart."""
_NEARER = (0.05, 0.3)
"""How much nearer (likewise) to hair than to skin a place is: not believed; believed."""


@dataclass(frozen=True)
class _Kinds:
    """Where a picture surely shows what, ``(1, 1, S, S)`` bool, and where hair may hang."""

    skin: Tensor
    hair: Tensor
    forehead: Tensor
    zone: Tensor


def loose_hair(look: Look, face: Tensor, hair: Tensor, brow: float) -> Tensor:
    """Find hair on a face.

    Args:
        look: what the network was given, one picture.
        face: ``(1, 1, S, S)`` its answer: share of the face.
        hair: ``(1, 1, S, S)`` share of hair.
        brow: height of the top of the brows on the mean face.

    Returns:
        ``(1, 1, S, S)`` in [0, 1].
    """
    kinds, lab = _kinds(look, face, hair, brow), srgb_to_oklab(look.pictures)
    found = torch.zeros_like(face)
    if min(int(kinds.skin.sum()), int(kinds.hair.sum())) < _LEAST:
        return found
    rough = _roughness(lab[:, :1])
    light, cheek = lab[:, :1], kinds.skin
    plain = (rough[:, :1] < rough[:, :1][cheek].quantile(_SMOOTH)) & (light > light[cheek].quantile(_DARK))
    skin = cheek | kinds.forehead & plain & (face > _FACE)
    light = light.clamp(max=float(light[skin].quantile(_BRIGHT)))
    looks = torch.cat((4 * light, 16 * lab[:, 1:], rough), 1)[0].flatten(1).T
    skins, hairs = _some(looks[skin.flatten()]), _some(looks[kinds.hair.flatten()])
    here = looks[kinds.zone.flatten()]
    nearer = (_distance(here, skins) / _distance(here, hairs)).log()
    sure = ramp(_apart(skins, hairs), _APART)
    found[kinds.zone] = sure * ramp(nearer, _NEARER)
    bare = _from_brow(look.prior[:, 1:2].abs(), look.prior[:, 2:]) > _SPARED
    return _joined(torch.where(bare, found, torch.minimum(found, _between(found * bare))), face)


def _kinds(look: Look, face: Tensor, hair: Tensor, brow: float) -> _Kinds:
    inside, x, y = look.prior.split(1, 1)
    aside, within = x.abs(), inside > 0
    cheek = _everywhere((face > _FACE) & within) & (y > brow - _CHEEK[0]) & (y < _CHEEK[1])
    brows = (y < _BROWS[0]) & (aside > _BROWS[1])
    eyes = (y.abs() < _EYES[0]) & (aside > _EYES[1]) & (aside < _EYES[2])
    lips = (y > _LIPS[0]) & (aside < _LIPS[1])
    forehead = within & (y < brow - _ABOVE)
    zone = forehead | within & (aside > _ASIDE) & (y < _BELOW)
    return _Kinds(cheek & ~brows & ~eyes & ~lips, _everywhere(hair > _HAIR), forehead, zone)


def _from_brow(aside: Tensor, y: Tensor) -> Tensor:
    """Distance of places of the mean face from the nearer brow and its tail."""
    line = y.new_tensor((*_BROW, _TAIL))[:, :, None, None, None, None]
    place = torch.stack((aside, y))
    parts = []
    for start, end in zip(line, line[1:], strict=False):
        along = ((place - start) * (end - start)).sum(0) / (end - start).square().sum(0)
        parts.append((place - torch.lerp(start, end, along.clamp(0, 1))).norm(dim=0))
    return torch.stack(parts).amin(0)


def _between(found: Tensor) -> Tensor:
    """What is found both above and below."""
    above, below = (functional.pad(found, (0, 0, *reach)) for reach in ((_CURTAIN, 0), (0, _CURTAIN)))
    return torch.minimum(*(functional.max_pool2d(one, (_CURTAIN + 1, 1), 1) for one in (above, below)))


def _roughness(light: Tensor) -> Tensor:
    """Logarithms of how much lightness changes within two and four pixels, ``(1, 2, S, S)``."""
    fine = box_mean((light - box_mean(light, 5)).abs(), 5)
    coarse = box_mean((box_mean(light, 3) - box_mean(light, 9)).abs(), 9)
    return 0.5 * torch.cat((fine + 0.004, coarse + 0.006), 1).log()


def _apart(skins: Tensor, hairs: Tensor) -> Tensor:
    """How far apart two kinds are, whose own nearest place is each itself."""
    pairs = ((skins, hairs), (hairs, skins))
    return torch.stack([(_distance(a, b) / _distance(a, a, 1)).log().median() for a, b in pairs]).amin()


def _distance(places: Tensor, kind: Tensor, itself: int = 0) -> Tensor:
    """Mean distance of places ``(N, C)`` to the nearest ones of a kind ``(M, C)``, to be divided by."""
    # Not by matrix products: their last bits differ with the number of threads, and near 0 they are all there is.
    apart = torch.cdist(places, kind, compute_mode="donot_use_mm_for_euclid_dist")
    return apart.topk(_NEAREST + itself, largest=False).values.mean(1).clamp_min(1e-3)


def _some(looks: Tensor) -> Tensor:
    return looks[:: max(1, len(looks) // _SAMPLES)]


def _everywhere(sure: Tensor) -> Tensor:
    """Where all around a place is."""
    return box_max((~sure).float(), _EDGE) == 0


def _joined(found: Tensor, face: Tensor) -> Tensor:
    """What is connected with what is not face, and more than specks."""
    found = torch.minimum(box_max(1 - box_max(1 - box_mean(found, 3), 3), 3), found)
    joined = torch.minimum(found, box_max((face < 0.5).to(found.dtype), 5))
    for _ in range(face.shape[-1] // 8):
        joined = torch.minimum(box_max(joined, 5), found)
    return joined

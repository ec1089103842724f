"""Beards: where hair grows on a face, and the face as its skin would be without.

Light and skin tone are exchanged by what varies slowly over two faces. Hair is neither: under a beard that counts as
skin a shaved chin turns grey, and a beard on a face whose skin it counts as turns to dark scratches.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from ..ops.color import srgb_to_oklab
from ..ops.face_model import FaceModel
from ..ops.flow import resize
from ..ops.lowpass import lowpass, weighted_lowpass
from ..ops.masks import ramp, smoothstep
from ..ops.pooling import length, summed
from ..ops.pull_push import pull_push
from ..ops.relighting import DARK, saturation
from .frontal import Frontal

_SIDE = 64
"""Side of the frontal face, and half the largest side of the field that is carried back."""
_LIP, _CHEEK, _RISE, _FADING = 0.5, 0.45, 0.6, 0.1
"""Hair grows below the nose, from here on; beyond so far aside higher by so much of what is more; over how much that
begins. In distances between the outer eye corners, from the middle of the eyes."""
_FINE, _SKIN = 0.016, (0.12, 0.04, 0.04)
"""Standard deviation of the low-pass of what is looked at, in sides of the frontal face; how far skin departs from its
usual lightness and saturation."""
_DARKER, _HAIR, _TWIN, _BOTH = 0.7, (0.22, 0.42), 1.3, (0.2, 0.4)
"""Hair is greyer than skin by so much, less the darker it is; shares of the skin's saturation and lightness: none, all.
At most so many times as its twin on the other side of the face, which a shadow has not; and how well
that has to be seen."""
_BEARD = (0.03, 0.1)
"""Share of where it grows that has to have some: of a smaller one nothing is made, of a larger one all."""


def bearded(source: Tensor, target: Tensor, landmarks: Tensor, known: Tensor, model: FaceModel) -> Tensor:
    """How surely two faces have beards, ``(1, 2)`` in [0, 1]; arguments as for :func:`shaved`."""
    _, skin, hair = _looked_at(source, target, landmarks, known, model)
    share = summed(hair * skin, (2, 3)) / summed(_frontal(model)[1] * skin, (2, 3)).clamp_min(1)
    return ramp(share, _BEARD).view(1, 2)


def shaved(
    source: Tensor, target: Tensor, landmarks: Tensor, known: Tensor, model: FaceModel, beards: Tensor
) -> tuple[Tensor, Tensor]:
    """Two faces with the skin of their cheeks where their beards are, as smooth as light.

    Args:
        source: ``(1, 3, H, W)`` in [0, 1], drawn with the target's landmarks.
        target: ``(1, 3, H, W)`` in [0, 1].
        landmarks: ``(1, 478, 3)`` in pixels of both.
        known: ``(1, 1, H, W)`` in [0, 1], where both show the face.
        model: the face model.
        beards: ``(1, 2)`` how surely they have any, see :func:`bearded`; constant along a track, for stubble that is
            one in some frames only would flicker.

    Returns:
        the two; one that has no beard as it is.
    """
    if not beards.any():
        return source, target
    colors, skin, hair = _looked_at(source, target, landmarks, known, model)
    hair = (3 * lowpass(hair, _FINE * _SIDE, _SIDE)).clamp(max=1)
    bare, face = pull_push(colors, skin * (1 - hair)), _frontal(model)[0]
    hair = beards.view(2, 1, 1, 1) * hair
    pairs = zip((source, target), hair.split(1), bare.split(1), strict=True)
    first, second = (
        _covered(part, face, landmarks, cover, skin) if cover.any() else part for part, cover, skin in pairs
    )
    return first, second


def _covered(picture: Tensor, face: Frontal, landmarks: Tensor, hair: Tensor, bare: Tensor) -> Tensor:
    """A picture with skin laid over it, where the frontal face has hair."""
    size = (picture.shape[-2], picture.shape[-1])
    field, inside, _ = face.carried(torch.cat((hair * bare, hair), 1), landmarks, size, 2 * _SIDE)
    field = resize(field * inside, *size)
    return picture * (1 - field[:, 3:]) + field[:, :3]


def _looked_at(
    source: Tensor, target: Tensor, landmarks: Tensor, known: Tensor, model: FaceModel
) -> tuple[Tensor, Tensor, Tensor]:
    """Both frontal faces ``(2, 3, N, N)``, how well places show skin ``(1, 1, N, N)``, and hair ``(2, 1, N, N)``."""
    face, zone, features = _frontal(model)
    seen = face.seen(torch.cat((source, target, known), 1), landmarks)
    colors, skin = torch.cat(seen[:, :6].split(3, 1)), seen[:, 6:] * face.skin * (1 - features)
    return colors, skin, _hair(srgb_to_oklab(colors), skin, zone)


def _hair(lab: Tensor, skin: Tensor, zone: Tensor) -> Tensor:
    """How far hair covers each place of frontal faces ``(B, 3, N, N)`` of one skin, ``(B, 1, N, N)`` in [0, 1]."""
    values, trusted = torch.cat((lab[:, :1], saturation(lab)), 1), skin.clamp_min(1e-4).expand(len(lab), -1, -1, -1)
    values = weighted_lowpass(values, trusted, _FINE * _SIDE, _SIDE)
    above = skin * (1 - zone)
    usual, weight = values, above.expand(len(lab), -1, -1, -1)
    for _ in range(4):
        usual = summed(values * weight, (2, 3)) / summed(weight, (2, 3)).clamp_min(1e-3)
        apart = (values - usual) / values.new_tensor(_SKIN)[:, None, None]
        weight = above / (1 + apart.square().sum(1, keepdim=True))
    tints = [length(part[:, 1:]) for part in (usual, values)]
    greyer = ((tints[0] - tints[1]) / (tints[0] + DARK)).clamp_min(0)
    darker = ((usual - values)[:, :1] / (usual[:, :1] + DARK)).clamp_min(0)
    hair = greyer + _DARKER * darker
    twin = weighted_lowpass(hair, trusted, 1.5 * _FINE * _SIDE, _SIDE).flip(3)
    hair = torch.lerp(hair, torch.minimum(hair, _TWIN * twin), ramp(skin.flip(3), _BOTH))
    return ramp(hair, _HAIR) * zone * (skin > 0)


@lru_cache(maxsize=4)
def _frontal(model: FaceModel) -> tuple[Frontal, Tensor, Tensor]:
    """The frontal face; ``(1, 1, N, N)`` in [0, 1] where hair grows; lips and brows."""
    face = Frontal.of(model, _SIDE)
    x, y = face.spread(model.mean[None, :, :2]).split(1, 1)
    zone = smoothstep((y - _LIP + _RISE * (x.abs() - _CHEEK).clamp_min(0)) / _FADING) * face.skin
    return face, zone, (face.features == 1).to(y.dtype)

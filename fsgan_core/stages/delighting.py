"""Hard light taken off a source's picture: what is lit on one side only, cast shadows, shine, coloured lamps.

Blending gives a face its target's light, but only what changes slowly across a face. The edge of a nose's shadow or a
glint on a brow would stay and shine in a room where nothing shines.

A face's two halves are alike; where they differ over more than a wrinkle's width, it is light. Both get the mean of
the two. Small differences are part of who someone is and stay. Nothing needs to be known of the light or of the
surface, and shadows that a nose or a hat casts go as well as shading. The price: a large mark on one side, such as a
birthmark, is taken for light as well, fades there and shows faintly on the other side.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..ops.color import oklab_to_srgb, srgb_to_oklab
from ..ops.face_model import FaceModel
from ..ops.flow import resize
from ..ops.lowpass import lowpass, weighted_lowpass
from ..ops.relighting import at_lightness, saturation
from .colored_light import departing, evened
from .cropping import square_box
from .frontal import Frontal

_SIDE, _FIELD = 128, 256
"""Side of the frontal face in which light is compared, and largest side of the field that is carried to the picture."""
_WRINKLE, _REGION, _EDGE = 0.03, 0.1, 0.02
"""Standard deviations of low-passes, in sides of the frontal face or of the field: what is finer than light; what is
judged together; the fading of the change beyond the face."""
_NATURAL = 0.05
"""How far the halves of an evenly lit face differ, in OKLab: of that half is kept, of more less."""
_MOST = 2.0
"""Details in a shadow are raised so many times at most, for there is noise in them."""
_GLINT, _AROUND, _SHINE, _KEPT = 0.012, 0.06, 0.08, 0.3
"""Shine: the finest of it and what it is compared with, as the low-passes above; how much lighter than that skin is
without any, in OKLab; the share kept of what is more."""


def delighted(image: Tensor, landmarks: Tensor, seen: Tensor, model: FaceModel, strength: float = 1.0) -> Tensor:
    """Take hard light off a face.

    Args:
        image: ``(1, 3, h, w)`` in [0, 1].
        landmarks: ``(1, 478, 3)`` in its pixels.
        seen: ``(1, 478)`` in [0, 1], how well each shows skin.
        model: the face model.
        strength: how far, in [0, 1].

    Returns:
        ``(1, 3, h, w)``; the same beyond the face.
    """
    left, top, right, bottom = square_box(landmarks[0].cpu().numpy(), 1.6)
    left, top, right, bottom = max(left, 0), max(top, 0), min(right, image.shape[3]), min(bottom, image.shape[2])
    if strength == 0 or right <= left or bottom <= top:
        return image
    frontal = Frontal.of(model, _SIDE)
    lab, skin = srgb_to_oklab(frontal.seen(image, landmarks)), frontal.skin * frontal.spread(seen[..., None])
    gain, shift = _evened(lab, skin)
    shift = shift - _shine(gain * lab + shift, skin)
    tint = departing(gain * lab + shift, skin, frontal)
    points = landmarks - landmarks.new_tensor((left, top, 0))
    change = _carried(strength * torch.cat((gain - 1, shift, tint), 1), frontal, points, (bottom - top, right - left))
    part = image[..., top:bottom, left:right]
    colours = srgb_to_oklab(part)
    lit = colours + change[:, :1] * colours + change[:, 1:4]
    lit = oklab_to_srgb(at_lightness(lit[:, :1], evened(saturation(lit), change[:, 4:])))
    result = image.clone()
    result[..., top:bottom, left:right] = torch.where(change.abs().amax(1, keepdim=True) > 1e-3, lit, part)
    return result


def from_mean(lab: Tensor, skin: Tensor) -> tuple[Tensor, Tensor]:
    """How far each half of a frontal face is from the mean of both, over more than a wrinkle's width.

    Args:
        lab: ``(1, 3, N, N)`` OKLab of the frontal face.
        skin: ``(1, 1, N, N)`` in [0, 1], how well each place shows skin.

    Returns:
        ``(1, 3, N, N)``, and ``(1, 1, N, N)`` in [0, 1], how well both halves show skin there.
    """
    both, side = skin * skin.flip(3), lab.shape[-1]
    return weighted_lowpass((lab - lab.flip(3)) / 2, _some(both), _WRINKLE * side, side), both


def _evened(lab: Tensor, skin: Tensor) -> tuple[Tensor, Tensor]:
    """What makes the halves alike: a factor ``(1, 1, N, N)`` of all colours and a shift ``(1, 3, N, N)`` after it."""
    half, both = from_mean(lab, skin)
    half = (4 * lowpass(both, 0.05 * _SIDE, _SIDE)).clamp(max=1) * half
    extent = weighted_lowpass(half.square().sum(1, keepdim=True), _some(both), _REGION * _SIDE, _SIDE)
    half = half * extent / (extent + _NATURAL**2)
    low = weighted_lowpass(lab, _some(skin), _WRINKLE * _SIDE, _SIDE)
    gain = ((low - half)[:, :1] + 0.05) / (low[:, :1] + 0.05).clamp_min(0.02)
    gain = gain.clamp(1 / _MOST, _MOST)
    return gain, low - half - gain * low


def _shine(lab: Tensor, skin: Tensor) -> Tensor:
    """What shine adds to colours ``(1, 3, N, N)``: lightness, and less of the skin's own colour."""
    fine = weighted_lowpass(lab, _some(skin), _GLINT * _SIDE, _SIDE)
    around, trusted = fine, skin
    for _ in range(3):
        around = weighted_lowpass(fine, _some(trusted), _AROUND * _SIDE, _SIDE)
        trusted = skin / (1 + ((fine - around)[:, :1] / _SHINE).square())
    above = (fine - around)[:, :1]
    share = (1 - _KEPT) * (1 - _SHINE / above.clamp_min(_SHINE)) * skin / (skin + 0.05)
    return share * (fine - around)


def _carried(change: Tensor, frontal: Frontal, landmarks: Tensor, size: tuple[int, int]) -> Tensor:
    """Values ``(1, C, N, N)`` of the frontal face for a picture ``(1, C, *size)``, fading beyond its face.

    What changes colours alone, the last two, ends at eyes and mouth, which are not lit as the skin around them is.
    """
    field, face, openings = frontal.carried(change, landmarks, size, _FIELD)
    inside, edge = face.to(field.dtype), _EDGE * max(field.shape[-2:])
    beyond = weighted_lowpass(field, inside, 0.6 * edge, _SIDE)
    fading = (2 * lowpass(inside, edge, _SIDE)).clamp(max=1)
    field = torch.where(face, field, beyond) * fading
    return resize(torch.cat((field[:, :-2], torch.where(openings, 0, field[:, -2:])), 1), *size)


def _some(weight: Tensor) -> Tensor:
    """Weights that are nowhere nought, so that means exist where nothing is known."""
    return weight.clamp_min(1e-4)

"""A source's glasses over the face that is swapped: where the target wears none, and in its light."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ..ops.boxes import bounding_boxes
from ..ops.color import ColorMatch, oklab_to_srgb, srgb_to_oklab
from ..ops.face_model import FaceModel
from ..ops.flow import resize, sample
from ..ops.masks import ramp
from ..ops.pooling import box_max
from .glasses_plane import GlassesPlane
from .worn_glasses import places_of

_EYES, _OWN = (0.45, -0.15, 0.25), (0.05, 0.09)
"""The part around the eyes (how far aside, from and down to which height), and shares of the face there that are
hidden: by nothing; by something."""
_BROAD = 0.18
"""Width of the broadest frame, in distances between the outer eye corners; what is broader is a dark lens."""
_FIELD = 256
"""Side of the largest crop in which dark lenses are told from frames; a larger one is looked at in that many cells."""
_GAIN = (0.7, 1.15)
"""How much darker and brighter glasses may become with their new face (OKLab)."""


def unless_in_front(
    layer: Tensor, drawn: Tensor, hidden: Tensor, landmarks: Tensor, model: FaceModel
) -> tuple[Tensor, Tensor]:
    """One pair is enough: no layer if something is in front of a face's eyes, such as glasses of its own.

    Behind dark lenses the source shows no eyes. Where they are left out, the face's own stay.

    Args:
        layer: ``(1, 4, S, S)`` colours and opacity.
        drawn: ``(1, 1, S, S)`` where the source's face is drawn; beyond it nothing is in front of a turned face.
        hidden: ``(1, 1, S, S)`` how much of each pixel of the crop is not face.
        landmarks: ``(1, 478, 3)`` in its pixels.
        model: the face model.

    Returns:
        layer, and where the face is drawn.
    """
    at, places = GlassesPlane(model)(landmarks), places_of(landmarks)[..., ::8, ::8]
    pixels = torch.einsum("bij,bjhw->bihw", at[..., :2], places) + at[..., 2:, None]
    eyes = (places[:, :1].abs() < _EYES[0]) & (places[:, 1:] > _EYES[1]) & (places[:, 1:] < _EYES[2])
    face, covered = (sample(torch.cat((drawn, drawn * hidden), 1), pixels) * eyes).sum((0, 2, 3))
    share = covered / face.clamp_min(1)
    left_out = ramp(share, _OWN) * layer[:, 3:]
    if not left_out.any():
        return layer, drawn
    size, side = drawn.shape[-1], min(_FIELD, drawn.shape[-1])
    reach = int(_BROAD * float(at[0, :, 0].norm()) * side / size) | 1
    frames = box_max(1 - functional.adaptive_avg_pool2d(left_out, side), reach)
    lenses = resize(box_max(1 - frames, reach + 2 * (reach // 4)), size, size)
    return torch.cat((layer[:, :3], layer[:, 3:] - left_out), 1), drawn * (1 - lenses)


def laid_over(picture: Tensor, layer: Tensor, color: ColorMatch) -> Tensor:
    """A picture ``(1, 3, S, S)`` with a layer ``(1, 4, S, S)`` over it, as bright as its new face; what is black stays.

    Args:
        picture: in [0, 1].
        layer: colours and opacity.
        color: what the face was matched with.
    """
    gain = (color.target[:, :1] / color.source[:, :1].clamp_min(0.05)).clamp(*_GAIN)[..., None, None]
    left, top, right, bottom = bounding_boxes(layer[:, 3:])[0].tolist()
    part = (..., slice(top, bottom), slice(left, right))
    glasses, opacity = layer[part].split((3, 1), 1)
    result = picture.clone()
    result[part] = torch.lerp(picture[part], oklab_to_srgb(gain * srgb_to_oklab(glasses)).clamp(0, 1), opacity)
    return result

"""What is behind the lips: teeth that stay with the skull, and a plain mouth where the source shows none."""

from __future__ import annotations

import torch
from torch import Tensor

from ..ops.face_model import FaceModel
from ..ops.head_mesh import Placement, place
from ..ops.landmarks import LIPS_INNER, LIPS_OUTER
from ..ops.masks import smoothstep
from ..ops.mesh import interpolate, rasterize
from .openings import MOUTH, lacking
from .teeth import drawn_inside
from .views import View

_HALF = len(LIPS_INNER) // 2
_UPPER, _LOWER = [LIPS_INNER[0], *LIPS_INNER[:_HALF:-1], LIPS_INNER[_HALF]], list(LIPS_INNER[: _HALF + 1])
"""Points of the inner lips from one corner to the other; those of the same number lie above each other."""
_TEETH = 0.11
"""How far below the upper lip a mouth moves with the skull, in distances between the outer eye corners."""
_SEAM = 0.25
"""Share of the lips' thickness in which the line between them lies when they are shut: in 42 portraits it brightens to
half of the lips' light at 0.26 (0.18 to 0.42)."""
_UNDER_NOSE, _SHOWN = 0.28, 0.045
"""How far below the nose drawn upper teeth end, and how much of them is seen below an open lip at least, in the same
unit."""


def behind_lips(
    view: View, target: Placement, draw: tuple[Tensor, Tensor], model: FaceModel
) -> tuple[Tensor, Tensor, Tensor]:
    """The inside of a mouth.

    Args:
        view: what the source shows.
        target: the face wanted.
        draw: numbers and weights of the triangles at each pixel.
        model: the face model.

    Returns:
        where it is found in the view ``(1, 2, H, W)``; colours ``(1, 3, H, W)`` of a plain mouth in the lips' light;
        how far these are needed ``(1, 1, H, W)``, in [0, 1].
    """
    shape = target.shape[..., :2]
    values = torch.cat((_places(shape), shape, view.landmarks[..., :2], _edges(view, target)), -1)
    maps = interpolate(values, model.triangles, *draw).split((1, 1, 2, 2, 2, 1, 1), 1)
    across, down, place, flow, height, shown, wanted = maps
    # The lower lip's edge is not known exactly: where the lip goes away, the last seen above it may be lip.
    kept = 1 - 0.1 * smoothstep((wanted / shown.clamp_min(1e-4) - 1) / 0.2)
    shown, below = (kept * shown).clamp_min(1e-4), down * wanted
    rigid = shown.clamp(max=_TEETH)
    # Below the teeth what is seen there, dark or tongue, is stretched as far as it goes.
    rest = (below - rigid).clamp_min(0)
    depth = (shown - rigid).clamp_min(0)
    stretch = (wanted - rigid).clamp_min(1e-4) / depth.clamp_min(1e-4)
    looked = torch.minimum(below, rigid) + torch.where(stretch > 1, rest / stretch.clamp_min(1), rest)
    part = kept * (looked / shown).clamp(0, 1)
    poor = smoothstep((stretch - 1.3) / 0.7)
    bare = poor * smoothstep((below - 0.93 * rigid) / (0.07 * rigid + 0.004))
    places = flow + (part - down) * height
    if not bool((bare > 0).any()):
        return places, torch.zeros_like(bare).expand(-1, 3, -1, -1), bare
    inside = drawn_inside(place, _incisors(target.shape), below, wanted, across)
    return places, (_light(view.levels[0], view.landmarks) * inside).clamp(0, 1), bare


def parted(view: View, target: Placement) -> Tensor:
    """Where landmarks are looked up in a view, ``(1, 478, 2)``: inner lips a little within the lips where these part.

    The line between shut lips is dark; opened, it would lie around the teeth as a contour.
    """
    inner, outer = list(LIPS_INNER), list(LIPS_OUTER)
    places = view.landmarks[..., :2].clone()
    share = _SEAM * lacking(view.placement.shape, target.shape)[:, :1, None]
    places[:, inner] = torch.lerp(places[:, inner], places[:, outer], share)
    return places


def plain_mouth(image: Tensor, landmarks: Tensor, model: FaceModel) -> Tensor:
    """Draw a plain mouth between the lips of a face.

    Args:
        image: ``(1, 3, H, W)``.
        landmarks: ``(1, 478, 3)`` pixels of ``image``.
        model: the face model.
    """
    triangles, shape = model.triangles[model.regions == MOUTH], place(model.mean, landmarks).shape
    number, weights = rasterize(landmarks, triangles, *image.shape[-2:])
    heights = _at_lips(_apart(shape).norm(dim=1, keepdim=True), shape.shape[1])
    values = interpolate(torch.cat((_places(shape), shape[..., :2], heights), -1), triangles, number, weights)
    across, down, where, height = values.split((1, 1, 2, 1), 1)
    inside = drawn_inside(where, _incisors(shape), down * height, height, across)
    colours = (inside * _light(image, landmarks)).clamp(0, 1)
    return torch.where((number >= 0)[:, None], colours, image)


def _light(picture: Tensor, landmarks: Tensor) -> Tensor:
    """Brightness of the lips of a face in a picture relative to lips in white light, ``(1, 1, 1, 1)``."""
    x, y = landmarks[0, list(LIPS_OUTER), :2].long().unbind(-1)
    x, y = x.clamp(0, picture.shape[-1] - 1), y.clamp(0, picture.shape[-2] - 1)
    level = picture[0, :, y, x].median(1).values.mean()
    return (level / 0.5).pow(0.8).clamp(0.25, 1.15).view(1, 1, 1, 1)


def _incisors(shape: Tensor) -> Tensor:
    """Canonical y of the edge of the upper incisors of a face ``(1, 478, 3)``, a scalar.

    A little below a closed mouth, which is as far below the nose in most; never quite hidden behind an open lip.
    """
    nose, lip, below = shape[0, [2, 13, 14], 1]
    return torch.maximum(nose + _UNDER_NOSE, lip + _SHOWN * smoothstep((below - lip) / 0.12))


def _places(shape: Tensor) -> Tensor:
    """Per landmark ``(1, 478, 2)``: across the mouth in [-1, 1] and from the upper (0) to the lower lip (1)."""
    places = torch.zeros_like(shape[..., :2])
    across = torch.linspace(-1, 1, len(_LOWER), dtype=shape.dtype, device=shape.device)
    places[0, _UPPER, 0] = places[0, _LOWER, 0] = across
    places[0, _LOWER, 1] = 1
    places[0, [_LOWER[0], _LOWER[-1]], 1] = 0.5
    return places


def _edges(view: View, target: Placement) -> Tensor:
    """What an opening is like at each landmark of the inner lips, ``(1, 478, 4)``.

    The way from the view's upper to its lower lip, x and y in its pixels; height of the view's and the wanted opening.
    """
    heights = (_apart(face.shape).norm(dim=1, keepdim=True) for face in (view.placement, target))
    return _at_lips(torch.cat((_apart(view.landmarks), *heights), 1), view.landmarks.shape[1])


def _apart(landmarks: Tensor) -> Tensor:
    """The way from the upper to the lower lip, x and y ``(P, 2)``, in landmarks ``(1, 478, 3)``."""
    return landmarks[0, _LOWER, :2] - landmarks[0, _UPPER, :2]


def _at_lips(values: Tensor, count: int) -> Tensor:
    """Values ``(P, C)`` at both ends of each such way, among ``count`` landmarks ``(1, count, C)``; 0 elsewhere."""
    result = values.new_zeros(1, count, values.shape[1])
    result[0, _UPPER] = result[0, _LOWER] = values
    return result

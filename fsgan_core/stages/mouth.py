"""What is behind the lips: teeth that stay with the skull, and a plain mouth where the source shows none."""

from __future__ import annotations

import torch
from torch import Tensor

from ..ops.face_model import FaceModel
from ..ops.head_mesh import Placement, place
from ..ops.landmarks import LIPS_INNER, LIPS_OUTER
from ..ops.masks import smoothstep
from ..ops.mesh import interpolate, rasterize
from .openings import MOUTH
from .views import View

_TEETH = 0.11
"""How far below the upper lip a mouth moves with the skull, in distances between the outer eye corners."""
_SHOWN = 0.055
"""How much of drawn upper teeth is seen below the lip, in the same unit."""


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
    values = torch.cat((_places(target.shape), view.landmarks[..., :2], _edges(view, target)), -1)
    across, down, flow, height, shown, wanted = interpolate(values, model.triangles, *draw).split((1, 1, 2, 2, 1, 1), 1)
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
    lacking = poor * smoothstep((below - 0.93 * rigid) / (0.07 * rigid + 0.004))
    light = _light(view.levels[0], view.landmarks)
    return flow + (part - down) * height, (light * _plain(across, below, wanted)).clamp(0, 1), lacking


def plain_mouth(image: Tensor, landmarks: Tensor, model: FaceModel) -> Tensor:
    """Draw a plain mouth between the lips of a face.

    Args:
        image: ``(1, 3, H, W)``.
        landmarks: ``(1, 478, 3)`` pixels of ``image``.
        model: the face model.
    """
    triangles, shape = model.triangles[model.regions == MOUTH], place(model.mean, landmarks).shape
    number, weights = rasterize(landmarks, triangles, *image.shape[-2:])
    heights = torch.zeros_like(shape[..., :1])
    for high, low in _pairs():
        heights[0, [high, low]] = (shape[0, low, :2] - shape[0, high, :2]).norm()
    values = interpolate(torch.cat((_places(shape), heights), -1), triangles, number, weights)
    across, down, height = values.split(1, 1)
    colours = (_plain(across, down * height, height) * _light(image, landmarks)).clamp(0, 1)
    return torch.where((number >= 0)[:, None], colours, image)


def _light(picture: Tensor, landmarks: Tensor) -> Tensor:
    """Brightness of the lips of a face in a picture relative to lips in white light, ``(1, 1, 1, 1)``."""
    x, y = landmarks[0, list(LIPS_OUTER), :2].long().unbind(-1)
    x, y = x.clamp(0, picture.shape[-1] - 1), y.clamp(0, picture.shape[-2] - 1)
    level = picture[0, :, y, x].median(1).values.mean()
    return (level / 0.5).clamp(0.25, 1.15).view(1, 1, 1, 1)


def _plain(across: Tensor, below: Tensor, height: Tensor) -> Tensor:
    """Colours ``(1, 3, H, W)``: a dark cavity, upper teeth, a tongue.

    Args:
        across: from corner to corner in [-1, 1].
        below: distance from the upper lip.
        height: of the opening there, in the same unit.
    """
    side = (1 - across.abs()).clamp(0, 1).sqrt()
    cavity = across.new_tensor((0.17, 0.06, 0.055))[:, None, None] * (0.5 + 0.5 * side)
    tongue = across.new_tensor((0.50, 0.23, 0.22))[:, None, None] * (0.45 + 0.55 * side)
    raised = smoothstep((0.10 - (height - below) - 0.05 * across**2) / 0.08) * smoothstep(height / 0.16)
    teeth = across.new_tensor((0.84, 0.79, 0.71))[:, None, None] * (0.35 + 0.65 * side)
    edge = _SHOWN * (1 - 0.5 * across**2) * smoothstep(height / 0.05)
    shade = 0.62 + 0.38 * smoothstep(below / 0.05)
    shown = smoothstep((edge - below) / 0.010 + 0.5) * smoothstep((0.9 - across.abs()) / 0.12)
    return torch.lerp(torch.lerp(cavity, tongue, raised), teeth * shade, shown)


def _pairs() -> list[tuple[int, int]]:
    """Points of the inner lips, upper and lower, from one corner to the other."""
    half = len(LIPS_INNER) // 2
    upper = (LIPS_INNER[0], *LIPS_INNER[:half:-1], LIPS_INNER[half])
    return list(zip(upper, LIPS_INNER[: half + 1], strict=True))


def _places(shape: Tensor) -> Tensor:
    """Per landmark ``(1, 478, 2)``: across the mouth in [-1, 1] and from the upper (0) to the lower lip (1)."""
    places = torch.zeros_like(shape[..., :2])
    pairs = _pairs()
    for index, (high, low) in enumerate(pairs):
        across = 2 * index / (len(pairs) - 1) - 1
        places[0, high] = places.new_tensor((across, 0.0))
        places[0, low] = places.new_tensor((across, 1.0 if high != low else 0.5))
    return places


def _edges(view: View, target: Placement) -> Tensor:
    """What an opening is like at each landmark of the inner lips, ``(1, 478, 4)``.

    The way from the view's upper to its lower lip, x and y in its pixels; height of the view's and the wanted opening.
    """
    edges = torch.zeros(1, view.landmarks.shape[1], 4, device=view.landmarks.device)
    for high, low in _pairs():
        heights = [
            (shape[0, low, :2] - shape[0, high, :2]).norm()[None] for shape in (view.placement.shape, target.shape)
        ]
        edges[0, [high, low]] = torch.cat((view.landmarks[0, low, :2] - view.landmarks[0, high, :2], *heights))
    return edges

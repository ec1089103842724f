"""Mouth and eyes: how far they are open, and what to draw where the source shows nothing inside.

A closed mouth stretched open would become a red smear. Where the wanted opening is much larger than the source's, the
inside is called missing: a swap takes it from the target's picture, a reenactment draws a plain mouth.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..ops.face_model import FaceModel
from ..ops.flow import resize
from ..ops.landmarks import LEFT_EYE, LEFT_IRIS, LIPS_INNER, LIPS_OUTER, RIGHT_EYE, RIGHT_IRIS
from ..ops.mesh import interpolate, rasterize

MOUTH, RIGHT, LEFT = 1, 2, 3
"""Regions of the face mesh (0 is skin), as ``FaceModel.regions`` numbers them; sides are the subject's."""
_RINGS = {MOUTH: LIPS_INNER, RIGHT: RIGHT_EYE, LEFT: LEFT_EYE}
IRISES = (*RIGHT_IRIS, *LEFT_IRIS)
_CLOSED = 0.004
"""Area in squared eye distances under which an opening counts as closed, so that noise there decides nothing."""


def openness(shape: Tensor, region: int) -> Tensor:
    """Area ``(B,)`` of an opening in canonical landmarks ``(B, 478, 3)``, in squared eye distances, at least 0."""
    x, y, _ = shape[:, list(_RINGS[region])].unbind(-1)
    area = 0.5 * (x * y.roll(-1, 1) - x.roll(-1, 1) * y).sum(1)
    return area.abs()


def recessed(vertices: Tensor) -> Tensor:
    """Landmarks ``(B, 478, 3)`` with the irises far behind the face, so that a lid that comes down hides them."""
    result = vertices.clone()
    result[:, list(IRISES), 2] += (vertices[:, 263, :2] - vertices[:, 33, :2]).norm(dim=-1, keepdim=True)
    return result


def missing(source: Tensor, target: Tensor, regions: Tensor) -> Tensor:
    """Where the inside of an opening cannot come from the source.

    Args:
        source: ``(B, 478, 3)`` canonical landmarks of the source.
        target: ``(B, 478, 3)`` canonical landmarks wanted.
        regions: ``(B, H, W)`` region of the face mesh at each pixel, 0 elsewhere.

    Returns:
        ``(B, 1, H, W)`` in [0, 1]: 0 where the source's opening is at least 0.6 of the wanted area, 1 below 0.25.
    """
    result = torch.zeros_like(regions, dtype=source.dtype)
    for region in _RINGS:
        ratio = (openness(source, region) + _CLOSED) / (openness(target, region) + _CLOSED)
        part = ((0.6 - ratio) / 0.35).clamp(0, 1)
        result = torch.where(regions == region, (part * part * (3 - 2 * part))[:, None, None], result)
    return result[:, None]


def plain_mouth(image: Tensor, landmarks: Tensor, model: FaceModel) -> Tensor:
    """Draw the inside of an open mouth: a dark cavity, upper teeth and a tongue, in the light of the lips around.

    Args:
        image: ``(1, 3, S, S)`` the face, for its light.
        landmarks: ``(1, 478, 3)`` pixels of ``image``.
        model: the face model.

    Returns:
        ``(1, 3, S, S)``: ``image`` with the inside of the lips replaced.
    """
    size = image.shape[-1]
    field = min(256, size)
    scaled = landmarks * (field / size)
    triangles = model.triangles[model.regions == MOUTH]
    number, weights = rasterize(scaled, triangles, field, field)
    if not (number >= 0).any():
        return image
    across, down = interpolate(_inside(landmarks), triangles, number, weights).split(1, 1)
    eyes = (landmarks[0, 263, :2] - landmarks[0, 33, :2]).norm().clamp_min(1e-3)
    height = (landmarks[0, 14, :2] - landmarks[0, 13, :2]).norm() / eyes
    light = _light(image, landmarks)
    picture = _draw(across, down, float(height)) * light
    cover = resize((number >= 0).to(image.dtype)[:, None], size, size)
    return torch.lerp(image, resize(picture, size, size).clamp(0, 1), cover)


def _draw(across: Tensor, down: Tensor, height: float) -> Tensor:
    """Colours ``(1, 3, H, W)`` of a mouth seen in white light, by place in it; ``height`` in eye distances."""
    corner = (1 - across.abs()).clamp(0, 1).sqrt()
    cavity = across.new_tensor((0.16, 0.05, 0.05))[:, None, None] * (0.45 + 0.55 * corner)
    tongue = across.new_tensor((0.52, 0.22, 0.21))[:, None, None] * (0.35 + 0.65 * corner)
    raised = ((down - (0.62 + 0.3 * across**2)) / 0.25).clamp(0, 1) * min(1.0, height / 0.18)
    teeth = across.new_tensor((0.80, 0.76, 0.70))[:, None, None] * (0.35 + 0.65 * corner)
    gaps = 1 - 0.10 * (torch.cos(across * 6 * torch.pi) > 0.93).to(across.dtype)
    edge = (0.085 / max(height, 1e-3)) * (1 - 0.55 * across**2)
    shown = ((min(0.55, 1.0) * edge.clamp(max=0.8) * 1.6 - down) / 0.08).clamp(0, 1) * (across.abs() < 0.86)
    shade = 0.55 + 0.45 * (down / edge.clamp_min(1e-3)).clamp(0, 1)
    return torch.lerp(torch.lerp(cavity, tongue, raised), teeth * gaps * shade, shown * min(1.0, height / 0.08))


def _inside(landmarks: Tensor) -> Tensor:
    """Per landmark ``(1, 478, 2)``: across the mouth in [-1, 1] and from the upper (0) to the lower lip (1)."""
    place = torch.zeros(1, landmarks.shape[1], 2, device=landmarks.device, dtype=landmarks.dtype)
    half = len(LIPS_INNER) // 2
    steps = torch.linspace(-1, 1, half + 1, device=landmarks.device)
    lower = LIPS_INNER[: half + 1]
    upper = (LIPS_INNER[0], *LIPS_INNER[:half:-1], LIPS_INNER[half])
    for index, (low, high) in enumerate(zip(lower, upper, strict=True)):
        place[0, high] = torch.stack((steps[index], steps.new_tensor(0.0)))
        place[0, low] = torch.stack((steps[index], steps.new_tensor(1.0)))
    place[0, [LIPS_INNER[0], LIPS_INNER[half]], 1] = 0.5
    return place


def _light(image: Tensor, landmarks: Tensor) -> Tensor:
    """Brightness of the lips relative to lips in white light, ``(1, 3, 1, 1)``."""
    x, y = landmarks[0, list(LIPS_OUTER), :2].long().clamp(0, image.shape[-1] - 1).unbind(-1)
    level = image[0, :, y, x].median(1).values.mean()
    return (level / 0.5).clamp(0.25, 1.15).expand(1, 1, 1, 1)

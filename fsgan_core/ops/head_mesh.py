"""The face mesh with the head around it: what carries hair, neck and background along when a face moves.

To the 478 landmarks two rings are added: the *hair ring*, which turns with the head as a rigid body, and the *outer
ring*, which stays where it is. The picture between them bends; beyond the outer ring nothing moves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .geometry import similarity, slerp
from .landmarks import FACE_OVAL, RIGID

HAIR = (1.42, 1.75, 1.3)
"""Size of the hair ring relative to the face oval: sides, top, bottom."""
HAIR_DEPTH = 0.55
"""How far the hair ring lies behind the face oval, in distances between the outer eye corners."""
OUTER = 1.7
"""Size of the outer ring relative to the hair ring."""
_CONE = 0.98
"""Cosine of the angle within which landmarks count as lying in one direction from the middle of a face."""


@dataclass(frozen=True)
class Placement:
    """A face taken apart: its shape in the canonical space and where that is in a picture.

    Attributes:
        shape: ``(B, 478, 3)`` canonical landmarks.
        scale: ``(B,)`` pixels per canonical unit.
        rotation: ``(B, 3, 3)``.
        translation: ``(B, 3)`` pixels.
    """

    shape: Tensor
    scale: Tensor
    rotation: Tensor
    translation: Tensor


def place(mean: Tensor, landmarks: Tensor) -> Placement:
    """Take landmarks ``(B, 478, 3)`` apart by aligning their rigid points with the mean face ``(478, 3)``."""
    rigid = list(RIGID)
    reference = mean[rigid].expand(len(landmarks), -1, -1)
    scale, rotation, translation = similarity(reference, landmarks[:, rigid])
    shape = (landmarks - translation[:, None]) @ rotation / scale[:, None, None]
    return Placement(shape, scale, rotation, translation)


def points(placement: Placement) -> Tensor:
    """Put a face together again: ``(B, P, 3)`` pixels."""
    turned = placement.shape @ placement.rotation.mT
    return placement.scale[:, None, None] * turned + placement.translation[:, None]


def between(start: Placement, end: Placement, part: float) -> Placement:
    """A face on the way from one to another: rotation along the shortest arc, expression and place linearly.

    Args:
        start: the face at ``part`` 0.
        end: the face at ``part`` 1.
        part: in [0, 1].
    """
    return Placement(
        torch.lerp(start.shape, end.shape, part),
        torch.lerp(start.scale.log(), end.scale.log(), part).exp(),
        slerp(start.rotation, end.rotation, part),
        torch.lerp(start.translation, end.translation, part),
    )


def hair_ring(shape: Tensor) -> Tensor:
    """Canonical hair ring ``(B, 36, 3)`` of canonical landmarks ``(B, 478, 3)``."""
    oval = shape[:, list(FACE_OVAL)]
    centre = oval.mean(1, keepdim=True)
    offset = oval - centre
    side, top, bottom = HAIR
    reach = offset.norm(dim=2, keepdim=True).clamp_min(1e-6)
    up, down = (-offset[..., 1:2] / reach).clamp_min(0), (offset[..., 1:2] / reach).clamp_min(0)
    grown = offset * (side + (top - side) * up**2 + (bottom - side) * down**2)
    return centre + grown + torch.tensor((0.0, 0.0, HAIR_DEPTH), device=shape.device)


def outer_ring(hair: Tensor) -> Tensor:
    """Outer ring ``(B, 36, 3)`` in pixels around a hair ring in pixels, behind everything."""
    centre = hair.mean(1, keepdim=True)
    ring = centre + OUTER * (hair - centre)
    depth = hair[..., 2:].amax(1, keepdim=True) + (hair - centre).norm(dim=2).amax(1)[:, None, None]
    return torch.cat((ring[..., :2], depth.expand(-1, ring.shape[1], 1)), -1)


def outline(vertices: Tensor) -> Tensor:
    """The face oval ``(B, 36, 3)`` of landmarks in pixels, moved out to what is seen of the face.

    Of a turned face the far part of the oval lies behind the cheek; what is around the face begins at the cheek.
    """
    oval = vertices[:, list(FACE_OVAL)]
    centre = oval[..., :2].mean(1, keepdim=True)
    away, offset = oval[..., :2] - centre, vertices[..., :2] - centre
    reach = away.norm(dim=2, keepdim=True).clamp_min(1e-6)
    along = (away / reach) @ offset.mT
    near = along > _CONE * offset.norm(dim=2)[:, None]
    farthest = torch.where(near, along, 0.0).amax(2, keepdim=True)
    moved = centre + away * (torch.maximum(farthest, reach) / reach)
    return torch.cat((moved, oval[..., 2:]), 2)


def head_rings(source: Placement, face: Placement) -> Tensor:
    """Vertices ``(B, 108, 3)`` of face oval, hair ring and outer ring for a source's head in the place of a face.

    The hair ring has the source's shape and turns with the face; the outer ring stays where it is around the source.
    """
    hair = hair_ring(source.shape)
    oval = outline(points(face))
    return torch.cat((oval, points(replace(face, shape=hair)), outer_ring(points(replace(source, shape=hair)))), 1)


def head_reach(mean: Tensor, landmarks: Tensor) -> Tensor:
    """The outer ring ``(B, 36, 3)`` in pixels of faces ``(B, 478, 3)``: nothing beyond it moves with the head."""
    face = place(mean, landmarks)
    return outer_ring(points(replace(face, shape=hair_ring(face.shape))))


def ring_triangles(device: torch.device) -> Tensor:
    """The triangles ``(144, 3)`` of :func:`head_rings`: two closed strips of 36 quadrilaterals."""
    count = len(FACE_OVAL)
    rings = torch.arange(3 * count, device=device).view(3, count)
    strips = []
    for inner, outer in zip(rings[:-1], rings[1:], strict=True):
        strips.append(torch.stack((inner, outer, outer.roll(-1)), 1))
        strips.append(torch.stack((inner, outer.roll(-1), inner.roll(-1)), 1))
    return torch.cat(strips)

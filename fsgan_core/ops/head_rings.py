"""What is around a face: the rings that carry hair, neck and background along when it moves.

Three rings of 36 points, each within the next: the *outline* of the face as it is seen, the *contour* of its head, and
the *outer ring*, which stays where it is. The picture between them bends; beyond the outer ring nothing moves.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from .geometry import euler_angles, rotation_matrix
from .head_mesh import Placement, place, points
from .landmarks import FACE_OVAL

HAIR = (1.42, 1.75, 1.3)
"""Size of the hair ring relative to the face oval: sides, top, bottom."""
MIDDLE = (0.0, 0.25, 0.85)
"""The middle of a head in canonical units, that is distances between the outer eye corners."""
OUTER = 1.7
"""Size of the outer ring relative to the contour."""
_BEHIND, _SLIP = 0.55, 0.25
"""How far behind the face oval lies what is seen along the contour, in canonical units, and the sine of the turn from
which something else becomes the contour."""
_ROOM = 1.12
"""How far the contour lies beyond the face at least, as its distance from the middle relative to the face's."""
_WITHIN = 0.92
"""How near a contour may come to the outer ring, as a share of the way there."""
_CONE = 0.98
"""Cosine of the angle within which landmarks count as lying in one direction from a middle."""
_NOISE, _BLUR = 0.03, 4
"""Covered ways shorter than this, in canonical units, do not count; and over how many neighbours on each side the
others are averaged, twice, so that what lies around a face bends evenly."""


def hair_ring(shape: Tensor) -> Tensor:
    """Canonical hair ring ``(B, 36, 3)`` around landmarks ``(B, 478, 3)``, at the depth of the head's middle."""
    oval = shape[:, list(FACE_OVAL), :2]
    offset = oval - oval.mean(1, keepdim=True)
    side, top, bottom = HAIR
    down = offset[..., 1:] / offset.norm(dim=2, keepdim=True).clamp_min(1e-6)
    grown = side + (top - side) * (-down).clamp_min(0) ** 2 + (bottom - side) * down.clamp_min(0) ** 2
    return functional.pad(oval + (grown - 1) * offset, (0, 1), value=MIDDLE[2])


def contour(shape: Tensor, face: Placement) -> Tensor:
    """The contour ``(B, 36, 2)`` in pixels of a head in the place of a face.

    A head is round: as it turns, its surface slides under its contour, which goes where the middle of the head goes and
    leans and grows with it, but is not foreshortened. The first degrees what lies along the contour turns with the
    rest, by its depth; then something else becomes the contour. Where the face reaches farther, it gives way.

    Args:
        shape: ``(B, 478, 3)`` canonical landmarks, whose hair ring is taken.
        face: where the head is.
    """
    middle = shape.new_tensor(MIDDLE)
    centre = points(replace(face, shape=middle.expand(len(shape), 1, 3)))[..., :2]
    roll = rotation_matrix(euler_angles(face.rotation) * middle.new_tensor((0.0, 0.0, 1.0)))
    ring = (hair_ring(shape) - middle) @ roll.mT * face.scale[:, None, None]
    toward = face.rotation[:, None, :2, 2]
    turn = toward / (1 + (toward / _SLIP).square().sum(2, keepdim=True)).sqrt()
    behind = (shape[:, list(FACE_OVAL), 2:] + _BEHIND - MIDDLE[2]) * face.scale[:, None, None]
    return _around(points(face), centre + ring[..., :2] + turn * behind, centre, _ROOM)


def outline(vertices: Tensor) -> Tensor:
    """The face oval ``(B, 36, 2)`` of landmarks in pixels, moved out to what is seen of the face.

    Of a turned face the far part of the oval lies behind the cheek; what is around the face begins at the cheek.
    """
    oval = vertices[:, list(FACE_OVAL), :2]
    return _around(vertices, oval, oval.mean(1, keepdim=True))


def covered(face: Placement) -> Tensor:
    """How much of the way from the face oval to the hair ring a turned face covers, ``(B, 36, 1)`` in [0, 1]."""
    vertices = points(face)
    oval, hair = vertices[:, list(FACE_OVAL), :2], points(replace(face, shape=hair_ring(face.shape)))[..., :2]
    way = functional.normalize(oval - oval.mean(1, keepdim=True), dim=2)
    hidden, whole = (((end - oval) * way).sum(2, keepdim=True) for end in (outline(vertices), hair))
    unit = face.scale[:, None, None]
    share = ((hidden - _NOISE * unit) / torch.maximum(whole, 0.1 * unit)).clamp(0, 1)
    for _ in range(2):
        share = torch.stack([share.roll(step, 1) for step in range(-_BLUR, _BLUR + 1)]).mean(0)
    return share


def outer_ring(contour: Tensor) -> Tensor:
    """Outer ring ``(B, 36, 2)`` in pixels around a contour in pixels."""
    return torch.lerp(contour.mean(1, keepdim=True), contour, OUTER)


def head_rings(source: Placement, face: Placement) -> tuple[Tensor, Tensor]:
    """The rings ``(B, 108, 3)`` of a source's head as they are, and in the place of a face; all lie behind the face.

    The outer ring stays where it is. Where the face comes to cover the head behind it, the first rings begin that
    much beyond the outline: hair and ears go behind the cheek instead of being squeezed beside it.
    """
    around, beyond = (contour(source.shape, one) for one in (source, face))
    outer = outer_ring(around)
    around, beyond = _within(around, outer), _within(beyond, outer)
    before, then = covered(source), covered(face)
    more = ((then - before) / (1 - before).clamp_min(0.1)).clamp(0, 1)
    inner = _edge(source, around, before)
    rings = torch.cat((torch.lerp(inner, around, more), around, outer), 1)
    moved = torch.cat((_edge(face, beyond, then), beyond, outer), 1)
    return _behind(rings, source), _behind(moved, face)


def head_reach(mean: Tensor, landmarks: Tensor) -> Tensor:
    """The outer ring ``(B, 36, 2)`` in pixels of faces ``(B, 478, 3)``: nothing beyond it moves with the head."""
    face = place(mean, landmarks)
    return outer_ring(contour(face.shape, face))


def reached(places: Tensor, ring: Tensor) -> Tensor:
    """How far places ``(B, P, 2)`` lie from the middle of a ring ``(B, Q, 2)``, ``(B, P, 1)``: 1 on it, about."""
    middle = ring.mean(1, keepdim=True)
    normal = (ring.roll(-1, 1) - ring).flip(2) * ring.new_tensor((1.0, -1.0))
    width = (normal * (ring - middle)).sum(2)[:, None]
    # Not as a product of matrices, whose last bits differ with the number of threads.
    x, y = (away * across for away, across in zip((places - middle).split(1, 2), normal.mT.split(1, 1), strict=True))
    return ((x + y) / width).amax(2, keepdim=True)


def ring_triangles(device: torch.device) -> Tensor:
    """The triangles ``(144, 3)`` of :func:`head_rings`: two closed strips of 36 quadrilaterals."""
    count = len(FACE_OVAL)
    rings = torch.arange(3 * count, device=device).view(3, count)
    strips = []
    for inner, outer in zip(rings[:-1], rings[1:], strict=True):
        strips.append(torch.stack((inner, outer, outer.roll(-1)), 1))
        strips.append(torch.stack((inner, outer.roll(-1), inner.roll(-1)), 1))
    return torch.cat(strips)


def _edge(face: Placement, around: Tensor, share: Tensor) -> Tensor:
    """The outline ``(B, 36, 2)``, by its covered ``share`` in the direction of the contour's points.

    The part of the oval that lies behind the cheek has no order of its own, and what is around it would be folded.
    """
    vertices = points(face)
    middle = vertices[:, list(FACE_OVAL), :2].mean(1, keepdim=True)
    toward = _around(vertices, torch.lerp(middle, around, 1e-3), middle)
    return torch.lerp(outline(vertices), toward, share)


def _within(ring: Tensor, outer: Tensor) -> Tensor:
    """A ring ``(B, P, 2)`` moved towards the middle of an outer one ``(B, Q, 2)`` where it would come too near to it.

    Of a head in profile the contour would else lie beyond what stays, and the picture between them would be torn.
    """
    middle = outer.mean(1, keepdim=True)
    return middle + (ring - middle) / (reached(ring, outer) / _WITHIN).clamp_min(1)


def _behind(rings: Tensor, face: Placement) -> Tensor:
    """Rings ``(B, P, 2)`` with the depth ``(B, P, 3)`` of what of the face lies farthest away."""
    depth = points(face)[..., 2:].amax(1, keepdim=True)
    return torch.cat((rings, depth.expand(-1, rings.shape[1], 1)), 2)


def _around(vertices: Tensor, ring: Tensor, middle: Tensor, room: float = 1.0) -> Tensor:
    """A ring ``(B, P, 2)`` moved away from a middle ``(B, 1, 2)`` to where vertices ``(B, V, 3)`` lie within it.

    ``room`` is what their distance from the middle is multiplied by.
    """
    away, offset = ring - middle, vertices[..., :2] - middle
    reach = away.norm(dim=2, keepdim=True).clamp_min(1e-6)
    along = (away / reach) @ offset.mT
    near = along > _CONE * offset.norm(dim=2)[:, None]
    farthest = room * torch.where(near, along, 0.0).amax(2, keepdim=True)
    return middle + away * (torch.maximum(farthest, reach) / reach)

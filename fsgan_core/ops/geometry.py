"""Rotations, head poses and similarity transforms, all batched.

A rotation takes canonical points to the picture, both with x right, y down, z away from the camera. It is made of
the pose as ``roll @ pitch @ yaw``: the head turns about its own vertical axis first and is tilted in the picture's
plane last, so that profiles are regular and only a head looking straight up or down is not.
"""

from __future__ import annotations

import torch
from torch import Tensor


def rotation_matrix(pose: Tensor) -> Tensor:
    """Rotations ``(B, 3, 3)`` of poses ``(B, 3)``: yaw, pitch, roll in degrees."""
    (cy, cp, cr), (sy, sp, sr) = (part.unbind(-1) for part in (torch.cos(pose.deg2rad()), torch.sin(pose.deg2rad())))
    rows = (
        (cr * cy - sr * sp * sy, -sr * cp, -cr * sy - sr * sp * cy),
        (sr * cy + cr * sp * sy, cr * cp, -sr * sy + cr * sp * cy),
        (cp * sy, -sp, cp * cy),
    )
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def euler_angles(rotation: Tensor) -> Tensor:
    """Poses ``(B, 3)`` in degrees of rotations ``(B, 3, 3)``: yaw and roll in [-180, 180], pitch in [-90, 90]."""
    away = rotation[..., 2, :]
    yaw = torch.atan2(away[..., 0], away[..., 2])
    pitch = torch.atan2(-away[..., 1], torch.hypot(away[..., 0], away[..., 2]))
    roll = torch.atan2(-rotation[..., 0, 1], rotation[..., 1, 1])
    return torch.stack((yaw, pitch, roll), -1).rad2deg()


def similarity(points: Tensor, goal: Tensor, weights: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Similarity transforms that take points nearest to their goals (Umeyama 1991).

    Args:
        points: ``(B or 1, P, D)``.
        goal: ``(B, P, D)``.
        weights: ``(B or 1, P)`` at least 0, all equal when not given.

    Returns:
        scale ``(B,)``, rotation ``(B, D, D)`` and translation ``(B, D)`` with
        ``goal ~ scale * points @ rotation.mT + translation``.
    """
    if weights is None:
        weights = goal.new_ones(1, goal.shape[1])
    share = (weights / weights.sum(-1, keepdim=True))[..., None]
    middle, centre = (share * points).sum(1), (share * goal).sum(1)
    moved, seen = points - middle[:, None], goal - centre[:, None]
    u, stretch, vt = torch.linalg.svd((share * seen).mT @ moved)
    sign = torch.ones_like(stretch)
    sign[:, -1] = torch.linalg.det(u @ vt).sign()
    rotation = (u * sign[:, None]) @ vt
    scale = (stretch * sign).sum(1) / (share * moved**2).sum((1, 2)).clamp_min(1e-12)
    return scale, rotation, centre - scale[:, None] * (rotation @ middle[..., None])[..., 0]


def scaled_orthographic(points: Tensor, seen: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Poses of known points of which only x and y are seen: the rotations next to the best affine maps.

    Args:
        points: ``(P, 3)``, not all in one plane.
        seen: ``(B, P, 2)``.
        weights: ``(B or 1, P)`` at least 0.

    Returns:
        scale ``(B,)``, rotation ``(B, 3, 3)`` and translation ``(B, 3)`` that puts their weighted mean at depth 0.
    """
    share = (weights / weights.sum(-1, keepdim=True))[..., None]
    middle, centre = (share * points).sum(1), (share * seen).sum(1)
    moved = points - middle[:, None]
    affine = torch.linalg.solve((share * moved).mT @ moved, (share * moved).mT @ (seen - centre[:, None])).mT
    u, stretch, vt = torch.linalg.svd(affine, full_matrices=False)
    rows = u @ vt
    rotation = torch.cat((rows, torch.linalg.cross(rows[:, :1], rows[:, 1:])), 1)
    scale = stretch.mean(1)
    place = torch.nn.functional.pad(centre, (0, 1)) - scale[:, None] * (rotation @ middle[..., None])[..., 0]
    return scale, rotation, place


def rotation_vector(rotation: Tensor) -> Tensor:
    """Axis times angle in radians ``(B, 3)``, at most pi long, of rotations ``(B, 3, 3)``."""
    cosine, axis = _quaternion(rotation).split((1, 3), -1)
    axis, cosine = torch.where(cosine < 0, -axis, axis), cosine.abs()
    sine = torch.linalg.vector_norm(axis, dim=-1, keepdim=True)
    return axis * torch.where(sine > 1e-7, 2 * torch.atan2(sine, cosine) / sine.clamp_min(1e-7), 2.0)


def from_vector(vector: Tensor) -> Tensor:
    """Rotations ``(B, 3, 3)`` of axis times angle in radians ``(B, 3)`` (Rodrigues)."""
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    rows = [torch.stack(row, -1) for row in ((zero, -z, y), (z, zero, -x), (-y, x, zero))]
    cross = torch.stack(rows, -2)
    turn = torch.linalg.vector_norm(vector, dim=-1)[..., None, None] / torch.pi
    once, twice = torch.sinc(turn), torch.sinc(turn / 2) ** 2 / 2
    return torch.eye(3, dtype=vector.dtype, device=vector.device) + once * cross + twice * cross @ cross


def slerp(start: Tensor, end: Tensor, part: float | Tensor) -> Tensor:
    """Rotations on the shortest arc from one to another.

    Args:
        start: ``(B, 3, 3)`` at ``part`` 0.
        end: ``(B, 3, 3)`` at ``part`` 1.
        part: a number or ``(B,)``.
    """
    share = torch.as_tensor(part, dtype=start.dtype, device=start.device)
    return start @ from_vector(rotation_vector(start.mT @ end) * share[..., None])


def angle(one: Tensor, other: Tensor) -> Tensor:
    """Angles ``(B,)`` in degrees, 0 to 180, between rotations ``(B, 3, 3)``."""
    radians: Tensor = torch.linalg.vector_norm(rotation_vector(one.mT @ other), dim=-1)
    return radians.rad2deg()


def _quaternion(rotation: Tensor) -> Tensor:
    """Unit quaternions ``(B, 4)``, real part first, from the longest column of their outer square."""
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = (row.unbind(-1) for row in rotation.unbind(-2))
    rows = (
        (1 + xx + yy + zz, zy - yz, xz - zx, yx - xy),
        (zy - yz, 1 + xx - yy - zz, yx + xy, zx + xz),
        (xz - zx, yx + xy, 1 + yy - xx - zz, zy + yz),
        (yx - xy, zx + xz, zy + yz, 1 + zz - xx - yy),
    )
    square = torch.stack([torch.stack(row, -1) for row in rows], -2)
    longest = square.diagonal(dim1=-2, dim2=-1).argmax(-1)[..., None, None]
    column = torch.take_along_dim(square, longest.expand(*square.shape[:-1], 1), -1)[..., 0]
    return torch.nn.functional.normalize(column, dim=-1)


def inverse_2x2(matrix: Tensor) -> Tensor:
    """Inverse of matrices ``(B, 2, 2)``; of a singular one something large but finite, where a library would fail."""
    a, b, c, d = matrix.flatten(1).unbind(1)
    area = a * d - b * c
    area = torch.where(area.abs() < _LEAST_AREA, _LEAST_AREA, area)
    return torch.stack((d, -b, -c, a), 1).view_as(matrix) / area[:, None, None]


_LEAST_AREA = 1e-6
"""Determinant from which on a matrix is not singular."""

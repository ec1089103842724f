"""The original's appearance map and v1's intermediate landmarks, for its weight sets.

Weights equal the original's wherever those are weights. Outside the map, where the original extrapolates to tens, and
between its corner points, where it divides zero by zero, ours stay non-negative and sum to one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay, cKDTree

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

LIMIT = 75.0
"""degrees of yaw and pitch of the four corner points that close the map"""


@dataclass(frozen=True)
class OfficialAppearanceMap:
    """Source views triangulated by yaw and pitch.

    Attributes:
        kept: ``(V,)`` numbers of the views kept, ascending.
        points: ``(V + 4, 2)`` their yaw and pitch in degrees, then the corners.
        triangulation: of the points.
    """

    kept: Indices
    points: Floats
    triangulation: Delaunay

    def query(self, yaw: float, pitch: float) -> tuple[Indices, NDArray[np.float32]]:
        """The three views to mix for a pose.

        Args:
            yaw: degrees, in the sense of the map's poses.
            pitch: degrees.

        Returns:
            three positions in ``kept`` (``V`` stands for a corner: no view) and their weights, which are not
            negative, sum to 1 and are 0 for corners.
        """
        pose = np.array([yaw, pitch])
        triangle = int(self.triangulation.find_simplex(pose))
        if triangle < 0:
            pose = np.clip(pose, -LIMIT + 1e-6, LIMIT - 1e-6)
            triangle = int(self.triangulation.find_simplex(pose))
        count = len(self.kept)
        vertices = np.minimum(self.triangulation.simplices[triangle], count).astype(np.int64)
        transform = self.triangulation.transform[triangle]
        first = transform[:2] @ (pose - transform[2])
        weights = np.clip(np.append(first, 1 - first.sum()), 0, None)
        weights[vertices == count] = 0
        if triangle < 0 or not weights.sum() > 1e-9:
            nearest = int(np.linalg.norm(self.points[:count] - pose, axis=1).argmin())
            return np.array([nearest, count, count]), np.array([1, 0, 0], np.float32)
        return vertices, (weights / weights.sum()).astype(np.float32)


def thin_views(points: Floats, radius: float) -> Indices:
    """Drop views that are near another one, the most crowded views staying.

    Args:
        points: ``(N, 2)`` yaw and pitch.
        radius: distance, in the same unit, within which one view is enough.

    Returns:
        ``(V,)`` numbers of the views kept, ascending.
    """
    neighbours = cKDTree(points).query_ball_point(points, radius)
    keep = np.ones(len(points), bool)
    for view in sorted(range(len(points)), key=lambda i: -len(neighbours[i])):
        if keep[view]:
            keep[neighbours[view]] = False
            keep[view] = True
    return np.flatnonzero(keep)


def build_map(poses: Floats, radius: float = 2.0) -> OfficialAppearanceMap:
    """Thin the views and triangulate the rest with the four corners.

    Args:
        poses: ``(N, 2 or 3)`` yaw, pitch (, roll) in degrees, N at least 1.
        radius: see :func:`thin_views`, in degrees.
    """
    kept = thin_views(poses[:, :2], radius)
    corners = LIMIT * np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]])
    points = np.concatenate([poses[kept, :2], corners])
    return OfficialAppearanceMap(kept, points, Delaunay(points))


def rigid_fit(source: Floats, target: Floats) -> tuple[Floats, Floats]:
    """Rotation and translation that best carry one set of points to another (Kabsch 1976).

    Args:
        source: ``(P, 3)``.
        target: ``(P, 3)``.

    Returns:
        ``(3, 3)`` R and ``(3,)`` t with ``target ~ R source + t``.
    """
    a, b = source.mean(0), target.mean(0)
    u, _, vt = np.linalg.svd((source - a).T @ (target - b))
    mirror = np.diag([1, 1, np.sign(np.linalg.det(vt.T @ u.T))])
    rotation: Floats = vt.T @ mirror @ u.T
    return rotation, b - rotation @ a


def euler_angles(rotation: Floats) -> Floats:
    """Angles x, y, z in radians with ``R = Rz(z) Ry(-x) Rx(y)``."""
    return np.array(
        [
            np.arcsin(np.clip(rotation[2, 0], -1, 1)),
            np.arctan2(rotation[2, 1], rotation[2, 2]),
            np.arctan2(rotation[1, 0], rotation[0, 0]),
        ]
    )


def rotation_matrix(angles: Floats) -> Floats:
    """Inverse of :func:`euler_angles`."""
    (sx, sy, sz), (cx, cy, cz) = np.sin(angles), np.cos(angles)
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    about_y = np.array([[cx, 0, -sx], [0, 1, 0], [sx, 0, cx]])
    about_x = np.array([[1, 0, 0], [0, cy, -sy], [0, sy, cy]])
    product: Floats = about_z @ about_y @ about_x
    return product


def step_landmarks(source: Floats, target: Floats, part: float) -> Floats:
    """Landmarks on the way from one pose to another (v1's stepwise reenactment).

    The head moves, the expression stays the source's: at 1 this is the rigidly moved source, not the target.

    Args:
        source: ``(P, 3)`` in pixels.
        target: ``(P, 3)`` in pixels.
        part: of the way, in [0, 1].

    Returns:
        ``(P, 3)``.
    """
    rotation, translation = rigid_fit(source, target)
    moved: Floats = source @ rotation_matrix(part * euler_angles(rotation)).T + part * translation
    return moved

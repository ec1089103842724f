"""The plane of yaw and pitch, cut into triangles between the views of a face.

FSGAN closes the map of views with four corners that show nothing, which gives weights of tens beyond them and none at
all between them. Here it is closed by a ring of *stand-ins*: points far around the views, each of which shows the view
nearest to it. Every pose lies in a triangle then, also with one view or with views in a row; weights are never
negative, and they change continuously with the pose over the whole sphere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay

Doubles = NDArray[np.float64]
Numbers = NDArray[np.int64]

_STAND_INS = 24
"""Points of the ring around the views."""
_MARGIN = 60.0
"""Distance in degrees of the ring from the outermost view."""
_SAME = 0.5
"""Views closer than this, in degrees, count as one in the triangulation: it must not have needles."""
_BACK, _POLE = 120.0, 75.0
"""Yaw, and pitch, in degrees from which yaw is led back to 0, so that no seam remains behind or above the head."""


@dataclass(frozen=True)
class Triangulation:
    """The plane of poses cut into triangles.

    Attributes:
        points: ``(V, 2)`` yaw and pitch in degrees of views and stand-ins.
        views: ``(V,)`` number of the view that each point shows.
        triangles: ``(T, 3)`` point numbers.
        ring: ``(R,)`` numbers of the stand-ins, counter-clockwise.
    """

    points: Doubles
    views: Numbers
    triangles: Numbers
    ring: Numbers


def on_plane(poses: NDArray[np.floating]) -> Doubles:
    """Yaw and pitch ``(N, 2)`` in degrees of poses ``(N, 3)``, without a seam.

    Yaw is led back to 0 behind the head and towards the poles, where it means nothing; no face is seen there.
    """
    yaw, pitch = (np.mod(poses[:, axis].astype(np.float64) + 180, 360) - 180 for axis in (0, 1))
    beyond = np.abs(pitch) > 90
    pitch = np.where(beyond, np.sign(pitch) * 180 - pitch, pitch)
    yaw = np.where(beyond, np.mod(yaw, 360) - 180, yaw)
    back = np.clip((180 - np.abs(yaw)) / (180 - _BACK) * _BACK, 0, np.abs(yaw))
    pole = np.clip((90 - np.abs(pitch)) / (90 - _POLE), 0, 1)
    return np.stack((np.sign(yaw) * back * pole, pitch), 1)


def triangulate(poses: NDArray[np.floating]) -> Triangulation:
    """Cut the plane of poses into triangles between views and stand-ins.

    Args:
        poses: ``(K, 3)`` in degrees.
    """
    plane = on_plane(poses)
    own: list[int] = []
    for number, point in enumerate(plane):
        if not own or np.linalg.norm(plane[own] - point, axis=1).min() >= _SAME:
            own.append(number)
    low, high = plane.min(0), plane.max(0)
    # Half a step off the axes, so that two views left and right share what lies straight above.
    angle = (np.arange(_STAND_INS) + 0.5) * 2 * np.pi / _STAND_INS
    radius = np.linalg.norm(high - low) / 2 + _MARGIN
    ring = (low + high) / 2 + radius * np.stack((np.cos(angle), np.sin(angle)), 1)
    views = np.concatenate((np.array(own), np.array(own)[nearest(ring, plane[own])]))
    points = np.concatenate((plane[own], ring))
    return Triangulation(points, views, Delaunay(points).simplices.astype(np.int64), len(own) + np.arange(_STAND_INS))


def nearest(points: Doubles, candidates: Doubles) -> Numbers:
    """Number ``(N,)`` of the candidate nearest to each point."""
    return np.linalg.norm(points[:, None] - candidates[None], axis=2).argmin(1)


def locate(plane: Doubles, cut: Triangulation) -> tuple[Numbers, Doubles]:
    """Mix views for points on the plane of poses.

    Args:
        plane: ``(B, 2)`` from :func:`on_plane`.
        cut: from :func:`triangulate`.

    Returns:
        view numbers ``(B, 3)`` and their barycentric weights ``(B, 3)``, heaviest first, at least 0, with sum 1.
        No view appears twice with weight; numbers without weight repeat the first.
    """
    inside = _onto_polygon(plane, cut.points[cut.ring])
    corners = cut.points[cut.triangles]
    edges = np.stack((corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), 2)
    offset = inside[:, None] - corners[None, :, 0]
    others = np.einsum("tij,btj->bti", np.linalg.inv(edges), offset)
    every = np.concatenate((1 - others.sum(2, keepdims=True), others), 2)
    # The triangle a point lies in, or on whose border it lies up to rounding.
    chosen = every.min(2).argmax(1)
    weights = np.clip(every[np.arange(len(inside)), chosen], 0, None)
    return _merged(cut.views[cut.triangles[chosen]], weights / weights.sum(1, keepdims=True))


def _onto_polygon(points: Doubles, polygon: Doubles) -> Doubles:
    """Points ``(B, 2)`` outside a convex polygon ``(R, 2)``, counter-clockwise, moved to the nearest on its border."""
    edge = np.roll(polygon, -1, axis=0) - polygon
    offset = points[:, None] - polygon[None]
    outside = np.any(edge[:, 0] * offset[..., 1] - edge[:, 1] * offset[..., 0] < 0, axis=1)
    part = np.clip((offset * edge).sum(2) / (edge**2).sum(1), 0, 1)
    border = polygon + part[..., None] * edge
    closest = np.linalg.norm(points[:, None] - border, axis=2).argmin(1)
    return np.where(outside[:, None], border[np.arange(len(points)), closest], points)


def _merged(numbers: Numbers, weights: Doubles) -> tuple[Numbers, Doubles]:
    """Each view once: its weights added up, heaviest first."""
    same = numbers[:, :, None] == numbers[:, None, :]
    total = (same * weights[:, None, :]).sum(2)
    repeated = np.tril(same, -1).any(2)
    total = np.where(repeated, 0.0, total)
    order = np.argsort(-total, axis=1, kind="stable")
    total = np.take_along_axis(total, order, 1)
    numbers = np.take_along_axis(numbers, order, 1)
    return np.where(total > 0, numbers, numbers[:, :1]), total

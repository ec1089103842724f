"""Places on a triangle mesh, kept as weighted means of vertices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Array = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Anchors:
    """Points on a surface as weighted means of three vertices: both ``(N, 3)``."""

    vertices: Ints
    weights: Array

    def sample(self, values: NDArray[np.floating]) -> Array:
        """Values ``(..., V, 3)`` at the points: ``(..., N, 3)``."""
        return np.asarray((values[..., self.vertices, :] * self.weights[..., None]).sum(-2))


def nearest_on(vertices: Array, triangles: Ints, points: Array, candidates: int = 48) -> Anchors:
    """Nearest places on the front of a surface for ``(N, 3)`` points.

    Triangles that look away from the camera (inner sides of lips and nostrils) are left out.
    """
    triangles = triangles[in_front(vertices, triangles)]
    corners = vertices[triangles]
    _, near = cKDTree(corners.mean(1)).query(points, k=min(candidates, len(corners)))
    weights = _closest(corners[near], points[:, None])
    places = (weights[..., None] * corners[near]).sum(2)
    best = ((places - points[:, None]) ** 2).sum(2).argmin(1)
    row = np.arange(len(points))
    return Anchors(triangles[near[row, best]], weights[row, best])


def in_front(vertices: Array, triangles: Ints) -> NDArray[np.bool_]:
    """Which triangles look towards the camera, grazing ones left out."""
    corners = vertices[triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return np.asarray(normals[:, 2] < -0.05 * np.linalg.norm(normals, axis=1))


def _closest(corners: Array, points: Array) -> Array:
    """Barycentric weights of the places of triangles ``(..., 3, 3)`` that are nearest to points ``(..., 3)``."""
    a = corners[..., 0, :]
    u, v, w = corners[..., 1, :] - a, corners[..., 2, :] - a, points - a
    uu, uv, vv, uw, vw = ((p * q).sum(-1) for p, q in ((u, u), (u, v), (v, v), (u, w), (v, w)))
    area = uu * vv - uv**2
    inner = np.stack([(vv * uw - uv * vw) / area, (uu * vw - uv * uw) / area], -1)
    options = [np.concatenate([1 - inner.sum(-1, keepdims=True), inner], -1)]
    for first, second in ((0, 1), (1, 2), (2, 0)):
        start, side = corners[..., first, :], corners[..., second, :] - corners[..., first, :]
        step = np.clip(((points - start) * side).sum(-1) / (side**2).sum(-1), 0, 1)
        weights = np.zeros_like(options[0])
        weights[..., first], weights[..., second] = 1 - step, step
        options.append(weights)
    choices = np.stack(options, -2)
    distances = ((np.einsum("...kc,...cd->...kd", choices, corners) - points[..., None, :]) ** 2).sum(-1)
    distances[..., 0] = np.where((options[0] >= 0).all(-1), distances[..., 0], np.inf)
    best = distances.argmin(-1)
    return np.asarray(np.take_along_axis(choices, best[..., None, None], -2)[..., 0, :])

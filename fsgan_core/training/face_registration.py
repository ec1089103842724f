"""Where the 478 landmarks lie on the ICT-FaceKit head, as weights of its vertices."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from ..ops.landmarks import (
    COUNT,
    FACE_OVAL,
    IBUG_68,
    LEFT_EYE,
    LEFT_IRIS,
    LIPS_INNER,
    LIPS_OUTER,
    RIGHT_EYE,
    RIGHT_IRIS,
)

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

EARS = -1.9
"""Depth in centimetres behind which the head's skin is ear, which no landmark lies on."""

IRIS_RADIUS = 0.585
"""Radius of the iris in centimetres (11.7 mm across in most adults)."""

RINGS = {
    RIGHT_EYE: (36, 41, 40, 39, 38, 37),
    LEFT_EYE: (45, 46, 47, 42, 43, 44),
    LIPS_OUTER: (48, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49),
    LIPS_INNER: (60, 67, 66, 65, 64, 63, 62, 61),
}
"""The iBUG points that each ring runs through, from the same corner and in the same direction."""


@dataclass(frozen=True, kw_only=True)
class Head:
    """The morphable head in its own centimetres, axes turned to x right, y down, z away.

    Attributes:
        neutral: ``(V, 3)`` vertices.
        triangles: ``(T, 3)`` all triangles; ``face`` those of the skin in front of the ears.
        identity: ``(100, V, 3)`` shapes for weights ~ N(0, 1).
        expression: ``(E, V, 3)`` shapes for weights in [0, 1], in the order of ``names``.
        points68: ``(68,)`` vertices of the iBUG points, the jaw line on the bone.
        eyeballs: vertices of the right and the left iris mesh.
    """

    neutral: Array
    triangles: Ints
    face: Ints
    identity: NDArray[np.float32]
    expression: NDArray[np.float32]
    names: tuple[str, ...]
    points68: Ints
    eyeballs: tuple[Ints, Ints]


def read_head(path: Path) -> Head:
    """Read the ICT-FaceKit arrays (see the model card for their licence)."""
    axes = np.array([1, -1, -1], np.float32)
    with np.load(path) as data:
        triangles = data["tri"].astype(np.int64)
        skin = data["tri_material"] == data["material_names"].tolist().index("M_Face")
        neutral = data["neutral"].astype(np.float64) * axes
        skin &= neutral[triangles, 2].max(1) < EARS
        return Head(
            neutral=neutral,
            triangles=triangles,
            face=triangles[skin],
            identity=data["id_basis"].astype(np.float32) * axes,
            expression=data["ex_basis"].astype(np.float32) * axes,
            names=tuple(str(name) for name in data["ex_names"]),
            points68=data["lmk68_jaw3d"].astype(np.int64),
            eyeballs=(np.arange(*data["iris_r_verts"]), np.arange(*data["iris_l_verts"])),
        )


@dataclass(frozen=True)
class Anchors:
    """Points on a surface as weighted means of three vertices: both ``(N, 3)``."""

    vertices: Ints
    weights: Array

    def sample(self, values: NDArray[np.floating]) -> Array:
        """Values ``(..., V, 3)`` at the points: ``(..., N, 3)``."""
        return np.asarray((values[..., self.vertices, :] * self.weights[..., None]).sum(-2))


def register(head: Head, mean: Array, rounds: int = 4) -> tuple[Anchors, Array]:
    """Find every landmark of the canonical mean on the head.

    Lids and lips lie on the head's own lines between its iBUG points, at the same share of their
    length; irises on the eyeballs; all others at the nearest skin after a smooth warp of the head
    (thin plate spline) that is refined with what was found before.

    Args:
        head: the morphable head.
        mean: ``(478, 3)`` canonical mean face.
        rounds: refinements of the warp.

    Returns:
        the landmarks on the head, and the matrix ``(3, 3)`` that takes the head's centimetres to
        canonical units (scale and rotation).
    """
    matrix, shift = similarity(head.neutral[head.points68], _sparse(mean))
    placed = head.neutral @ matrix.T + shift
    fixed = [*ring_anchors(head, mean), *iris_anchors(head)]
    index = np.concatenate([np.array(points) for points, _ in fixed])
    anchors = Anchors(np.zeros((COUNT, 3), np.int64), np.zeros((COUNT, 3)))
    for points, found in fixed:
        anchors.vertices[list(points)], anchors.weights[list(points)] = found.vertices, found.weights
    known = index[index < RIGHT_IRIS[0]]
    free = np.setdiff1d(np.arange(RIGHT_IRIS[0]), index)
    sparse = list(range(17, 36))
    origin = np.concatenate([anchors.sample(placed)[known], placed[head.points68[sparse]]])
    goal = np.concatenate([mean[known], _sparse(mean)[sparse]])
    inner = np.setdiff1d(free, FACE_OVAL)
    for turn in range(rounds):
        warp = RBFInterpolator(origin, goal, smoothing=1e-3 / 4**turn, kernel="thin_plate_spline")
        nearest = nearest_on(warp(placed[: head.face.max() + 1]), head.face, mean[free])
        anchors.vertices[free], anchors.weights[free] = nearest.vertices, nearest.weights
        pairs = np.concatenate([known, inner])
        origin, goal = anchors.sample(placed)[pairs], mean[pairs]
    return anchors, matrix


def similarity(points: Array, goal: Array) -> tuple[Array, Array]:
    """Scaled rotation ``(3, 3)`` and shift that take one point set onto another (Umeyama 1991)."""
    a, b = points - points.mean(0), goal - goal.mean(0)
    u, s, vt = np.linalg.svd(b.T @ a)
    s[2] *= np.linalg.det(u @ vt)
    u[:, 2] *= np.linalg.det(u @ vt)
    matrix = (u @ vt) * s.sum() / (a**2).sum()
    return matrix, goal.mean(0) - matrix @ points.mean(0)


def _sparse(points: Array) -> Array:
    return np.stack([points[list(group)].mean(0) for group in IBUG_68])


def ring_anchors(head: Head, mean: Array) -> list[tuple[tuple[int, ...], Anchors]]:
    """The rings of lids and lips on the head's lines through its iBUG points."""
    found = []
    for ring, stops in RINGS.items():
        line = _line(head, [int(head.points68[k]) for k in stops])
        half, middle = len(ring) // 2, line.index(int(head.points68[stops[len(stops) // 2]]))
        parts = [
            _along(head.neutral, path, mean[list(way)])
            for path, way in (
                (line[: middle + 1], ring[: half + 1]),
                ([*line[middle:], line[0]], (*ring[half:], ring[0])),
            )
        ]
        vertices = np.concatenate([part.vertices[:-1] for part in parts])
        found.append((ring, Anchors(vertices, np.concatenate([part.weights[:-1] for part in parts]))))
    return found


def _line(head: Head, stops: list[int]) -> list[int]:
    """The shortest closed way over the edges of the skin through the given vertices, as seen from the front."""
    seen = head.face[_in_front(head.neutral, head.face)]
    pairs = np.concatenate([seen[:, [0, 1]], seen[:, [1, 2]], seen[:, [2, 0]]])
    lengths = np.linalg.norm(head.neutral[pairs[:, 0]] - head.neutral[pairs[:, 1]], axis=1)
    count = int(head.face.max()) + 1
    both = coo_array((lengths, (pairs[:, 0], pairs[:, 1])), (count, count)).tocsr()
    _, before = dijkstra(both.maximum(both.T), directed=False, indices=stops, return_predecessors=True)
    way = []
    for row, goal in enumerate([*stops[1:], stops[0]]):
        leg = [goal]
        while leg[-1] != stops[row]:
            leg.append(int(before[row, leg[-1]]))
        way += leg[:0:-1]
    return way


def _along(vertices: Array, path: list[int], points: Array) -> Anchors:
    """Places on a path of vertices at the same shares of its length as the points have on theirs."""
    share = _shares(vertices[path])
    wanted = _shares(points)
    segment = np.clip(np.searchsorted(share, wanted, side="right") - 1, 0, len(path) - 2)
    step = (wanted - share[segment]) / (share[segment + 1] - share[segment])
    order = np.array(path)
    corners = np.stack([order[segment], order[segment + 1], order[segment]], 1)
    return Anchors(corners, np.stack([1 - step, step, 0 * step], 1))


def _shares(points: Array) -> Array:
    travelled = np.r_[0, np.linalg.norm(np.diff(points, axis=0), axis=1).cumsum()]
    return np.asarray(travelled / travelled[-1])


def iris_anchors(head: Head) -> list[tuple[tuple[int, ...], Anchors]]:
    """Centre and rim of the irises on the eyeballs."""
    rim = np.array([[0, 0], [1, 0], [0, -1], [-1, 0], [0, 1]]) * IRIS_RADIUS
    found: list[tuple[tuple[int, ...], Anchors]] = []
    for points, ball in zip((RIGHT_IRIS, LEFT_IRIS), head.eyeballs, strict=True):
        centre = eyeball_centre(head.neutral[ball])
        triangles = head.triangles[np.isin(head.triangles, ball).all(1)]
        front = np.full((5, 1), head.neutral[ball, 2].min())
        found.append((points, nearest_on(head.neutral, triangles, np.hstack([centre[:2] + rim, front]))))
    return found


def eyeball_centre(ball: Array) -> Array:
    """Middle of an eyeball's extent in each axis: ``(3,)``."""
    return np.asarray((ball.min(0) + ball.max(0)) / 2)


def nearest_on(vertices: Array, triangles: Ints, points: Array, candidates: int = 48) -> Anchors:
    """Nearest places on the front of a surface for ``(N, 3)`` points.

    Triangles that look away from the camera (inner sides of lips and nostrils) are left out.
    """
    triangles = triangles[_in_front(vertices, triangles)]
    corners = vertices[triangles]
    _, near = cKDTree(corners.mean(1)).query(points, k=min(candidates, len(corners)))
    weights = _closest(corners[near], points[:, None])
    places = (weights[..., None] * corners[near]).sum(2)
    best = ((places - points[:, None]) ** 2).sum(2).argmin(1)
    row = np.arange(len(points))
    return Anchors(triangles[near[row, best]], weights[row, best])


def _in_front(vertices: Array, triangles: Ints) -> NDArray[np.bool_]:
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

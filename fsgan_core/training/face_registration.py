"""Where the 478 landmarks lie on the ICT-FaceKit head, as weights of its vertices."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from ..ops.geometry import similarity
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
from .anchors import Anchors, in_front, nearest_on
from .ict_head import Head, eyeball_centre

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

IRIS_RADIUS = 0.585
"""Radius of the iris in centimetres (11.7 mm across in most adults)."""

RINGS = {
    RIGHT_EYE: (36, 41, 40, 39, 38, 37),
    LEFT_EYE: (45, 46, 47, 42, 43, 44),
    LIPS_OUTER: (48, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49),
    LIPS_INNER: (60, 67, 66, 65, 64, 63, 62, 61),
}
"""The iBUG points that each ring runs through, from the same corner and in the same direction."""


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
    pair = (torch.from_numpy(points)[None] for points in (head.neutral[head.points68], _sparse(mean)))
    scale, rotation, place = (part[0].numpy() for part in similarity(*pair))
    matrix = scale * rotation
    placed = head.neutral @ matrix.T + place
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
    seen = head.face[in_front(head.neutral, head.face)]
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

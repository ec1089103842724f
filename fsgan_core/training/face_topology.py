"""The triangles of the face model: our own symmetric triangulation of the 478 points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay

from ..ops.landmarks import FACE_OVAL, LEFT_EYE, LEFT_IRIS, LIPS_INNER, LIPS_OUTER, RIGHT_EYE, RIGHT_IRIS

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

SKIN, MOUTH, RIGHT_OPENING, LEFT_OPENING = range(4)
"""Values of a triangle's region: skin, inside the inner lips, between the lids of either eye."""

RINGS = (FACE_OVAL, LIPS_OUTER, LIPS_INNER, RIGHT_EYE, LEFT_EYE)
LEFT_OUT = (*RIGHT_IRIS[2::2], *LEFT_IRIS[2::2])
"""Top and bottom of the irises: mostly hidden by the lids, where triangles to them would turn over."""


def ring_edges(ring: tuple[int, ...]) -> list[tuple[int, int]]:
    """Consecutive pairs of a closed ring."""
    return list(zip(ring, (*ring[1:], ring[0]), strict=True))


def unrolled(mean: Array, opening: float = 0.06, reach: float = 0.16) -> Array:
    """The mean face on a plane: a cylinder around the head unrolled, with the lips drawn apart.

    Args:
        mean: ``(478, 3)`` canonical points.
        opening: how far either lip moves, in canonical units.
        reach: distance over which that fades, larger than ``opening`` so that nothing folds.

    Returns:
        ``(478, 2)`` in canonical units.
    """
    axis = mean[list(FACE_OVAL), 2].max() + 0.1
    x = np.arctan2(mean[:, 0], axis - mean[:, 2]) * (axis - mean[:, 2].min())
    y = mean[:, 1].copy()
    ring = np.array(LIPS_INNER)
    lower, upper = ring[:11], np.r_[ring[10:], ring[:1]][::-1]
    line = np.interp(x, x[lower], (y[lower] + y[upper]) / 2)
    width = np.clip(1 - (x / x[308]) ** 2, 0, None)
    away = y - line
    side = np.sign(away)
    side[lower[1:-1]], side[upper[1:-1]] = 1, -1
    return np.stack([x, y + side * opening * width * np.exp(-np.abs(away) / reach)], 1)


def triangulate(mean: Array, mirror: Ints) -> tuple[Ints, NDArray[np.uint8]]:
    """Triangles over the canonical mean, equal on both sides, with lips and lids as edges.

    One half is triangulated (Delaunay, then the missing ring edges by flips) and mirrored.

    Args:
        mean: ``(478, 3)`` canonical points, symmetric.
        mirror: ``(478,)`` each point's twin.

    Returns:
        ``(T, 3)`` triangles, clockwise as seen in the picture (positive signed area with y down),
        and ``(T,)`` regions.
    """
    plane = unrolled(mean)
    half = np.array([i for i in np.flatnonzero(plane[:, 0] > -1e-9) if i not in LEFT_OUT])
    chosen = set(half.tolist())
    wanted = [edge for ring in RINGS for edge in ring_edges(ring) if set(edge) <= chosen]
    triangles = half[Delaunay(plane[half]).simplices].astype(np.int64)
    for edge in wanted:
        triangles = with_edge(triangles, plane, edge)
    centres = plane[triangles].mean(1)
    triangles = triangles[inside(centres, plane[list(FACE_OVAL)])]
    triangles = np.concatenate([triangles, mirror[triangles]])
    turned = signed_area(plane[triangles]) < 0
    triangles[turned] = triangles[turned][:, ::-1]
    return triangles, _regions(triangles, plane)


def _regions(triangles: Ints, plane: Array) -> NDArray[np.uint8]:
    centres = plane[triangles].mean(1)
    regions = np.zeros(len(triangles), np.uint8)
    for value, ring in ((MOUTH, LIPS_INNER), (RIGHT_OPENING, RIGHT_EYE), (LEFT_OPENING, LEFT_EYE)):
        regions[inside(centres, plane[list(ring)])] = value
    return regions


def with_edge(triangles: Ints, points: Array, edge: tuple[int, int]) -> Ints:
    """The same triangulation with this edge in it, by flipping the edges that cross it (Sloan 1993)."""
    found = [list(map(int, triangle)) for triangle in triangles]
    for _ in range(10 * len(found)):
        crossing = _crossing(found, points, edge)
        if crossing is None:
            return np.array(found, np.int64)
        first, second, shared, tips = crossing
        # New sides go to the end of the queue, so that no flip is undone before its neighbours had their turn.
        found = [triangle for number, triangle in enumerate(found) if number not in (first, second)]
        found += [[tips[0], tips[1], end] for end in shared]
    raise ValueError(f"edge {edge} cannot be made part of the triangulation; check the points around it")


def _crossing(
    triangles: list[list[int]], points: Array, edge: tuple[int, int]
) -> tuple[int, int, list[int], tuple[int, int]] | None:
    """A pair of triangles with a convex outline whose shared side crosses the edge."""
    owners: dict[tuple[int, int], list[int]] = {}
    for number, (a, b, c) in enumerate(triangles):
        for side in ((a, b), (b, c), (c, a)):
            owners.setdefault((min(side), max(side)), []).append(number)
    for side, pair in owners.items():
        if len(pair) == 2 and not set(side) & set(edge) and _cross(points[list(side)], points[list(edge)]):
            tips = [next(v for v in triangles[number] if v not in side) for number in pair]
            if _cross(points[list(side)], points[tips]):
                return pair[0], pair[1], list(side), (tips[0], tips[1])
    return None


def _cross(one: Array, other: Array) -> bool:
    """Whether two segments cross in their interiors."""
    ends = [np.stack([*one, p]) for p in other], [np.stack([*other, p]) for p in one]
    return all(signed_area(np.stack(pair)).prod() < 0 for pair in ends)


def signed_area(triangles: Array) -> Array:
    """Signed areas of ``(T, 3, 2 or more)`` triangles in the x-y plane; positive is clockwise with y down."""
    a, b = triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    return np.asarray((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / 2)


def inside(points: Array, ring: Array) -> NDArray[np.bool_]:
    """Which of ``(N, 2)`` points lie inside the closed polygon ``(M, 2)`` (even-odd rule)."""
    a, b = ring[:, None], np.roll(ring, -1, 0)[:, None]
    spans = (a[..., 1] > points[:, 1]) != (b[..., 1] > points[:, 1])
    drop = np.where(b[..., 1] == a[..., 1], 1, b[..., 1] - a[..., 1])
    x = a[..., 0] + (points[:, 1] - a[..., 1]) / drop * (b[..., 0] - a[..., 0])
    return np.asarray((spans & (points[:, 0] < x)).sum(0) % 2 == 1)

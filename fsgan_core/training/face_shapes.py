"""Identity and expression shapes of the face model at the 478 landmarks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..ops.landmarks import FACE_OVAL, LEFT_EYE, LEFT_IRIS, RIGHT_EYE, RIGHT_IRIS, RIGID
from .anchors import Anchors
from .ict_head import Head, eyeball_centre

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

GAZE_DEGREES = 30.0
"""How far an eyeball turns at a coefficient of 1 of any eyeLook shape."""

IDENTITIES = 60
"""Identity shapes kept."""

OPPOSITE = {"_L": "_R", "_R": "_L", "Left": "Right", "Right": "Left"}
"""How the name of a shape ends, and the end of its mirror twin's name."""

LOOKS = {"Up": (0, -1), "Down": (0, 1), "In_L": (-1, 0), "In_R": (1, 0), "Out_L": (1, 0), "Out_R": (-1, 0)}
"""Where the eyes go in the picture: x to the right, y down."""


def expression_shapes(
    head: Head, anchors: Anchors, matrix: Array, mean: Array, mirror: Ints
) -> tuple[list[str], Array]:
    """Expression shapes in canonical units, mirror twins exactly symmetric.

    Args:
        head: the morphable head.
        anchors: the landmarks on it.
        matrix: ``(3, 3)`` from its centimetres to canonical units.
        mean: ``(478, 3)`` canonical mean.
        mirror: ``(478,)`` each point's twin.

    Returns:
        names and ``(E, 478, 3)`` shapes for coefficients in [0, 1].
    """
    names = [name for name in head.names if not name.startswith("PupilDilate")]
    sampled = anchors.sample(head.expression) @ matrix.T
    raw = dict(zip(head.names, sampled, strict=True))
    radius = float(np.cbrt(np.linalg.det(matrix)) * _eyeball_radius(head))
    for name in names:
        raw[name][RIGHT_IRIS[0] :] = 0
        if name.startswith("eyeLook"):
            raw[name] = raw[name] + gaze(name, mean, radius)
    shapes = [(raw[name] + raw[twin(name)][mirror] * [-1, 1, 1]) / 2 for name in names]
    shapes = [
        shape * closing(mean, shape) if name.startswith("eyeBlink") else shape
        for name, shape in zip(names, shapes, strict=True)
    ]
    return names, np.stack(shapes)


def calmed(shapes: Array, triangles: Ints, points: tuple[int, ...] = FACE_OVAL, rounds: int = 3) -> Array:
    """Shapes evened out around some points: there the head's folds before the ears and under the jaw would show.

    Args:
        shapes: ``(E, 478, 3)``.
        triangles: ``(T, 3)``.
        points: these and their neighbours are moved to the mean of themselves and their neighbours.
        rounds: how often.

    Returns:
        ``(E, 478, 3)``.
    """
    linked = np.eye(shapes.shape[1])
    for a, b in ((0, 1), (1, 2), (2, 0)):
        linked[triangles[:, a], triangles[:, b]] = linked[triangles[:, b], triangles[:, a]] = 1
    border = linked[list(points)].max(0) > 0
    mean = np.where(border[:, None], linked / linked.sum(1, keepdims=True), np.eye(len(linked)))
    return np.asarray(np.linalg.matrix_power(mean, rounds) @ shapes)


def twin(name: str) -> str:
    """Name of the same expression on the other side."""
    for end, other in OPPOSITE.items():
        if name.endswith(end):
            return name[: -len(end)] + other
    return name


def _eyeball_radius(head: Head) -> float:
    ball = head.neutral[head.eyeballs[0]]
    return float(eyeball_centre(ball)[2] - ball[:, 2].min())


def gaze(name: str, mean: Array, radius: float) -> Array:
    """What turning one eyeball (both for a name without a side) about its centre does to its iris.

    Args:
        name: an eyeLook shape.
        mean: ``(478, 3)`` canonical mean.
        radius: from the centre of the eyeball to the iris, in canonical units.

    Returns:
        ``(478, 3)``, zero but for the iris.
    """
    direction = name.removeprefix("eyeLook")
    x, y = LOOKS.get(direction) or LOOKS[direction[:-2]]
    angle = np.radians(GAZE_DEGREES)
    c, s = np.cos(angle), np.sin(angle)
    across = np.array([[c, 0, -x * s], [0, 1, 0], [x * s, 0, c]])
    along = np.array([[1, 0, 0], [0, c, -y * s], [0, y * s, c]])
    iris = list(LEFT_IRIS if name.endswith("_L") else RIGHT_IRIS)
    shape = np.zeros_like(mean)
    arms = mean[iris] - mean[iris[0]] - [0, 0, radius]
    shape[iris] = arms @ (across if x else along).T - arms
    return shape


def closing(mean: Array, blink: Array) -> float:
    """By how much a blink must be enlarged so that the upper lid of the mean meets the lower."""
    ring = RIGHT_EYE if np.abs(blink[list(RIGHT_EYE)]).max() > np.abs(blink[list(LEFT_EYE)]).max() else LEFT_EYE
    lower, upper = list(ring[3:6]), list(ring[13:10:-1])
    gap, way = (mean[lower] - mean[upper])[:, 1], (blink[upper] - blink[lower])[:, 1]
    return float((gap / way).mean())


def identity_shapes(sampled: Array, mean: Array, mirror: Ints, count: int = IDENTITIES) -> Array:
    """Orthogonal identity shapes, largest first, for coefficients ~ N(0, 1).

    Position, rotation and size of the rigid points are taken out, since a fit has them already, and
    the set is made symmetric (with every shape its mirror image is as likely).

    Args:
        sampled: ``(N, 478, 3)`` independent shapes for weights ~ N(0, 1).
        mean: ``(478, 3)`` canonical mean.
        mirror: ``(478,)`` each point's twin.
        count: shapes to keep.

    Returns:
        ``(count, 478, 3)`` in canonical units.
    """
    shapes = without_motion(sampled, mean)
    shapes = np.concatenate([shapes, shapes[:, mirror] * [-1, 1, 1]]) / np.sqrt(2)
    _, size, parts = np.linalg.svd(shapes.reshape(len(shapes), -1), full_matrices=False)
    return np.asarray((size[:count, None] * parts[:count]).reshape(count, *mean.shape))


def without_motion(shapes: Array, mean: Array) -> Array:
    """Shapes less the small translation, rotation and scaling that explain most of their rigid points."""
    rigid = list(RIGID)
    motions = np.concatenate([_motions(mean, axis) for axis in range(3)] + [mean[None]])
    seen = motions[:, rigid].reshape(len(motions), -1).T
    amounts = np.linalg.lstsq(seen, shapes[:, rigid].reshape(len(shapes), -1).T, rcond=None)[0]
    return np.asarray(shapes - np.einsum("mk,mpd->kpd", amounts, motions))


def _motions(mean: Array, axis: int) -> Array:
    """Translation along an axis and the start of a rotation about it: ``(2, 478, 3)``."""
    direction = np.eye(3)[axis]
    return np.stack([np.broadcast_to(direction, mean.shape), np.cross(direction, mean)])

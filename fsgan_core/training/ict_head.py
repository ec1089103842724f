"""The ICT-FaceKit head: a free morphable model of head, eyes and mouth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

EARS = -1.9
"""Depth in centimetres behind which the head's skin is ear, which no landmark lies on."""


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


def eyeball_centre(ball: Array) -> Array:
    """Middle of an eyeball's extent in each axis: ``(3,)``."""
    return np.asarray((ball.min(0) + ball.max(0)) / 2)

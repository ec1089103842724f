"""Builds the rig from the ICT head: chooses what is drawn, unrolls it onto the sheet, binds the landmarks to it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from torch import Tensor

from ..ops.face_model import FaceModel
from ..ops.geometry import similarity
from ..ops.landmarks import FACE_OVAL, RIGHT_IRIS, RIGID
from ..weights.checkpoint import OPEN, load_weights
from .anchors import Anchors
from .face_topology import inside
from .ict_head import Head, eyeball_centre, read_head
from .rig import CHART, GUMS, LEFT_BALL, PATCH, RIGHT_BALL, SHEET, SKIN, TEETH, THROAT, Rig, plain_place

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

MARGIN = 1.05
"""Size of the skin that is kept relative to the face's oval."""
UPPER_TEETH = 0.2
"""Centimetres by which the upper teeth are lowered: the head's own hide behind the lip even when the mouth opens."""
EDGE = 0.07
"""Share of the chart over which the skin fades out at its border."""

_MATERIALS = {"M_Face": SKIN, "M_ScleraRight": RIGHT_BALL, "M_ScleraLeft": LEFT_BALL, "M_Teeth": TEETH,
              "M_GumsTongue": GUMS, "mouth_socket": THROAT}  # fmt: skip
_FRONT = np.cos(np.radians(75))
_CELLS = {GUMS: 0.35, THROAT: 0.5}
"""Side in centimetres of the cells within which vertices of the mouth's inside are merged."""


def read_rig(path: Path, model: FaceModel) -> Rig:
    """Build the head from the ICT-FaceKit arrays (``ict/ict_facekit_light_f16.npz`` of the training material).

    Args:
        path: the arrays.
        model: the bundled face model, for the names and the canonical space.
    """
    head, stored = read_head(path), load_weights(OPEN / "face_model.safetensors", "face_model")[0]
    anchors = Anchors(stored["ict_vertices"].numpy().astype(np.int64), stored["ict_weights"].numpy().astype(np.float64))
    with np.load(path) as data:
        materials = data["material_names"].tolist()
        kinds = np.array(materials)[data["tri_material"]]
        chart = np.zeros((len(head.neutral), 2))
        chart[data["tri"][kinds == "M_Face"]] = data["uv"][data["tri_uv"][kinds == "M_Face"]] * [1, -1] + [0, 1]
        regions = np.array(data["region_names"].tolist())[data["vert_region"]]
    return build_rig(head, anchors, model, chart, np.where(kinds == "M_BackHead", regions[head.triangles[:, 0]], kinds))


def build_rig(head: Head, anchors: Anchors, model: FaceModel, chart: Array, kinds: NDArray[np.str_]) -> Rig:
    """Choose what is drawn and bind it.

    Args:
        head: the morphable head.
        anchors: the landmarks on it.
        model: the face model.
        chart: ``(V, 2)`` places of the skin's vertices in its unrolled chart, x right and y down in [0, 1].
        kinds: ``(T,)`` materials of the head's triangles, regions where the material is the back of the head.
    """
    oval = _grown((chart[anchors.vertices[list(FACE_OVAL)]] * anchors.weights[list(FACE_OVAL), :, None]).sum(1))
    triangles, parts = _drawn(head, chart, kinds, oval)
    used = np.unique(np.concatenate([triangles.ravel(), anchors.vertices.ravel()]))
    number = np.full(len(head.neutral), -1)
    number[used] = np.arange(len(used))
    matrix, offset = _to_canonical(head, anchors, model)
    neutral = head.neutral[used] @ matrix.T + offset
    owners, size = _balls(head, kinds), float(np.cbrt(np.linalg.det(matrix)))
    names = [name for name in head.names if not name.startswith("PupilDilate")]
    rows = [head.names.index(name) for name in names]
    window = (oval.min(0), np.ptp(oval, 0))
    balls = owners[used]
    whole = [head.neutral[owners == number] for number in (RIGHT_BALL, LEFT_BALL)]
    centres = np.stack([eyeball_centre(ball) for ball in whole]) @ matrix.T + offset
    vertex_part = balls.copy()
    vertex_part[number[triangles]] = parts[:, None]
    chart = (chart[used] - window[0]) / window[1]
    still = np.abs(head.expression[head.names.index("jawOpen")][used]).max(1) < 0.1
    neutral[np.isin(vertex_part, (TEETH, GUMS)) & still, 1] += size * UPPER_TEETH
    place = _places(neutral, vertex_part, chart, (centres, size * np.ptp(whole[0][:, 1]) / 2))
    floats = {
        "neutral": neutral,
        "identity": head.identity[:, used] @ matrix.T,
        "expression": head.expression[rows][:, used] @ matrix.T,
        "place": place,
        "shade": _shade(neutral, vertex_part, lips=neutral[number[anchors.vertices[13]], 2].mean()),
        "weights": anchors.weights,
        "centres": centres,
        "spread": _spread(neutral, place, vertex_part, number[anchors.vertices], anchors.weights),
    }
    tensors = {name: torch.from_numpy(np.asarray(value, np.float32)) for name, value in floats.items()}
    return Rig(
        names=tuple(names),
        triangles=torch.from_numpy(number[triangles][:, ::-1].copy()),
        parts=torch.from_numpy(parts),
        corners=torch.from_numpy(number[anchors.vertices]),
        balls=torch.from_numpy(balls),
        fade=_fade((oval - window[0]) / window[1]),
        **tensors,
    )


def _grown(oval: Array) -> Array:
    return np.asarray(oval.mean(0) + MARGIN * (oval - oval.mean(0)))


def _balls(head: Head, kinds: NDArray[np.str_]) -> Ints:
    """Which eyeball each vertex of the head belongs to: 0 none, 1 right, 2 left."""
    found = np.zeros(len(head.neutral), np.int64)
    for number, side in ((RIGHT_BALL, "Right"), (LEFT_BALL, "Left")):
        found[head.triangles[np.isin(kinds, (f"M_Sclera{side}", f"M_Iris{side}"))]] = number
    return found


def _drawn(head: Head, chart: Array, kinds: NDArray[np.str_], oval: Array) -> tuple[Ints, Ints]:
    """Triangles ``(T, 3)`` that are drawn, of the head's vertices, and their parts."""
    found, parts = [], []
    for name, part in _MATERIALS.items():
        chosen = head.triangles[kinds == name]
        if part == SKIN:
            chosen = chosen[inside(chart[chosen].mean(1), oval)]
        elif part in (RIGHT_BALL, LEFT_BALL):
            centre = eyeball_centre(head.neutral[np.unique(chosen)])
            arms = head.neutral[chosen].mean(1) - centre
            chosen = chosen[-arms[:, 2] > _FRONT * np.linalg.norm(arms, axis=1)]
        elif part == TEETH:
            chosen = chosen[_outward(head.neutral, chosen)]
        else:
            chosen = _merged(head.neutral, chosen, _CELLS[part])
        found.append(chosen)
        parts.append(np.full(len(chosen), part, np.int64))
    return np.concatenate(found), np.concatenate(parts)


def _outward(vertices: Array, triangles: Ints) -> NDArray[np.bool_]:
    """Which triangles of the teeth may be seen between the lips: roots' ends and inner sides are not."""
    corners = vertices[triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    arch = corners.mean(1) - vertices[np.unique(triangles)].mean(0)
    outward = normals[:, 0] * arch[:, 0] + normals[:, 2] * arch[:, 2]
    return np.asarray(outward > 0.1 * np.linalg.norm(normals, axis=1) * np.hypot(arch[:, 0], arch[:, 2]))


def _merged(vertices: Array, triangles: Ints, cell: float) -> Ints:
    """The triangles with all vertices of a cell of space taken for one of them; those without area go."""
    used = np.unique(triangles)
    _, first, which = np.unique(np.floor(vertices[used] / cell), axis=0, return_index=True, return_inverse=True)
    kept = np.zeros(len(vertices), np.int64)
    kept[used] = used[first[which.ravel()]]
    merged = kept[triangles]
    whole = (merged != np.roll(merged, 1, 1)).all(1)
    return np.asarray(merged[whole])


def _to_canonical(head: Head, anchors: Anchors, model: FaceModel) -> tuple[Array, Array]:
    """Matrix ``(3, 3)`` and offset ``(3,)`` that take the head's centimetres to the face model's space."""
    rigid = list(RIGID)
    pair = (torch.from_numpy(anchors.sample(head.neutral)[None, rigid]), model.mean[None, rigid].double())
    scale, rotation, place = (part[0].numpy() for part in similarity(*pair))
    return scale * rotation, place


def _places(neutral: Array, part: Ints, chart: Array, balls: tuple[Array, float]) -> Array:
    """Places ``(V, 2)`` in the sheet; the chart's oval fills its part but for two texels."""
    place = 2 + chart * (CHART - 4, SHEET[0] - 4)
    for ball, centre in zip((RIGHT_BALL, LEFT_BALL), balls[0], strict=True):
        middle, own = np.array([CHART + PATCH / 2, PATCH * (ball - 0.5)]), part == ball
        place[own] = middle + (neutral[own, :2] - centre[:2]) / balls[1] * (PATCH / 2 - 2)
    for kind in (TEETH, GUMS, THROAT):
        place[part == kind] = plain_place(kind)
    return place


def _shade(neutral: Array, part: Ints, lips: float) -> Array:
    """The deeper behind the lips, the darker: ``(V,)``."""
    behind = np.clip(1.1 - (neutral[:, 2] - lips) / 0.42, 0.12, 1)
    return np.where(np.isin(part, (TEETH, GUMS, THROAT)), behind, 1.0)


def _spread(neutral: Array, place: Array, part: Ints, corners: Ints, weights: Array, reach: float = 0.12) -> Array:
    """Weights ``(V, 468)`` by which the skin follows its landmarks: exact at them, less with distance.

    Distance is measured in space and on the chart at once: across the closed lips the one is small, the other large.
    """
    where = np.concatenate([neutral, place / CHART * 1.5], 1)
    points = (where[corners] * weights[..., None]).sum(1)[: RIGHT_IRIS[0]]
    near = np.exp(-cdist(where, points) / reach)
    among = np.exp(-cdist(points, points) / reach) + 0.02 * np.eye(len(points))
    return np.asarray(np.where(part[:, None] == SKIN, near @ np.linalg.inv(among), 0))


def _fade(oval: Array) -> Tensor:
    """Opacity ``(1, 1, h, w)`` of the sheet: 0 at the border of the skin, 1 a little inside."""
    inner = np.zeros((SHEET[0], CHART), np.uint8)
    polygon = 2 + oval * (CHART - 4, SHEET[0] - 4)
    cv2.fillPoly(inner, [np.round((polygon - 0.5) * 16).astype(np.int32)], 1, cv2.LINE_8, 4)
    inner[[0, -1]] = inner[:, [0, -1]] = 0
    depth = np.clip(cv2.distanceTransform(inner, cv2.DIST_L2, 5) / (EDGE * CHART), 0, 1)
    sheet = np.ones(SHEET, np.float32)
    sheet[:, :CHART] = depth * depth * (3 - 2 * depth)
    return torch.from_numpy(sheet)[None, None]

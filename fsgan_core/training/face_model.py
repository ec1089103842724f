"""Builds the bundled face model from labelled portraits and a free morphable head."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from ..ops.geometry import similarity
from ..ops.landmarks import LEFT_EYE, MIDLINE, RIGHT_EYE, RIGID
from ..weights.checkpoint import save_weights
from .face_registration import register
from .face_shapes import GAZE_DEGREES, calmed, expression_shapes, identity_shapes
from .face_topology import triangulate
from .ict_head import read_head

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

PORTRAITS = ("faces_ai", "faces_faker")


def read_landmarks(folder: Path, sets: Iterable[str] = PORTRAITS, split: str = "train") -> Array:
    """Labels of one split of the portrait sets: ``(N, 478, 3)`` in pixels, rows without a face left out."""
    found = []
    for name in sets:
        with (folder / name / "index.csv").open(newline="") as file:
            wanted = np.array([row["split"] == split for row in csv.DictReader(file)])
        with np.load(folder / name / "mp478.npz") as labels:
            points = labels["lmk"].astype(np.float64)
        found.append(points[wanted & np.isfinite(points).all((1, 2))])
    return np.concatenate(found)


def aligned(points: Array, reference: Array) -> tuple[Array, Array]:
    """Faces moved onto a reference by their rigid points.

    Args:
        points: ``(N, 478, 3)`` faces.
        reference: ``(478, 3)`` face in canonical space.

    Returns:
        ``(N, 478, 3)`` faces in canonical space and ``(N, 3, 3)`` rotations from canonical to the picture.
    """
    index = list(RIGID)
    pair = (torch.from_numpy(part[..., index, :]) for part in (reference[None], points))
    scale, rotation, place = (part.numpy() for part in similarity(*pair))
    return (points - place[:, None]) @ rotation / scale[:, None, None], rotation


def average(points: Array, start: Array, rounds: int = 5) -> Array:
    """Generalised Procrustes mean of nearly frontal, neutral faces, starting from one of them."""
    mean = start
    for _ in range(rounds):
        fitted, rotations = aligned(points, mean)
        frontal = np.abs(np.degrees(np.arcsin(rotations[:, 0, 2]))) < 20
        mean = canonical(fitted[frontal & neutral(points)].mean(0))
    return mean


def neutral(points: Array) -> NDArray[np.bool_]:
    """Which faces have closed lips and open eyes."""
    size = np.linalg.norm(points[:, 33] - points[:, 263], axis=1)
    lips = np.linalg.norm(points[:, 13] - points[:, 14], axis=1) / size
    lids = np.linalg.norm(points[:, [159, 386]] - points[:, [145, 374]], axis=2).mean(1) / size
    return np.asarray((lips < 0.02) & (lids > 0.06))


def canonical(mean: Array) -> Array:
    """Origin at the centroid of the rigid points, outer eye corners one unit apart."""
    return np.asarray((mean - mean[list(RIGID)].mean(0)) / np.linalg.norm(mean[33] - mean[263]))


def upright(mean: Array) -> Array:
    """The face turned so that its midline lies in the plane x = 0 and its eyes are level."""
    across = mean[list(LEFT_EYE)].mean(0) - mean[list(RIGHT_EYE)].mean(0)
    across /= np.linalg.norm(across)
    down = mean[152] - mean[10]
    down -= across * (down @ across)
    down /= np.linalg.norm(down)
    turned = mean @ np.stack([across, down, np.cross(across, down)], 1)
    return np.asarray(turned - [turned[list(MIDLINE), 0].mean(), 0, 0])


def twins(mean: Array) -> Ints:
    """For each point of an upright face the one nearest to its reflection, one to one: ``(478,)``."""
    reflected = mean * [-1, 1, 1]
    distances = ((reflected[:, None] - mean[None]) ** 2).sum(2)
    distances = distances + distances.T
    mirror: Ints = linear_sum_assignment(distances)[1].astype(np.int64)
    if (mirror[mirror] != np.arange(len(mirror))).any():
        raise ValueError("the mirror twins are not pairs; the mean face is too lopsided")
    return mirror


def frontal(mean: Array, points: Array) -> Array:
    """The face turned in pitch so that the median of the portraits has none."""
    _, rotations = aligned(points, mean)
    pitch = np.median(np.arctan2(rotations[:, 2, 1], rotations[:, 2, 2]))
    c, s = np.cos(pitch), np.sin(pitch)
    turned: Array = mean @ np.array([[1, 0, 0], [0, c, -s], [0, s, c]]).T
    return turned


def mean_face(points: Array) -> tuple[Array, Ints]:
    """The symmetric canonical mean ``(478, 3)`` and its mirror twins ``(478,)``."""
    mirror = twins(upright(average(points, canonical(points[0]))))
    flipped = points[:, mirror] * [-1, 1, 1]
    both = np.concatenate([points, flipped])
    mean = average(both, canonical(upright(average(points, canonical(points[0])))))
    mean = canonical(frontal((mean + mean[mirror] * [-1, 1, 1]) / 2, both))
    return (mean + mean[mirror] * [-1, 1, 1]) / 2, mirror


def build(folder: Path, path: Path) -> None:
    """Build the face model from the training material and write it.

    Args:
        folder: holds the portrait sets and the morphable head.
        path: safetensors file to write.
    """
    mean, mirror = mean_face(read_landmarks(folder))
    triangles, regions = triangulate(mean, mirror)
    head = read_head(folder / "ict" / "ict_facekit_light_f16.npz")
    anchors, matrix = register(head, mean)
    names, expression = expression_shapes(head, anchors, matrix, mean, mirror)
    identity = identity_shapes(anchors.sample(head.identity) @ matrix.T, mean, mirror)
    tensors = {
        "mean": mean.astype(np.float32),
        "mirror": mirror,
        "triangles": triangles,
        "regions": regions,
        "identity": identity.astype(np.float16),
        "expression": calmed(expression, triangles).astype(np.float16),
        "ict_vertices": anchors.vertices.astype(np.int32),
        "ict_weights": anchors.weights.astype(np.float32),
    }
    config = {"expression": names, "gaze_degrees": GAZE_DEGREES}
    save_weights(path, {name: torch.from_numpy(value) for name, value in tensors.items()}, "face_model", config)

"""Endless samples for the segmentation network: labelled portraits, moved and covered by drawn things."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch.utils.data import Dataset

from ..ops.face_model import FaceModel
from ..stages.open_segmentation import mesh_prior
from . import augment
from .canvas import similarity
from .crop_occluders import Props, cover
from .face_labels import FACE, HAIR, UNKNOWN, label, trustworthy
from .labelled import Face, read_faces
from .loop import Batch
from .turned import turn

Image = NDArray[np.uint8]
Points = NDArray[np.float32]

SIDE, MARGIN = 288, 2.4
"""Side in pixels at which faces are kept, and how many times the longer side of the face it shows."""
PORTRAITS = (
    "The training splits of two sets of AI-generated portraits of adults, one picture an identity: `faces_ai` "
    "(SFHQ-T2I, MIT, (c) David Beniaguev) and `faces_faker` (CC0-1.0); no real person."
)
"""What networks trained here have learnt from, for their cards."""
WORN = {"faces_faker/faker_f069.jpg", "faces_faker/faker_m096.jpg"}
"""Wearers of glasses in the set whose index does not name them."""


@dataclass(frozen=True)
class Labelled:
    """A face with its label, ready to be moved.

    Attributes:
        image: ``(SIDE, SIDE, 3)`` RGB.
        labels: ``(SIDE, SIDE)``, see :mod:`.face_labels`.
        prior: ``(SIDE, SIDE, 3)`` the mesh's picture (see :func:`pack`).
        points: ``(478, 2)`` landmarks in pixels.
    """

    image: Image
    labels: Image
    prior: Image
    points: Points


def pack(prior: NDArray[np.floating]) -> Image:
    """The mesh's picture ``(3, S, S)`` as ``(S, S, 3)`` bytes; 128 is zero and ninety steps are one."""
    return np.asarray((prior.transpose(1, 2, 0) * 90 + 128).round().clip(0, 255), np.uint8)


def unpack(prior: torch.Tensor) -> torch.Tensor:
    """Undo :func:`pack` for a batch: ``(B, S, S, 3)`` bytes to ``(B, 3, S, S)``."""
    return (prior.permute(0, 3, 1, 2).float() - 128) / 90


def prepared(face: Face, model: FaceModel, glasses: bool) -> Labelled | None:
    """Cut a portrait out and label it; None if the label is no good."""
    low, high = face.landmarks[:, :2].min(0), face.landmarks[:, :2].max(0)
    scale = SIDE / (MARGIN * float((high - low).max()))
    matrix = similarity((low + high) / 2, (SIDE / 2, SIDE / 2), scale, 0, False)
    image = warped(face.image, matrix, SIDE, cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    points = face.landmarks[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    labels = label(image, points, glasses)
    if not trustworthy(labels, points):
        return None
    placed = np.concatenate([points, face.landmarks[:, 2:] * scale], 1).astype(np.float32)
    prior = mesh_prior(torch.from_numpy(placed)[None], model, SIDE)[0].numpy()
    return Labelled(image, labels, pack(prior), points.astype(np.float32))


def read_labelled(
    data: Path,
    split: str,
    model: FaceModel,
    turns: int,
    most: int = 0,
    teach: Callable[[Labelled], Labelled] | None = None,
) -> list[Labelled]:
    """Portraits of one split that nothing covers, each also turned ``turns`` times.

    Args:
        data: folder of the training material; see :mod:`.labelled`.
        split: ``"train"``, ``"val"`` or ``"test"``.
        model: the face model.
        turns: turned views of each portrait.
        most: the first so many portraits are looked at; 0 looks at all.
        teach: labels the glasses of their wearers; without it clear ones are left unknown and dark ones left out.
    """
    marks, rng = _marks(data), np.random.default_rng(0)
    found: list[Labelled] = []
    for face in read_faces(data, split, most=most):
        covered, dark, worn = marks.get(face.name, (False, False, face.name in WORN))
        if covered or (dark and teach is None):
            continue
        shown = [prepared(one, model, worn) for one in (face, *(turn(face, model, rng) for _ in range(turns)))]
        found += [teach(one) if teach and worn else one for one in shown if one is not None]
    return found


def _marks(data: Path) -> dict[str, tuple[bool, bool, bool]]:
    """By name: whether something covers the face, whether it wears dark glasses, and whether it wears any."""
    result = {}
    for index in sorted(data.glob("*/index.csv")):
        with index.open(newline="") as file:
            for row in csv.DictReader(file):
                if "occluded" in row:
                    covered, dark, worn = (row[name] == "1" for name in ("occluded", "sunglasses", "glasses"))
                    result[f"{index.parent.name}/{row['file']}"] = covered, dark, dark or worn
    return result


@dataclass(frozen=True, kw_only=True)
class SampleOptions:
    """What the network gets to see."""

    size: int = 192
    """side of the crops in pixels"""
    covered: float = 0.75
    """share of faces with something in front of them"""
    plain: float = 0.4
    """share of crops that keep the picture's light and sharpness"""


class Samples(Dataset[Batch]):
    """Sample ``i`` depends on ``i`` alone."""

    def __init__(self, faces: Sequence[Labelled], props: Props, options: SampleOptions) -> None:
        self.faces, self.props, self.options = faces, props, options

    def __getitem__(self, index: int) -> Batch:
        """Bytes ``(S, S, 3)`` image and prior; ``(S, S)`` face, hair (255 is certain) and known (0 or 1)."""
        rng = np.random.default_rng((7, index))
        face = self.faces[int(rng.integers(len(self.faces)))]
        made = placed(face, rng, self.options.size)
        image, labels, prior, points = made.image, made.labels, made.prior, made.points
        alpha = np.zeros(image.shape[:2], np.float32)
        if rng.random() < self.options.covered:
            drawn, alpha = cover(rng, image, points, self.props)
            image = drawn.round().astype(np.uint8)
        if rng.random() >= self.options.plain:
            image = augment.photometric(image, rng)
        shown = 255 * (1 - alpha)
        return {
            "image": torch.from_numpy(np.ascontiguousarray(image)),
            "prior": torch.from_numpy(np.ascontiguousarray(prior)),
            "face": torch.from_numpy((shown * (labels == FACE)).astype(np.uint8)),
            "hair": torch.from_numpy((shown * (labels == HAIR)).astype(np.uint8)),
            "known": torch.from_numpy(((labels != UNKNOWN) | (alpha > 0.5)).astype(np.uint8)),
        }


@dataclass(frozen=True)
class Placed:
    """A face somewhere in a crop: what :class:`Labelled` holds, of the crop's size."""

    image: Image
    labels: Image
    prior: Image
    points: Points


def placed(face: Labelled, rng: Generator, size: int, mirrored: float = 0.5) -> Placed:
    """Put a face somewhere in a crop; its mesh lies where landmarks would be found, not quite where it is.

    Args:
        face: a face.
        rng: decides where.
        size: side of the crop in pixels.
        mirrored: share of mirrored faces; their points keep their numbers.
    """
    scale = MARGIN / np.exp(rng.uniform(np.log(1.2), np.log(1.8))) * size / SIDE
    centre, turned, mirror = size * (0.5 + rng.normal(0, 0.03, 2)), rng.normal(0, 14), bool(rng.random() < mirrored)
    matrix = similarity((SIDE / 2, SIDE / 2), centre, scale, turned, mirror)
    error = 0.06 if rng.random() < 0.15 else 0.018
    off = rng.normal(0, error, 4) * np.array([0.5 * size, 0.5 * size, 1, 60])
    guess = similarity((SIDE / 2, SIDE / 2), centre + off[:2], scale * (1 + off[2]), turned + off[3], mirror)
    prior = warped(face.prior, guess, size, cv2.INTER_NEAREST, 128)
    if mirror:
        prior[..., 1] = np.clip(256 - prior[..., 1].astype(np.int32), 0, 255)
    points = face.points @ matrix[:, :2].T + matrix[:, 2]
    image = warped(face.image, matrix, size, cv2.INTER_LINEAR)
    return Placed(image, warped(face.labels, matrix, size, cv2.INTER_NEAREST), prior, points.astype(np.float32))


def warped(picture: Image, matrix: NDArray[np.floating], size: int, how: int, outside: int | None = None) -> Image:
    """A picture moved by a matrix of continuous coordinates; beyond it its edge is repeated, or one value."""
    # OpenCV counts from pixel centres.
    centred = np.array(matrix, np.float64)
    centred[:, 2] += matrix[:, :2] @ np.full(2, 0.5) - 0.5
    border = cv2.BORDER_REPLICATE if outside is None else cv2.BORDER_CONSTANT
    values = (outside or 0,) * 3
    moved = cv2.warpAffine(picture, centred, (size, size), flags=how, borderMode=border, borderValue=values)
    return np.asarray(moved, np.uint8)

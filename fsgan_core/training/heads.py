"""Portraits as rigged heads: fitted, lifted, and kept in one file, so that a training reads them at once."""

from __future__ import annotations

import csv
import os
import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..ops.face_model import FaceModel
from ..ops.landmarks import FACE_OVAL
from ..weights.checkpoint import load_weights, save_weights
from .canvas import moved
from .face_labels import label
from .head_fit import expressed, fit_heads, posed
from .head_texture import lift
from .labelled import SETS, Face, read_faces
from .rig import Rig

Floats = NDArray[np.float32]
Picture = NDArray[np.uint8]

WINDOW = 384
"""Side of the square that is kept of a photo, in pixels."""
EXTENT = 200
"""Longer side of a face in that square, in pixels."""
KIND = "heads"
VERSION = 2


@dataclass(frozen=True)
class Heads:
    """Portraits of N people. ``heads[rows]`` has some of them, ``to`` moves them.

    Attributes:
        photo: ``(N, 3, 384, 384)`` uint8, the face 200 pixels high or wide in the middle.
        labels: ``(N, 1, 384, 384)`` uint8: rest, face, hair, unknown, see :mod:`face_labels`.
        points: ``(N, 478, 3)`` landmarks in pixels of the photo.
        sheet: ``(N, 3, 272, 384)`` uint8, see :mod:`rig`.
        seen: ``(N, 1, 272, 384)`` uint8, 255 where the photo shows the texel.
        neutral: ``(N, V, 3)`` float16 canonical heads without expression.
        expression: ``(N, E)`` of the photos.
        gain: ``(N, 2)`` see :class:`head_fit.HeadFit`.
        scale: ``(N,)`` pixels per canonical unit.
        rotation: ``(N, 3, 3)``.
        translation: ``(N, 3)`` pixels.
        light: ``(N, 9, 3)`` see :mod:`sphere_light`.
    """

    photo: Tensor
    labels: Tensor
    points: Tensor
    sheet: Tensor
    seen: Tensor
    neutral: Tensor
    expression: Tensor
    gain: Tensor
    scale: Tensor
    rotation: Tensor
    translation: Tensor
    light: Tensor

    def __len__(self) -> int:
        return len(self.photo)

    def __getitem__(self, rows: Tensor) -> Heads:
        return Heads(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    def to(self, device: torch.device | str) -> Heads:
        """The same heads on another device."""
        return Heads(**{field.name: getattr(self, field.name).to(device) for field in fields(self)})


def read_heads(data: Path, split: str, rig: Rig, model: FaceModel, cache: Path | None = None) -> Heads:
    """The portraits of one split as heads; built once and kept until a picture, a label or the head changes.

    Faces that the frame cuts off, or that the set's index calls occluded (sunglasses too), are left out.

    Args:
        data: training material with ``faces_ai/`` and ``faces_faker/``.
        split: ``"train"``, ``"val"`` or ``"test"``.
        rig: the head.
        model: the bundled face model.
        cache: folder for ``heads-SPLIT.safetensors``; :func:`cache_folder` when not given.

    Raises:
        ValueError: no labelled portrait of that split there.
        WeightsError: the kept file is damaged or was made by another version; delete it.
    """
    hidden = _tagged(data, "occluded")
    faces = [face for face in read_faces(data, split) if _framed(face) and face.name not in hidden]
    path = (cache or cache_folder()) / f"heads-{split}.safetensors"
    made_of = {
        "version": VERSION,
        "rig": zlib.crc32(rig.neutral.cpu().numpy().tobytes()),
        "faces": list(map(_print, faces)),
    }
    if path.is_file():
        tensors, kept = load_weights(path, KIND)
        if kept == made_of:
            return Heads(**tensors)
    heads = build_heads(faces, rig, model, _tagged(data, "glasses"))
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {field.name: getattr(heads, field.name) for field in fields(heads)}
    # Several processes of one training may be here at once.
    with TemporaryDirectory(dir=path.parent) as folder:
        save_weights(Path(folder) / path.name, tensors, KIND, made_of)
        (Path(folder) / path.name).replace(path)
    return heads


def _print(face: Face) -> str:
    """Name and contents: another picture or label under a name is another face."""
    return f"{face.name} {zlib.crc32(face.landmarks.tobytes(), zlib.crc32(face.image.tobytes())):08x}"


def cache_folder() -> Path:
    """``fsgan`` in the user's cache: ``$XDG_CACHE_HOME`` or ``~/.cache``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fsgan"


def build_heads(
    faces: Sequence[Face], rig: Rig, model: FaceModel, glasses: Collection[str] = (), batch: int = 8
) -> Heads:
    """Fit and lift portraits, ``batch`` at a time; those named in ``glasses`` have no labels around their eyes."""
    parts = [_build(faces[i : i + batch], rig, model, glasses) for i in range(0, len(faces), batch)]
    return Heads(**{f.name: torch.cat([getattr(part, f.name) for part in parts]) for f in fields(Heads)})


def window(face: Face) -> tuple[Picture, Floats, Picture]:
    """The square around a portrait's face, its landmarks there, and where the photo had pixels (255, else 0)."""
    points = face.landmarks
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    scale = EXTENT / float((high - low).max())
    matrix = np.array([[scale, 0, 0], [0, scale, 0]], np.float32)
    matrix[:, 2] = WINDOW / 2 - scale * (low + high) / 2
    # OpenCV counts from pixel centres.
    shift = matrix + np.array([[0, 0, scale / 2 - 0.5]], np.float32)
    size, way = (WINDOW, WINDOW), cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    smooth = cv2.GaussianBlur(face.image, (0, 0), 0.35 / scale) if scale < 0.7 else face.image
    image = cv2.warpAffine(smooth, shift, size, flags=way, borderMode=cv2.BORDER_REFLECT_101)
    whole = cv2.warpAffine(np.full(face.image.shape[:2], 255, np.uint8), shift, size)
    moved_points = np.concatenate([moved(matrix, points[:, :2]), points[:, 2:] * np.float32(scale)], 1)
    return np.asarray(image, np.uint8), moved_points, np.asarray(whole, np.uint8)


def _build(faces: Sequence[Face], rig: Rig, model: FaceModel, glasses: Collection[str]) -> Heads:
    images, points, whole = (np.stack(part) for part in zip(*map(window, faces), strict=True))
    photo = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
    rows = zip(faces, images, points[..., :2], strict=True)
    labels = torch.from_numpy(np.stack([label(image, lms, face.name in glasses) for face, image, lms in rows]))
    fit = fit_heads(rig, model, torch.from_numpy(points))
    vertices = posed(expressed(rig, fit.neutral, fit.gain, fit.expression), fit.scale, fit.rotation, fit.translation)
    valid = torch.from_numpy(whole)[:, None] > 250
    found = lift(rig, photo.float() / 255, valid, vertices, fit.scale)
    return Heads(
        photo=photo,
        labels=labels[:, None],
        points=torch.from_numpy(points),
        sheet=(found.sheet * 255).round().to(torch.uint8),
        seen=found.seen.to(torch.uint8) * 255,
        neutral=fit.neutral.half(),
        expression=fit.expression,
        gain=fit.gain,
        scale=fit.scale,
        rotation=fit.rotation,
        translation=fit.translation,
        light=found.light,
    )


def _framed(face: Face) -> bool:
    """Whether nearly all of the face's outline lies in the picture."""
    outline = face.landmarks[list(FACE_OVAL), :2]
    limit = np.array(face.image.shape[1::-1]) + 2
    return bool(((outline > -2) & (outline < limit)).all(1).mean() > 0.9)


def _tagged(data: Path, tag: str) -> set[str]:
    """Names of the portraits whose index has 1 in a column."""
    found = set()
    for name in SETS:
        path = data / name / "index.csv"
        if path.is_file():
            with path.open(newline="") as file:
                found |= {f"{name}/{row['file']}" for row in csv.DictReader(file) if row.get(tag) == "1"}
    return found

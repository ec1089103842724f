"""Portraits drawn anew and measured by MediaPipe: what the local landmark network learns from.

A label that is carried along when a photo is bent says where a point should be; what MediaPipe finds in the bent photo
says where it is seen. So pictures may be changed at will: bent, turned, with another expression, or a mixture of two
people, who is nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray

from ..errors import FSGANError
from ..ops.face_model import FaceModel
from ..ops.geometry import euler_angles, rotation_matrix
from ..ops.head_mesh import place, points
from ..ops.landmarks import RIGID
from ..stages.landmark_crops import after, cut, moved, placement, shape_placement
from ..stages.landmarks import Landmarker
from ..stages.reenactment import FlowOptions, FlowReenactor
from .blinks import NARROW, apertures, blinked
from .cache import written_once
from .gazes import looked
from .labelled import Face
from .turned import SPREAD, draw, expression, new_pose, shrunk, turn

Image = NDArray[np.uint8]
Points = NDArray[np.float32]

SIDE, ROOM = 232, 1.2
"""Side in pixels of the crops kept, and how much more they show than the aligned crop of the network."""
FAR = 0.15
"""Distance from where they were carried, in mean distances from the face's middle, beyond which landmarks are wrong."""
BLINKS = 0.5
"""Share of the portraits whose lids are lowered."""
GAZES = 0.7
"""Share of the portraits that look elsewhere."""
POINTS = "points.npy"


def drawn(faces: Sequence[Face], model: FaceModel, rng: Generator) -> Face:
    """A random portrait: as it is, turned and with another expression, or mixed with another."""
    face, kind = faces[int(rng.integers(len(faces)))], rng.random()
    if kind < 0.3:
        made = shrunk(face)
    elif kind < 0.6:
        made = turn(face, model, rng)
    else:
        made = mixed(face, faces[int(rng.integers(len(faces)))], model, rng)
    return elastic(made, rng)


def mixed(face: Face, other: Face, model: FaceModel, rng: Generator) -> Face:
    """A face between two, in a random pose and expression: both are drawn in one geometry and laid over each other."""
    first = shrunk(face)
    second = beside(other, first)
    ours, theirs = (place(model.mean, torch.from_numpy(one.landmarks)[None]) for one in (first, second))
    part = float(rng.uniform(0.2, 0.8))
    change = torch.einsum("e,epd->pd", expression(model, rng), model.expression)
    shape = torch.lerp(ours.shape, theirs.shape, part) + change
    pose = euler_angles(ours.rotation)
    pose = new_pose(pose, rng) if rng.random() < 0.5 else pose + torch.from_numpy(rng.normal(0, 6, (1, 3))).float()
    target = replace(ours, shape=shape, rotation=rotation_matrix(pose))
    images = [draw(one.image, at, target, model) for one, at in ((first, ours), (second, theirs))]
    share = (part + smooth_noise(images[0].shape[:2], rng, 0.25)).clip(0, 1)[..., None]
    image = np.asarray(images[0] * (1 - share) + images[1] * share, np.uint8)
    return Face(f"{face.name} {other.name}", image, points(target)[0].numpy())


def beside(face: Face, other: Face) -> Face:
    """A portrait moved onto another's picture so that the rigid parts of both faces lie together."""
    here, there = (one.landmarks[list(RIGID), :2] for one in (face, other))
    found, _ = cv2.estimateAffinePartial2D(here, there, method=cv2.LMEDS)
    matrix = np.asarray(found, np.float64)
    size = other.image.shape[1::-1]
    image = cv2.warpAffine(face.image, matrix, size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT_101)
    return Face(face.name, np.asarray(image, np.uint8), moved(face.landmarks, matrix).astype(np.float32))


def elastic(face: Face, rng: Generator) -> Face:
    """A portrait bent smoothly by up to a few percent of the face, so that no two have one shape.

    Elastic deformation (Simard et al., 2003): displacements are random on a coarse grid and smooth in between.
    """
    height, width = face.image.shape[:2]
    reach = SPREAD * rng.uniform(0, 0.09)
    bend = np.stack([smooth_noise((height, width), rng, reach) for _ in range(2)], -1)
    rows, columns = np.indices((height, width), dtype=np.float32)
    image = cv2.remap(
        face.image, columns + bend[..., 0], rows + bend[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    cells = face.landmarks[:, :2].astype(int).clip(0, (width - 1, height - 1))
    landmarks = face.landmarks.copy()
    landmarks[:, :2] -= bend[cells[:, 1], cells[:, 0]]
    return Face(face.name, np.asarray(image, np.uint8), landmarks)


def smooth_noise(shape: tuple[int, int], rng: Generator, deviation: float) -> NDArray[np.float32]:
    """Random values ``(H, W)`` that change over about a quarter of the picture."""
    count = int(rng.integers(4, 8))
    coarse = rng.normal(0, deviation, (count, count)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC), np.float32)


@dataclass(frozen=True)
class Measured:
    """A crop ``(SIDE, SIDE, 3)`` as JPEG, and the landmarks ``(478, 3)`` in its pixels."""

    picture: bytes
    points: Points

    @property
    def image(self) -> Image:
        """The crop, RGB."""
        decoded = cv2.imdecode(np.frombuffer(self.picture, np.uint8), cv2.IMREAD_COLOR)
        if decoded is None:
            raise FSGANError("a crop of the training is no JPEG any more; delete the folder named by 'cache'")
        return np.ascontiguousarray(decoded[..., ::-1], np.uint8)


def measured(face: Face, teacher: Landmarker | None) -> Face | None:
    """Cut a portrait out where its landmarks are found; None where they are not, or far from where they should be.

    Also None where a teacher finds an eye so narrow that it may be half shut, as that is not measured truly.

    Args:
        face: a portrait and about where its landmarks are.
        teacher: finds them; without it they are where they are carried.
    """
    seen = face.landmarks
    if teacher is not None:
        found = teacher([face.image], [np.zeros((1, 4), np.float32)], [face.landmarks[None]])[0]
        seen = found.points[0]
        size = float(np.linalg.norm(face.landmarks - face.landmarks.mean(0), axis=1).mean())
        if found.scores[0] < 0.5 or np.linalg.norm((seen - face.landmarks)[:, :2], axis=1).mean() > FAR * size:
            return None
        if min(apertures(seen)) < NARROW:
            return None
    wider = placement(np.full(2, 0.5), ROOM, 0.0, SIDE)
    matrix = after(wider, shape_placement(seen, 1))
    crop = cut(face.image, matrix, SIDE, cv2.BORDER_REPLICATE)
    return Face(face.name, crop, moved(seen, matrix).astype(np.float32))


def packed(face: Face) -> Measured:
    """A portrait's crop, compressed."""
    _, code = cv2.imencode(".jpg", face.image[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, 95))
    return Measured(code.tobytes(), face.landmarks)


def made(faces: Sequence[Face], tools: tuple[FaceModel, Landmarker | None], seed: int) -> Iterator[Measured]:
    """Endless drawn and measured portraits, most looking elsewhere, half with lowered lids, about ten a second.

    Args:
        faces: the portraits, those to be seen more often several times.
        tools: face model and teacher.
        seed: of everything random.
    """
    rng, (model, teacher) = np.random.default_rng(seed), tools
    draw = FlowReenactor(model, FlowOptions(refine=False, steps=1))
    while True:
        one = measured(drawn(faces, model, rng), teacher)
        if one is not None:
            one = looked(one, model, rng) if rng.random() < GAZES else one
            yield packed(blinked(one, model, draw, rng) if rng.random() < BLINKS else one)


def kept(folder: Path, crops: Iterable[Measured], count: int) -> list[Measured]:
    """The first crops, from a folder: each a JPEG, and ``points.npy`` ``(count, 478, 3)``; written when missing.

    Args:
        folder: made when missing.
        crops: what is written; not looked at when the folder is finished.
        count: how many.

    Raises:
        FSGANError: the folder holds another number of crops.
    """

    def write(place: Path) -> None:
        rows = list[Points]()
        for number, one in enumerate(islice(crops, count)):
            (place / _name(number)).write_bytes(one.picture)
            rows.append(one.points)
        np.save(place / POINTS, np.stack(rows))

    written_once(folder, write)
    found = np.load(folder / POINTS, allow_pickle=False)
    if len(found) != count:
        raise FSGANError(f"found {len(found)} crops in {folder}, expected {count}; delete it or name another 'cache'")
    return [Measured((folder / _name(number)).read_bytes(), points) for number, points in enumerate(found)]


def _name(number: int) -> str:
    return f"{number:06}.jpg"

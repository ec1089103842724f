"""Pairs for the refinement network: a portrait's photo as the target, the same person drawn otherwise as the source.

The source is the photo drawn through its moved mesh (:mod:`.turned`): turned, with another expression, with the mouth
shut, in light that stays where it is while the head turns. So what the network has to produce is always a photo's own
pixels: teeth, eyes, the far side of a nose. Geometry is done once, and what it finds is kept on disk in bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ..networks.flow_net import CHANNELS, WINDOW
from ..ops.face_model import FaceModel, fit
from ..ops.flow import spread
from ..ops.geometry import angle, euler_angles, rotation_matrix
from ..ops.head_mesh import Placement, place, points
from ..ops.landmarks import LIPS_INNER
from ..ops.mesh import interpolate, rasterize, vertex_normals
from ..stages.evidence import MARGIN, Evidence, Window, gather
from ..stages.features import feature_layer
from ..stages.landmarks import Landmarker
from ..stages.openings import MOUTH, openness
from ..stages.views import View, prepare
from ..stages.warping import warp
from .labelled import Face
from .turned import draw, expression, new_pose, shrunk, with_mouth

VIEWS = 3
"""Most views of a pair."""
MIRROR = 0.5
"""Trust in mirrored pixels, as in the engine."""
MEASURED = 0.9
"""Share of the pictures whose landmarks are those that our network finds in them; of the others those of the label."""
SPREADS = (45.0, 85.0)
"""Sizes of the face in both pictures, as :data:`.turned.SPREAD`: one to two pixels for each of the window."""
WHOLE = Window(0.0, 0.0, WINDOW)
Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Subject:
    """A portrait ready to be moved.

    Attributes:
        face: the photo and its labelled landmarks.
        measured: ``(478, 3)`` the landmarks as our network finds them.
        change: ``(478, 3)`` what its expression adds to the neutral face, in canonical units.
        light: ``(3,)`` how the logarithm of its brightness grows along the normal into the face.
    """

    face: Face
    measured: NDArray[np.float32]
    change: Tensor
    light: Tensor


def subject(face: Face, model: FaceModel, landmarker: Landmarker) -> Subject:
    """Measure a portrait."""
    landmarks = torch.from_numpy(face.landmarks)[None]
    found = fit(model, landmarks).expression
    change = torch.einsum("be,epd->bpd", found, model.expression)[0]
    return Subject(face, measured(face, landmarker), change, light_of(face, model))


def measured(face: Face, landmarker: Landmarker) -> NDArray[np.float32]:
    """Landmarks ``(478, 3)`` of a face as found from its box."""
    low, high = face.landmarks[:, :2].min(0), face.landmarks[:, :2].max(0)
    box = np.concatenate((low, high)).astype(np.float32)[None]
    return landmarker([face.image], [box])[0].points[0].astype(np.float32)


def light_of(face: Face, model: FaceModel) -> Tensor:
    """Direction and strength ``(3,)`` of the light, by regression of brightness on the normals of the skin."""
    placed = place(model.mean, torch.from_numpy(face.landmarks)[None])
    normals = (vertex_normals(placed.shape, model.triangles) @ placed.rotation.mT)[0]
    blurred = cv2.GaussianBlur(face.image, (0, 0), 0.02 * float(np.ptp(face.landmarks[:, 1])))
    column, row = (face.landmarks[:, i].astype(int).clip(0, face.image.shape[1 - i] - 1) for i in (0, 1))
    level = torch.from_numpy(blurred[row, column].mean(1).astype(np.float32) / 255).clamp_min(0.02).log()
    facing = normals[:, 2] > 0.2
    design = torch.cat((normals, torch.ones(len(normals), 1)), 1)[facing]
    gram = design.mT @ design + torch.diag(torch.tensor((5.0, 20.0, 200.0, 0.0)))
    found: Tensor = torch.linalg.solve(gram, design.mT @ level[facing])
    return found[:3].clamp(-0.6, 0.6)


def shut(shape: Tensor) -> Tensor:
    """A canonical face ``(1, 478, 3)`` with its lips together: each half of the mouth goes half the way."""
    half = len(LIPS_INNER) // 2
    lower, upper = list(LIPS_INNER[1:half]), list(LIPS_INNER[:half:-1])
    middle = (shape[:, lower] + shape[:, upper]) / 2
    rim = torch.cat((shape[:, lower], shape[:, upper]), 1)
    way = torch.cat((middle, middle), 1) - rim
    near = torch.cdist(shape, rim)
    distance, index = near.min(2)
    return shape + way[0, index[0]][None] * torch.exp(-((distance / 0.22) ** 2))[..., None]


def moved(
    who: Subject, model: FaceModel, rng: Generator, spread: float = SPREADS[0]
) -> tuple[Face, Placement, Placement]:
    """The portrait in another pose and expression, at most as large as ``spread`` says; its place before and after."""
    face = shrunk(who.face, spread)
    source = place(model.mean, torch.from_numpy(face.landmarks)[None])
    shape = source.shape - (who.change if rng.random() < 0.6 else 0)
    if rng.random() < 0.65:
        shape = shape + torch.einsum("e,epd->pd", expression(model, rng), model.expression)
    if rng.random() < 0.5:
        shape = shut(shape)
    pose = euler_angles(source.rotation)
    pose = pose + torch.from_numpy(rng.normal(0, 4, (1, 3))).float() if rng.random() < 0.45 else new_pose(pose, rng)
    target = replace(source, shape=shape, rotation=rotation_matrix(pose))
    image, landmarks = draw(face.image, source, target, model), points(target)
    if bool(openness(target.shape, MOUTH) > 0.01 + 2.5 * openness(source.shape, MOUTH)):
        image = with_mouth(image, landmarks, model)
    return Face(face.name, image, landmarks[0].numpy()), source, target


def filmed(image: Bytes, blur: float, rng: Generator) -> Bytes:
    """A picture as a camera keeps it: a clip's frames share their blur, noise and compression are each one's own."""
    picture = cv2.GaussianBlur(image, (0, 0), blur) if blur > 0.3 else image
    grain = rng.standard_normal(picture.shape, np.float32) * np.float32(rng.uniform(0, 4) * (rng.random() < 0.7))
    picture = (picture + grain).clip(0, 255).astype(np.uint8)
    if rng.random() < 0.7:
        _, code = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 96))))
        return np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8)
    return np.asarray(picture, np.uint8)


def relit(image: Bytes, face: Placement, change: Tensor, model: FaceModel) -> Bytes:
    """A picture whose skin is brightened by the exponential of a change ``(1, 478, 1)``, fading out around the face."""
    height, width = image.shape[:2]
    scale = 96 / max(height, width)
    rows, columns = round(height * scale), round(width * scale)
    number, weights = rasterize(points(face) * scale, model.triangles, rows, columns)
    field = interpolate(change, model.triangles, number, weights)
    known = (number >= 0)[:, None]
    field, _ = spread(field, known, 6)
    fade = functional.avg_pool2d(functional.max_pool2d(known.float(), 5, 1, 2), 9, 1, 4)
    field = functional.avg_pool2d(field, 5, 1, 2) * fade
    gain = functional.interpolate(field, (height, width), mode="bilinear", align_corners=False).exp()
    return (image * gain[0, 0, ..., None].numpy()).clip(0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Pair:
    """One target with the evidence of up to three views, in bytes.

    Attributes:
        target: ``(3, N, N)`` the photo.
        sheets: ``(2 * VIEWS, 3, N, N)``; unused ones are 0.
        trust: ``(2 * VIEWS, N / 2, N / 2)``; 0 for unused ones.
        geometry: ``(len(CHANNELS), N / 2, N / 2)``, 128 is 0.
        features: ``(4, N, N)``.
        views: how many.
    """

    target: Bytes
    sheets: Bytes
    trust: Bytes
    geometry: Bytes
    features: Bytes
    views: int


SHAPES = {
    "target": (3, WINDOW, WINDOW),
    "sheets": (2 * VIEWS, 3, WINDOW, WINDOW),
    "trust": (2 * VIEWS, WINDOW // 2, WINDOW // 2),
    "geometry": (len(CHANNELS), WINDOW // 2, WINDOW // 2),
    "features": (4, WINDOW, WINDOW),
}
"""Shapes of a pair's parts."""


def pair(who: Subject, model: FaceModel, landmarker: Landmarker, rng: Generator, twin: bool = False) -> list[Pair]:
    """A random pair; with ``twin`` two that differ only in the number of steps."""
    cast = torch.from_numpy(rng.normal(0, 0.2, 3) * (rng.random() < 0.5)).float()
    placed = place(model.mean, torch.from_numpy(who.face.landmarks)[None])
    normals = vertex_normals(placed.shape, model.triangles) @ placed.rotation.mT
    image = relit(who.face.image, placed, (normals @ cast - cast[2])[..., None], model)
    who = replace(who, face=replace(who.face, image=image))
    blur, spread = rng.uniform(0, 1) * (rng.random() < 0.6), rng.uniform(*SPREADS)
    target, aim = window_of(*_seen(shrunk(who.face, spread), blur, landmarker, rng), rng)
    views, gaps = [], []
    for _ in range(int(rng.choice(VIEWS, p=(0.6, 0.25, 0.15))) + 1):
        source, before, after = moved(who, model, rng, spread)
        turned = [vertex_normals(at.shape, model.triangles) @ at.rotation.mT for at in (before, after)]
        change = ((turned[1] - turned[0]) @ (cast + who.light))[..., None]
        picture = relit(source.image, after, change, model)
        picture, places = _seen(replace(source, image=picture), blur, landmarker, rng)
        views.append(prepare(picture, torch.from_numpy(places), model))
        gaps.append(float(angle(before.rotation, after.rotation)))
    weights = np.exp(-np.array(gaps) / 25) * rng.uniform(0.5, 1, len(gaps))
    shares = (weights / weights.sum()).tolist()
    placed = place(model.mean, aim)
    results = []
    for steps in (1, int(rng.choice((2, 4, 8)))) if twin else (int(rng.choice((0, 0, 0, 1, 2, 4))),):
        layers = [warp(view, placed, (WINDOW, WINDOW), model, None, steps) for view in views]
        main = views[int(weights.argmax())]
        found = gather(layers, shares, placed, WHOLE, model, _features(main, aim, model), MIRROR)
        results.append(_packed(target, found))
    return results


def _seen(face: Face, blur: float, landmarker: Landmarker, rng: Generator) -> tuple[Bytes, NDArray[np.float32]]:
    """A face as filmed, and its landmarks, mostly as measured there."""
    shot = replace(face, image=filmed(face.image, blur, rng))
    return shot.image, measured(shot, landmarker) if rng.random() < MEASURED else face.landmarks


def pair_from(target: Face, source: Face, model: FaceModel, rng: Generator) -> Pair:
    """Two pictures of one person: the first is wanted, the second the only view."""
    picture, aim = window_of(target.image, target.landmarks, rng)
    placed = place(model.mean, aim)
    view = prepare(source.image, torch.from_numpy(source.landmarks), model)
    layer = warp(view, placed, (WINDOW, WINDOW), model, None)
    return _packed(picture, gather([layer], [1.0], placed, WHOLE, model, _features(view, aim, model), MIRROR))


def _features(view: View, aim: Tensor, model: FaceModel) -> Tensor:
    return torch.cat(feature_layer(WINDOW, view, aim, model), 1)


def window_of(image: Bytes, landmarks: NDArray[np.float32], rng: Generator) -> tuple[Bytes, Tensor]:
    """The window ``(3, N, N)`` around a face, a little off, and the landmarks ``(1, 478, 3)`` in it."""
    low, high = landmarks[:, :2].min(0), landmarks[:, :2].max(0)
    scale = WINDOW / (MARGIN * float((high - low).max()) * rng.uniform(0.95, 1.05))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    resized = cv2.resize(image, None, fx=scale, fy=scale, interpolation=method)
    left, top = np.rint((low + high) / 2 * scale - WINDOW / 2 + rng.uniform(-4, 4, 2)).astype(int)
    padded = cv2.copyMakeBorder(resized, WINDOW, WINDOW, WINDOW, WINDOW, cv2.BORDER_REFLECT_101)
    crop = padded[top + WINDOW : top + 2 * WINDOW, left + WINDOW : left + 2 * WINDOW]
    inside = landmarks * np.float32(scale) - np.array((left, top, 0), np.float32)
    return np.ascontiguousarray(crop.transpose(2, 0, 1), np.uint8), torch.from_numpy(inside)[None]


def _packed(target: Bytes, found: Evidence) -> Pair:
    sheets, trust = (np.zeros(SHAPES[name], np.uint8) for name in ("sheets", "trust"))
    count = found.sheets.shape[1]
    sheets[:count] = (found.sheets[0] * 255).round().byte().numpy()
    trust[:count] = (found.trust[0, :, 0].clamp(0, 1) * 255).round().byte().numpy()
    geometry = (found.geometry[0].clamp(-1, 1) * 127 + 128).round().byte().numpy()
    features = (found.features[0].clamp(0, 1) * 255).round().byte().numpy()
    return Pair(target, sheets, trust, geometry, features, count // 2)


def as_evidence(batch: dict[str, Tensor]) -> Evidence:
    """Bytes ``(B, ...)`` of pairs back as :class:`~fsgan_core.stages.evidence.Evidence`."""
    sheets, trust = batch["sheets"].float() / 255, batch["trust"].float()[:, :, None] / 255
    return Evidence(sheets, trust, (batch["geometry"].float() - 128) / 127, batch["features"].float() / 255)


def weighted(faces: Sequence[Face]) -> list[Face]:
    """The portraits; those with an open mouth come six times, those with closed eyes four times, for few have them."""
    result = []
    for face in faces:
        width = float(np.linalg.norm(face.landmarks[33] - face.landmarks[263]))
        mouth, right, left = (
            float(np.linalg.norm(face.landmarks[a] - face.landmarks[b])) / width
            for a, b in ((13, 14), (159, 145), (386, 374))
        )
        result += [face] * (6 if mouth > 0.06 else 4 if max(right, left) < 0.035 else 1)
    return result


def build_pairs(
    folder: Path, faces: Sequence[Face], tools: tuple[FaceModel, Landmarker], count: int, seed: int, twins: float = 0.2
) -> None:
    """Write pairs into a folder, one array a part, such as ``target.npy``.

    Last come ``views.npy`` and ``twin.npy``, which is 1 where the next row is the same pair drawn in several steps.

    Args:
        folder: an empty one.
        faces: the portraits, those to be seen more often several times.
        tools: face model and landmarker.
        count: number of pairs.
        seed: of everything random.
        twins: share of pairs that come twice, with one and with several steps; the next row is the twin.
    """
    rng = np.random.default_rng(seed)
    arrays = {
        name: np.lib.format.open_memmap(folder / f"{name}.npy", "w+", np.uint8, (count, *shape))
        for name, shape in SHAPES.items()
    }
    numbers = {name: np.zeros(count, np.uint8) for name in ("views", "twin")}
    subjects: dict[str, Subject] = {}
    row = 0
    while row < count:
        face = faces[int(rng.integers(len(faces)))]
        if face.name not in subjects:
            subjects[face.name] = subject(face, *tools)
        made = pair(subjects[face.name], *tools, rng, twin=row + 1 < count and rng.random() < twins)
        numbers["twin"][row] = len(made) > 1
        for item in made:
            for name, array in arrays.items():
                array[row] = getattr(item, name)
            numbers["views"][row] = item.views
            row += 1
    for name, values in numbers.items():
        np.save(folder / f"{name}.npy", values)

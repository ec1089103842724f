"""Synthetic scenes for the detector: portraits, pieces of them and things that are no faces, pasted together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from . import degradation
from .canvas import Canvas, ellipse, enlarged, moved, rectangle, similarity
from .occluders import cover
from .portraits import Portrait, halvings, read_picture, read_portraits

Floats = NDArray[np.float32]
Picture = NDArray[np.uint8]

PEOPLE = ("Rome.jpg",)
"""Backgrounds with people in them, left out."""

FREE_PICTURES = ("chelsea",) * 5 + (
    "coffee",
    "rocket",
    "hubble_deep_field",
    "retina",
    "brick",
    "grass",
    "gravel",
    "text",
)
"""Pictures without people inside scikit-image's wheel, public domain or CC0; the cat several times over."""


@dataclass(frozen=True)
class Scene:
    """A picture and the faces in it.

    Attributes:
        image: ``(S, S, 3)`` RGB.
        boxes: ``(N, 4)`` faces; parts beyond the border are included.
        sure: ``(N,)`` whether enough of the face is visible to be called one; others are to be ignored.
    """

    image: Picture
    boxes: Floats
    sure: NDArray[np.bool_]


@dataclass(frozen=True)
class Material:
    """What scenes are made from.

    Attributes:
        portraits: people.
        chances: ``(N,)`` with which each is drawn.
        grounds: pictures without people.
        masks: RGBA pictures of face masks.
    """

    portraits: list[Portrait]
    chances: NDArray[np.float64]
    grounds: list[Picture]
    masks: list[Picture]


def read_material(data: Path, split: str) -> Material:
    """Read portraits of one split, the backgrounds, the masks and the free pictures that scikit-image ships."""
    portraits = read_portraits(data, split)
    shares = np.array([portrait.share for portrait in portraits])
    grounds = [read_picture(path) for path in sorted((data / "backgrounds").glob("*.jpg")) if path.name not in PEOPLE]
    masks = [_read_mask(path) for path in sorted((data / "occluders").glob("*.png"))]
    return Material(portraits, shares / shares.sum(), grounds + free_pictures(), masks)


def _read_mask(path: Path) -> Picture:
    found = np.asarray(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), np.uint8)
    small = cv2.resize(found, (160, 160 * found.shape[0] // found.shape[1]), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(small[..., [2, 1, 0, 3]])


def free_pictures() -> list[Picture]:
    """The pictures named above."""
    from skimage import data

    pictures = [np.asarray(getattr(data, name)(), np.uint8) for name in FREE_PICTURES]
    return [picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, 2) for picture in pictures]


def scene(rng: Generator, material: Material, size: int) -> Scene:
    """Draw one scene of ``size`` pixels, as a camera and a file would have kept it."""
    return kept(rng, composed(rng, material, size))


def pair(rng: Generator, material: Material, size: int) -> tuple[Scene, Scene]:
    """One scene and its mirror, each kept in its own way; cheaper than two scenes."""
    found = composed(rng, material, size)
    return kept(rng, found), kept(rng, mirrored(found))


def mirrored(found: Scene) -> Scene:
    """The scene seen in a mirror."""
    boxes = found.boxes.copy()
    boxes[:, [0, 2]] = found.image.shape[1] - found.boxes[:, [2, 0]]
    return Scene(np.ascontiguousarray(found.image[:, ::-1]), boxes, found.sure)


def kept(rng: Generator, found: Scene) -> Scene:
    """The scene after some camera and some file."""
    return Scene(degradation.degrade(rng, found.image), found.boxes, found.sure)


def composed(rng: Generator, material: Material, size: int) -> Scene:
    """A portrait as it is, people pasted on a ground, or no face at all."""
    kind = rng.random()
    canvas = Canvas.filled(ground(rng, material, size))
    if kind < 0.3:
        whole(rng, material, canvas)
    else:
        layers = rng.integers(0, 3) * [clutter] + (rng.integers(1, 5) if kind < 0.88 else 0) * [person]
        for number in rng.permutation(len(layers)):
            layers[number](rng, material, canvas)
        if kind > 0.88 or rng.random() < 0.3:
            clutter(rng, material, canvas)
    if rng.random() < 0.15:
        light(rng, canvas)
    boxes, visible, clear = canvas.faces()
    return Scene(canvas.image(), boxes, (visible > 0.33) & clear)


def draw(rng: Generator, material: Material) -> Portrait:
    """One portrait."""
    return material.portraits[rng.choice(len(material.portraits), p=material.chances)]


def whole(rng: Generator, material: Material, canvas: Canvas) -> None:
    """A portrait with its own background that fills the canvas, sometimes closer than it was taken."""
    portrait, size = draw(rng, material), canvas.size
    fit = size / min(portrait.size)
    zoom = fit * (1 if rng.random() < 0.3 else rng.uniform(0.9, 1.6))
    face = (portrait.box[:2] + portrait.box[2:]) / 2
    middle = np.array(portrait.size) / 2
    slack = np.maximum(0, np.array(portrait.size) - size / zoom) / 2
    centre = np.clip(face + rng.normal(0, 0.2, 2) * size / zoom, middle - slack, middle + slack)
    turn = rng.normal(0, 8) if rng.random() < 0.5 else 0.0
    matrix = similarity(centre, np.full(2, size / 2), zoom, turn, mirror=bool(rng.random() < 0.5))
    place(rng, material, canvas, portrait, matrix, [rectangle(0, 0, *portrait.size)])


def person(rng: Generator, material: Material, canvas: Canvas) -> None:
    """A portrait, cropped or cut out, anywhere on the canvas and at any size."""
    portrait, size = draw(rng, material), canvas.size
    left, top, right, bottom = portrait.box
    height = float(np.exp(rng.uniform(np.log(11), np.log(0.95 * size))))
    turn = rng.uniform(-40, 40) if rng.random() < 0.25 else rng.normal(0, 8)
    target = rng.uniform(-0.02, 1.02, 2) * size
    if height > 0.5 * size:
        target = rng.uniform(0.25, 0.75, 2) * size
    centre = np.array([left + right, top + bottom]) / 2
    matrix = similarity(centre, target, height / (bottom - top), turn, mirror=bool(rng.random() < 0.5))
    place(rng, material, canvas, portrait, matrix, cut(rng, portrait))


def cut(rng: Generator, portrait: Portrait) -> list[Floats]:
    """Polygons that a pasted portrait keeps: all of it, a rectangle, the head, or head and shoulders."""
    width, height = portrait.size
    left, top, right, bottom = portrait.box
    w, h = right - left, bottom - top
    kind = rng.random()
    if kind < 0.25:
        return [rectangle(0, 0, width, height)]
    if kind < 0.5:
        a, b, c, d = rng.uniform(0.05, 1.2, 4) * [w, h, w, h]
        return [rectangle(left - a, top - b, right + c, bottom + d)]
    x, y = (left + right) / 2, (top + bottom) / 2
    head = ellipse(x, y - 0.12 * h, w * rng.uniform(0.6, 0.95), h * rng.uniform(0.66, 0.95))
    if kind < 0.65:
        return [head]
    wide = rng.uniform(1.0, 2.0) * w
    shoulders = [[x - 0.4 * w, y], [x + 0.4 * w, y], [x + 0.4 * w, bottom], [x + wide, bottom + 0.5 * h]]
    shoulders += [[x + wide, height], [x - wide, height], [x - wide, bottom + 0.5 * h], [x - 0.4 * w, bottom]]
    return [head, np.array(shoulders, np.float32)]


def place(
    rng: Generator, material: Material, canvas: Canvas, portrait: Portrait, matrix: Floats, keep: list[Floats]
) -> None:
    """Paste the kept parts of a portrait, register its face, and sometimes put something over it."""
    tone = degradation.tone(rng) if rng.random() < 0.4 else None
    canvas.paste(portrait.levels, matrix, [moved(matrix, part) for part in keep], _feather(rng), tone)
    canvas.add_face(moved(matrix, portrait.outline))
    if rng.random() < 0.35:
        box = portrait.box
        to_face = enlarged(matrix, (box[:2] + box[2:]) / 2, box[2:] - box[:2])
        cover(rng, canvas, to_face, lambda: texture(rng, material), material.masks)


def _feather(rng: Generator) -> float:
    return float(rng.choice([0, 0.7, 1.5, 4]))


def texture(rng: Generator, material: Material) -> Picture:
    """A piece of picture without a face: of a ground or of a portrait beside its face."""
    if rng.random() < 0.5:
        return piece(rng, material.grounds[rng.integers(len(material.grounds))])
    portrait = draw(rng, material)
    width, height = portrait.size
    left, top, right, bottom = portrait.box.tolist()
    margin = 0.08 * (bottom - top)
    sides = [
        (0, 0, left - margin, height),
        (right + margin, 0, width, height),
        (0, bottom + margin, width, height),
        (0, 0, width, top - margin),
    ]
    large = [side for side in sides if side[2] - side[0] > 40 and side[3] - side[1] > 40]
    if not large:
        return scrambled(rng, portrait)
    x0, y0, x1, y1 = (int(v) for v in large[rng.integers(len(large))])
    return piece(rng, np.asarray(portrait.levels[0][y0:y1, x0:x1]))


def piece(rng: Generator, picture: Picture) -> Picture:
    """A random window of a picture."""
    height, width = picture.shape[:2]
    h, w = (max(32, int(side * rng.uniform(0.25, 1))) for side in (height, width))
    y, x = rng.integers(0, max(1, height - h)), rng.integers(0, max(1, width - w))
    return picture[y : y + h, x : x + w]


def scrambled(rng: Generator, portrait: Portrait) -> Picture:
    """A face cut into tiles and shuffled: its colours and textures, but no face."""
    left, top, right, bottom = (int(max(0, v)) for v in portrait.box)
    face = cv2.resize(portrait.levels[0][top:bottom, left:right], (128, 128), interpolation=cv2.INTER_AREA)
    tiles = int(rng.choice([4, 8]))
    grid = face.reshape(tiles, 128 // tiles, tiles, 128 // tiles, 3).swapaxes(1, 2).reshape(tiles * tiles, -1)
    shuffled = rng.permutation(grid).reshape(tiles, tiles, 128 // tiles, 128 // tiles, 3).swapaxes(1, 2)
    return np.ascontiguousarray(shuffled.reshape(128, 128, 3), np.uint8)


def doodle(rng: Generator) -> Picture:
    """A flat drawing with holes where eyes and a mouth would be, like a skull or a mask on a shirt."""
    picture = np.empty((128, 128, 3), np.uint8)
    picture[:], shape, holes = rng.integers(0, 256, (3, 3))
    cv2.ellipse(
        picture, (64, 64), (int(rng.integers(34, 60)), int(rng.integers(44, 62))), 0, 0, 360, shape.tolist(), -1
    )
    y, size = int(rng.integers(45, 65)), int(rng.integers(6, 15))
    for side in (-1, 1):
        cv2.circle(picture, (64 + side * int(rng.integers(16, 26)), y), size, holes.tolist(), -1)
    mouth = (int(rng.integers(4, 28)), int(rng.integers(2, 9)))
    cv2.ellipse(picture, (64, y + int(rng.integers(25, 42))), mouth, 0, 0, 360, holes.tolist(), -1)
    return picture


def clutter(rng: Generator, material: Material, canvas: Canvas) -> None:
    """Something that is no face, pasted like one: a rectangle or an ellipse."""
    kind = rng.random()
    if kind < 0.3:
        picture = scrambled(rng, draw(rng, material)) if kind < 0.15 else doodle(rng)
    else:
        picture = texture(rng, material)
    height, width = picture.shape[:2]
    scale = float(np.exp(rng.uniform(np.log(20), np.log(canvas.size)))) / max(height, width)
    target = rng.uniform(0, 1, 2) * canvas.size
    centre = np.array([width, height]) / 2
    matrix = similarity(centre, target, scale, rng.normal(0, 15), mirror=bool(rng.random() < 0.5))
    whole_piece = rectangle(0, 0, width, height)
    keep = whole_piece if rng.random() < 0.5 else ellipse(width / 2, height / 2, width / 2, height / 2)
    tone = degradation.tone(rng) if rng.random() < 0.4 else None
    canvas.paste(halvings(picture), matrix, [moved(matrix, keep)], _feather(rng), tone)


def ground(rng: Generator, material: Material, size: int) -> Picture:
    """What the scene stands on: a landscape, clothes or hair, blurred or not; or a smooth or noisy field."""
    if rng.random() < 0.2:
        cells = int(rng.choice([1, 2, 2, 3, 24]))
        field = rng.uniform(0, 255, 3) + rng.normal(0, rng.uniform(0, 60), (cells, cells, 3))
        field = field.clip(0, 255)
        return np.asarray(cv2.resize(field.astype(np.uint8), (size, size), interpolation=cv2.INTER_CUBIC), np.uint8)
    found = cv2.resize(texture(rng, material), (size, size), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.3:
        found = cv2.GaussianBlur(found, (0, 0), rng.uniform(2, 10))
    return np.asarray(found, np.uint8)


def light(rng: Generator, canvas: Canvas) -> None:
    """Strong light from one side: a smooth dark or bright half over everything."""
    angle, size = rng.uniform(0, 2 * np.pi), canvas.size
    y, x = np.mgrid[:size, :size].astype(np.float32) / size - 0.5
    edge = (x * np.cos(angle) + y * np.sin(angle) + rng.uniform(-0.2, 0.2)) * rng.uniform(2, 25)
    alpha = rng.uniform(0.4, 0.85) / (1 + np.exp(-edge.clip(-30, 30)))
    canvas.shade(alpha.astype(np.float32), 0 if rng.random() < 0.75 else 255)

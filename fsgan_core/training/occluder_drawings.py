"""Pictures of things in front of faces: hands, hair, microphones, cloth, bars and masks.

Each drawing function takes a source of chance and a :class:`Place` and returns a :class:`Layer`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ..ops.landmarks import FACE_OVAL
from .augment import paint, worn
from .canvas import ellipse, moved, rectangle, similarity

Floats = NDArray[np.float32]
Picture = NDArray[np.uint8]
Parts = Sequence[Floats]

SKINS = np.array([(246, 208, 182), (226, 178, 146), (198, 142, 108), (150, 100, 72), (104, 66, 46), (66, 42, 32)])
"""Skin tones from light to dark, sRGB."""
HAIRS = np.array([(22, 18, 16), (48, 34, 26), (92, 62, 40), (150, 112, 70), (206, 176, 124), (150, 148, 146)])
"""Hair tones: black, browns, blond, gray, sRGB."""


@dataclass(frozen=True)
class Place:
    """A face that something is drawn in front of.

    Attributes:
        picture: ``(S, S, 3)`` uint8 RGB.
        points: ``(478, 2)`` landmarks in pixels.
        to_face: ``(2, 3)`` from the face's own coordinates, in which it spans -0.5 to 0.5, to pixels.
    """

    picture: Picture
    points: Floats
    to_face: Floats

    @property
    def size(self) -> int:
        """Side of the picture in pixels."""
        return len(self.picture)

    @property
    def width(self) -> float:
        """Width of the face in pixels."""
        return float(np.linalg.norm(self.to_face[:, 0]))


@dataclass(frozen=True)
class Layer:
    """What lies over a picture.

    Attributes:
        color: ``(S, S, 3)`` float32 in [0, 255].
        alpha: ``(S, S)`` float32, its opacity in [0, 1].
        hides: ``(S, S)`` float32 in [0, 1]: where the face cannot be exchanged; None: as far as it is opaque.
    """

    color: Floats
    alpha: Floats
    hides: Floats | None = None

    @property
    def hidden(self) -> Floats:
        """Where the face cannot be exchanged, ``(S, S)`` in [0, 1]."""
        return self.alpha if self.hides is None else self.hides


def face_place(picture: Picture, points: Floats) -> Place:
    """Find a face's axes: down from the forehead to the chin, and as wide as its outline."""
    down = points[152] - points[10]
    axis = down / max(float(np.linalg.norm(down)), 1e-3)
    across = np.array([axis[1], -axis[0]], np.float32)
    outline = points[list(FACE_OVAL)]
    sides, heights = outline @ across, outline @ axis
    centre = across * (sides.min() + sides.max()) / 2 + axis * (heights.min() + heights.max()) / 2
    matrix = np.stack([across * max(1.0, float(np.ptp(sides))), axis * max(1.0, float(np.ptp(heights))), centre], 1)
    return Place(picture, points, matrix.astype(np.float32))


def filled(parts: Parts, size: int) -> Floats:
    """Opacity ``(S, S)`` of polygons with smooth edges."""
    found = np.zeros((size, size), np.uint8)
    for part in parts:
        cv2.fillPoly(found, [np.round((part - 0.5) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return np.asarray(found, np.float32) / np.float32(255)


def rounded(alpha: Floats, color: NDArray[np.floating], light: Floats) -> Floats:
    """A shape filled with one colour as if it bulged towards the camera: ``(S, S, 3)``.

    Args:
        alpha: ``(S, S)`` its opacity; the bulge is highest where the border is farthest.
        color: ``(3,)``.
        light: ``(3,)`` direction the light comes from: right, down, towards the camera.
    """
    depth = cv2.distanceTransform((alpha > 0.5).astype(np.uint8), cv2.DIST_L2, 3)
    height = np.sqrt(np.clip(1 - (1 - depth / max(1.0, float(depth.max()))) ** 2, 0, None))
    height = cv2.GaussianBlur(height, (0, 0), 1 + float(depth.max()) / 12) * float(depth.max())
    down, right = np.gradient(height)
    steep = np.sqrt(right**2 + down**2 + 1)
    shade = np.clip((-right * light[0] - down * light[1] + light[2]) / steep, 0, None)
    return np.asarray((0.45 + 0.6 * shade[..., None]) * color, np.float32)


def over(bottom: Layer, top: Layer) -> Layer:
    """One layer on another."""
    alpha = top.alpha + bottom.alpha * (1 - top.alpha)
    share = (top.alpha / np.maximum(alpha, 1e-6))[..., None]
    color = bottom.color + (top.color - bottom.color) * share
    hidden = top.hidden + bottom.hidden * (1 - top.hidden)
    return Layer(np.asarray(color, np.float32), np.asarray(alpha, np.float32), np.asarray(hidden, np.float32))


def skin_tone(rng: Generator, place: Place) -> NDArray[np.floating]:
    """A skin tone: as often the face's own (one's own hand is the hardest to tell) as any."""
    if rng.random() < 0.5:
        cheeks = place.points[[50, 101, 280, 330]].astype(int).clip(0, place.size - 1)
        return np.median(place.picture[cheeks[:, 1], cheeks[:, 0]], 0) * rng.uniform(0.85, 1.15)
    tone = rng.uniform(0, len(SKINS) - 1)
    mixed = [np.interp(tone, np.arange(len(SKINS)), SKINS[:, channel]) for channel in range(3)]
    return np.array(mixed) * rng.uniform(0.7, 1.1) * rng.uniform(0.95, 1.05, 3)


def hand(rng: Generator, place: Place) -> Layer:
    """Fingers, mostly with a palm, from some side; each part rounded and lit on its own."""
    centre = moved(place.to_face, rng.uniform((-0.55, -0.45), (0.55, 0.6)).astype(np.float32)[None])[0]
    away = centre - place.to_face[:, 2]
    turn = np.degrees(np.arctan2(-away[0], away[1])) + rng.normal(0, 45)
    matrix = similarity((0, 0), centre, place.width * rng.uniform(0.5, 0.85), float(turn), rng.random() < 0.5)
    color, light = skin_tone(rng, place), _light(rng)
    curl, spread = rng.uniform(0, 0.5), rng.uniform(0.0, 10)
    parts = [[ellipse(0, 0.28, 0.29, 0.33), rectangle(-0.2, 0.45, 0.2, 1.6)]]
    for number, reach in enumerate((0.52, 0.6, 0.56, 0.42)[: rng.choice([1, 2, 4, 4, 4])]):
        x = 0.17 * (number - 1.5)
        parts.append(_finger((x, 0.12), spread * (number - 1.5) + rng.normal(0, 3), reach * (1 - curl), 0.075))
    if rng.random() < 0.6:
        parts.append(_finger((-0.22, 0.4), rng.uniform(-60, -25), 0.42, 0.085))
    size = place.size
    layer = Layer(np.zeros((size, size, 3), np.float32), np.zeros((size, size), np.float32))
    for part in parts:
        alpha = filled([moved(matrix, polygon) for polygon in part], size)
        tinted = color * rng.uniform(0.95, 1.05)
        edge = np.asarray(cv2.GaussianBlur(alpha, (0, 0), max(0.6, 0.012 * place.width)), np.float32)
        crease = layer.color * (1 - 0.35 * (edge * (1 - alpha)))[..., None]
        layer = over(Layer(crease, layer.alpha), Layer(rounded(alpha, tinted, light), alpha))
    return layer


def _finger(root: tuple[float, float], turn: float, reach: float, thickness: float) -> list[Floats]:
    """A finger upwards from its root as a tapered chain with a round tip; hands are about one unit long."""
    steps = np.linspace(0, 1, 4)
    bend = np.radians(turn) + 0.25 * np.radians(turn) * steps
    middle = np.stack([root[0] + reach * steps * np.sin(bend), root[1] - reach * steps * np.cos(bend)], 1)
    radii = thickness * (1.12 - 0.3 * steps)
    discs = [ellipse(x, y, radius, radius, 16) for (x, y), radius in zip(middle, radii, strict=True)]
    pairs = [np.concatenate(pair) for pair in zip(discs[:-1], discs[1:], strict=True)]
    return [np.asarray(cv2.convexHull(pair)[:, 0], np.float32) for pair in pairs]


def hair(rng: Generator, place: Place) -> Layer:
    """Strands from the hairline over brow or cheek: one lock, a fringe, or a curtain on one side."""
    kind = rng.integers(3)
    locks = (rng.integers(1, 4), rng.integers(6, 14), rng.integers(5, 10))[kind]
    centre = rng.uniform(-0.4, 0.4) if kind == 0 else rng.choice([-0.45, 0.45])
    spread = (0.08, 0.0, 0.1)[kind]
    lines = []
    for number in range(locks):
        x = (number + 0.5) / locks - 0.5 if kind == 1 else centre + rng.normal(0, spread)
        fall = rng.uniform(0.12, 0.3) if kind == 1 else rng.uniform(0.15, 0.75)
        lines += _lock(rng, x, fall, int(rng.integers(8, 40)))
    color = _hair_tone(rng, place)
    return _strands(rng, [moved(place.to_face, line) for line in lines], color, place)


def _lock(rng: Generator, x: float, fall: float, count: int) -> list[Floats]:
    """Curves ``(9, 2)`` that start together at the hairline and end near a common tip."""
    start = np.array([x, -0.62])
    tip = start + [rng.normal(0, 0.18), 0.14 + fall]
    bow = (start + tip) / 2 + [rng.normal(0, 0.12), 0]
    t = np.linspace(0, 1, 9)[:, None]
    found = []
    for _ in range(count):
        a, b, c = (point + rng.normal(0, s, 2) for point, s in ((start, 0.035), (bow, 0.03), (tip, 0.025)))
        c = a + (c - a) * rng.uniform(0.7, 1.05)
        found.append(np.asarray((1 - t) ** 2 * a + 2 * t * (1 - t) * b + t**2 * c, np.float32))
    return found


def _strands(rng: Generator, lines: list[Floats], color: NDArray[np.floating], place: Place) -> Layer:
    """Lines of slightly different colours, at twice the picture's size for fine ones."""
    size = 2 * place.size
    painted = np.full((size, size, 3), color.clip(0, 255), np.uint8)
    cover = np.zeros((size, size), np.uint8)
    thin = max(1, round(place.width * rng.uniform(0.006, 0.022)))
    for line in lines:
        points = [np.round((2 * line - 0.5) * 16).astype(np.int32)]
        shade = (color * rng.uniform(0.6, 1.35)).clip(0, 255)
        cv2.polylines(painted, points, False, shade.tolist(), thin, cv2.LINE_AA, 4)
        cv2.polylines(cover, points, False, 255, thin, cv2.LINE_AA, 4)
    half = (place.size, place.size)
    shrunk = [cv2.resize(part, half, interpolation=cv2.INTER_AREA) for part in (painted, cover)]
    return Layer(np.asarray(shrunk[0], np.float32), np.asarray(shrunk[1], np.float32) / np.float32(255))


def _hair_tone(rng: Generator, place: Place) -> NDArray[np.floating]:
    """The colour above the forehead, or some hair's."""
    if rng.random() < 0.5:
        spot = moved(place.to_face, rng.uniform((-0.3, -0.75), (0.3, -0.65)).astype(np.float32)[None])[0]
        x, y = spot.astype(int).clip(1, place.size - 2)
        return np.asarray(place.picture[y - 1 : y + 2, x - 1 : x + 2].mean((0, 1)))
    return HAIRS[rng.integers(len(HAIRS))] * rng.uniform(0.7, 1.2)


def microphone(rng: Generator, place: Place) -> Layer:
    """A head of metal mesh or foam before mouth or chin, on a handle."""
    head = moved(place.to_face, rng.uniform((-0.35, 0.2), (0.35, 0.62)).astype(np.float32)[None])[0]
    radius = place.width * rng.uniform(0.1, 0.24)
    turn = rng.normal(0, 35)
    matrix = similarity((0, 0), head, radius, float(turn), False)
    ball = filled([moved(matrix, ellipse(0, 0, 1, rng.uniform(1, 1.35)))], place.size)
    handle = filled([moved(matrix, np.array([[-0.6, 0.5], [0.6, 0.5], [0.4, 9], [-0.4, 9]], np.float32))], place.size)
    light, tone = _light(rng), rng.uniform(25, 190)
    rows, columns = np.indices(ball.shape)
    weave = (rows + columns) % 2 + (rows - columns) % 3 - 1.3
    mesh = np.float32(1) + np.float32(rng.uniform(0, 0.4)) * np.asarray(weave, np.float32)[..., None]
    body = rounded(handle, np.full(3, rng.uniform(10, 120)), light)
    return over(Layer(body, handle), Layer(rounded(ball, np.full(3, tone), light) * mesh, ball))


def cloth(rng: Generator, place: Place) -> Layer:
    """A scarf from the nose or mouth down, or a cap or headscarf over the brow, with folds."""
    wide, low = rng.uniform(0.55, 0.8), rng.random() < 0.65
    edge = rng.uniform(-0.02, 0.32) if low else rng.uniform(-0.42, -0.28)
    bow = rng.uniform(-0.1, 0.14) * (1 if low else -1)
    x = np.linspace(-wide, wide, 9)
    line = np.stack([x, edge + bow * (x / wide) ** 2 + rng.normal(0, 0.012, 9)], 1)
    far = 1.6 if low else -1.2
    outline = np.concatenate([line, [[wide * 1.3, far], [-wide * 1.3, far]]]).astype(np.float32)
    alpha = filled([moved(place.to_face, outline)], place.size)
    return Layer(_folded(rng, rng.uniform(0, 255, 3) * rng.uniform(0.3, 1), place.size), alpha)


def bar(rng: Generator, place: Place) -> Layer:
    """A straight thing: a pole, a pen, the edge of a card or phone."""
    matrix = similarity((0, 0), moved(place.to_face, rng.uniform(-0.45, 0.45, (1, 2)).astype(np.float32))[0],
                        place.width, float(rng.uniform(0, 180)), False)  # fmt: skip
    start = -2.0 if rng.random() < 0.5 else rng.uniform(-0.4, 0)
    alpha = filled([moved(matrix, rectangle(start, 0, 2, rng.uniform(0.04, 0.4)))], place.size)
    color = rng.uniform(0, 255, 3) * ramp(rng, place.size, 0.6, 1.2)[..., None]
    return Layer(np.asarray(color, np.float32), alpha)


def mask(rng: Generator, place: Place, picture: Picture) -> Layer:
    """A worn face mask ``(h, w, 4)``."""
    left, top, right, chin = (place.points[k] for k in (177, 6, 401, 152))
    down = (chin - top) * rng.uniform(0.95, 1.12)
    grown = (right - left) * rng.uniform(0.0, 0.08)
    corners = np.stack([left - grown, chin - down, right + grown, top + down * 1.05])
    found = worn(picture, corners, place.size)
    return Layer(np.asarray(found[..., :3] * rng.uniform(0.6, 1.05, 3), np.float32),
                 np.asarray(found[..., 3], np.float32) / np.float32(255))  # fmt: skip


def thing(rng: Generator, place: Place, textures: Sequence[Picture]) -> Layer:
    """A piece of some picture in a smooth random outline."""
    angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(5, 11)))
    reach = rng.uniform(0.12, 0.38) * rng.uniform(0.6, 1.2, len(angles))
    centre = rng.uniform(-0.5, 0.5, 2)
    outline = centre + np.stack([np.cos(angles) * reach, np.sin(angles) * reach], 1)
    alpha = filled([moved(place.to_face, outline.astype(np.float32))], place.size)
    smooth = cv2.GaussianBlur(alpha, (0, 0), 0.02 * place.width + 0.3)
    sharp = np.clip((smooth - 0.5) * 0.12 * place.width + 0.5, 0, 1)
    return Layer(np.asarray(paint(place.size, rng, textures), np.float32), np.asarray(sharp, np.float32))


def _light(rng: Generator) -> Floats:
    found = np.append(rng.normal(0, 0.6, 2) + [0, -0.3], 1.0)
    return np.asarray(found / np.linalg.norm(found), np.float32)


def ramp(rng: Generator, size: int, low: float, high: float, cells: int = 3) -> Floats:
    """A smooth field ``(S, S)`` between two values, of ``cells * cells`` random ones."""
    values = rng.uniform(low, high, (cells, cells)).astype(np.float32)
    return np.asarray(cv2.resize(values, (size, size), interpolation=cv2.INTER_LINEAR))


def _folded(rng: Generator, color: NDArray[np.floating], size: int) -> Floats:
    """Cloth: soft folds in one direction and sometimes stripes or dots."""
    rows, columns = np.indices((size, size), dtype=np.float32) / np.float32(size)
    along = np.cos(turn := rng.uniform(0, np.pi)) * columns + np.sin(turn) * rows
    warp = along + 0.08 * ramp(rng, size, -1, 1)
    shade = 1 + rng.uniform(0.05, 0.3) * np.sin(warp * rng.uniform(15, 60) + rng.uniform(0, 6))
    pattern = np.sin(along * rng.uniform(40, 120)) * np.sin((rows - columns) * rng.uniform(0, 100)) > 0.3
    other = rng.uniform(0, 255, 3) if rng.random() < 0.4 else color
    return np.asarray(np.where(pattern[..., None], other, color) * shade[..., None], np.float32)

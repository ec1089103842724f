"""Things drawn over faces: masks, glasses, scarves, hands, hats, bars and shadows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from .canvas import Canvas, ellipse, enlarged, moved, rectangle, similarity

Floats = NDArray[np.float32]
Picture = NDArray[np.uint8]
Texture = Callable[[], Picture]


def cover(rng: Generator, canvas: Canvas, to_face: Floats, texture: Texture, masks: Sequence[Picture]) -> None:
    """Cover part of a face.

    Args:
        rng: draws kind, place and colour.
        canvas: changed in place.
        to_face: ``(2, 3)`` from the face's own coordinates to the canvas; in them its box spans -0.5 to 0.5.
        texture: gives pictures to fill shapes with.
        masks: RGBA pictures of face masks.
    """
    kind = rng.random()
    if kind < 0.2 and masks:
        return _mask(rng, canvas, to_face, masks[int(rng.integers(len(masks)))])
    shapes = [glasses, scarf, hand, hat, bar, half]
    shape = shapes[rng.choice(len(shapes), p=[0.3, 0.22, 0.2, 0.1, 0.08, 0.1])]
    parts = [moved(to_face, part) for part in shape(rng)]
    alpha = canvas.alpha(parts, float(rng.choice([0, 0.7, 2])))
    if shape is half:
        return canvas.shade(alpha * np.float32(rng.uniform(0.5, 0.9)), 0)
    filled = shape in (scarf, hat) and rng.random() < 0.7
    canvas.blend(_stretched(canvas, texture()) if filled else _plain(rng, canvas, shape), alpha * _opacity(rng, shape))
    return None


def glasses(rng: Generator) -> list[Floats]:
    """Two lenses and a bridge."""
    w, h, y = rng.uniform(0.14, 0.21), rng.uniform(0.08, 0.14), rng.uniform(-0.18, -0.08)
    bridge = rectangle(-0.2, y - 0.05, 0.2, y - 0.02)
    return [ellipse(side * 0.22, y, w, h, int(rng.choice([6, 28]))) for side in (-1, 1)] + [bridge]


def scarf(rng: Generator) -> list[Floats]:
    """Cloth from the nose or the mouth downwards."""
    top, w = rng.uniform(0.0, 0.25), rng.uniform(0.5, 0.8)
    edge = [[x, top + rng.normal(0, 0.03) + 0.1 * (x / w) ** 2] for x in np.linspace(-w, w, 7)]
    return [np.array([*edge, [w * 1.3, 1.2], [-w * 1.3, 1.2]], np.float32)]


def hat(rng: Generator) -> list[Floats]:
    """Cloth over the forehead."""
    bottom, w = rng.uniform(-0.35, -0.2), rng.uniform(0.5, 0.8)
    edge = [[x, bottom + rng.normal(0, 0.02)] for x in np.linspace(-w, w, 6)]
    return [np.array([*edge, [w, -0.8], [-w, -0.8]], np.float32)]


def hand(rng: Generator) -> list[Floats]:
    """A palm and fingers."""
    matrix = similarity((0, 0), rng.uniform(-0.5, 0.5, 2), rng.uniform(0.3, 0.7), rng.uniform(0, 360), False)
    fingers = [ellipse(0.18 * k, -0.55 - 0.04 * (k != 0), 0.09, 0.45) for k in (-1.5, -0.5, 0.5, 1.5)]
    return [moved(matrix, part) for part in [ellipse(0, 0, 0.4, 0.42), *fingers, ellipse(0.45, -0.1, 0.3, 0.1)]]


def bar(rng: Generator) -> list[Floats]:
    """A long thin thing across."""
    matrix = similarity((0, 0), rng.uniform(-0.4, 0.4, 2), 1, rng.uniform(0, 180), False)
    return [moved(matrix, rectangle(-2, 0, 2, rng.uniform(0.04, 0.25)))]


def half(rng: Generator) -> list[Floats]:
    """One side of the face and what lies beyond."""
    x = rng.uniform(-0.05, 0.3)
    part = np.array([[x, -1], [2, -1], [2, 1], [x + rng.normal(0, 0.15), 1]], np.float32)
    return [part if rng.random() < 0.5 else part * np.array([-1, 1], np.float32)]


def _mask(rng: Generator, canvas: Canvas, to_face: Floats, mask: Picture) -> None:
    height, width = mask.shape[:2]
    across = rng.uniform(0.85, 1.1)
    scale = np.array([across / width, rng.uniform(0.55, 0.75) / height])
    place = enlarged(to_face, (rng.normal(0, 0.02), rng.uniform(0.15, 0.25)), scale)
    layer = canvas.warp(mask, enlarged(place, (-width / 2, -height / 2), (1, 1)))
    canvas.blend(layer[..., :3], np.asarray(layer[..., 3] / 255, np.float32))


def _opacity(rng: Generator, shape: Callable[[Generator], list[Floats]]) -> np.float32:
    return np.float32(rng.uniform(0.6, 1) if shape is glasses else 1)


def _stretched(canvas: Canvas, picture: Picture) -> Picture:
    size = (canvas.size, canvas.size)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _plain(rng: Generator, canvas: Canvas, shape: Callable[[Generator], list[Floats]]) -> Picture:
    """A colour that varies a little from corner to corner; skin for hands, dark for glasses."""
    if shape is hand:
        colour = np.array([1, 0.72, 0.58]) * rng.uniform(60, 240) * rng.uniform(0.9, 1.1, 3)
    else:
        colour = rng.uniform(0, 60 if shape is glasses and rng.random() < 0.7 else 255, 3)
    field = np.clip(colour * rng.uniform(0.6, 1.4, (4, 4, 1)), 0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(field, (canvas.size, canvas.size), interpolation=cv2.INTER_CUBIC), np.uint8)

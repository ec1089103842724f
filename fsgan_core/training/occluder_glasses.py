"""Pictures of glasses on faces: rims of wire, horn or clear plastic, half rims, bare lenses, dark and bright ones."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ..ops.landmarks import LEFT_EYE, RIGHT_EYE
from .canvas import moved
from .occluder_drawings import Floats, Layer, Place, over, ramp

_FINE = 3
"""Everything is drawn so many times larger, so that a wire thinner than a pixel has the opacity it would have."""
_KEPT = 0.35
"""Lenses of this opacity hide the eyes: a face cannot be exchanged behind them."""
_EARS = ((127, 234), (356, 454))
"""Landmarks between which the temples leave the face: right, left."""


@dataclass(frozen=True)
class Frame:
    """A frame in its own plane: x from eye to eye, one is their distance, y down from the line through them.

    Attributes:
        lenses: two outlines ``(P, 2)``, counted from the outer corner over the top.
        strokes: lines ``(Q, 2)`` and how thick each is drawn.
        hinges: ``(2, 2)`` where the temples start.
    """

    lenses: tuple[Floats, Floats]
    strokes: list[tuple[Floats, float]]
    hinges: Floats


def glasses(rng: Generator, place: Place) -> Layer:
    """A pair of glasses. It hides the face under the frame, half a pixel beside it, and behind dark lenses."""
    size = _FINE * place.size
    to_fine = _eyes(rng, place)
    frame, gap = _frame(rng), float(np.linalg.norm(to_fine[:, 0]))
    arm = float(np.exp(rng.uniform(np.log(0.02), np.log(0.1))))
    lines = [(moved(to_fine, line), thick * gap) for line, thick in frame.strokes]
    lines += [(line, arm * gap) for line in _temples(rng, place, moved(to_fine, frame.hinges))]
    rim = np.zeros((size, size), np.uint8)
    for line, thick in lines:
        _stroke(rim, line, max(1, round(thick)))
    wide = np.asarray(cv2.dilate(rim, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_FINE, _FINE))), np.uint8)
    solid = float(rng.uniform(0.45, 0.85)) if rng.random() < 0.15 else 1.0
    wire = Layer(_material(rng, rim), _shrunk(rim, place.size) * np.float32(solid), _shrunk(wide, place.size))
    return over(_glass(rng, place, [moved(to_fine, lens) for lens in frame.lenses]), wire)


def _eyes(rng: Generator, place: Place) -> Floats:
    """From the plane of the frame to fine pixels. On a turned face it lies in front of the eyes."""
    eyes = np.stack([place.points[list(ring)].mean(0) for ring in (RIGHT_EYE, LEFT_EYE)])
    across = np.asarray(eyes[1] - eyes[0], np.float32)
    across *= max(1.0, 0.3 * place.width / max(1e-3, float(np.linalg.norm(across))))
    down = np.array([-across[1], across[0]])
    upright = max(1.0, 0.36 * float(np.linalg.norm(place.to_face[:, 1])) / max(1.0, float(np.linalg.norm(down))))
    down = down * min(upright, 2.0)
    nose = place.points[4] - eyes.mean(0)
    beside = across * float(nose @ across) / float(across @ across)
    centre = eyes.mean(0) + rng.uniform(0.05, 0.35) * beside + down * rng.uniform(-0.02, 0.12)
    turn = np.radians(rng.normal(0, 1.5))
    c, s = np.cos(turn), np.sin(turn)
    matrix = np.stack([c * across + s * down, c * down - s * across, centre], 1)
    return np.asarray(matrix * _FINE, np.float32)


def _frame(rng: Generator) -> Frame:
    wide, high = rng.uniform(0.34, 0.47), rng.uniform(0.22, 0.42)
    outline = _lens(rng, wide, high)
    middle = rng.uniform(0.48, 0.55)
    lenses = tuple(np.asarray(outline * [side, 1] + [-side * middle, 0], np.float32) for side in (1, -1))
    upper = float(np.exp(rng.uniform(np.log(0.012), np.log(0.1))))
    # As thick all around; a brow line over a wire; nothing below; nothing at all.
    lower = upper * float(rng.choice([1.0, rng.uniform(0.15, 0.6), 0.0, -1.0], p=[0.66, 0.16, 0.12, 0.06]))
    strokes = []
    for lens in lenses:
        half = len(lens) // 2 + 1
        for line, thick in (
            (lens[:half], upper if lower >= 0 else 0),
            (np.concatenate([lens[half - 1 :], lens[:1]]), lower),
        ):
            if thick > 0:
                strokes.append((np.asarray(line, np.float32), thick))
    top = float(outline[:, 1].min())
    return Frame(
        (lenses[0], lenses[1]), strokes + _bridge(rng, middle - wide, top, upper), _hinges(rng, middle + wide, top)
    )


def _lens(rng: Generator, wide: float, high: float) -> Floats:
    """The right lens: a tilted superellipse, narrower or wider below; counted from its outer corner over the top."""
    angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    power = 2 / rng.uniform(1.9, 5)
    x, y = (np.sign(f) * np.abs(f) ** power for f in (-np.cos(angles), -np.sin(angles)))
    x, y = x * wide * (1 - rng.uniform(-0.05, 0.3) * y), y * high
    y = np.where(y < 0, y * rng.uniform(0.65, 1), y) + rng.normal(0.02, 0.08) * x
    return np.asarray(np.stack([x, y], 1), np.float32)


def _bridge(rng: Generator, reach: float, top: float, thick: float) -> list[tuple[Floats, float]]:
    """An arch over the nose, sometimes a bar above it, sometimes pads beside the nose."""
    t = np.linspace(-1, 1, 9)
    height, bow = rng.uniform(0.1, 0.8) * top, rng.uniform(0.0, 0.1)
    reach = reach + 0.03
    found = [(np.stack([reach * t, height - bow * (1 - t**2)], 1), thick * rng.uniform(0.7, 1.3))]
    if rng.random() < 0.12:
        found.append((np.stack([(reach + 0.08) * t, np.full(9, 0.95 * top)], 1), thick * rng.uniform(0.6, 1)))
    if rng.random() < 0.5:
        pad, arm = rng.uniform(0.02, 0.06), rng.uniform(0.01, 0.025)
        for side in (-1, 1):
            ends = np.array([[side * reach, 0.02], [side * 0.7 * reach, 0.1], [side * 0.85 * reach, 0.1 + 2 * pad]])
            found += [(ends[:2], arm), (ends[1:], pad)]
    return [(np.asarray(line, np.float32), float(wide)) for line, wide in found]


def _hinges(rng: Generator, reach: float, top: float) -> Floats:
    y = top * rng.uniform(0.1, 0.9)
    return np.array([[-reach, y], [reach, y]], np.float32)


def _temples(rng: Generator, place: Place, hinges: Floats) -> list[Floats]:
    """From the hinges to the ears, as far as the head is not in front of them."""
    middle, share = hinges.mean(0), rng.uniform(0.0, 0.5)
    found = []
    for hinge, (upper, lower) in zip(hinges, _EARS, strict=True):
        ear = _FINE * (place.points[upper] * (1 - share) + place.points[lower] * share)
        outward = (hinge - middle) / max(1e-3, float(np.linalg.norm(hinge - middle)))
        if float((ear - hinge) @ outward) > 0:
            found.append(np.stack([hinge, ear, ear + (ear - hinge) * rng.uniform(0, 0.4)]))
        else:
            found.append(np.stack([hinge, hinge + 0.04 * (hinge - middle)]))
    return [np.asarray(line, np.float32) for line in found]


def _glass(rng: Generator, place: Place, lenses: list[Floats]) -> Layer:
    """Both lenses: clear, tinted (often less so below), dark or mirroring, with soft bright reflections."""
    size = place.size
    shape = np.zeros((_FINE * size, _FINE * size), np.uint8)
    for lens in lenses:
        cv2.fillPoly(shape, [np.round((lens - 0.5) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    inside = _shrunk(shape, size)
    kind = rng.choice(["clear", "tinted", "dark", "mirror"], p=[0.6, 0.13, 0.17, 0.1])
    strength = {"clear": (0, 0.12), "tinted": (0.15, 0.7), "dark": (0.7, 0.99), "mirror": (0.75, 1)}[str(kind)]
    tint = rng.uniform(0, 50, 3) if kind == "dark" else rng.uniform(20, 255, 3) * rng.uniform(0.3, 1)
    mean = float(rng.uniform(*strength))
    opacity = np.clip(mean * ramp(rng, size, 0.85, 1.15), 0, 1) * inside
    color = tint * ramp(rng, size, 0.6, 1.4)[..., None]
    if kind == "mirror":
        color = np.stack([ramp(rng, size, 0, 255, 5) for _ in range(3)], 2)
    layer = Layer(np.asarray(color, np.float32), np.asarray(opacity, np.float32), inside * np.float32(mean > _KEPT))
    if rng.random() < 0.45:
        layer = over(layer, _reflection(rng, place, inside))
    return layer


def _reflection(rng: Generator, place: Place, inside: Floats) -> Layer:
    """A soft stripe or patch of light on the glass; it hides nothing, since it may be exchanged with the face."""
    field = ramp(rng, place.size, -1, 1, int(rng.integers(4, 14)))
    edge = rng.uniform(0.05, 0.5)
    patch = np.clip((field - rng.uniform(0.0, 0.6)) / edge, 0, 1) * inside * rng.uniform(0.1, 0.7)
    color = np.broadcast_to(rng.uniform(150, 255, 3).astype(np.float32), (*inside.shape, 3))
    return Layer(np.asarray(color), np.asarray(patch, np.float32), np.zeros_like(inside))


def _material(rng: Generator, rim: NDArray[np.uint8]) -> Floats:
    """The frame's colours: black, horn, gold, steel or any, with lights and shades along it."""
    size = len(rim) // _FINE
    kind = rng.random()
    if kind < 0.4:
        color = np.full(3, rng.uniform(0, 60)) + rng.uniform(0, 15, 3)
    elif kind < 0.52:
        color = np.array([120, 75, 40]) * rng.uniform(0.4, 1.2)
    elif kind < 0.65:
        color = np.array([205, 165, 95]) * rng.uniform(0.6, 1.25)
    elif kind < 0.82:
        color = np.full(3, rng.uniform(90, 240))
    else:
        color = rng.uniform(0, 255, 3)
    coarse, fine = ramp(rng, size, 0.7, 1.3), ramp(rng, size, -1, 1, int(rng.integers(8, 40)))
    glint = np.clip(fine - rng.uniform(0.2, 0.9), 0, 1) * rng.uniform(0, 400)
    return np.asarray(color * coarse[..., None] * (1 + 0.3 * fine[..., None]) + glint[..., None], np.float32)


def _stroke(canvas: NDArray[np.uint8], line: Floats, thick: int) -> None:
    points = [np.round((line - 0.5) * 16).astype(np.int32)]
    cv2.polylines(canvas, points, False, 255, thick, cv2.LINE_AA, 4)


def _shrunk(mask: NDArray[np.uint8], size: int) -> Floats:
    return np.asarray(cv2.resize(mask, (size, size), interpolation=cv2.INTER_AREA), np.float32) / np.float32(255)

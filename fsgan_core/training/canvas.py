"""A picture under construction that remembers how much of each face is still visible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float32]
Picture = NDArray[np.uint8]


def similarity(origin: ArrayLike, target: ArrayLike, scale: float, turn: float, mirror: bool) -> Floats:
    """Matrix ``(2, 3)`` that moves ``origin`` to ``target``, scales, turns clockwise by degrees and may mirror."""
    c, s = scale * np.cos(np.radians(turn)), scale * np.sin(np.radians(turn))
    linear = np.array([[c, -s], [s, c]]) @ np.diag([-1.0 if mirror else 1.0, 1.0])
    return np.concatenate([linear, (np.asarray(target) - linear @ np.asarray(origin))[:, None]], 1).astype(np.float32)


def enlarged(matrix: Floats, origin: ArrayLike, size: ArrayLike) -> Floats:
    """The matrix for coordinates that count from ``origin`` in units of ``size`` (x and y)."""
    linear = matrix[:, :2] * np.asarray(size, np.float32)
    return np.concatenate([linear, (matrix[:, :2] @ np.asarray(origin) + matrix[:, 2])[:, None]], 1).astype(np.float32)


def moved(matrix: Floats, points: Floats) -> Floats:
    """Points ``(P, 2)`` moved by a matrix ``(2, 3)``."""
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2], np.float32)


def rectangle(left: float, top: float, right: float, bottom: float) -> Floats:
    """Its four corners."""
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)


def ellipse(x: float, y: float, half_width: float, half_height: float, sides: int = 28) -> Floats:
    """Polygon ``(sides, 2)`` on an ellipse."""
    angles = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    return np.stack([x + half_width * np.cos(angles), y + half_height * np.sin(angles)], 1).astype(np.float32)


@dataclass
class Canvas:
    """Pixels and faces.

    Attributes:
        pixels: ``(S, S, 3)`` RGB, changed in place.
        outlines: ``(P, 2)`` each: faces in pixels of the canvas.
        remaining: ``(S, S)`` each: how visible the face is at every pixel, in [0, 1].
    """

    pixels: Picture
    outlines: list[Floats] = field(default_factory=list)
    remaining: list[Floats] = field(default_factory=list)

    @classmethod
    def filled(cls, picture: Picture) -> Canvas:
        """A canvas that starts as a copy of a square picture."""
        return cls(np.array(picture))

    @property
    def size(self) -> int:
        """Side in pixels."""
        return len(self.pixels)

    def image(self) -> Picture:
        """The finished picture."""
        return self.pixels

    def alpha(self, parts: Sequence[Floats], feather: float = 0) -> Floats:
        """Where polygons cover the canvas, with edges softened by ``feather`` pixels: ``(S, S)`` in [0, 1]."""
        found = np.zeros((self.size, self.size), np.uint8)
        for part in parts:
            # Four binary digits of sub-pixel precision.
            cv2.fillPoly(found, [np.round((part - 0.5) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
        if feather:
            found = np.asarray(cv2.GaussianBlur(found, (0, 0), feather), np.uint8)
        return np.asarray(found.astype(np.float32) / 255, np.float32)

    def warp(self, picture: Picture, matrix: Floats) -> Picture:
        """A picture moved onto the canvas by a matrix of continuous coordinates; black around it."""
        # OpenCV counts from pixel centres.
        centred = matrix.copy()
        centred[:, 2] += matrix[:, :2] @ np.full(2, 0.5, np.float32) - 0.5
        return np.asarray(cv2.warpAffine(picture, centred, (self.size, self.size), flags=cv2.INTER_LINEAR), np.uint8)

    def paste(
        self,
        levels: Sequence[Picture],
        matrix: Floats,
        parts: Sequence[Floats],
        feather: float,
        tone: Picture | None = None,
    ) -> None:
        """Paste parts of a picture, given with its halvings, with a tone curve ``(256, 1, 3)`` if any."""
        scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
        number = int(np.clip(np.floor(-np.log2(max(scale, 1e-6)) + 0.3), 0, len(levels) - 1))
        height, width = levels[0].shape[:2]
        level = levels[number]
        step = np.array([width / level.shape[1], height / level.shape[0]], np.float32)
        layer = self.warp(level, np.concatenate([matrix[:, :2] * step, matrix[:, 2:]], 1))
        inside = self.alpha([moved(matrix, rectangle(1, 1, width - 1, height - 1))])
        self.blend(layer if tone is None else np.asarray(cv2.LUT(layer, tone)), self.alpha(parts, feather) * inside)

    def blend(self, layer: Picture, alpha: Floats) -> None:
        """Put a layer ``(S, S, 3)`` over the canvas where alpha ``(S, S)`` says; faces below lose visibility."""
        x, y, w, h = cv2.boundingRect((alpha > 0).astype(np.uint8))
        area = np.s_[y : y + h, x : x + w]
        below = self.pixels[area].astype(np.float32)
        self.pixels[area] = below + (layer[area] - below) * alpha[area][..., None]
        for remaining in self.remaining:
            remaining[area] *= 1 - alpha[area]

    def shade(self, alpha: Floats, value: float) -> None:
        """Mix the canvas with one gray value; faces stay visible."""
        mixed = self.pixels + (value - self.pixels.astype(np.float32)) * alpha[..., None]
        self.pixels[:] = mixed.astype(np.uint8)

    def add_face(self, outline: Floats) -> None:
        """Register the face just pasted."""
        self.outlines.append(outline)
        self.remaining.append(self.alpha([outline]))

    def faces(self, smallest: float = 10) -> tuple[Floats, Floats, NDArray[np.bool_]]:
        """Boxes ``(N, 4)``, their visible shares ``(N,)`` in [0, 1] and whether they are ``smallest`` pixels high."""
        kept = [(o, r) for o, r in zip(self.outlines, self.remaining, strict=True) if r.sum() > 0.05 * _area(o)]
        boxes = np.array([[*o.min(0), *o.max(0)] for o, _ in kept], np.float32).reshape(-1, 4)
        visible = np.array([r.sum() / _area(o) for o, r in kept], np.float32)
        return boxes, visible, boxes[:, 3] - boxes[:, 1] >= smallest


def _area(outline: Floats) -> float:
    return max(1.0, float(cv2.contourArea(outline)))

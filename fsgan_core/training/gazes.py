"""Eyes that look aside in portraits, with landmarks of the irises that are true by construction.

People in portraits look at the camera, and a network that has seen nothing else finds every iris in the middle of its
eye. Here irises are moved: by the engine, which takes the portrait's own, or by painting white and iris anew, each of
which errs in another way.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray

from ..ops.face_model import FaceModel
from ..stages.features import feature_layer
from ..stages.openings import IRISES, RINGS
from ..stages.views import prepare
from .labelled import Face

Floats = NDArray[np.float32]

FARTHEST = 0.38
"""Farthest place of an iris' middle from that of its eye, in widths of the eye; at about 0.3 it touches the corner."""
_FINE = 4
"""Samples along a pixel's side when an eye is painted."""
_IRISES = ((60, 38, 22), (105, 70, 40), (90, 100, 70), (95, 125, 150), (130, 140, 145), (25, 18, 14))
"""Colours of irises in daylight: browns, green, blue, grey, nearly black."""


def looked(face: Face, model: FaceModel, rng: Generator) -> Face:
    """A portrait that looks elsewhere.

    Args:
        face: a square picture.
        model: the face model.
        rng: decides where to, and how it is drawn.
    """
    landmarks = _moved(face.landmarks, rng)
    if rng.random() < 0.4:
        view = prepare(face.image, torch.from_numpy(face.landmarks), model)
        colours, cover = feature_layer(len(face.image), view, torch.from_numpy(landmarks)[None], model)
        image = face.image * (1 - cover[0, 0, ..., None].numpy()) + 255 * colours[0].permute(1, 2, 0).numpy()
    else:
        image, colour = face.image.astype(np.float32), _colour(rng)
        for region in IRISES:
            image = painted(image, _outline(landmarks, region), landmarks[list(IRISES[region]), :2], colour, rng)
    return replace(face, image=image.clip(0, 255).round().astype(np.uint8), landmarks=landmarks)


def _moved(landmarks: Floats, rng: Generator) -> Floats:
    """Landmarks ``(478, 3)`` with both irises moved alike within the eyes."""
    aside, down = rng.uniform(-FARTHEST, FARTHEST), rng.normal(0, 0.05)
    result = landmarks.copy()
    ways = []
    for region, iris in IRISES.items():
        corners = landmarks[[RINGS[region][0], RINGS[region][8]], :2]
        right, left = corners[corners[:, 0].argsort()]
        ways.append((left - right, landmarks[iris[0], :2] - (left + right) / 2))
    # Both are moved by what brings them about there: eyes that converge still do.
    now = np.mean([way @ offset / (way @ way) for way, offset in ways])
    for (way, offset), iris in zip(ways, IRISES.values(), strict=True):
        place = way @ offset / (way @ way)
        step = np.clip(place + aside - now + rng.normal(0, 0.015), -FARTHEST, FARTHEST) - place
        result[list(iris), :2] += step * way + down * np.array((-way[1], way[0]), np.float32)
    return result.astype(np.float32)


def _outline(landmarks: Floats, region: int) -> Floats:
    return landmarks[list(RINGS[region]), :2]


def _colour(rng: Generator) -> Floats:
    colour = np.array(_IRISES[int(rng.integers(len(_IRISES)))], np.float32)
    return np.asarray(colour * np.exp(rng.normal(0, 0.15, 3)), np.float32)


def painted(image: Floats, ring: Floats, iris: Floats, colour: Floats, rng: Generator) -> Floats:
    """A picture ``(H, W, 3)`` with white and iris painted between lids.

    Args:
        image: in [0, 255].
        ring: ``(16, 2)`` edge of the opening, in its pixels.
        iris: ``(5, 2)`` centre and rim.
        colour: ``(3,)`` of the iris in daylight.
        rng: decides light and reflections.
    """
    low, high = np.floor(ring.min(0)).astype(int) - 1, np.ceil(ring.max(0)).astype(int) + 2
    low, high = low.clip(0), high.clip(0, image.shape[1::-1])
    if (high - low < 4).any():
        return image
    part = image[low[1] : high[1], low[0] : high[0]]
    rows, columns = (np.indices((_FINE * part.shape[0], _FINE * part.shape[1])) + 0.5) / _FINE
    shape = np.zeros(rows.shape, np.uint8)
    cv2.fillPoly(shape, [np.round((ring - low) * _FINE).astype(np.int32)], 255)
    white = np.percentile(part.reshape(-1, 3)[part.mean(2).ravel().argsort()], rng.uniform(60, 90), axis=0)
    light = white.mean() / 200
    down = ((rows + low[1] - ring[:, 1].min()) / max(np.ptp(ring[:, 1]), 1)).clip(0, 1)
    eye = np.asarray(white, np.float32) * (1 - rng.uniform(0, 0.4) * (1 - down) ** 2)[..., None]
    radius = np.linalg.norm(iris[1:] - iris[:1], axis=1).mean()
    away = np.hypot(columns + low[0] - iris[0, 0], rows + low[1] - iris[0, 1]) / radius
    soft = rng.uniform(0.04, 0.15)
    disc = colour * light * (1.1 - 0.5 * away[..., None].clip(0, 1) ** 4)
    disc = disc * _outside(away, rng.uniform(0.3, 0.5), soft)[..., None]
    eye = disc + _outside(away, 1.0, soft)[..., None] * (eye - disc)
    for _ in range(int(rng.integers(3))):
        x, y = iris[0] - low + radius * rng.uniform(-0.5, 0.5, 2)
        glint = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * (radius * rng.uniform(0.06, 0.15)) ** 2))
        eye = eye + glint[..., None] * (255 - eye)
    size = part.shape[1::-1]
    cover = cv2.resize(cv2.GaussianBlur(shape, (0, 0), 0.6 * _FINE), size, interpolation=cv2.INTER_AREA) / 255.0
    shown = cv2.resize(eye.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    result = image.copy()
    result[low[1] : high[1], low[0] : high[0]] += cover[..., None] * (shown - part)
    return result


def _outside(away: NDArray[np.floating], edge: float, soft: float) -> NDArray[np.floating]:
    """0 within a circle, 1 beyond it."""
    return ((away - edge) / soft + 0.5).clip(0, 1)

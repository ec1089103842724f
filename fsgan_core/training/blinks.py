"""Eyes closed in portraits, with landmarks of the lids that are true by construction.

FaceMesh sees a shut eye as half open, and portraits hardly show one, so what a shut eye is cannot be learned from
either. Here the lids of open eyes are brought together: by the flow engine, which unfolds the lid's own skin, or by
painting skin and lashes, each of which errs in another way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray

from ..ops.face_model import FaceModel
from ..ops.head_mesh import place, points
from ..ops.landmarks import LEFT_EYE, RIGHT_EYE, opposite
from ..ops.motion import LEFT_LIDS, RIGHT_LIDS
from ..stages.layers import Anchor
from ..stages.reenactment import FlowReenactor
from ..stages.views import prepare
from .labelled import Face

Image = NDArray[np.uint8]
Points = NDArray[np.float32]
Floats = NDArray[np.float32]

EYES = ((RIGHT_EYE, RIGHT_LIDS), (LEFT_EYE, LEFT_LIDS))
NARROW = 0.24
"""Aperture, in widths of the eye, below which what FaceMesh measures may be a half shut eye."""


def apertures(landmarks: Points) -> tuple[float, float]:
    """How far the right and the left eye ``(478, 3)`` are open, in widths of the eye."""
    ways = ((159, 145, 33, 133), (386, 374, 362, 263))
    upper, lower, inner, outer = (landmarks[[way[index] for way in ways], :2] for index in range(4))
    right, left = np.linalg.norm(upper - lower, axis=1) / np.linalg.norm(inner - outer, axis=1).clip(1e-6)
    return float(right), float(left)


def closings(rng: Generator) -> tuple[float, float]:
    """How far the lids of the right and of the left eye come down, 1 closes them; one in eight winks."""
    part = 1.0 if rng.random() < 0.4 else float(rng.uniform(0.1, 1))
    both = np.clip(part + (part < 1) * rng.normal(0, 0.04, 2), 0, 1)
    if rng.random() < 0.125:
        both[int(rng.integers(2))] = 0
    return float(both[0]), float(both[1])


def blinked(face: Face, model: FaceModel, draw: FlowReenactor, rng: Generator) -> Face:
    """A portrait with its lids lower.

    Args:
        face: a square picture; both eyes are open.
        model: the face model.
        draw: the engine without its network.
        rng: decides how far, and how it is drawn.
    """
    before = torch.from_numpy(face.landmarks)[None]
    placed = place(model.mean, before)
    shape = placed.shape
    for (_, lids), part in zip(EYES, closings(rng), strict=True):
        if part > 0:
            shape = lids.closed(model, placed.shape, shape, part)
    after = points(replace(placed, shape=shape))
    landmarks = after[0].numpy()
    if rng.random() < 0.4:
        view = prepare(face.image, before[0], model)
        drawn = draw([view], [1.0], after, len(face.image), Anchor(1.0, 0, 0), surroundings=True).image
        image = (drawn[0].permute(1, 2, 0).clamp(0, 1) * 255).round().byte().numpy()
    else:
        image = face.image.astype(np.float32)
        for ring, _ in EYES:
            image = painted_lid(image, _Lid.of(ring, face.landmarks, landmarks), rng)
        image = image.clip(0, 255).round().astype(np.uint8)
    return Face(face.name, np.ascontiguousarray(image), landmarks)


@dataclass(frozen=True)
class _Lid:
    """An eye in columns of a picture.

    Attributes:
        x: ``(N,)`` the columns, from corner to corner.
        before: ``(N,)`` y of the upper lid's edge, in pixels.
        after: ``(N,)`` where it comes down to.
        below: ``(N,)`` y of the lower lid's edge.
    """

    x: NDArray[np.int64]
    before: Floats
    after: Floats
    below: Floats

    @classmethod
    def of(cls, ring: tuple[int, ...], before: Points, after: Points) -> _Lid:
        upper, lower = opposite(ring)
        corners = (ring[0], ring[len(ring) // 2])
        ends = before[list(corners), 0]
        x = np.arange(int(np.ceil(ends.min())), int(ends.max()) + 1)
        lines = ((before, upper), (after, upper), (before, lower))
        return cls(x, *(_line(landmarks[[*corners, *edge], :2], x) for landmarks, edge in lines))

    @property
    def width(self) -> int:
        return len(self.x)

    @property
    def closing(self) -> Floats:
        return self.after - self.before


def _line(places: Points, x: NDArray[np.int64]) -> Floats:
    order = places[:, 0].argsort()
    return np.interp(x, places[order, 0], places[order, 1]).astype(np.float32)


def painted_lid(image: Floats, lid: _Lid, rng: Generator) -> Floats:
    """A picture ``(H, W, 3)`` with skin where the upper lid came down, and lashes at its edge."""
    if lid.width < 8 or lid.closing.max() < 0.5:
        return image
    rows = np.arange(len(image), dtype=np.float32)[:, None]
    # The lashes that the open eye shows go, more or less completely.
    lash = lid.width * rng.uniform(0.06, 0.2)
    top = lid.before - lash * np.minimum(lid.closing / 2, 1)
    part = ((rows - top) / (lid.after - top).clip(1)).clip(0, 1)[..., None]
    skin = _skin(image, lid, part * rng.uniform(0, 0.8), rng)
    skin *= 1 + rng.normal(0.03, 0.08) * np.sin(np.pi * part) + rng.normal(0, 0.06) * part
    cover = ((rows - top) / (0.5 * lash + 0.5)).clip(0, 1) * (lid.after - rows + 0.5).clip(0, 1)
    result = image.copy()
    result[:, lid.x] += cover[..., None] * (skin - image[:, lid.x])
    result[:, lid.x] *= 1 - _lashes(rows, lid, rng)[..., None]
    return result


def _skin(image: Floats, lid: _Lid, down: Floats, rng: Generator) -> Floats:
    """Smooth skin ``(H, N, 3)`` of a lid's columns, from above it to, where ``down`` is 1, that below the eye."""
    soft = cv2.GaussianBlur(image, (0, 0), 0.08 * lid.width)
    places = (lid.before - lid.width * rng.uniform(0.12, 0.3), lid.below + lid.width * rng.uniform(0.15, 0.3))
    colours = [soft[y.round().astype(int).clip(0, len(image) - 1), lid.x] for y in places]
    above, below = (cv2.GaussianBlur(colour[None], (0, 0), 0.15 * lid.width)[0] for colour in colours)
    grain = cv2.GaussianBlur(rng.normal(0, rng.uniform(0, 5), down.shape[:2]).astype(np.float32), (0, 0), 0.7)
    return np.asarray(above + (below - above) * down + grain[..., None], np.float32)


def _lashes(rows: Floats, lid: _Lid, rng: Generator) -> NDArray[np.floating]:
    """How dark ``(H, N)`` lashes make the lid's edge, in [0, 1]; some hang down."""
    rim = lid.width * rng.uniform(0.012, 0.045)
    length = rim * (1 + (rows > lid.after) * rng.uniform(0, 1.5) * rng.random(lid.width))
    ends = np.sin(np.pi * (np.arange(lid.width) + 0.5) / lid.width) ** 0.5
    return np.exp(-(((rows - lid.after) / np.maximum(length, 0.5)) ** 2)) * ends * rng.uniform(0.15, 0.9)

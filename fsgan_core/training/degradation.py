"""What cameras and files do to pictures: tone, blur, noise, compression, few colours."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Picture = NDArray[np.uint8]


def tone(rng: Generator) -> Picture:
    """A random tone curve ``(256, 1, 3)``: gamma, contrast, brightness and a tint."""
    x = np.linspace(0, 1, 256)[:, None] ** np.exp(rng.normal(0, 0.45))
    y = (x - 0.5) * np.exp(rng.normal(0, 0.25)) + 0.5 + rng.normal(0, 0.08)
    return np.asarray((y * np.exp(rng.normal(0, 0.12, 3)) * 255).clip(0, 255).astype(np.uint8)[:, None])


def degrade(rng: Generator, picture: Picture) -> Picture:
    """A picture ``(H, W, 3)`` as some camera and some file would have kept it."""
    if rng.random() < 0.5:
        picture = np.asarray(cv2.LUT(picture, tone(rng)), np.uint8)
    kind = rng.random()
    if kind < 0.15:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.5, 2)), np.uint8)
    elif kind < 0.25:
        picture = coarse(rng, picture)
    elif kind < 0.32:
        picture = painted(rng, picture)
    if rng.random() < 0.15:
        gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        picture = np.repeat(gray[..., None], 3, 2)
    if rng.random() < 0.25:
        noise = rng.normal(0, rng.uniform(2, 14), (64, *picture.shape[1:])).astype(np.float32)
        noise = np.roll(np.resize(noise, picture.shape), int(rng.integers(64)), 1)
        picture = (picture + noise).clip(0, 255).astype(np.uint8)
    return compressed(rng, picture) if rng.random() < 0.4 else picture


def coarse(rng: Generator, picture: Picture) -> Picture:
    """Reduced and enlarged again."""
    size = picture.shape[1::-1]
    factor = rng.uniform(0.3, 0.7)
    small = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def painted(rng: Generator, picture: Picture) -> Picture:
    """Smooth patches of few colours, like a painting or a palette."""
    step = int(rng.choice([1, 8, 24, 40]))
    smooth = cv2.medianBlur(picture, int(rng.choice([3, 5])))
    return np.asarray(smooth // step * step + step // 2, np.uint8)


def compressed(rng: Generator, picture: Picture) -> Picture:
    """Through JPEG at a random quality."""
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 90))])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)

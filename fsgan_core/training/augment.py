"""Random changes of small uint8 crops that keep their geometry: light, colour, sharpness, noise and things in the way.

Every function takes ``(S, S, 3)`` uint8 RGB and a generator and returns a new picture of the same kind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Mask = NDArray[np.float32]


def color(image: Image, rng: Generator) -> Image:
    """Brightness, contrast, gamma, colour cast and saturation, through one table a channel; sometimes gray."""
    level = np.linspace(0, 1, 256)[:, None]
    gain = np.exp(rng.normal(0, 0.25) + rng.normal(0, 0.08, 3))
    curve = gain * (level ** np.exp(rng.normal(0, 0.3)) - 0.5) + 0.5 + rng.normal(0, 0.08) + rng.normal(0, 0.02, 3)
    table = (255 * curve.clip(0, 1)).astype(np.uint8)[None]
    if rng.random() < 0.4:
        gray = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        keep = 0.0 if rng.random() < 0.25 else rng.uniform(0.2, 1.5)
        image = np.asarray(cv2.addWeighted(image, keep, gray, 1 - keep, 0), np.uint8)
    return np.asarray(cv2.LUT(image, table), np.uint8)


def light(image: Image, rng: Generator) -> Image:
    """A brightness gradient in a random direction, up to nearly black or white on one side."""
    size = len(image)
    angle, reach = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 1.0)
    ramp = np.linspace(-1, 1, size, dtype=np.float32)
    plane = np.cos(angle) * ramp[None] + np.sin(angle) * ramp[:, None] + rng.uniform(-0.5, 0.5)
    gain = np.exp(rng.uniform(0.4, 1.3) * np.tanh(plane / reach))[..., None] * np.exp(rng.normal(0, 0.08, 3))
    return np.asarray((image * gain).clip(0, 255), np.uint8)


def soften(image: Image, rng: Generator) -> Image:
    """A blur (round or along a line), or fewer pixels enlarged again."""
    size = len(image)
    kind = rng.integers(3)
    if kind == 0:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 2.0)), np.uint8)
    if kind == 1:
        kernel = np.zeros((9, 9), np.float32)
        angle, reach = rng.uniform(0, np.pi), rng.uniform(1, 4)
        tip = (int(round(reach * np.cos(angle))), int(round(reach * np.sin(angle))))
        cv2.line(kernel, (4 - tip[0], 4 - tip[1]), (4 + tip[0], 4 + tip[1]), 1.0)
        return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), np.uint8)
    few = int(size * rng.uniform(0.3, 0.9))
    small = cv2.resize(image, (few, few), interpolation=cv2.INTER_AREA)
    mode = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST_EXACT)[rng.choice(3, p=(0.5, 0.4, 0.1))]
    return np.asarray(cv2.resize(small, (size, size), interpolation=mode), np.uint8)


def noise(image: Image, rng: Generator) -> Image:
    """Gaussian noise, the same for all channels or one for each."""
    shape = image.shape if rng.random() < 0.6 else (*image.shape[:2], 1)
    grain = rng.standard_normal(shape, np.float32) * np.float32(rng.uniform(2, 18))
    return np.asarray((image + grain).clip(0, 255), np.uint8)


def compress(image: Image, rng: Generator) -> Image:
    """JPEG of low or middling quality."""
    _, code = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 80))))
    return np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8)


def blob(size: int, rng: Generator) -> Mask:
    """A soft-edged random shape ``(S, S)`` in [0, 1]: an ellipse, a bar, a hand-like bundle of bars, or a polygon."""
    mask = np.zeros((size, size), np.uint8)
    centre = rng.uniform(0, size, 2)
    angle = rng.uniform(0, 360)
    kind = rng.integers(4)
    if kind == 0:
        axes = rng.uniform(0.05, 0.28, 2) * size
        cv2.ellipse(mask, _cell(centre), _cell(axes), angle, 0, 360, 255, -1)
    elif kind == 1:
        _bar(mask, centre, angle, (size, rng.uniform(0.03, 0.15) * size))
    elif kind == 2:
        width = rng.uniform(0.05, 0.09) * size
        cv2.ellipse(mask, _cell(centre), _cell((2.6 * width, 2.2 * width)), angle, 0, 360, 255, -1)
        for finger in range(4):
            turn = angle + rng.uniform(9, 14) * (finger - 1.5)
            away = np.array([np.cos(np.radians(turn)), np.sin(np.radians(turn))])
            _bar(mask, centre + away * 3.5 * width, turn, (rng.uniform(4, 5.5) * width, 0.85 * width))
    else:
        corners = centre + rng.normal(0, 0.16, (rng.integers(3, 8), 2)) * size
        cv2.fillPoly(mask, [cv2.convexHull(corners.astype(np.int32))], 255)
    soft = cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.4, 1.5)).astype(np.float32) / 255
    return np.asarray(soft, np.float32)


def paint(size: int, rng: Generator, textures: Sequence[Image]) -> Image:
    """What an occluder looks like: one colour with a shade, skin, or a piece of a picture."""
    kind = rng.integers(3)
    if kind < 2 or not textures:
        skin = np.array([200, 150, 120]) * rng.uniform(0.25, 1.2)
        base = skin if kind == 0 else rng.uniform(0, 255, 3)
        shade = np.linspace(rng.uniform(0.6, 1), rng.uniform(0.8, 1.3), size)[:, None, None]
        full = np.broadcast_to(base * shade, (size, size, 3)).clip(0, 255).astype(np.uint8)
        return np.ascontiguousarray(full if rng.random() < 0.5 else full.transpose(1, 0, 2))
    texture = textures[int(rng.integers(len(textures)))]
    side = int(rng.integers(min(size, *texture.shape[:2]) // 2, min(texture.shape[:2])))
    row, column = (int(rng.integers(0, limit - side + 1)) for limit in texture.shape[:2])
    piece = texture[row : row + side, column : column + side]
    return np.asarray(cv2.resize(piece, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


def cover(image: Image, mask: NDArray[np.floating], content: Image) -> Image:
    """Lay content over the picture where the mask ``(S, S)`` is 1."""
    alpha = mask[..., None]
    return np.asarray(image * (1 - alpha) + content * alpha, np.uint8)


def dark_glasses(image: Image, rng: Generator, eyes: NDArray[np.floating]) -> Image:
    """Sunglasses: two lenses and a bar.

    Args:
        image: crop.
        rng: source of chance.
        eyes: ``(2, 2)`` centres of both eyes in pixels of the crop.
    """
    mask = np.zeros(image.shape[:2], np.uint8)
    across = eyes[1] - eyes[0]
    angle, gap = float(np.degrees(np.arctan2(across[1], across[0]))), float(np.linalg.norm(across))
    axes = gap * np.array([rng.uniform(0.33, 0.46), rng.uniform(0.22, 0.42)])
    for eye in eyes:
        cv2.ellipse(mask, _cell(eye + rng.normal(0, 0.02, 2) * gap), _cell(axes), angle, 0, 360, 255, -1)
    _bar(mask, eyes.mean(0), angle, (gap, max(1.0, 0.05 * gap)))
    alpha = cv2.GaussianBlur(mask, (0, 0), 0.7).astype(np.float32) / 255 * np.float32(rng.uniform(0.55, 1.0))
    lens = np.full_like(image, 0) + rng.uniform(0, 70, 3).astype(np.uint8)
    return cover(image, alpha, light(lens, rng))


def face_mask(image: Image, mask: Image, corners: NDArray[np.floating]) -> Image:
    """A worn face mask.

    Args:
        image: crop.
        mask: ``(H, W, 4)`` uint8 RGB and opacity.
        corners: ``(4, 2)`` where the mask's left, top, right and bottom middle lie in the crop.
    """
    layer = worn(mask, corners, len(image))
    return cover(image, layer[..., 3].astype(np.float32) / 255, np.asarray(layer[..., :3], np.uint8))


def worn(mask: Image, corners: NDArray[np.floating], size: int) -> Image:
    """A face mask as :func:`face_mask` lays it on: ``(size, size, 4)`` uint8 RGB and opacity."""
    height, width = mask.shape[:2]
    own = np.array([[0, 0.4 * height], [width / 2, 0], [width, 0.4 * height], [width / 2, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(own, corners.astype(np.float32))
    return np.asarray(cv2.warpPerspective(mask, matrix, (size, size), flags=cv2.INTER_AREA), np.uint8)


def scrambled(image: Image, rng: Generator) -> Image:
    """The picture's tiles in another order: all the parts of a face, but no face."""
    count = int(rng.integers(2, 5))
    step = -(-len(image) // count)
    grown = np.asarray(cv2.resize(image, (count * step, count * step)), np.uint8)
    tiles = grown.reshape(count, step, count, step, 3).swapaxes(1, 2).reshape(-1, step, step, 3)
    # One cycle through all tiles: none stays where it was.
    cycle = rng.permutation(len(tiles))
    order = np.empty_like(cycle)
    order[cycle] = np.roll(cycle, 1)
    mixed = tiles[order].reshape(count, count, step, step, 3).swapaxes(1, 2).reshape(grown.shape)
    return np.ascontiguousarray(mixed[: len(image), : len(image)])


def melted(image: Image, rng: Generator) -> Image:
    """The picture bent so far and so smoothly that a face in it is none any more."""
    size = len(image)
    bend = cv2.resize(
        rng.normal(0, 0.11 * size, (4, 4, 2)).astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC
    )
    rows, columns = np.indices((size, size), dtype=np.float32)
    return np.asarray(
        cv2.remap(
            image, columns + bend[..., 0], rows + bend[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
        ),
        np.uint8,
    )


def photometric(image: Image, rng: Generator) -> Image:
    """Any of the changes of light, sharpness and noise, in the order in which a camera makes them."""
    steps: tuple[tuple[float, Callable[[Image, Generator], Image]], ...] = (
        (0.25, light),
        (0.8, color),
        (0.25, soften),
        (0.25, noise),
        (0.3, compress),
    )
    for chance, change in steps:
        if rng.random() < chance:
            image = change(image, rng)
    return image


def _bar(mask: Image, centre: NDArray[np.floating], angle: float, sides: tuple[float, float]) -> None:
    corners = cv2.boxPoints((tuple(map(float, centre)), tuple(map(float, sides)), float(angle)))
    cv2.fillPoly(mask, [corners.astype(np.int32)], 255)


def _cell(point: NDArray[np.floating] | tuple[float, float]) -> tuple[int, int]:
    return int(round(float(point[0]))), int(round(float(point[1])))

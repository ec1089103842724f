"""Things drawn over batches of face crops, with the exact opacity of what covers the face."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from . import occluder_drawings as drawings
from .labelled import read_backgrounds, read_masks
from .occluder_drawings import Floats, Layer, Picture, Place
from .occluder_glasses import glasses

KINDS = {
    "hand": 0.2,
    "hair": 0.18,
    "glasses": 0.34,
    "microphone": 0.07,
    "cloth": 0.08,
    "bar": 0.04,
    "mask": 0.05,
    "thing": 0.04,
}
"""Kinds of occluders and how often each is drawn."""


@dataclass(frozen=True)
class Props:
    """Pictures that occluders are made from.

    Attributes:
        masks: ``(h, w, 4)`` uint8 face masks with opacity; without any none is worn.
        textures: ``(h, w, 3)`` uint8 pictures for random outlines.
    """

    masks: Sequence[Picture] = ()
    textures: Sequence[Picture] = ()


def read_props(data: Path) -> Props:
    """The masks of ``occluders/`` and the pictures of ``backgrounds/`` in a folder of training material."""
    masks = [_small(mask) for mask in read_masks(data)] if (data / "occluders").is_dir() else []
    return Props(masks, read_backgrounds(data, 512))


def occlude(
    crops: Tensor, landmarks: Tensor, rng: Generator, props: Props | None = None, share: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Draw one or two things over each face.

    Args:
        crops: ``(B, 3, S, S)`` float in [0, 1] or uint8.
        landmarks: ``(B, 478, 2 or 3)`` in pixels of the crops.
        rng: decides everything.
        props: pictures to draw with.
        share: how many of the crops get something, in [0, 1]; the others stay bit for bit.

    Returns:
        the crops in their dtype and on their device, and ``(B, 1, S, S)`` float32: opacity of what covers, in [0, 1].
        Drop shadows and clear glass count as the face; label 0.5 and more as covered.
    """
    whole = crops.dtype == torch.uint8
    pictures = crops if whole else (crops.float() * 255).round().clamp(0, 255).to(torch.uint8)
    images, alphas = crops.clone(), torch.zeros(len(crops), 1, *crops.shape[2:])
    rows = zip(pictures.permute(0, 2, 3, 1).cpu().numpy(), landmarks[..., :2].cpu().numpy(), strict=True)
    for number, (picture, points) in enumerate(rows):
        if rng.random() < share:
            drawn, alpha = cover(rng, np.ascontiguousarray(picture), points.astype(np.float32), props or Props())
            result = torch.from_numpy(drawn).permute(2, 0, 1)
            images[number] = result.round().to(torch.uint8) if whole else result / 255
            alphas[number, 0] = torch.from_numpy(alpha)
    return images, alphas.to(crops.device)


def cover(rng: Generator, picture: Picture, points: Floats, props: Props) -> tuple[Floats, Floats]:
    """One picture ``(S, S, 3)`` uint8 with one or two things drawn over its face.

    Returns:
        ``(S, S, 3)`` float32 in [0, 255] and how much of each pixel ``(S, S)`` what was drawn hides.
    """
    image = picture.astype(np.float32)
    hidden = np.zeros(picture.shape[:2], np.float32)
    place = drawings.face_place(picture, points)
    for _ in range(1 + (rng.random() < 0.3)):
        layer = draw(rng, place, props)
        image = _laid(rng, image, layer, place)
        hidden = layer.hidden + hidden * (1 - layer.hidden)
    return image, hidden


def draw(rng: Generator, place: Place, props: Props, kind: str | None = None) -> Layer:
    """One thing of a given or random kind (see :data:`KINDS`)."""
    chosen = kind or str(rng.choice(list(KINDS), p=list(KINDS.values())))
    if chosen == "mask" and props.masks:
        return drawings.mask(rng, place, props.masks[int(rng.integers(len(props.masks)))])
    if chosen == "thing" or chosen == "mask":
        return drawings.thing(rng, place, props.textures)
    return _PLAIN[chosen](rng, place)


_PLAIN = {
    "hand": drawings.hand,
    "hair": drawings.hair,
    "glasses": glasses,
    "microphone": drawings.microphone,
    "cloth": drawings.cloth,
    "bar": drawings.bar,
}


def _laid(rng: Generator, image: Floats, layer: Layer, place: Place) -> Floats:
    """The layer over the picture in the picture's light, softened a little, with its shadow on the face."""
    light = np.clip(cv2.mean(image)[0] / 120, 0.45, 1.2)
    blur = max(0.4, 0.02 * place.width)
    shift = np.array([[1, 0, rng.normal(0, 0.05)], [0, 1, rng.uniform(0, 0.06)]]) * [1, 1, place.width]
    shadow = cv2.warpAffine(cv2.GaussianBlur(layer.alpha, (0, 0), blur), shift, layer.alpha.shape)
    below = image * (1 - rng.uniform(0, 0.4) * shadow)[..., None]
    return np.asarray(below + (layer.color.clip(0, 255) * light - below) * layer.alpha[..., None], np.float32).clip(
        0, 255
    )


def _small(mask: Picture, width: int = 256) -> Picture:
    size = (width, max(1, round(width * mask.shape[0] / mask.shape[1])))
    return np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_AREA), np.uint8)

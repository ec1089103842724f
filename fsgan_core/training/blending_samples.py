"""Crude swaps with exact solutions for the blending network: all shapes of masks, all sorts of light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor
from torch.nn import functional
from torch.utils.data import Dataset

from ..ops.face_model import FaceModel
from ..ops.flow import sample, spread
from ..ops.light import match_light
from ..ops.masks import erode
from ..ops.mesh import facing, interpolate, rasterize
from ..ops.poisson import harmonic_fill
from . import augment
from .crop_occluders import Props, cover
from .face_labels import FACE
from .loop import Batch
from .segmentation_samples import Labelled, Placed, placed

_TOLERANCE = 0.02 / 255
"""Largest error of the exact solutions, in [0, 1]."""


@dataclass(frozen=True, kw_only=True)
class SampleOptions:
    """What the network gets to see."""

    size: int = 256
    """side of the crops in pixels"""
    covered: float = 0.5
    """share of targets with something in front of them"""
    exact: float = 0.4
    """share of masks that are right; the others are too large here and too small there, as a network draws them"""
    holed: float = 0.35
    """share of masks with holes, slits or single pixels missing"""
    odd: float = 0.3
    """share of masks that are no face's but of any shape, most of them cut off by the edge of the picture"""
    matched: float = 0.5
    """share of faces whose light is matched before, as the blenders do"""


class Swaps(Dataset[Batch]):
    """Crude swaps between portraits with their exact solutions; sample ``i`` depends on ``i`` alone."""

    def __init__(self, faces: Sequence[Labelled], props: Props, model: FaceModel, options: SampleOptions) -> None:
        self.faces, self.props, self.model, self.options = faces, props, model, options

    def __getitem__(self, index: int) -> Batch:
        """float16 ``(3, S, S)`` target minus face with its membrane under the mask, and the mask ``(1, S, S)``."""
        face, target, mask = self.swap(np.random.default_rng((11, index)))
        inner = erode(mask)
        if not self.options.size <= inner.sum() < inner.numel():
            return self[index + 1_000_003]
        answer = harmonic_fill(target - face, inner, tolerance=_TOLERANCE)
        return {"answer": answer[0].half(), "mask": inner[0].to(torch.uint8)}

    def swap(self, rng: Generator) -> tuple[Tensor, Tensor, Tensor]:
        """A face ``(1, 3, S, S)`` on the geometry of a target, the target, and a mask ``(1, 1, S, S)``."""
        one, other = (
            placed(self.faces[int(rng.integers(len(self.faces)))], rng, self.options.size, 0) for _ in range(2)
        )
        picture, alpha = other.image, np.zeros(other.image.shape[:2], np.float32)
        for change in (augment.color, augment.light, augment.noise):
            if rng.random() < 0.4:
                picture = change(picture, rng)
        if rng.random() < self.options.covered:
            drawn, alpha = cover(rng, picture, other.points, self.props)
            picture = drawn.round().astype(np.uint8)
        face, drawn_on = self._fitted(one, other)
        true = drawn_on * torch.from_numpy(((other.labels == FACE) & (alpha < 0.1)).astype(np.float32))
        true = functional.max_pool2d(erode(true, 2), 3, 1, 1)
        mask = true if rng.random() < self.options.exact else drawn_on * _misdrawn(true, rng)
        if rng.random() < self.options.odd:
            mask = _odd(self.options.size, rng)
        target = _image(picture)
        if rng.random() < self.options.matched:
            face = match_light(face, target, mask)
        return face, target, _holed(mask, rng) if rng.random() < self.options.holed else mask

    def _fitted(self, one: Placed, other: Placed) -> tuple[Tensor, Tensor]:
        """One face drawn on the mesh of the other, and where the mesh is."""
        size = self.options.size
        flat = torch.from_numpy(np.pad(other.points, ((0, 0), (0, 1))))[None]
        number, weights = rasterize(flat, self.model.triangles, size, size, facing(flat, self.model.triangles) > 0)
        known = (number >= 0)[:, None]
        places = interpolate(torch.from_numpy(one.points)[None], self.model.triangles, number, weights)
        places, _ = spread(places, known, 3)
        return sample(_image(one.image), places), erode(known.float(), 2)


def _image(picture: np.ndarray) -> Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255


def _misdrawn(mask: Tensor, rng: Generator) -> Tensor:
    """A mask that is too large here and too small there, by up to about 4 pixels."""
    size = mask.shape[-1]
    shift = cv2.resize(rng.normal(0.04, 0.16, (10, 10)).astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    soft = cv2.GaussianBlur(mask[0, 0].numpy(), (0, 0), 6)
    return torch.from_numpy((soft + shift > 0.5).astype(np.float32))[None, None]


def _odd(size: int, rng: Generator) -> Tensor:
    """Islands and lakes, of a few large ones up to many small ones."""
    across = int(rng.integers(2, 12))
    shape = rng.normal(rng.uniform(-0.3, 0.6), 1, (across, across)).astype(np.float32)
    drawn = cv2.resize(shape, (size, size), interpolation=cv2.INTER_CUBIC) > 0
    return torch.from_numpy(drawn.astype(np.float32))[None, None]


def _holed(mask: Tensor, rng: Generator) -> Tensor:
    """A mask with up to four holes, slits or showers of missing pixels."""
    size = mask.shape[-1]
    drawn = mask[0, 0].numpy().astype(np.uint8)
    for _ in range(int(rng.integers(1, 5))):
        centre, end = rng.integers(size // 5, size - size // 5, (2, 2)).tolist()
        kind = rng.random()
        if kind < 0.4:
            axes = rng.uniform(1, size / 12, 2).astype(int).tolist()
            cv2.ellipse(drawn, centre, axes, rng.uniform(0, 180), 0, 360, 0, -1)
        elif kind < 0.8:
            cv2.line(drawn, centre, end, 0, int(rng.integers(1, 4)))
        else:
            drawn[rng.random(drawn.shape) < 10 ** rng.uniform(-4, -2)] = 0
    return torch.from_numpy(drawn.astype(np.float32))[None, None]


class Rendered(Dataset[Batch]):
    """The first samples of a slow data set, kept in memory and repeated without end."""

    def __init__(self, samples: Dataset[Batch], count: int) -> None:
        self.kept = [samples[index] for index in range(count)]

    def __getitem__(self, index: int) -> Batch:
        """One of the samples kept; every round in another order."""
        lap, place = divmod(index, len(self.kept))
        return self.kept[int(np.random.default_rng(lap).permutation(len(self.kept))[place])]

"""Pairs of crops of users' datasets, as the official networks were trained on: of one person, or of two."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ..errors import FSGANError
from ..ops.landmarks import to_ibug68
from ..ops.official_views import step_landmarks
from ..stages.pose import load_face_model
from .dataset import FaceTrack
from .landmarks import Numbers
from .loop import Batch

MARGIN = 1.2
"""Side of a crop over the longer side of the face."""
OWN_PICTURES = (
    "The user's own pictures, through fsgan dataset build. Who is in them, and under which terms, is for the user."
)


class PairSource(Dataset[Batch]):
    """Endless pairs, and what a model card says of where they come from."""

    about: str


class Pairs(PairSource):
    """Endless pairs; item ``i`` depends on ``i`` alone.

    Args:
        tracks: of a dataset.
        side: of the crops in pixels.
        same: whether both pictures show one person, and are two different ones, or two people.

    Raises:
        FSGANError: the dataset has no such pair.
    """

    about = OWN_PICTURES

    def __init__(self, tracks: Sequence[FaceTrack], side: int, same: bool = True) -> None:
        people: dict[str, list[tuple[FaceTrack, int]]] = {}
        for track in tracks:
            people.setdefault(track.person, []).extend((track, row) for row in range(len(track)))
        self.people = [pictures for pictures in people.values() if len(pictures) > 1 or not same]
        if len(self.people) < 2 - same:
            raise FSGANError(
                f"found {len(self.people)} people with {'two pictures' if same else 'pictures'}, expected at least"
                f" {2 - same}; add videos, or photos in one folder a person with fsgan dataset build --people"
            )
        counts = np.array([len(pictures) for pictures in self.people], np.float64)
        self.shares = counts / counts.sum()
        self.side, self.same = side, same
        self.mirror = load_face_model().mirror.numpy()

    def __getitem__(self, index: int) -> Batch:
        """``source``, ``target`` uint8 ``(S, S, 3)``, their landmarks ``(478, 3)`` in pixels, and a ``seed``."""
        rng = np.random.default_rng(index)
        mirrored = bool(rng.random() < 0.5)
        batch: Batch = {"seed": torch.tensor(index % (1 << 31))}
        for name, (track, row) in zip(("source", "target"), self._pair(rng), strict=True):
            picture, points = track.crop(row, self.side, MARGIN, mirrored)
            batch[name] = torch.from_numpy(picture)
            batch[f"{name}_landmarks"] = torch.from_numpy(points[self.mirror] if mirrored else points)
        return batch

    def _pair(self, rng: Generator) -> list[tuple[FaceTrack, int]]:
        first = int(rng.choice(len(self.people), p=self.shares))
        if self.same:
            chosen = rng.choice(len(self.people[first]), 2, replace=False)
            return [self.people[first][int(number)] for number in chosen]
        second = (first + int(rng.integers(1, len(self.people)))) % len(self.people)
        return [self.people[who][int(rng.integers(len(self.people[who])))] for who in (first, second)]


def batches(pairs: Dataset[Batch], seed: int, batch: int, workers: int) -> Iterator[Batch]:
    """Endless batches; batch ``i`` is made of seed ``seed + i`` alone."""
    yield from DataLoader(pairs, batch_sampler=Numbers(seed, batch), num_workers=workers)


def first_batch(pairs: Dataset[Batch], count: int, device: torch.device) -> Batch:
    """The first pairs, always the same, for figures and sheets."""
    items = [pairs[index] for index in range(count)]
    return {name: torch.stack([item[name] for item in items]).to(device) for name in items[0]}


def pictures(crops: Tensor) -> Tensor:
    """uint8 ``(B, S, S, 3)`` to ``(B, 3, S, S)`` in [0, 1]."""
    return crops.permute(0, 3, 1, 2).float() / 255


def picture_levels(crops: Tensor, levels: int) -> list[Tensor]:
    """Source crops uint8 ``(B, S, S, 3)`` as a pyramid whose second level OpenCV halves, as published."""
    pyramid = [pictures(crops)]
    if levels > 1:
        halves = np.stack([cv2.pyrDown(picture) for picture in crops.cpu().numpy()])
        pyramid.append(pictures(torch.from_numpy(halves).to(crops.device)))
    return pyramid


def half_way(source: Tensor, target: Tensor) -> Tensor:
    """Landmarks of the source turned half the way to the target's pose (v1's stepwise training).

    Args:
        source: ``(B, 478, 3)`` in pixels.
        target: ``(B, 478, 3)`` in pixels.

    Returns:
        ``(B, 68, 3)``.
    """
    pairs = zip(to_ibug68(source).double().cpu().numpy(), to_ibug68(target).double().cpu().numpy(), strict=True)
    steps: list[NDArray[np.float64]] = [step_landmarks(a, b, 0.5) for a, b in pairs]
    return torch.from_numpy(np.stack(steps)).to(target)

"""A person's views, made ready for the poses that are asked for."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray

from ..ops.face_model import FaceModel
from .appearance_map import AppearanceMap
from .eye_light import source_whites
from .segmentation import Segmenter
from .views import View, prepare


class Source:
    """The views of an appearance map, made ready when a pose first asks for them; only the latest few are kept.

    Several threads may select at the same time; a view is made by one of them.

    Args:
        appearance: the pictures.
        model: the face model.
        device: where the views are kept.
        segmentation: see :func:`~fsgan_core.stages.views.prepare`; one that knows no occluders is not asked.
        delight: see :func:`~fsgan_core.stages.views.prepare`.
        keep: so many views.
    """

    def __init__(
        self,
        appearance: AppearanceMap,
        model: FaceModel,
        device: torch.device,
        segmentation: Segmenter | None = None,
        delight: float = 0.0,
        keep: int = 6,
    ) -> None:
        self.appearance = appearance
        self._delight = delight
        self._segmentation = segmentation if segmentation is not None and segmentation.occluders else None
        self._lock = Lock()
        self._prepare = lru_cache(maxsize=keep)(lambda number: self._made(number, model, device))

    def _made(self, number: int, model: FaceModel, device: torch.device) -> View:
        landmarks = torch.from_numpy(self.appearance.landmarks[number]).to(device)
        view = prepare(self.appearance.views[number], landmarks, model, self._segmentation, self._delight)
        return replace(view, whites=source_whites(view))

    def view(self, number: int) -> View:
        """The view made of a picture, by its number in the map."""
        with self._lock:
            return self._prepare(number)

    def select(self, pose: NDArray[np.float32], closest: bool = False) -> tuple[list[View], list[float]]:
        """Views for a pose ``(3,)`` in degrees and their weights, all positive, summing to 1.

        Args:
            pose: yaw, pitch, roll of the target.
            closest: take the view of the nearest pose alone instead of interpolating.
        """
        with self._lock:
            numbers, weights = self.appearance.query(pose, closest)
            used = [(int(n), float(w)) for n, w in zip(numbers, weights, strict=True) if w > 0]
            return [self._prepare(number) for number, _ in used], [weight for _, weight in used]

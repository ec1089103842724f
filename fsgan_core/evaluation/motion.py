"""How steady a face is along a clip: jitter and flicker over the last three frames, of the result and of its target."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import torch
from torch import Tensor

from . import metrics
from .crops import Floats

_NAMES = ("", "_target")
"""Endings of the measures of result and target."""


class Motion:
    """The last three frames of a track: landmarks and colours of result and target."""

    def __init__(self) -> None:
        self._last = -1
        self._forget()

    def _forget(self) -> None:
        self._points, self._colors = ([deque[Tensor](maxlen=3) for _ in _NAMES] for _ in range(2))

    def measured(
        self, index: int, faces: Sequence[Floats], images: Sequence[Tensor], spots: Tensor
    ) -> dict[str, float | None]:
        """Take the next frame in; empty until there are three in a row.

        Args:
            index: of the frame; after a gap the past is forgotten.
            faces: landmarks ``(478, 3)`` of result and target, in pixels of the crop.
            images: their crops ``(1, 3, H, W)``; the target's may lack.
            spots: ``(1, 478, 3)`` where the colours are looked up.
        """
        if index != self._last + 1:
            self._forget()
        self._last = index
        for points, face in zip(self._points, faces, strict=True):
            points.append(torch.from_numpy(face[:, :2]))
        for colors, image in zip(self._colors, images, strict=False):
            colors.append(metrics.face_colors(image, spots)[0])
        row: dict[str, float | None] = {}
        if len(self._points[0]) == 3:
            for name, points, colors in zip(_NAMES, self._points, self._colors, strict=True):
                row[f"jitter{name}"] = float(metrics.jitter(torch.stack(tuple(points))))
                if colors:
                    row[f"flicker{name}"] = float(metrics.flicker(torch.stack(tuple(colors))))
        return row

"""The bundled landmark networks: a loose crop, an aligned one (while tracking only that), then two closer looks.

The first network finds the face's shape as a whole; the second moves every point to where a larger crop shows it; both
look again at a mouth opened wide; the third finds the irises in the eyes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..networks.iris_net import IrisNet, IrisNetConfig
from ..networks.landmark_net import LandmarkNet, LandmarkNetConfig, fused
from ..networks.local_landmark_net import LocalLandmarkNet, LocalLandmarkNetConfig
from ..weights.checkpoint import OPEN
from .irises import with_irises
from .landmark_crops import Floats as Matrix
from .landmark_crops import box_placement, cut, inverse, moved, shape_placement
from .landmarks import Floats, Frame, Landmarks, check_faces
from .open_networks import Network, load_own
from .wide_mouths import Pressed, gaping


@dataclass(frozen=True, kw_only=True)
class LandmarkOptions:
    """How faces are measured."""

    batch: int = 32
    """crops computed at a time"""


class OpenLandmarker:
    """Our networks; see :class:`~fsgan_core.stages.landmarks.Landmarker`.

    Args:
        network: finds the shape.
        options: see :class:`LandmarkOptions`.
        local: takes the closer look; without it the shape stays as found.
        irises: looks into the eyes; without it irises stay where the others found them.
    """

    def __init__(
        self,
        network: LandmarkNet,
        options: LandmarkOptions | None = None,
        local: LocalLandmarkNet | None = None,
        irises: IrisNet | None = None,
    ) -> None:
        self.network, self.local, self.irises = network, local, irises
        self.options = options or LandmarkOptions()

    @torch.inference_mode()
    def __call__(
        self, frames: Sequence[Frame], boxes: Sequence[Floats], previous: Sequence[Floats] | None = None
    ) -> list[Landmarks]:
        """Find the landmarks of every box's face."""
        check_faces(frames, boxes, previous)
        size = self.network.config.size
        each = [frame for frame, rows in zip(frames, boxes, strict=True) for _ in rows]
        if previous is None:
            coarse, limits = self._measure(each, [box_placement(box, size) for rows in boxes for box in rows])
        else:
            coarse = np.concatenate([np.zeros((0, self.network.config.points, 3), np.float32), *previous])
            limits = np.ones(len(coarse), np.float32)
        found, scores = self._measure(each, [shape_placement(face, size) for face in coarse])
        # A face is one in both crops; what only looks like one after aligning is not.
        scores = np.minimum(scores, limits)
        if self.local is not None:
            found = self._again(self.local, each, self._closer(self.local, each, found))
        if self.irises is not None:
            parts = [with_irises(self.irises, each[part], found[part]) for part in self._parts(len(found))]
            found = np.concatenate([found[:0], *parts])
        ends = np.cumsum([len(rows) for rows in boxes])[:-1].tolist()
        split = zip(np.split(found, ends), np.split(scores, ends), strict=True)
        return [Landmarks(points, scores) for points, scores in split] if len(frames) else []

    def _measure(self, frames: Sequence[Frame], placements: Sequence[Matrix]) -> tuple[Floats, Floats]:
        """Landmarks ``(N, 478, 3)`` in pixels of the frames and scores ``(N,)``, one face for each frame given."""
        config, device = self.network.config, self.network.mean.device
        found, scores = [np.zeros((0, config.points, 3))], [np.zeros(0)]
        for part in self._parts(len(placements)):
            points, logits = self.network(_crops(frames[part], placements[part], config.size, device))
            found.append(_back(points, placements[part], config.size))
            scores.append(logits.sigmoid().cpu().numpy())
        return np.concatenate(found).astype(np.float32), np.concatenate(scores).astype(np.float32)

    def _closer(self, network: LocalLandmarkNet, frames: Sequence[Frame], faces: Floats) -> Floats:
        """Landmarks ``(N, 478, 3)`` in pixels of the frames, moved to where a larger crop shows them."""
        size, device = network.config.size, network.bias.device
        found = [np.zeros((0, *faces.shape[1:]))]
        for part in self._parts(len(faces)):
            placements = [shape_placement(face, size) for face in faces[part]]
            inside = [moved(face, matrix) / size for face, matrix in zip(faces[part], placements, strict=True)]
            start = torch.from_numpy(np.stack(inside)).float().to(device)
            found.append(_back(network(_crops(frames[part], placements, size, device), start), placements, size))
        return np.concatenate(found).astype(np.float32)

    def _again(self, network: LocalLandmarkNet, frames: Sequence[Frame], faces: Floats) -> Floats:
        """Landmarks ``(N, 478, 3)`` in pixels of the frames; mouths opened wide are looked at once more."""
        wide = [row for row in range(len(faces)) if gaping(faces[row]) > 0]
        pressed = [Pressed.of(frames[row], faces[row]) for row in wide]
        images, size = [one.image for one in pressed], self.network.config.size
        found, _ = self._measure(images, [shape_placement(one.face, size) for one in pressed])
        result = faces.copy()
        for row, one, points in zip(wide, pressed, self._closer(network, images, found), strict=True):
            result[row] = one.released(points)
        return result

    def _parts(self, count: int) -> Iterator[slice]:
        step = self.options.batch
        return (slice(start, start + step) for start in range(0, count, step))


def _crops(frames: Sequence[Frame], placements: Sequence[Matrix], size: int, device: torch.device) -> Tensor:
    """The frames' crops ``(N, 3, S, S)`` in [0, 1]."""
    crops = np.stack([cut(frame, matrix, size) for frame, matrix in zip(frames, placements, strict=True)])
    return torch.from_numpy(crops).to(device).permute(0, 3, 1, 2).float() / 255


def _back(points: Tensor, placements: Sequence[Matrix], size: int) -> Matrix:
    """Landmarks in units of their crops as pixels of the frames."""
    inside = points.cpu().double().numpy() * size
    return np.stack([moved(face, inverse(matrix)) for face, matrix in zip(inside, placements, strict=True)])


def load_open_landmarker(
    device: torch.device | str = "cpu",
    path: Path = OPEN / "landmarks.safetensors",
    local: Path | None = OPEN / "local_landmarks.safetensors",
    irises: Path | None = OPEN / "irises.safetensors",
) -> OpenLandmarker:
    """The bundled landmark networks, ready on a device.

    Args:
        device: where to compute.
        path: weights of the first network.
        local: weights of the second; None goes without.
        irises: weights of the third; None goes without.

    Raises:
        WeightsError: a file is missing, damaged, or holds something else.
    """
    network = fused(load_own("landmarks", lambda values: LandmarkNet(LandmarkNetConfig.of(values)), path))
    closer = None
    if local is not None:
        closer = load_own("local_landmarks", lambda values: LocalLandmarkNet(LocalLandmarkNetConfig.of(values)), local)
        closer = _ready(closer, device)
    eyes = None
    if irises is not None:
        eyes = _ready(load_own("irises", lambda values: IrisNet(IrisNetConfig.of(values)), irises), device)
    return OpenLandmarker(_ready(network, device), local=closer, irises=eyes)


def _ready(network: Network, device: torch.device | str) -> Network:
    return network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

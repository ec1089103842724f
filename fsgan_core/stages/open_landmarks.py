"""The bundled dense landmark network: a loose crop, then an aligned one; while tracking only the aligned one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..errors import WeightsError
from ..networks.landmark_net import LandmarkNet, LandmarkNetConfig, fused
from ..weights.checkpoint import OPEN, load_weights
from .landmark_crops import Floats as Matrix
from .landmark_crops import box_placement, cut, inverse, moved, shape_placement
from .landmarks import Floats, Frame, Landmarks, check_faces


@dataclass(frozen=True, kw_only=True)
class LandmarkOptions:
    """How faces are measured."""

    batch: int = 32
    """crops computed at a time"""


class OpenLandmarker:
    """Our network; see :class:`~fsgan_core.stages.landmarks.Landmarker`."""

    def __init__(self, network: LandmarkNet, options: LandmarkOptions | None = None) -> None:
        self.network = network
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
        ends = np.cumsum([len(rows) for rows in boxes])[:-1].tolist()
        split = zip(np.split(found, ends), np.split(scores, ends), strict=True)
        return [Landmarks(points, scores) for points, scores in split] if len(frames) else []

    def _measure(self, frames: Sequence[Frame], placements: Sequence[Matrix]) -> tuple[Floats, Floats]:
        """Landmarks ``(N, 478, 3)`` in pixels of the frames and scores ``(N,)``, one face for each frame given."""
        config, device = self.network.config, self.network.mean.device
        found, scores = [np.zeros((0, config.points, 3))], [np.zeros(0)]
        for start in range(0, len(placements), self.options.batch):
            part = slice(start, start + self.options.batch)
            faces = zip(frames[part], placements[part], strict=True)
            crops = np.stack([cut(frame, matrix, config.size) for frame, matrix in faces])
            points, logits = self.network(torch.from_numpy(crops).to(device).permute(0, 3, 1, 2).float() / 255)
            inside = points.double().cpu().numpy() * config.size
            backs = [moved(face, inverse(matrix)) for face, matrix in zip(inside, placements[part], strict=True)]
            found.append(np.stack(backs))
            scores.append(logits.sigmoid().cpu().numpy())
        return np.concatenate(found).astype(np.float32), np.concatenate(scores).astype(np.float32)


def load_open_landmarker(
    device: torch.device | str = "cpu", path: Path = OPEN / "landmarks.safetensors"
) -> OpenLandmarker:
    """The bundled landmark network, ready on a device.

    Raises:
        WeightsError: the file is missing, damaged, or holds something else.
    """
    tensors, values = load_weights(path, "landmarks")
    try:
        network = LandmarkNet(LandmarkNetConfig.of(values))
        network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in tensors.items()})
    except (RuntimeError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(f"{path} does not fit the network in its header ({reason}); fetch it again") from error
    network = fused(network).to(device)
    return OpenLandmarker(network.to(memory_format=torch.channels_last))  # type: ignore[call-overload]

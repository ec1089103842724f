"""Keyframes: the landmarks of a clip, held together by its pictures.

A landmark network sees each frame by itself, so where it puts a cheek or a brow wanders from frame to frame. Here some
frames of a track are kept; a keyframe's face is drawn with the landmarks of another frame, compared with that frame by
the alignment network, and the landmarks go where its pixels went. So motion comes from the pictures; where the face is
as a whole remains the mean of what was measured in all frames.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..networks.alignment_net import SIDE
from ..ops.face_model import FaceModel
from ..ops.flow import sample
from ..ops.geometry import angle
from ..ops.head_mesh import place
from ..ops.mesh import facing, interpolate, rasterize
from ..streams import Frame
from .alignment import Aligner, landed
from .landmark_crops import cut, inverse, moved, shape_placement
from .visibility import facing_camera

Floats = NDArray[np.float32]
_APART = 15.0
"""Degrees between the poses of two keyframes."""
_MOST = 12
"""Largest number of keyframes."""


@dataclass
class _Keyframe:
    """A face cut out upright, and what was found with it.

    Attributes:
        grey: ``(1, 1, SIDE, SIDE)`` brightness in [0, 1].
        points: ``(1, 478, 3)`` landmarks in its pixels.
        rotation: ``(1, 3, 3)`` of the head.
        shape: ``(1, 478, 3)`` its canonical landmarks.
        undone: ``(478, 2)`` sum of what frames compared with it were corrected by, in its pixels, turned back.
        count: how many frames.
    """

    grey: Tensor
    points: Tensor
    rotation: Tensor
    shape: Tensor
    undone: NDArray[np.float64] = field(default_factory=lambda: np.zeros((478, 2)))
    count: int = 0


class Keyframes:
    """The keyframes of one track; see the module.

    Args:
        model: the face model.
        aligner: compares pictures.
    """

    def __init__(self, model: FaceModel, aligner: Aligner) -> None:
        self.model, self.aligner = model, aligner
        self.kept: list[_Keyframe] = []

    @torch.inference_mode()
    def corrected(self, frame: Frame, landmarks: Floats) -> Floats:
        """Landmarks ``(478, 3)`` of a frame, moved so that they agree with the keyframes; depth stays.

        The first frame, and every one in a new pose, becomes a keyframe.
        """
        matrix = shape_placement(landmarks, SIDE)
        face = self._cut(frame, moved(landmarks, matrix), matrix)
        if not self.kept:
            self.kept.append(face)
        gaps = [float(angle(key.rotation, face.rotation)) for key in self.kept]
        nearest = self.kept[int(np.argmin(gaps))]
        points = face.points if nearest is face else self._agreeing(nearest, face)
        nearest.undone += (face.points - points)[0, :, :2].cpu().numpy()
        nearest.count += 1
        if min(gaps) > _APART and len(self.kept) < _MOST:
            self.kept.append(replace(face, points=points))
        return moved(points[0].cpu().numpy(), inverse(matrix)).astype(np.float32)

    @torch.inference_mode()
    def settled(self, landmarks: Floats) -> Floats:
        """Corrected landmarks ``(F, 478, 3)``, moved to the mean of what was measured in poses like each."""
        device = self.model.mean.device
        rotation = place(self.model.mean, torch.from_numpy(landmarks).to(device)).rotation
        gaps = torch.stack([angle(key.rotation, rotation) for key in self.kept], 1).cpu().double().numpy()
        near = np.exp(-((gaps / _APART) ** 2)) + 1e-6
        undone = np.einsum("fk,kpd->fpd", near, np.stack([key.undone for key in self.kept]))
        undone /= (near @ [key.count for key in self.kept])[:, None, None]
        result = np.empty_like(landmarks)
        for row, (points, back) in enumerate(zip(landmarks, undone, strict=True)):
            matrix = shape_placement(points, SIDE)
            inside = moved(points, matrix)
            inside[:, :2] += back
            result[row] = moved(inside, inverse(matrix))
        return result

    def _cut(self, frame: Frame, points: NDArray[np.float64], matrix: NDArray[np.float64]) -> _Keyframe:
        device = self.model.mean.device
        grey = torch.from_numpy(cut(frame, matrix, SIDE)).to(device).float().mean(2) / 255
        placed = torch.from_numpy(points)[None].float().to(device)
        head = place(self.model.mean, placed)
        return _Keyframe(grey[None, None], placed, head.rotation, head.shape)

    def _agreeing(self, key: _Keyframe, face: _Keyframe) -> Tensor:
        """The landmarks of a face, moved to where the keyframe's pixels are found."""
        triangles = self.model.triangles
        number, weights = rasterize(face.points, triangles, SIDE, SIDE, facing(face.points, triangles) > 0)
        known = torch.cat((key.points[..., :2], facing_camera(key.points, self.model)), -1)
        flow, shown = interpolate(known, triangles, number, weights).split((2, 1), 1)
        shift = self.aligner(sample(key.grey, flow), face.grey, shown * (number >= 0)[:, None])
        cells, shapes = shift.shape[-1] / SIDE, (key.shape, face.shape)
        return landed(face.points, shift / 2, cells, self.model.mean, shapes, steady=True)

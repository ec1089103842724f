"""How well a camera sees each point of a face."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ..ops.face_model import FaceModel
from ..ops.geometry import euler_angles
from ..ops.head_mesh import Placement
from ..ops.masks import ramp, smoothstep
from ..ops.mesh import rasterize, vertex_facing

_DEPTH_SIZE = 160
"""Side in pixels of the depth picture that finds points hidden behind others, such as a cheek behind the nose."""

_ASIDE, _MIDLINE = (38.0, 55.0), 0.15
"""Degrees of yaw between which the far half of a face becomes a guess, and width of the strip along its middle in which
that half begins, in distances between the outer eye corners."""


def visibility(landmarks: Tensor, model: FaceModel) -> Tensor:
    """How well each landmark is seen by the camera, ``(B, 478)`` in [0, 1].

    A point counts as seen when its surface faces the camera (fully up to 60 degrees of slant, not at all beyond 81,
    where a small error of the landmarks already shows the background) and nothing of the face lies in front of it.
    """
    seen = facing_camera(landmarks, model)[..., 0]
    low, high = landmarks[..., :2].amin(1, keepdim=True), landmarks[..., :2].amax(1, keepdim=True)
    scale = (_DEPTH_SIZE - 4) / (high - low).amax(-1, keepdim=True).clamp_min(1e-6)
    scaled = torch.cat((landmarks[..., :2] - low, landmarks[..., 2:]), -1) * scale
    scaled = scaled + scaled.new_tensor((2.0, 2.0, 0.0))
    number, weights = rasterize(scaled, model.triangles, _DEPTH_SIZE, _DEPTH_SIZE)
    batch = torch.arange(len(landmarks), device=landmarks.device)[:, None, None, None]
    depth = (scaled[batch, model.triangles[number.clamp_min(0)], 2] * weights).sum(-1)
    depth = torch.where(number >= 0, depth, torch.inf)
    # The neighbourhood's farthest depth: a point on a silhouette is not hidden by the surface it belongs to.
    depth = functional.max_pool2d(depth[:, None], 3, 1, 1)[:, 0]
    column, row = scaled[..., 0].long(), scaled[..., 1].long()
    hidden = scaled[..., 2] > depth[batch[..., 0, 0], row, column] + 0.06 * _DEPTH_SIZE
    return torch.where(hidden, 0.0, seen)


def facing_camera(landmarks: Tensor, model: FaceModel) -> Tensor:
    """How far each landmark's surface faces the camera, ``(B, 478, 1)``: 1 up to 60 degrees of slant, 0 from 81 on."""
    return ((vertex_facing(landmarks, model.triangles) - 0.15) / 0.35).clamp(0, 1)[..., None]


def near_half(face: Placement, model: FaceModel) -> Tensor:
    """Which points of a face ``(B, 478)`` in [0, 1] are not of the far half of one that is seen nearly from the side.

    Where the nose hides that half, landmarks of it are guesses, and lie on the other half or on the background.
    """
    yaw = euler_angles(face.rotation)[:, :1]
    away = smoothstep(0.5 + model.mean[None, :, 0] * yaw.sign() / _MIDLINE)
    return 1 - away * ramp(yaw.abs(), _ASIDE)


def inside(landmarks: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Whether landmarks ``(B, P, 3)`` lie in a picture of a shape, ``(B, P)`` 0 or 1."""
    size = landmarks.new_tensor((shape[1], shape[0]))
    return ((landmarks[..., :2] >= 0) & (landmarks[..., :2] <= size)).all(-1).to(landmarks.dtype)

"""The source as results are compared with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..models import Models
from ..ops.face_model import poses
from ..stages.appearance_map import AppearanceMap
from ..streams import Frame
from . import metrics
from .crops import Floats, Outline, box_of, cut, image_of, well_inside
from .gaps import pose_gap
from .identity import Embedder


@dataclass(frozen=True)
class Reference:
    """The source's face, as results are compared with it.

    Attributes:
        poses: ``(K, 3)`` yaw, pitch, roll in degrees of its views.
        size: longer side of the face in pixels, in its largest view.
        sharpness: of its views' crops.
        descriptor: ``(D,)``, None without an embedder.
    """

    poses: Floats
    size: float
    sharpness: float
    descriptor: Tensor | None

    @staticmethod
    def of(source: AppearanceMap, models: Models, embedder: Embedder | None, looked_at: int = 3) -> Reference:
        """Measure a source.

        Args:
            source: its views.
            models: for the face model.
            embedder: describes identity; None leaves it out.
            looked_at: the most frontal views so many are described.
        """
        turned = np.hypot(source.poses[:, 0], source.poses[:, 1])
        chosen = np.argsort(turned, kind="stable")[:looked_at].tolist()
        faces = [(source.views[n], source.landmarks[n]) for n in chosen]
        outline = Outline(models)
        sharp = [
            float(metrics.sharpness(image_of(cut(view, box_of(face))), well_inside(outline(face))))
            for view, face in faces
        ]
        found = embedder([view for view, _ in faces], [face for _, face in faces]).mean(0) if embedder else None
        sizes = np.ptp(source.landmarks[..., :2], axis=1).max(1)
        return Reference(source.poses, float(sizes.max()), float(np.median(sharp)), found)

    def gap(self, pose: Floats) -> float:
        """Yaw and pitch from a pose ``(3,)`` to the nearest view, in degrees, as one angle."""
        return pose_gap(self.poses, pose)


def single_view(frame: Frame, landmarks: Floats, models: Models) -> AppearanceMap:
    """The appearance map of a source of one picture: the whole frame, with landmarks ``(478, 3)``."""
    pose = poses(models.face_model, torch.from_numpy(landmarks)[None].to(models.device)).cpu().numpy()
    box = np.array([[0, 0, frame.shape[1], frame.shape[0]]], np.float32)
    return AppearanceMap((frame,), pose.astype(np.float32), landmarks[None], box)

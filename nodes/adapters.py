"""Faces from Host Landmarks: what ComfyUI's own face landmarker found, for the FSGAN nodes."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from . import host, pictures, widgets
from .reports import analysis_words
from .types import Faces, FacesType, ModelSet, stages

if TYPE_CHECKING:
    from ..fsgan_core.faces import FaceSequence
    from ..fsgan_core.ops.face_model import FaceModel

HostLandmarks = host.io.Custom("FACE_LANDMARKS")


class FacesFromHost(host.Node):
    """The host's landmarks as ours."""

    @classmethod
    def define_schema(cls) -> host.io.Schema:
        """The host's landmarks in, faces out."""
        return host.accepted(
            host.io.Schema,
            node_id="FSGAN_FacesFromHostLandmarks",
            display_name="Faces from Host Landmarks",
            category="FSGAN/analyze",
            description="Take faces from ComfyUI's Detect Face Landmarks (MediaPipe). Each picture is taken by itself.",
            search_aliases=["mediapipe landmarks", "face landmarks adapter", "fsgan"],
            inputs=[
                widgets.socket(HostLandmarks, "face_landmarks", "From Detect Face Landmarks (MediaPipe)."),
                widgets.socket(host.io.Image, "image", "The pictures in which they were found."),
                widgets.models(),
            ],
            outputs=[
                widgets.output(FacesType, "faces", "The faces as numbers: where they are, landmarks, pose."),
                widgets.output(host.io.String, "report", "The faces: size, pose, and in which frames."),
            ],
        )

    @classmethod
    def execute(cls, face_landmarks: Any, image: Any, models: ModelSet | None = None) -> host.io.NodeOutput:
        """Convert every face of every picture."""
        from ..fsgan_core.faces import Analysis
        from ..fsgan_core.stages.selection import describe_faces

        found, count = face_landmarks["frames"], len(image)
        if len(found) != count or tuple(face_landmarks["image_size"]) != tuple(image.shape[1:3]):
            raise ValueError("the landmarks were found in other pictures than those connected; connect the same")
        model = stages(models).face_model
        faces = tuple(_face(one, index, model) for index, row in enumerate(found) for one in row)
        rate = Fraction(0) if count == 1 else pictures.RATE
        clip = pictures.clip(image)
        analysis = Analysis(clip.size, rate, count, tuple(range(1, count)), faces)
        return host.io.NodeOutput(Faces(analysis, describe_faces(clip, faces)), analysis_words(analysis))


def _face(found: Any, index: int, model: FaceModel) -> FaceSequence:
    """One face: x and y are in pixels already, depth is brought to their scale, 0 in the middle."""
    from ..fsgan_core.faces import FaceSequence, Track
    from ..fsgan_core.ops.face_model import poses

    flat, solid = np.asarray(found["landmarks_xy"], np.float32), np.asarray(found["landmarks_3d"], np.float32)
    if flat.shape != (478, 2) or solid.shape != (478, 3):
        raise ValueError(f"found {len(flat)} landmarks, expected the 478 of MediaPipe's face mesh with irises")
    scale = float(flat.std(0).mean() / max(solid[:, :2].std(0).mean(), 1e-6))
    depth = (solid[:, 2:] - solid[:, 2:].mean()) * scale
    points = np.concatenate((flat, depth), 1)[None].astype(np.float32)
    pose = poses(model, torch.from_numpy(points).to(model.mean.device)).cpu().numpy().astype(np.float32)
    box = np.concatenate((flat.min(0), flat.max(0)))[None].astype(np.float32)
    score = np.array([np.clip(float(found["score"]), 0.01, 1)], np.float32)
    return FaceSequence(Track(index, box), points, pose, score)

"""Pose and shape of faces: the bundled face model."""

from __future__ import annotations

from functools import cache

from ..ops.face_model import FaceModel
from ..weights.checkpoint import OPEN, load_weights


@cache
def load_face_model() -> FaceModel:
    """The bundled face model, in float32 on the CPU (:meth:`FaceModel.to` moves it).

    Raises:
        WeightsError: the file is missing or damaged.
    """
    tensors, config = load_weights(OPEN / "face_model.safetensors", "face_model")
    return FaceModel(
        mean=tensors["mean"].float(),
        identity=tensors["identity"].float(),
        expression=tensors["expression"].float(),
        names=tuple(config["expression"]),
        triangles=tensors["triangles"],
        regions=tensors["regions"],
        mirror=tensors["mirror"],
    )

"""Pose and shape of faces: the bundled face model."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from ..ops.face_model import FaceModel
from ..ops.landmarks import COUNT
from ..weights.checkpoint import OPEN, load_weights, understood


@cache
def load_face_model(path: Path = OPEN / "face_model.safetensors") -> FaceModel:
    """The bundled face model, in float32 on the CPU (:meth:`FaceModel.to` moves it).

    Raises:
        WeightsError: the file is missing, damaged, or holds something else.
    """
    tensors, config = load_weights(path, "face_model")
    with understood(path, "is not a whole face model", "reinstall the package"):
        model = FaceModel(
            mean=tensors["mean"].float(),
            identity=tensors["identity"].float(),
            expression=tensors["expression"].float(),
            names=tuple(config["expression"]),
            triangles=tensors["triangles"],
            regions=tensors["regions"],
            mirror=tensors["mirror"],
        )
        _check(model)
        return model


def _check(model: FaceModel) -> None:
    """See that all parts are there and of the shapes that :class:`FaceModel` names."""
    points, count = (COUNT, 3), len(model.triangles)
    expected = {
        "mean": points,
        "identity": (len(model.identity), *points),
        "expression": (len(model.names), *points),
        "triangles": (count, 3),
        "regions": (count,),
        "mirror": (COUNT,),
    }
    for name, shape in expected.items():
        found = tuple(getattr(model, name).shape)
        if found != shape:
            raise ValueError(f"found {name} of {found}, expected {shape}")

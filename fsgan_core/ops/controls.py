"""The dense-landmark controller: a face turned, blinking, looking, smiling by numbers.

Each control adds shapes of the face model to the measured landmarks, so that the person's own face stays; what is
already there counts, so that a broad smile is not doubled. With all controls at 0 landmarks stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Annotated

import torch
from torch import Tensor

from ..options import Range, check_ranges
from .face_model import FaceModel, fit
from .geometry import euler_angles, rotation_matrix
from .head_mesh import Placement, place, points
from .motion import LEFT_LIDS, LIPS, RIGHT_LIDS


@dataclass(frozen=True, kw_only=True)
class Controls:
    """What is added to a face as it was measured; 0 everywhere leaves it as it is.

    Left and right are the person's own: their left eye is seen on the right side of a picture that is not mirrored.
    """

    yaw: Annotated[float, Range(-60, 60, "degrees")] = 0.0
    """turn of the head, positive towards the right side of the picture"""
    pitch: Annotated[float, Range(-40, 40, "degrees")] = 0.0
    """nod of the head, positive up"""
    roll: Annotated[float, Range(-45, 45, "degrees")] = 0.0
    """tilt of the head, positive clockwise as seen"""
    blink_left: Annotated[float, Range(-1, 1)] = 0.0
    """lids of the person's left eye (on the right side of the picture): 1 closes them, -1 opens them wide"""
    blink_right: Annotated[float, Range(-1, 1)] = 0.0
    """lids of the person's right eye (on the left side of the picture): 1 closes them, -1 opens them wide"""
    gaze_yaw: Annotated[float, Range(-30, 30, "degrees")] = 0.0
    """turn of both eyes in the head, positive towards the right side of the picture"""
    gaze_pitch: Annotated[float, Range(-30, 30, "degrees")] = 0.0
    """turn of both eyes in the head, positive up"""
    brows: Annotated[float, Range(-1, 1)] = 0.0
    """brows: 1 raises them, -1 lowers them to a frown"""
    smile: Annotated[float, Range(-1, 1)] = 0.0
    """corners of the mouth: 1 a broad smile, -1 takes a smile away and draws them down; bared teeth stay bare"""
    jaw: Annotated[float, Range(-1, 1)] = 0.0
    """mouth and jaw: 1 opens them wide, -1 closes an open mouth"""
    pucker: Annotated[float, Range(-1, 1)] = 0.0
    """lips: 1 as for a kiss, -1 stretched sideways"""
    sideways: Annotated[float, Range(-1, 1)] = 0.0
    """mouth and jaw shifted, positive towards the right side of the picture"""

    def __post_init__(self) -> None:
        check_ranges(self)

    @property
    def neutral(self) -> bool:
        """Whether nothing is asked for."""
        return all(getattr(self, item.name) == 0 for item in fields(self))


def controlled(model: FaceModel, landmarks: Tensor, controls: Controls) -> Tensor:
    """Landmarks of a face as controls want it.

    Args:
        model: the face model.
        landmarks: ``(F, 478, 3)`` of one person in pixels.
        controls: the same for every frame.

    Returns:
        ``(F, 478, 3)`` pixels; ``landmarks`` itself where nothing is asked for.
    """
    if controls.neutral:
        return landmarks
    face = place(model.mean, landmarks)
    shape = _expressed(model, landmarks, face.shape, controls)
    turn = landmarks.new_tensor((controls.yaw, controls.pitch, controls.roll))
    rotation = rotation_matrix(euler_angles(face.rotation) + turn)
    neck = face.shape.new_tensor(NECK)
    held = face.scale[:, None] * ((face.rotation - rotation) @ neck)
    return points(Placement(shape, face.scale, rotation, face.translation + held))


NECK = (0.0, 0.9, 0.9)
"""What the head turns about, in canonical units."""
_GAZE = 30.0
"""Degrees by which a gaze shape turns the eye at a coefficient of 1."""
_ROOM = 0.3
"""Least share of a control that is done where the face is already like that."""
_UNDONE = {
    "jaw": ("jawOpen", "mouthLowerDown", "mouthUpperUp", "mouthFunnel"),
    "smile": ("mouthSmile", "mouthDimple", "cheekSquint"),
}
"""How the names of the shapes begin that a control below 0 takes away: what opens the lips, what smiles."""

_SHAPES = {
    "brows": ({"browInnerUp": 1.0, "browOuterUp": 0.9}, {"browDown": 1.0}),
    "smile": ({"mouthSmile": 1.0, "cheekSquint": 0.4}, {"mouthFrown": 1.0}),
    "jaw": ({"jawOpen": 0.8, "mouthLowerDown": 0.2}, {}),
    "pucker": ({"mouthPucker": 1.0}, {"mouthStretch": 1.0}),
    "sideways": ({"mouthLeft": 0.8, "jawLeft": 0.6}, {"mouthRight": 0.8, "jawRight": 0.6}),
}
"""Shapes of the face model that a control at 1, and at -1, adds; those with two sides on both."""


def _amounts(controls: Controls) -> Iterator[tuple[str, float]]:
    """Coefficients by name of the shape."""
    for name, sides in _SHAPES.items():
        value = getattr(controls, name)
        for shape, amount in sides[value < 0].items():
            yield shape, abs(value) * amount
    yaw, pitch = controls.gaze_yaw / _GAZE, controls.gaze_pitch / _GAZE
    yield ("eyeLookUp" if pitch > 0 else "eyeLookDown"), abs(pitch)
    # The left eye looks outwards where both look to the right side of the picture.
    for side, value in (("L", yaw), ("R", -yaw)):
        yield ("eyeLookOut_" if value > 0 else "eyeLookIn_") + side, abs(value)
    for side, value in (("L", controls.blink_left), ("R", controls.blink_right)):
        yield f"eyeWide_{side}", max(0.0, -value)


def _expressed(model: FaceModel, landmarks: Tensor, shape: Tensor, controls: Controls) -> Tensor:
    """Canonical landmarks ``(F, 478, 3)`` with the expression that is asked for."""
    now = fit(model, landmarks, shared_identity=True).expression
    added = torch.zeros_like(now)
    for wanted, amount in _amounts(controls):
        for index, name in enumerate(model.names):
            if name == wanted or name in (f"{wanted}_L", f"{wanted}_R"):
                added[:, index] += amount * (1 - now[:, index]).clamp(_ROOM, 1)
    for control, shapes in _UNDONE.items():
        if (value := getattr(controls, control)) < 0:
            for index, name in enumerate(model.names):
                if name.startswith(shapes):
                    added[:, index] += value * now[:, index].clamp_min(0)
    result = shape + torch.einsum("fe,epd->fpd", added, model.expression)
    if controls.blink_right > 0:
        result = RIGHT_LIDS.closed(model, shape, result, controls.blink_right)
    if controls.blink_left > 0:
        result = LEFT_LIDS.closed(model, shape, result, controls.blink_left)
    if controls.jaw < 0:
        result = LIPS.closed(model, shape, result, -controls.jaw)
    # The rigid points hold the head: an expression moves neither it nor the hair.
    return place(model.mean, result).shape

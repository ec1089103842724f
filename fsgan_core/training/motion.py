"""The bundled motion: five seconds of a face that looks around, nods, smiles, says ah and blinks."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..faces import Analysis, FaceSequence, Track
from ..ops.face_model import FaceModel, Fit, points
from ..ops.geometry import rotation_matrix
from ..stages.analysis import save_analysis
from ..stages.pose import load_face_model

Array = NDArray[np.float64]
Keys = tuple[tuple[float, float], ...]

RATE = 25
SECONDS = 5
SIZE = 256
"""Side of the picture in pixels."""
SCALE = 82.0
"""Pixels between the outer eye corners."""
CENTRE = (128.0, 104.0)
"""Where the middle of the rigid points is when the head is still."""
NECK = (0.0, 0.9, 0.9)
"""What the head turns about, in canonical units."""

POSE: tuple[Keys, Keys, Keys] = (
    ((0.25, 0), (0.9, -23), (1.05, -22), (2.05, 23), (2.2, 22), (2.85, 0)),
    (
        (0.4, 0),
        (0.95, 2),
        (1.5, -3),
        (1.95, 1),
        (2.25, 0),
        (2.7, -9),
        (3.2, 6),
        (3.6, 0),
        (3.9, 0),
        (4.3, 4),
        (4.8, 0),
    ),
    ((0.4, 0), (0.95, 3), (1.95, -3), (2.6, 0), (3.2, 0), (3.6, 4), (4.0, 3), (4.6, 0)),
)
"""Yaw, pitch and roll: seconds and degrees."""

_RIGHT: Keys = ((0.22, 0), (0.42, 0.5), (0.9, 0.15), (1.15, 0.1), (1.3, 0))
_LEFT: Keys = ((1.2, 0), (1.42, 0.55), (1.9, 0.15), (2.15, 0.1), (2.35, 0))
_BLINK: Keys = ((0.98, 0), (1.08, 1), (1.12, 1), (1.28, 0), (3.56, 0), (3.65, 1), (3.7, 1), (3.88, 0))
_SMILE: Keys = ((2.85, 0), (3.35, 0.95), (3.7, 0.9), (4.05, 0.15), (4.5, 0))
EXPRESSION: dict[str, Keys] = {
    "eyeLookOut_R": _RIGHT,
    "eyeLookIn_L": _RIGHT,
    "eyeLookOut_L": _LEFT,
    "eyeLookIn_R": _LEFT,
    "eyeBlink_L": _BLINK,
    "eyeBlink_R": _BLINK,
    "mouthSmile_L": _SMILE,
    "mouthSmile_R": tuple((time, 0.92 * value) for time, value in _SMILE),
    "cheekSquint_L": tuple((time, 0.5 * value) for time, value in _SMILE),
    "cheekSquint_R": tuple((time, 0.5 * value) for time, value in _SMILE),
    "jawOpen": ((3.85, 0), (4.25, 0.55), (4.45, 0.52), (4.8, 0)),
    "mouthLowerDown_L": ((3.85, 0), (4.25, 0.15), (4.45, 0.15), (4.8, 0)),
    "mouthLowerDown_R": ((3.85, 0), (4.25, 0.15), (4.45, 0.15), (4.8, 0)),
    "browInnerUp_L": ((2.9, 0), (3.15, 0.25), (3.6, 0.1), (4.25, 0.45), (4.8, 0)),
    "browInnerUp_R": ((2.9, 0), (3.15, 0.25), (3.6, 0.1), (4.25, 0.45), (4.8, 0)),
    "browOuterUp_L": ((3.85, 0), (4.25, 0.3), (4.8, 0)),
    "browOuterUp_R": ((3.85, 0), (4.25, 0.3), (4.8, 0)),
}
"""Coefficients of the face model's expressions: seconds and values in [0, 1]."""


def curve(keys: Keys, times: Array) -> Array:
    """Values at ``(F,)`` times on a line through the keys that rests at each (fifth-order, minimum jerk)."""
    at, values = np.array(keys, np.float64).T
    number = np.clip(np.searchsorted(at, times, side="right") - 1, 0, len(at) - 2)
    part = np.clip((times - at[number]) / (at[number + 1] - at[number]), 0, 1)
    eased = part**3 * (10 - 15 * part + 6 * part**2)
    return np.asarray(values[number] + eased * (values[number + 1] - values[number]))


def bundled_motion(model: FaceModel) -> Analysis:
    """Make the motion with the mean face; its first frame follows on its last."""
    times = np.arange(RATE * SECONDS) / RATE
    pose = torch.tensor(np.stack([curve(keys, times) for keys in POSE], 1) + _sway(times), dtype=torch.float32)
    expression = torch.zeros(len(times), len(model.names))
    for name, keys in EXPRESSION.items():
        expression[:, model.names.index(name)] = torch.from_numpy(curve(keys, times)).float()
    rotation = rotation_matrix(pose)
    neck = torch.tensor(NECK)
    place = torch.tensor((*CENTRE, 0.0)) + SCALE * (neck - rotation @ neck)
    scale, still = torch.full((len(times),), SCALE), torch.zeros(len(times), len(model.identity))
    return _analysis(points(model, Fit(scale, rotation, place, still, expression)), pose)


def _sway(times: Array) -> Array:
    """A living head is never quite still: slow turns of about a degree, with a whole number of periods."""
    turn = 2 * np.pi * times / SECONDS
    return np.stack([0.7 * np.sin(2 * turn), 0.5 * np.sin(3 * turn), 0.4 * np.sin(turn)], 1)


def _analysis(landmarks: Tensor, pose: Tensor) -> Analysis:
    flat = landmarks[..., :2]
    boxes = torch.cat((flat.amin(1), flat.amax(1)), 1).numpy()
    scores = np.ones(len(boxes), np.float32)
    face = FaceSequence(Track(0, boxes), landmarks.numpy(), pose.numpy(), scores)
    return Analysis(size=(SIZE, SIZE), rate=Fraction(RATE), frame_count=len(boxes), cuts=(), faces=(face,))


def build(path: Path) -> None:
    """Make the bundled motion and write it."""
    save_analysis(path, bundled_motion(load_face_model()))

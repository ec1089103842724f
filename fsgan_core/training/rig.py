"""The head that the data engine draws: skin, eyeballs and mouth of the ICT head, bound to landmarks and one picture.

The skin is cut a little outside the face's oval. All parts look their colours up in one *sheet* a portrait: the
skin's chart to the left; to the right a patch for each eyeball and plain colours for teeth, gums and the throat.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from ..ops.face_model import FaceModel
from ..ops.geometry import from_vector
from ..ops.landmarks import LEFT_IRIS, RIGHT_IRIS
from .face_shapes import GAZE_DEGREES, gaze

SKIN, RIGHT_BALL, LEFT_BALL, TEETH, GUMS, THROAT = range(6)
"""Parts of the head; sides are the subject's."""
SHEET = (272, 384)
"""Height and width of a portrait's sheet in texels."""
CHART = 320
"""Width of the skin's chart in the sheet."""
PATCH = 64
"""Side of an eyeball's patch, and of the plain colours, in the sheet."""


@dataclass(frozen=True)
class Rig:
    """A head for drawing, in the canonical space of the face model (outer eye corners one unit apart).

    Attributes:
        neutral: ``(V, 3)``.
        identity: ``(K, V, 3)`` for coefficients ~ N(0, 1).
        expression: ``(E, V, 3)`` for coefficients in [0, 1]; eyeballs are turned, see :func:`shaped`.
        names: names of the expressions.
        triangles: ``(T, 3)`` int64, clockwise as seen from the front.
        parts: ``(T,)`` int64.
        place: ``(V, 2)`` x, y in texels of the sheet.
        shade: ``(V,)`` how much light reaches the inside of the mouth, 1 elsewhere.
        fade: ``(1, 1, h, w)`` opacity of the sheet's texels.
        corners: ``(478, 3)`` int64 vertices of the landmarks and ``weights`` ``(478, 3)``.
        balls: ``(V,)`` int64: 1 right, 2 left eyeball, 0 elsewhere.
        centres: ``(2, 3)`` middles of the right and the left eyeball.
        spread: ``(V, 468)`` carries what landmarks are off to the vertices.
    """

    neutral: Tensor
    identity: Tensor
    expression: Tensor
    names: tuple[str, ...]
    triangles: Tensor
    parts: Tensor
    place: Tensor
    shade: Tensor
    fade: Tensor
    corners: Tensor
    weights: Tensor
    balls: Tensor
    centres: Tensor
    spread: Tensor

    def to(self, device: torch.device | str) -> Rig:
        """The same head on another device."""
        return replace(self, **{f.name: getattr(self, f.name).to(device) for f in fields(self) if f.name != "names"})


def shaped(rig: Rig, neutral: Tensor, expression: Tensor) -> Tensor:
    """Heads with expressions: the linear shapes, then each eyeball turned about its centre.

    Args:
        rig: the head.
        neutral: ``(B or 1, V, 3)`` heads without expression.
        expression: ``(B, E)`` coefficients, in [0, 1].

    Returns:
        ``(B, V, 3)``.
    """
    moved = neutral + (expression @ rig.expression.flatten(1)).unflatten(1, (-1, 3))
    for ball, side in ((RIGHT_BALL, "R"), (LEFT_BALL, "L")):
        own = rig.balls == ball
        centre = ball_centre(rig, neutral, ball)
        turned = (moved[:, own] - centre[:, None]) @ from_vector(gaze_vector(rig, expression, side)).mT
        moved[:, own] = turned + centre[:, None]
    return moved


def ball_centre(rig: Rig, neutral: Tensor, ball: int) -> Tensor:
    """Centres ``(B, 3)`` of one eyeball of heads ``(B, V, 3)``: their mean, moved as in the mean head."""
    own = rig.balls == ball
    return neutral[:, own].mean(1) + (rig.centres[ball - 1] - rig.neutral[own].mean(0))


def gaze_vector(rig: Rig, expression: Tensor, side: str) -> Tensor:
    """Axis times angle ``(B, 3)`` by which the eyeball of side ``"R"`` or ``"L"`` is turned."""
    looks = {name: expression[:, rig.names.index(f"eyeLook{name}_{side}")] for name in ("Up", "Down", "In", "Out")}
    right = looks["Out"] - looks["In"] if side == "L" else looks["In"] - looks["Out"]
    angle = torch.stack((looks["Up"] - looks["Down"], right, torch.zeros_like(right)), 1)
    return angle * math.radians(GAZE_DEGREES) * expression.new_tensor((-1.0, -1.0, 1.0))


def landmarks(rig: Rig, vertices: Tensor) -> Tensor:
    """The 478 landmarks ``(B, 478, 3)`` of heads ``(B, V, 3)``, in the vertices' space."""
    return (vertices[:, rig.corners] * rig.weights[..., None]).sum(2)


def sparse_model(rig: Rig, model: FaceModel) -> FaceModel:
    """The head at its landmarks only, for fitting."""
    mean = landmarks(rig, rig.neutral[None])[0]
    expression = landmarks(rig, rig.expression)
    for row, name in enumerate(rig.names):
        expression[row, RIGHT_IRIS[0] :] = 0
        if name.startswith("eyeLook"):
            radius = float(rig.centres[1, 2] - mean[LEFT_IRIS[0], 2])
            expression[row] += torch.from_numpy(gaze(name, mean.double().numpy(), radius)).float()
    return replace(model, mean=mean, identity=landmarks(rig, rig.identity), expression=expression, names=rig.names)


def plain_place(part: int) -> tuple[float, float]:
    """Middle of the band in the sheet that has the plain colour of teeth, gums or throat."""
    return CHART + PATCH / 2, 2 * PATCH + 16 * (part - TEETH) + 8

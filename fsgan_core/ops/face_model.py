"""A linear model of the 478 landmarks: mean + identity + expression, posed as a similarity transform."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from .geometry import euler_angles, scaled_orthographic, similarity
from .landmarks import COUNT, INNER_51, RIGID, to_ibug68
from .ridge import BoundedRidge

NOISE = 0.02
"""Standard deviation of a landmark about the model, in canonical units, as :func:`fit` weighs it against the priors."""
PRIOR = 2.0
"""How much rarer an expression coefficient of 1 is than an identity coefficient of 1 (in standard deviations)."""
LIMITS = (-0.1, 1.1)
"""Range of expression coefficients."""
DEPTH_TRUST = 0.3
"""Weight of z relative to x and y, since landmarks' depths are guesses."""
JAW_TRUST = 0.15
"""Weight of the iBUG jaw line, which slides along the outline of a turned face."""


@dataclass(frozen=True)
class FaceModel:
    """Landmark shapes in the canonical space: x right, y down, z away, outer eye corners one unit apart.

    Attributes:
        mean: ``(478, 3)`` symmetric mean face, its origin in the centroid of the rigid points.
        identity: ``(K, 478, 3)`` for coefficients ~ N(0, 1).
        expression: ``(E, 478, 3)`` for coefficients in [0, 1].
        names: names of the expressions.
        triangles: ``(T, 3)`` int64, positive signed area as seen in the picture (y down).
        regions: ``(T,)`` uint8: 0 skin, 1 inside of the mouth, 2 right and 3 left eye opening (subject's sides).
        mirror: ``(478,)`` int64, each point's twin.
    """

    mean: Tensor
    identity: Tensor
    expression: Tensor
    names: tuple[str, ...]
    triangles: Tensor
    regions: Tensor
    mirror: Tensor

    def to(self, device: torch.device | str) -> FaceModel:
        """The same model on another device."""
        values = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "names"}
        return FaceModel(names=self.names, **{name: value.to(device) for name, value in values.items()})


@dataclass(frozen=True)
class Fit:
    """Faces as coefficients of a :class:`FaceModel`.

    Attributes:
        scale: ``(B,)`` pixels per canonical unit.
        rotation: ``(B, 3, 3)`` from the canonical space to the picture.
        translation: ``(B, 3)`` pixels (``(B, 2)`` if the landmarks had no depth).
        identity: ``(B, K)``.
        expression: ``(B, E)``.
    """

    scale: Tensor
    rotation: Tensor
    translation: Tensor
    identity: Tensor
    expression: Tensor


def shape(model: FaceModel, fit: Fit) -> Tensor:
    """Canonical landmarks ``(B, 478, 3)`` of fitted faces."""
    return (
        model.mean
        + torch.einsum("bk,kpd->bpd", fit.identity, model.identity)
        + torch.einsum("be,epd->bpd", fit.expression, model.expression)
    )


def points(model: FaceModel, fit: Fit) -> Tensor:
    """Landmarks ``(B, 478, 3)`` of fitted faces in pixels."""
    turned = fit.scale[:, None, None] * shape(model, fit) @ fit.rotation.mT
    return turned + torch.nn.functional.pad(fit.translation, (0, 3 - fit.translation.shape[1]))[:, None]


def canonical(fit: Fit, landmarks: Tensor) -> Tensor:
    """Landmarks ``(B, P, 3)`` in pixels taken back to the canonical space by a fit's scale, rotation, place."""
    return (landmarks - fit.translation[:, None]) @ fit.rotation / fit.scale[:, None, None]


def poses(model: FaceModel, landmarks: Tensor) -> Tensor:
    """Poses ``(B, 3)``: yaw, pitch, roll in degrees, from the rigid points of landmarks ``(B, 478, 3)``."""
    rigid = list(RIGID)
    return euler_angles(similarity(model.mean[None, rigid], landmarks[:, rigid])[1])


def fit(
    model: FaceModel,
    landmarks: Tensor,
    *,
    weights: Tensor | None = None,
    shared_identity: bool = False,
    depth_trust: float = DEPTH_TRUST,
    rounds: int = 8,
) -> Fit:
    """Fit the model to landmarks by turns: coefficients (ridge within limits), then pose (weighted Procrustes).

    The coefficients are found together with small motions of the whole face, lest shapes that resemble a nod stand
    in for one. A depth that is weakly trusted, or not given, is filled in from the last round's face.

    Args:
        model: the face model.
        landmarks: ``(B, 478 or 68, 2 or 3)`` dense or iBUG points in pixels; all-equal sizes are not needed.
        weights: ``(B or 1, P)`` at least 0, all 1 when not given.
        shared_identity: the faces are frames of one person.
        depth_trust: weight of z relative to x and y, in [0, 1].
        rounds: number of turns.
    """
    parts = torch.cat((model.mean[None], model.identity, model.expression))
    parts = to_ibug68(parts) if landmarks.shape[1] == 68 else parts
    if parts.shape[1] != landmarks.shape[1] or landmarks.shape[2] not in (2, 3):
        raise ValueError(f"got landmarks {tuple(landmarks.shape)}, expected (B, 478 or 68, 2 or 3)")
    share = landmarks.new_ones(1, landmarks.shape[1]) if weights is None else weights
    trust = depth_trust if landmarks.shape[2] == 3 else 0.0
    count, basis = len(model.identity), torch.cat((parts[1:], motions(parts[0]))).flatten(1)
    evidence = share.repeat_interleave(3, 1) * (COUNT / parts.shape[1] / NOISE**2)
    gram = (basis * evidence[:, None]) @ basis.T
    ridge = BoundedRidge(gram, *priors(model), len(landmarks), shared=count if shared_identity else 0)
    coefficients = force = landmarks.new_zeros(len(landmarks), len(basis))
    faces = parts[:1].expand(len(landmarks), -1, -1)
    if landmarks.shape[2] == 3:
        pose = similarity(faces, landmarks, share)
    else:
        pose = scaled_orthographic(parts[0], landmarks, share)
    for _ in range(rounds):
        filled = _filled(pose, faces, landmarks, trust)
        wanted = (_undone(pose, filled) - parts[0]).flatten(1) * evidence
        coefficients, force = ridge.solve(wanted @ basis.T, (coefficients, force))
        found = coefficients[:, : len(parts) - 1]
        faces = parts[0] + torch.einsum("bk,kpd->bpd", found, parts[1:])
        pose = similarity(faces, filled, share)
    scale, rotation, translation = pose
    return Fit(scale, rotation, translation[:, : landmarks.shape[2]], found[:, :count], found[:, count:])


Pose = tuple[Tensor, Tensor, Tensor]


def priors(model: FaceModel) -> tuple[Tensor, Tensor]:
    """Weights ``(N,)`` and limits ``(2, N)`` of identity, expression and motions."""
    counts = (len(model.identity), len(model.expression), 7)
    weights, low, high = ((1.0, PRIOR**2, 1e-3), (-torch.inf, LIMITS[0], -torch.inf), (torch.inf, LIMITS[1], torch.inf))
    rows = [
        torch.cat([model.mean.new_full((n,), v) for n, v in zip(counts, row, strict=True)])
        for row in (weights, low, high)
    ]
    return rows[0], torch.stack(rows[1:])


def motions(mean: Tensor) -> Tensor:
    """Shifts along and starts of turns about the axes, and growth: ``(7, P, 3)``."""
    axes = torch.eye(3, device=mean.device)[:, None].expand(-1, len(mean), -1)
    return torch.cat((axes, torch.linalg.cross(axes, mean.expand(3, -1, -1)), mean[None]))


def _filled(pose: Pose, faces: Tensor, landmarks: Tensor, trust: float) -> Tensor:
    """Landmarks whose depths are drawn towards the model's: least squares with weights by majorisation."""
    scale, rotation, translation = pose
    depth = (scale[:, None, None] * faces @ rotation.mT + translation[:, None])[..., 2:]
    seen = trust * landmarks[..., 2:] + (1 - trust) * depth if trust else depth
    return torch.cat((landmarks[..., :2], seen), 2)


def _undone(pose: Pose, landmarks: Tensor) -> Tensor:
    scale, rotation, translation = pose
    return (landmarks - translation[:, None]) @ rotation / scale[:, None, None]


def from_68(model: FaceModel, points68: Tensor) -> Tensor:
    """Dense landmarks from sparse ones.

    The model is fitted to the 68 points; what is left over of the inner 51 is spread around them.

    Args:
        model: the face model.
        points68: ``(B, 68, 2 or 3)`` iBUG points in pixels.

    Returns:
        ``(B, 478, 3)`` pixels; without given depths the nearest rigid points are about at depth 0.
    """
    weights = points68.new_ones(1, 68)
    weights[:, : INNER_51.start] = JAW_TRUST
    dense = points(model, fit(model, points68, weights=weights))
    left = (points68 - to_ibug68(dense)[..., : points68.shape[2]])[:, INNER_51]
    spread = torch.einsum("ps,bsd->bpd", _spread(model), left)
    return dense + torch.nn.functional.pad(spread, (0, 3 - points68.shape[2]))


def _spread(model: FaceModel, reach: float = 0.12) -> Tensor:
    """Weights ``(478, 51)`` that carry values from the inner iBUG points to all points, fading with distance."""
    sparse = to_ibug68(model.mean)[INNER_51]
    near = torch.exp(-torch.cdist(model.mean, sparse) / reach)
    among = torch.exp(-torch.cdist(sparse, sparse) / reach)
    inverse: Tensor = torch.linalg.inv(among + 0.05 * torch.eye(len(sparse), device=near.device))
    return near @ inverse

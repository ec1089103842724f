"""Carries pose and expression of one face over to another, as landmarks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from .face_model import FaceModel, Fit, canonical, fit
from .face_model import shape as explained
from .head_mesh import place, points
from .landmarks import LEFT_EYE, LEFT_IRIS, LIPS_INNER, RIGHT_EYE, RIGHT_IRIS, opposite

Parts = Literal["all", "expression", "mouth", "pose"]
"""What is taken from the target: everything, all but the pose, mouth and jaw alone, or the pose alone."""

PARTS: tuple[Parts, ...] = ("all", "expression", "mouth", "pose")
MOUTH_SHAPES = ("mouth", "jaw", "cheekPuff")
"""How the names of the shapes begin that belong to the mouth."""


@dataclass(frozen=True)
class _Opening:
    """An opening of the face: its width is the mean of ``lower - upper`` in y; ``shapes`` change it."""

    upper: tuple[int, ...]
    lower: tuple[int, ...]
    shapes: tuple[str, ...]
    rim: tuple[tuple[int, ...], tuple[int, ...]]
    """all points of the upper edge and those of the lower one below them, without the corners"""

    def width(self, shape: Tensor) -> Tensor:
        """Widths ``(F,)`` in canonical landmarks ``(F, 478, 3)``; negative where the edges overlap."""
        return (shape[..., list(self.lower), 1] - shape[..., list(self.upper), 1]).mean(-1)

    def widened(self, model: FaceModel, shape: Tensor, width: Tensor) -> Tensor:
        """Canonical landmarks with this opening's shapes added so that it is ``width`` wide."""
        change = sum((model.expression[model.names.index(name)] for name in self.shapes), torch.zeros_like(model.mean))
        amount = (width - self.width(shape)) / self.width(change)
        return shape + amount.clamp(-1.2, 1.2)[:, None, None] * change

    def closed(self, model: FaceModel, before: Tensor, shape: Tensor, part: Tensor | float) -> Tensor:
        """Canonical landmarks with this opening narrower than it was.

        Args:
            model: the face model.
            before: ``(F, 478, 3)``, as wide as at ``part`` 0.
            shape: ``(F, 478, 3)`` to change.
            part: ``(F,)`` or one for all, in [0, 1]; 1 closes it, along its whole edge.
        """
        part = torch.as_tensor(part, dtype=shape.dtype, device=shape.device).expand(len(shape))
        result = self.widened(model, shape, (1 - part) * self.width(before))
        upper, lower, part = list(self.rim[0]), list(self.rim[1]), part[:, None, None]
        gap = (1 - part) * (before[:, lower] - before[:, upper])
        result[:, upper] = torch.lerp(result[:, upper], result[:, lower] - gap, part)
        return result


RIGHT_LIDS = _Opening((160, 159, 158), (144, 145, 153), ("eyeBlink_R",), opposite(RIGHT_EYE))
LEFT_LIDS = _Opening((387, 386, 385), (373, 374, 380), ("eyeBlink_L",), opposite(LEFT_EYE))
LIPS = _Opening((82, 13, 312), (87, 14, 317), ("mouthLowerDown_L", "mouthLowerDown_R"), opposite(LIPS_INNER))


def shut(model: FaceModel, landmarks: Tensor) -> Tensor:
    """Landmarks of one person in which lids that nearly meet do meet, each eye by itself.

    Lids of a shut eye are hardly ever found to meet, and the slit between them would be drawn as an eye. From half open
    on nothing changes, and in between lids go over steadily, so that a blink remains as smooth as it was.

    Args:
        model: the face model.
        landmarks: ``(F, 478, 3)`` in pixels, all frames there are: they say how wide the open eye is.

    Returns:
        ``(F, 478, 3)``; frames in which no eye is that narrow are as they were.
    """
    face = place(model.mean, landmarks)
    shape = face.shape
    for lids in (RIGHT_LIDS, LEFT_LIDS):
        width = lids.width(face.shape)
        share = width / width.quantile(_CALM).clamp_min(_NARROW)
        left = _HALF * (share - _SHUT).clamp_min(0) / (_HALF - _SHUT)
        part = torch.where(share < _HALF, 1 - left / share.clamp_min(_SHUT), 0)
        shape = lids.closed(model, face.shape, shape, part)
    return torch.where(shape == face.shape, landmarks, points(replace(face, shape=shape)))


def transfer(model: FaceModel, source: Tensor, target: Tensor, *, parts: Parts = "all", travel: float = 0.5) -> Tensor:
    """The source's face moving like the target.

    Identity, size and place remain the source's, with everything the model does not explain. Lids and lips are
    corrected so that they close when the target's do, however far apart the source's are.

    Args:
        model: the face model.
        source: ``(478, 3)`` landmarks in pixels of the source's picture.
        target: ``(F, 478, 3)`` landmarks of one person, in pixels of any picture; see :func:`shut`.
        parts: what is taken from the target.
        travel: how far the head may leave the source's place with the target's motion about its mean, in distances
            between the outer eye corners (larger motions are compressed, for changes of size too); 0 pins it,
            infinity follows.

    Returns:
        ``(F, 478, 3)`` pixels of the source's picture.
    """
    if parts not in PARTS:
        raise ValueError(f"parts is '{parts}', expected one of {', '.join(PARTS)}")
    ours, theirs = fit(model, source[None]), fit(model, target, shared_identity=True)
    shape = canonical(ours, source[None]).expand(len(target), -1, -1)
    if parts != "pose":
        shape = _expressed(model, ours, shape, theirs, canonical(theirs, target), parts)
    rotation, scale = ours.rotation.expand(len(target), -1, -1), ours.scale.expand(len(target))
    shift = torch.zeros_like(theirs.translation)
    if parts in ("all", "pose"):
        size = theirs.scale.log().mean().exp()
        rotation = theirs.rotation
        scale = scale * _held((theirs.scale / size).log()[:, None], travel)[:, 0].exp()
        shift = ours.scale * _held((theirs.translation - theirs.translation.mean(0)) / size, travel)
    return scale[:, None, None] * shape @ rotation.mT + (ours.translation + shift)[:, None]


def proportioned(model: FaceModel, source: Tensor, target: Tensor, share: float) -> Tensor:
    """The target's face with the source's proportions; pose, expression, size and place remain the target's.

    Args:
        model: the face model.
        source: ``(478, 3)`` landmarks in pixels of any picture.
        target: ``(F, 478, 3)`` landmarks of one person, in pixels.
        share: how much of the difference, in [0, 1].

    Returns:
        ``(F, 478, 3)`` pixels of the target's picture.
    """
    ours, theirs = fit(model, source[None]), fit(model, target, shared_identity=True)
    shape = canonical(ours, source[None]).expand(len(target), -1, -1)
    shape = _expressed(model, ours, shape, theirs, canonical(theirs, target), "all")
    whole = theirs.scale[:, None, None] * shape @ theirs.rotation.mT + theirs.translation[:, None]
    return torch.lerp(target, whole, share)


def _expressed(model: FaceModel, ours: Fit, shape: Tensor, theirs: Fit, seen: Tensor, parts: Parts) -> Tensor:
    """The source's canonical landmarks with the target's expression instead of its own."""
    names = [name.startswith(MOUTH_SHAPES) or parts != "mouth" for name in model.names]
    taken = torch.tensor(names, device=shape.device)
    changed = (
        shape + _offset(model, (theirs.expression - ours.expression) * taken) + _beside(model, theirs, seen, taken)
    )
    if parts != "mouth":
        calm, their_calm = shape - _offset(model, ours.expression), seen - _offset(model, theirs.expression)
        for lids in (RIGHT_LIDS, LEFT_LIDS):
            share = lids.width(seen) / lids.width(their_calm).median().clamp_min(_NARROW)
            closing = ((0.8 - share) / 0.4).clamp(0, 1)[:, None, None]
            changed = torch.lerp(changed, lids.closed(model, calm, changed, (1 - share).clamp(0, 1)), closing)
        changed = _looking(changed, seen)
    return LIPS.widened(model, changed, LIPS.width(seen))


def _beside(model: FaceModel, theirs: Fit, seen: Tensor, taken: Tensor) -> Tensor:
    """What faces ``(F, 478, 3)`` do beside what the model explains: motions about their mean, of the shapes taken.

    A brow is a few points of 478, and a fit lets the rest outweigh it; without this it went a fifth of its way.
    """
    left = seen - explained(model, theirs)
    reach = model.expression.norm(dim=2)
    share = (reach * taken[:, None]).sum(0) / reach.sum(0).clamp_min(1e-6)
    # Averaged over five frames (twice over three): what a model does not hold is noise as well.
    along = functional.pad((left - left.mean(0)).flatten(1).T[None], (2, 2), mode="replicate")
    calm = functional.avg_pool1d(functional.avg_pool1d(along, 3, 1), 3, 1)
    return calm[0].T.view_as(left) * share[:, None]


def _looking(shape: Tensor, target: Tensor) -> Tensor:
    """Canonical landmarks ``(F, 478, 3)`` whose irises lie between the corners of their eyes as the target's do.

    Irises are ten points of 478, and coefficients fitted to all of them move an iris by two thirds of its way. How high
    it stands depends on the form of the eye, so there the coefficients are believed.
    """
    result = shape.clone()
    for ring, iris in ((RIGHT_EYE, RIGHT_IRIS), (LEFT_EYE, LEFT_IRIS)):
        corners = [ring[0], ring[len(ring) // 2]]
        (low, high), (first, last) = (face[:, corners, 0].sort(1).values.unbind(1) for face in (shape, target))
        part = (target[:, iris[0], 0] - first) / (last - first).clamp_min(1e-3)
        result[:, list(iris), 0] += (low + part * (high - low) - shape[:, iris[0], 0])[:, None]
    return result


def _offset(model: FaceModel, expression: Tensor) -> Tensor:
    return torch.einsum("fe,epd->fpd", expression, model.expression)


def _held(motion: Tensor, limit: float) -> Tensor:
    """Vectors ``(F, D)`` shortened so that none is longer than the limit, small ones hardly."""
    length = torch.linalg.vector_norm(motion, dim=1, keepdim=True)
    return motion / torch.sqrt(1 + (length / max(limit, 1e-9)) ** 2)


_NARROW = 0.06
"""Least width taken for an open eye, in canonical units, so that a badly seen one decides nothing."""
_CALM = 0.75
"""Share of the frames in which an eye is narrower than it is when calm: of a short clip half may be a blink."""
_SHUT, _HALF = 0.2, 0.5
"""Shares of its calm width up to which an eye counts as shut, since lids that meet are not always found to, and from
which on its width is believed."""

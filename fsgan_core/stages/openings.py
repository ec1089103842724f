"""Mouth and eyes: how far they are open, and where the source shows nothing inside.

A closed mouth stretched open would become a red smear. Where the wanted opening is much larger than the source's, the
inside is called missing: a swap takes it from the target's picture.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ..ops.landmarks import LEFT_EYE, LEFT_IRIS, LIPS_INNER, RIGHT_EYE, RIGHT_IRIS
from ..ops.masks import smoothstep

MOUTH, RIGHT, LEFT = 1, 2, 3
"""Regions of the face mesh (0 is skin), as ``FaceModel.regions`` numbers them; sides are the subject's."""
RINGS = {MOUTH: LIPS_INNER, RIGHT: RIGHT_EYE, LEFT: LEFT_EYE}
"""The edge of each opening."""
IRISES = {RIGHT: RIGHT_IRIS, LEFT: LEFT_IRIS}
_CLOSED = 0.004
"""Area in squared eye distances under which an opening counts as closed, so that noise there decides nothing."""


def openness(shape: Tensor, region: int) -> Tensor:
    """Area ``(B,)`` of an opening in canonical landmarks ``(B, 478, 3)``, in squared eye distances, at least 0."""
    x, y, _ = shape[:, list(RINGS[region])].unbind(-1)
    area = 0.5 * (x * y.roll(-1, 1) - x.roll(-1, 1) * y).sum(1)
    return area.abs()


def recessed(vertices: Tensor) -> Tensor:
    """Landmarks ``(B, 478, 3)`` with the irises far behind the face, so that a lid that comes down hides them."""
    result = vertices.clone()
    result[:, [*RIGHT_IRIS, *LEFT_IRIS], 2] += (vertices[:, 263, :2] - vertices[:, 33, :2]).norm(dim=-1, keepdim=True)
    return result


def without_irises(shape: Tensor) -> Tensor:
    """Landmarks ``(B, 478, 3)`` with all points of an iris in the middle of its eye.

    The mesh hangs on them: an iris that looks far aside lies partly behind the lids, and would fold it over them.
    """
    result = shape.clone()
    for region, iris in IRISES.items():
        result[:, list(iris)] = shape[:, list(RINGS[region])].mean(1, keepdim=True)
    return result


def lacking(source: Tensor, target: Tensor) -> Tensor:
    """How far the inside of openings cannot come from the source, ``(B, 3)`` in the order of :data:`RINGS`.

    Args:
        source: ``(B, 478, 3)`` canonical landmarks of the source.
        target: ``(B, 478, 3)`` canonical landmarks wanted.

    Returns:
        values in [0, 1]: 0 where the source's opening is at least 0.6 of the wanted area, 1 below 0.25. For an eye that
        of the two counts of which less is shown.
    """
    before, after = (torch.stack([openness(face, region) for region in RINGS], 1) for face in (source, target))
    found = smoothstep((0.6 - (before + _CLOSED) / (after + _CLOSED)) / 0.35)
    return torch.cat((found[:, :1], found[:, 1:].amax(1, keepdim=True).expand(-1, 2)), 1)


def missing(source: Tensor, target: Tensor, regions: Tensor) -> Tensor:
    """Where the inside of an opening cannot come from the source, ``(B, 1, H, W)``; see :func:`lacking`.

    Args:
        source: ``(B, 478, 3)`` canonical landmarks of the source.
        target: ``(B, 478, 3)`` canonical landmarks wanted.
        regions: ``(B, H, W)`` region of the face mesh at each pixel, 0 elsewhere.
    """
    found = functional.pad(lacking(source, target), (1, 0))
    return found.gather(1, regions.flatten(1)).view(regions.shape)[:, None]

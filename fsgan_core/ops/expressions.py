"""Single expressions read off a face at once, without fitting the whole of it."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from .face_model import NOISE, FaceModel, motions, priors


def readings(shape: Tensor, names: tuple[str, ...], model: FaceModel) -> Tensor:
    """How far faces show some expressions.

    A linear estimate: the coefficients of :func:`~fsgan_core.ops.face_model.fit` without their limits, within a tenth
    of them for a smile.

    Args:
        shape: ``(B, 478, 3)`` canonical landmarks.
        names: the expressions, as the model names them.
        model: the face model.

    Returns:
        ``(B, len(names))``, about 0 at rest and 1 at most.
    """
    rows = _rows(model)[[model.names.index(name) for name in names]]
    return torch.einsum("epd,bpd->be", rows, shape - model.mean)


@lru_cache(maxsize=4)
def _rows(model: FaceModel) -> Tensor:
    """What each landmark says of each expression, ``(E, 478, 3)``: ridge regression in closed form."""
    # On the CPU, for not every device has double precision.
    basis = torch.cat((model.identity, model.expression, motions(model.mean))).flatten(1).cpu().double() / NOISE
    gram = basis @ basis.T + torch.diag(priors(model)[0].cpu().double())
    rows = torch.linalg.solve(gram, basis / NOISE)[len(model.identity) :][: len(model.expression)]
    return rows.view_as(model.expression).to(model.mean)

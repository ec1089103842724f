"""Completion by our linear face model: hidden sides and holes are drawn from what else is seen of the face."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from ..networks.face_space import FaceSpace, FaceSpaceConfig
from ..ops.boxes import bounding_boxes
from ..ops.flow import resize
from ..ops.pull_push import pull_push
from .open_networks import load_own, placed

FIELD = 128
"""Side in pixels at which holes are filled."""
_KNOWN = 0.1
"""Confidence from which on a pixel is kept, as in the smooth completion."""


class OpenCompleter:
    """Our model; see :class:`~fsgan_core.stages.completion.Completer`.

    Args:
        network: another model than the bundled one.
    """

    def __init__(self, network: FaceSpace | None = None) -> None:
        self.network = network or load_face_space()

    @torch.inference_mode()
    def __call__(self, image: Tensor, confidence: Tensor, mask: Tensor) -> Tensor:
        """See :class:`~fsgan_core.stages.completion.Completer`."""
        hole = ((1 - confidence / _KNOWN).clamp(0, 1) * mask).clamp(0, 1)
        if not (hole > 0).any():
            return image
        filled = completed(placed(self.network, image.device), image, hole, mask)
        return torch.lerp(image, resize(filled, *image.shape[-2:]).clamp(0, 1), hole)


def load_face_space(path: Path | None = None) -> FaceSpace:
    """The bundled model on the CPU, or that of another file.

    Raises:
        WeightsError: the file is missing, damaged, or holds something else.
    """
    return load_own("completion", lambda values: FaceSpace(FaceSpaceConfig.of(values)), path)


def completed(network: FaceSpace, image: Tensor, hole: Tensor, mask: Tensor) -> Tensor:
    """The face with its hole filled, on a field of :data:`FIELD` pixels.

    The model's face is brought to what is seen around the hole by a smooth correction.

    Args:
        network: the model.
        image: ``(B, 3, S, S)``.
        hole: ``(B, 1, S, S)`` in [0, 1], what is to be filled.
        mask: ``(B, 1, S, S)`` where a face is wanted; beyond it nothing is looked at.

    Returns:
        ``(B, 3, FIELD, FIELD)``, not limited.
    """
    wanted = (functional.adaptive_avg_pool2d(mask, FIELD) > 0.5).to(image.dtype)
    known = wanted * (functional.adaptive_max_pool2d(hole, FIELD) == 0)
    coarse = functional.adaptive_avg_pool2d(image, FIELD)
    size = network.config.size
    boxes = bounding_boxes(wanted).to(image.dtype)
    face, seen = framed(pull_push(coarse, known), boxes, size), framed(known, boxes, size)
    drawn = unframed(network(face, (seen > 0.99).to(image.dtype)), boxes, FIELD)
    return drawn + pull_push(coarse - drawn, known)


def framed(values: Tensor, boxes: Tensor, size: int) -> Tensor:
    """What lies in boxes ``(B, 4)`` (left, top, right, bottom), stretched to ``(B, C, size, size)``."""
    low, extent = boxes[:, :2], (boxes[:, 2:] - boxes[:, :2]).clamp_min(1)
    return _sampled(values, (low * 2 + extent) / values.shape[-1] - 1, extent / values.shape[-1], size)


def unframed(values: Tensor, boxes: Tensor, size: int) -> Tensor:
    """The way back from :func:`framed` into squares of a side; beyond the boxes their border is repeated."""
    low, extent = boxes[:, :2], (boxes[:, 2:] - boxes[:, :2]).clamp_min(1)
    return _sampled(values, (size - 2 * low) / extent - 1, size / extent, size)


def _sampled(values: Tensor, shift: Tensor, scale: Tensor, size: int) -> Tensor:
    matrix = torch.cat((torch.diag_embed(scale), shift[..., None]), 2)
    grid = functional.affine_grid(matrix, [len(values), 1, size, size], align_corners=False)
    return functional.grid_sample(values, grid, padding_mode="border", align_corners=False)

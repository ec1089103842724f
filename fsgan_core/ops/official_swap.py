"""One batch of the original's v2 swap, from views to result, with every intermediate picture.

The networks come as callables so that this stays a pure function; ``networks`` has the modules.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .heatmaps import landmark_discs
from .official_masks import image_pyramid, soft_erosion, transfer

Generator = Callable[[Sequence[Tensor]], tuple[Tensor, ...]]
FACE = 1
"""class of the face in the segmentation"""


@dataclass(frozen=True, kw_only=True)
class SwapNetworks:
    """The four networks of a swap."""

    reenactment: Generator
    """Gr: pyramid of image and landmark maps to image"""
    segmentation: Callable[[Tensor], Tensor]
    """S: image to logits"""
    completion: Generator
    """Gc: pyramid of face and mask to image"""
    blending: Generator
    """Gb: pyramid of transfer, target and mask to image"""


@dataclass(frozen=True, kw_only=True)
class SwapStep:
    """What a swap step computed; images ``(B, 3, R, R)`` in [0, 1], masks ``(B, 1, R, R)``."""

    reenactment: Tensor
    """views generated with the target's landmarks and mixed"""
    logits: Tensor
    """segmentation of the reenactment, ``(B, classes, R, R)``"""
    face: Tensor
    """the reenactment's face on black"""
    soft: Tensor
    """softly eroded mask of the target's face"""
    hard: Tensor
    """its core, 0 or 1"""
    completion: Tensor
    """the face with what was missing"""
    transfer: Tensor
    """the completion in the target"""
    blend: Tensor
    """the transfer with the target's light"""
    result: Tensor
    """the blend under the soft mask, the target elsewhere"""


@dataclass(frozen=True, kw_only=True)
class SwapInputs:
    """One batch; the views are fine and coarse level of V source pictures for every target frame."""

    views: tuple[Tensor, ...]
    """``(B, V, 3, R, R)`` and ``(B, V, 3, R/2, R/2)`` in [0, 1]"""
    weights: Tensor
    """``(B, V)``, not negative, each row summing to 1"""
    landmarks: Tensor
    """``(B, P, 2)`` of the target as fractions of the crop's side"""
    target: Tensor
    """``(B, 3, R, R)`` in [0, 1]"""
    mask: Tensor
    """``(B, 1, R, R)`` face of the target, 0 or 1"""


def mix_views(reenact: Generator, inputs: SwapInputs) -> Tensor:
    """Generate every view that has weight, with the target's landmarks, and sum them by weight.

    Args:
        reenact: Gr.
        inputs: the batch.

    Returns:
        ``(B, 3, R, R)`` in [0, 1].
    """
    maps = [landmark_discs(inputs.landmarks, level.shape[-1]) for level in inputs.views]
    mixed = torch.zeros_like(inputs.target)
    for view in range(inputs.weights.shape[1]):
        used = torch.nonzero(inputs.weights[:, view] > 0)[:, 0]
        if len(used):
            levels = [
                torch.cat([level[used, view], discs[used]], 1) for level, discs in zip(inputs.views, maps, strict=True)
            ]
            mixed[used] += reenact(levels)[0] * inputs.weights[used, view, None, None, None]
    return mixed


def swap_step(networks: SwapNetworks, inputs: SwapInputs, whole_batch: bool = False) -> SwapStep:
    """Swap one batch (FSGAN v2: reenactment, segmentation, completion, blending, soft composite).

    Args:
        networks: Gr, S, Gc, Gb.
        inputs: the batch.
        whole_batch: see :func:`~fsgan_core.ops.official_masks.soft_erosion`.

    Returns:
        every intermediate and the result. Where the target's mask is empty the result is the target.
    """
    reenactment = mix_views(networks.reenactment, inputs)
    logits = networks.segmentation(reenactment)
    face = reenactment * (logits.argmax(1, keepdim=True) == FACE)
    soft, hard = soft_erosion(inputs.mask, whole_batch=whole_batch)
    completion = networks.completion(image_pyramid(torch.cat([face, hard], 1)))[0]
    moved = transfer(completion, inputs.target, hard)
    blend = networks.blending(image_pyramid(torch.cat([moved, inputs.target, hard], 1)))[0]
    return SwapStep(
        reenactment=reenactment,
        logits=logits,
        face=face,
        soft=soft,
        hard=hard,
        completion=completion,
        transfer=moved,
        blend=blend,
        result=transfer(blend, inputs.target, soft),
    )

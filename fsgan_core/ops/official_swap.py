"""One batch of the original's swap, v2 and v1, from views to result, with every intermediate picture.

The networks come as callables so that this stays a pure function; ``networks`` has the modules.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from .heatmaps import blurred_points, gaussian_patches, landmark_discs
from .official_masks import image_pyramid, soft_erosion, transfer

Generator = Callable[[Sequence[Tensor]], tuple[Tensor, ...]]
FACE = 1
"""class of the face in the segmentation"""
Parts = Literal["Gr", "Gr+Gc", "Gr+Gb", "Gr+Gc+Gb"]
"""generators in use (the paper's ablation); the segmentation always is"""


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
    path: Tensor | None = None
    """v1 stepwise: ``(B, V, N, 68, 3)`` landmarks of N steps from each view to the target, in pixels of the crop"""


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


def swap_step(
    networks: SwapNetworks, inputs: SwapInputs, whole_batch: bool = False, parts: Parts = "Gr+Gc+Gb"
) -> SwapStep:
    """Swap one batch (FSGAN v2: reenactment, segmentation, completion, blending, soft composite).

    Args:
        networks: Gr, S, Gc, Gb.
        inputs: the batch.
        whole_batch: see :func:`~fsgan_core.ops.official_masks.soft_erosion`.
        parts: generators in use.

    Returns:
        every intermediate and the result. Where the target's mask is empty the result is the target.
    """
    reenactment = mix_views(networks.reenactment, inputs)
    logits = networks.segmentation(reenactment)
    soft, hard = soft_erosion(inputs.mask, whole_batch=whole_batch)
    return _finished(networks, inputs, SwapMasks(reenactment, logits, soft, hard), parts)


def swap_step_v1(networks: SwapNetworks, inputs: SwapInputs, parts: Parts = "Gr+Gc+Gb") -> SwapStep:
    """Swap one batch as FSGAN v1 (ICCV 2019): Gr also segments, masks stay hard, the blend is the result.

    Args:
        networks: Gr with heads for image and segmentation, S (not called), Gc, Gb.
        inputs: the batch; ``landmarks`` are ``(B, 68, 2 or 3)`` in pixels of the crop. With a ``path`` the reenactment
            is recurrent, without one it is one step with the other kind of map.
        parts: generators in use.
    """
    image, logits = torch.zeros_like(inputs.target), torch.zeros(())
    for view in range(inputs.weights.shape[1]):
        levels = [level[:, view] for level in inputs.views]
        if inputs.path is None:
            drawn, seg = reenact_v1(networks.reenactment, levels, inputs.landmarks)
        else:
            drawn, seg = reenact_stepwise(networks.reenactment, levels, inputs.path[:, view])
        weight = inputs.weights[:, view, None, None, None]
        image, logits = image + drawn * weight, logits + seg * weight
    return _finished(networks, inputs, SwapMasks(image, logits, inputs.mask, inputs.mask), parts, composite=False)


def reenact_v1(reenact: Generator, levels: Sequence[Tensor], landmarks: Tensor) -> tuple[Tensor, ...]:
    """One plain v1 reenactment: image and segmentation from a view and landmarks ``(B, 68, 2 or 3)`` in pixels."""
    size = levels[0].shape[-1]
    maps = [gaussian_patches(landmarks * (level.shape[-1] / size), level.shape[-1]) for level in levels]
    return reenact([torch.cat(pair, 1) for pair in zip(levels, maps, strict=True)])


def reenact_stepwise(reenact: Generator, levels: Sequence[Tensor], path: Tensor) -> tuple[Tensor, ...]:
    """The recurrent reenactment of v1: each step starts from the picture that the step before made.

    Args:
        reenact: Gr.
        levels: ``(B, 3, R, R)`` and ``(B, 3, R/2, R/2)`` in [0, 1].
        path: ``(B, N, 68, 2 or 3)`` landmarks of N steps in pixels of the crop, the target's last; see
            :func:`~fsgan_core.ops.official_views.step_landmarks`.

    Returns:
        the outputs of the last step.
    """
    size, outputs = levels[0].shape[-1], tuple(levels)
    for landmarks in path.unbind(1):
        sides = [level.shape[-1] for level in levels]
        maps = [
            blurred_points(landmarks * (side / size), side, kernel) for side, kernel in zip(sides, (13, 7), strict=True)
        ]
        outputs = reenact([torch.cat(pair, 1) for pair in zip(levels, maps, strict=True)])
        levels = image_pyramid(outputs[0])
    return outputs


@dataclass(frozen=True)
class SwapMasks:
    """A reenactment with its segmentation, and the masks of the target; see :class:`SwapStep`."""

    reenactment: Tensor
    logits: Tensor
    soft: Tensor
    hard: Tensor


def _finished(
    networks: SwapNetworks, inputs: SwapInputs, drawn: SwapMasks, parts: Parts, composite: bool = True
) -> SwapStep:
    """Completion, transfer, blending, composite. What is not completed is drawn only where the source shows it."""
    shown = (drawn.logits.argmax(1, keepdim=True) == FACE).to(drawn.hard)
    face, completion, area = drawn.reenactment * shown, drawn.reenactment * shown, drawn.hard * shown
    if "Gc" in parts:
        completion, area = networks.completion(image_pyramid(torch.cat([face, drawn.hard], 1)))[0], drawn.hard
    moved = transfer(completion, inputs.target, area)
    blend = moved
    if "Gb" in parts:
        blend = networks.blending(image_pyramid(torch.cat([moved, inputs.target, area], 1)))[0]
    return SwapStep(
        reenactment=drawn.reenactment,
        logits=drawn.logits,
        face=face,
        soft=drawn.soft,
        hard=drawn.hard,
        completion=completion,
        transfer=moved,
        blend=blend,
        result=transfer(blend, inputs.target, drawn.soft) if composite else blend,
    )

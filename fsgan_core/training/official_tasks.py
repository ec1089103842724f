"""Training of the official architectures on users' datasets or drawn pairs (paper section 4, published experiments).

``fsgan train reenactment|completion|blending|segmentation --arch ... --data DATASET``. The default recipes are the
published curriculum: the base alone at 128 px, then base and enhancer at 256 px. What is written is a weight file as
the converter makes them, so that a folder of such files is a weight set of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import FSGANError
from ..networks.ms_res_unet import MultiScaleResUNet, MultiScaleResUNetConfig
from ..ops.landmarks import to_ibug68
from ..ops.official_masks import image_pyramid, transfer
from .dataset import read_dataset
from .drawn_pairs import drawn_pairs, is_material
from .loop import Batch, Task
from .losses import blend_target
from .official_generators import (
    GeneratorTask,
    JudgedTask,
    Plan,
    Problem,
    StepwiseTask,
    covered,
    with_discs,
    with_points,
)
from .official_nets import face_mask, generator
from .official_pairs import Pairs, PairSource, picture_levels, pictures
from .official_segmentation import segmentation


def reenactment(data: Path, plan: Plan, arch: str) -> GeneratorTask:
    """Gr: one picture of a person with the landmarks of another becomes that other (section 4.3)."""
    if arch == "msrunet-v1":
        mask, helpers = face_mask(plan.segmentation)

        def posed_v1(batch: Batch) -> Problem:
            levels = picture_levels(batch["source"], plan.levels)
            target = pictures(batch["target"])
            return Problem(with_points(levels, to_ibug68(batch["target_landmarks"])), target, target)

        return StepwiseTask(mask, _network(plan, 71, version="v1"), _pairs(data, plan), posed_v1, plan, helpers)

    def posed(batch: Batch) -> Problem:
        target = pictures(batch["target"])
        levels = with_discs(picture_levels(batch["source"], plan.levels), batch["target_landmarks"])
        return Problem(levels, target, target)

    return GeneratorTask(_network(plan, 101), _pairs(data, plan), posed, plan)


def completion(data: Path, plan: Plan, arch: str) -> GeneratorTask:
    """Gc: a reenacted face with a piece missing becomes the whole face of the target (section 4.4)."""
    reenact = generator(plan.reenactment, "reenactment")
    mask, helpers = face_mask(plan.segmentation)

    @torch.no_grad()
    def posed(batch: Batch) -> Problem:
        drawn, target, landmarks = _reenacted(reenact, batch, plan)
        shown, wanted = covered(mask(drawn, landmarks), batch["seed"]), mask(target, landmarks)
        levels = image_pyramid(torch.cat([drawn * shown, wanted], 1), plan.levels)
        return Problem(levels, target * wanted, target * wanted)

    return GeneratorTask(_network(plan, 4), _pairs(data, plan), posed, plan, [reenact, *helpers])


def blending(data: Path, plan: Plan, arch: str) -> GeneratorTask:
    """Gb: one person's reenacted face on another's picture gets its light: the Poisson blending loss (section 4.5)."""
    reenact = generator(plan.reenactment, "reenactment")
    mask, helpers = face_mask(plan.segmentation)

    @torch.no_grad()
    def posed(batch: Batch) -> Problem:
        drawn, target, landmarks = _reenacted(reenact, batch, plan)
        inside = mask(drawn, landmarks) * mask(target, landmarks)
        levels = image_pyramid(torch.cat([transfer(drawn, target, inside), target, inside], 1), plan.levels)
        return Problem(levels, blend_target(drawn, target, inside), target)

    helpers = [reenact, *helpers]
    return GeneratorTask(_network(plan, 7, images=6), _pairs(data, plan, same=False), posed, plan, helpers)


_MAKERS: Mapping[str, Callable[[Path, Plan, str], Task]] = {
    "reenactment": reenactment,
    "completion": completion,
    "blending": blending,
    "segmentation": segmentation,
}


def task(data: Path, stage: str, arch: str, **arguments: Any) -> Task:
    """The training of an official architecture.

    Args:
        data: folder made by ``fsgan dataset build``, or, but for the segmentation, material of the data engine.
        stage: ``reenactment``, ``completion``, ``blending`` or ``segmentation``.
        arch: its architecture; only that of the reenactment has two.
        arguments: fields of :class:`Plan`.

    Raises:
        FSGANError: the data has no pairs, or a network that is needed was not named.
    """
    made = _MAKERS[stage](data, Plan(stage=stage, **arguments), arch)
    return JudgedTask(made) if isinstance(made, GeneratorTask) and made.plan.adversarial else made


def _reenacted(reenact: MultiScaleResUNet, batch: Batch, plan: Plan) -> tuple[Tensor, Tensor, Tensor]:
    """The source with the target's landmarks, the target, and its landmarks."""
    landmarks = batch["target_landmarks"]
    drawn: Tensor = reenact(with_discs(picture_levels(batch["source"], plan.levels), landmarks))[0]
    return drawn, pictures(batch["target"]), landmarks


def _pairs(data: Path, plan: Plan, same: bool = True) -> tuple[PairSource, PairSource]:
    if is_material(data):
        return drawn_pairs(data, plan.resolution, same)
    train, held = (Pairs(read_dataset(data, split), plan.resolution, same) for split in ("train", "all"))
    try:
        held = Pairs(read_dataset(data, "val"), plan.resolution, same)
    except FSGANError:
        # Too few people to hold pairs of them out: the figures then say how well the training is learnt.
        return train, held
    return train, held


def _network(plan: Plan, channels: int, images: int = 3, version: str = "v2") -> MultiScaleResUNet:
    first = MultiScaleResUNetConfig(
        in_channels=channels, image_channels=images, width=plan.width, max_width=plan.max_width
    )
    if version == "v2":
        return MultiScaleResUNet(first)
    return MultiScaleResUNet(
        MultiScaleResUNetConfig(
            in_channels=channels,
            out_channels=(3, 3),
            flat_layers=(2, 0, 2, 3),
            width=plan.width,
            max_width=plan.max_width,
            version="v1",
        )
    )

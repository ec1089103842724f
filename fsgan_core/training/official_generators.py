"""A generator of FSGAN in training: what it is given, what judges it, what it leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..networks.discriminator import DiscriminatorConfig, MultiScaleDiscriminator
from ..networks.ms_res_unet import MultiScaleResUNet
from ..ops.heatmaps import blurred_points, landmark_discs
from ..ops.landmarks import to_ibug68
from ..ops.official_masks import image_pyramid, random_occluder
from ..ops.wflw import to_wflw98
from .card import Card
from .loop import Batch
from .losses import adversarial_loss, critic_loss, pixel_loss, stepwise_loss, stepwise_segmentation_loss
from .official_nets import Mask, export, initialise, reconstruction, start_from
from .official_pairs import PairSource, batches, first_batch, half_way, picture_levels
from .run_files import grid

_SHOWN = 6


@dataclass(frozen=True)
class Problem:
    """What a generator is given and should make of it.

    Attributes:
        levels: pyramid of its input.
        expected: images ``(B, 3, S, S)`` in [0, 1].
        real: images that the critic takes for real.
    """

    levels: Sequence[Tensor]
    expected: Tensor
    real: Tensor


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is common to the trainings of all generators.

    Attributes:
        stage: what the network does.
        resolution: side of the crops in pixels.
        levels: of the pyramid that a generator sees: 1 trains the base alone, 2 base and enhancer.
        batch: pairs a step.
        workers: processes that read them.
        adversarial: weight of the adversarial loss.
        identity_only: judge by the identity network alone.
        width: channels of the enhancer.
        max_width: most channels anywhere.
        start: weights to go on from.
        reenactment: file of the trained reenactment network, for completion and blending.
        segmentation: file of the trained segmentation network; without it the landmarks' mesh says what is face.
        features: file of a trained feature network, which then judges instead of those that are found.
    """

    stage: str = ""
    resolution: int = 256
    levels: int = 2
    batch: int = 16
    workers: int = 2
    adversarial: float = 0.001
    identity_only: bool = False
    width: int = 128
    max_width: int = 1024
    start: str | Path = ""
    reenactment: str = ""
    segmentation: str = ""
    features: str = ""


class GeneratorTask:
    """Training of one generator; see :class:`~fsgan_core.training.loop.Task`.

    Args:
        network: the generator.
        pairs: of the training and the validation split.
        pose: makes problems of batches.
        plan: see :class:`Plan`.
        helpers: networks that problems and losses use; they follow the batch's device.
    """

    def __init__(
        self,
        network: MultiScaleResUNet,
        pairs: tuple[PairSource, PairSource],
        pose: Callable[[Batch], Problem],
        plan: Plan,
        helpers: Sequence[nn.Module] = (),
    ) -> None:
        initialise(network)
        if plan.start:
            start_from(network, Path(plan.start))
        self.model: nn.Module = network
        self.pairs, self.pose, self.plan = pairs, pose, plan
        self.judge, judges = reconstruction(plan.identity_only, plan.features)
        self.helpers = [*helpers, *judges]
        purpose = f"The {plan.stage} stage in the architecture of the FSGAN paper, for fsgan swap --models DIR."
        self.card = Card(title=f"FSGAN {plan.stage} network", purpose=purpose, data=pairs[0].about)

    def batches(self, seed: int) -> Iterator[Batch]:
        """Endless batches of pairs."""
        yield from batches(self.pairs[0], seed, self.plan.batch, self.plan.workers)

    def losses(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Reconstruction; the drawn and the real images stay in the batch."""
        problem = self.posed(batch)
        drawn = model(problem.levels)[0]
        batch |= {"drawn": drawn, "real": problem.real}
        return {"reconstruction": self.judge(drawn, problem.expected)}

    @torch.no_grad()
    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Mean absolute difference in grey levels on pairs of the validation split."""
        problem = self._validation(model, 2 * self.plan.batch)
        return {"difference": 127.5 * float(pixel_loss(model(problem.levels)[0], problem.expected))}

    @torch.no_grad()
    def sheet(self, model: nn.Module) -> NDArray[np.uint8]:
        """Rows of the first image given, what is drawn, and what is expected."""
        problem = self._validation(model, _SHOWN)
        columns = (problem.levels[0][:, :3], model(problem.levels)[0], problem.expected)
        shown = [(images.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy() for images in columns]
        return grid(list(zip(*shown, strict=True)))

    def export(self, model: nn.Module, path: Path, figures: dict[str, float]) -> None:
        """Write the generator as a converted official file."""
        export(model, path, self.plan.stage, figures)

    def posed(self, batch: Batch) -> Problem:
        """The batch's problem, with the helpers where the batch is."""
        for helper in self.helpers:
            helper.to(batch["target"].device)
        return self.pose(batch)

    def _validation(self, model: nn.Module, count: int) -> Problem:
        return self.posed(first_batch(self.pairs[1], count, next(model.parameters()).device))


class StepwiseTask(GeneratorTask):
    """Recurrent training of v1's reenactment: over a pose half-way and directly, with a segmentation as second head.

    Args:
        mask: finds the face in the target's image, which teaches the second head.
        arguments: of :class:`GeneratorTask`.
    """

    def __init__(self, mask: Mask, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.mask = mask

    def losses(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Stepwise reconstruction and segmentation; a critic sees the direct image alone."""
        problem = self.posed(batch)
        source, target = batch["source_landmarks"], batch["target_landmarks"]
        levels = picture_levels(batch["source"], self.plan.levels)
        between = model(with_points(levels, half_way(source, target)))[0]
        stepped, stepped_classes = model(with_points(image_pyramid(between, self.plan.levels), to_ibug68(target)))
        direct, classes = model(problem.levels)
        face = self.mask(problem.expected, target)
        teacher = 2 * torch.cat([1 - face, face, torch.zeros_like(face)], 1) - 1
        batch |= {"drawn": direct, "real": problem.real}
        return {
            "reconstruction": stepwise_loss(self.judge, direct, stepped, problem.expected),
            "segmentation": 0.01 * stepwise_segmentation_loss(classes, stepped_classes, teacher),
        }


class JudgedTask:
    """A generator's training against a critic; see :class:`~fsgan_core.training.loop.Adversarial`.

    Args:
        task: the same training without one.
    """

    def __init__(self, task: GeneratorTask) -> None:
        self.task, self.plan = task, task.plan
        self.model, self.card = task.model, task.card
        self.critic: nn.Module = MultiScaleDiscriminator(DiscriminatorConfig(width=min(64, self.plan.width)))
        initialise(self.critic)
        self.batches, self.evaluate, self.sheet, self.export = task.batches, task.evaluate, task.sheet, task.export

    def losses(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Those of the task, and the weighted adversarial loss."""
        losses = self.task.losses(model, batch)
        judged = self.plan.adversarial * adversarial_loss(self.critic, batch["drawn"], self.plan.levels)
        batch["drawn"] = batch["drawn"].detach()
        return {**losses, "adversarial": judged}

    def critic_losses(self, critic: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Half the loss of drawn images as false and of real ones as real."""
        return {"critic": critic_loss(critic, batch["drawn"], batch["real"], self.plan.levels)}


def with_points(levels: Sequence[Tensor], points: Tensor) -> list[Tensor]:
    """Images with v1's maps of landmarks ``(B, 68, 3)`` in pixels of the first level."""
    side = levels[0].shape[-1]
    sides = [level.shape[-1] for level in levels]
    # Windows of 13 px at 256 and 7 at 128 px.
    maps = [blurred_points(points * (size / side), size, 2 * round(6 * size / 256) + 1) for size in sides]
    return [torch.cat([level, each], 1) for level, each in zip(levels, maps, strict=True)]


def with_discs(levels: Sequence[Tensor], landmarks: Tensor) -> list[Tensor]:
    """Images with v2's maps of landmarks ``(B, 478, 3)`` in pixels of the first level."""
    points = to_wflw98(landmarks)[..., :2] / levels[0].shape[-1]
    return [torch.cat([level, landmark_discs(points, level.shape[-1])], 1) for level in levels]


def covered(faces: Tensor, seeds: Tensor) -> Tensor:
    """Faces ``(B, 1, S, S)``, 0 or 1, each without what a random ellipse on its edge hides."""
    masks = [
        mask & ~random_occluder(mask, np.random.RandomState(int(seed)))
        for mask, seed in zip((faces[:, 0] > 0.5).cpu().numpy(), seeds, strict=True)
    ]
    return torch.from_numpy(np.stack(masks))[:, None].to(faces)

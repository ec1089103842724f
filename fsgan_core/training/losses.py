"""The losses of FSGAN (ICCV 2019, section 3; weights as in the published code).

Images are ``(B, 3, H, W)`` in [0, 1]. The published code compares values in [-1, 1], where differences are twice as
large; the pixel losses here count them so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..networks.discriminator import least_squares_loss
from ..networks.vgg import perceptual_loss
from ..ops.official_masks import image_pyramid
from ..ops.poisson import poisson_blend

Features = Callable[[Tensor], Sequence[Tensor]]
"""Images to the five taps of :class:`~fsgan_core.networks.vgg.VGGFeatures`."""
Critic = Callable[[Sequence[Tensor]], Sequence[Tensor]]
"""A pyramid to scores, as :class:`~fsgan_core.networks.discriminator.MultiScaleDiscriminator`."""
_SMALLEST = 10


def pixel_loss(found: Tensor, expected: Tensor) -> Tensor:
    """Mean absolute difference, of values as in [-1, 1]."""
    return 2 * (found - expected).abs().mean()


@dataclass(frozen=True)
class Reconstruction:
    """``L_rec``: pixels and features of one or several networks.

    Attributes:
        judges: feature networks with their weights; the paper's are identity and attributes with 0.5 each, or identity
            alone with 1.
        pixels: weight of :func:`pixel_loss`.
    """

    judges: tuple[tuple[Features, float], ...] = ()
    pixels: float = 0.1

    def __call__(self, found: Tensor, expected: Tensor) -> Tensor:
        """A scalar; the expected images get no gradient."""
        total = self.pixels * pixel_loss(found, expected.detach())
        for judge, weight in self.judges:
            with torch.no_grad():
                wanted = judge(expected)
            total = total + weight * perceptual_loss(judge(found), wanted)
        return total


def adversarial_loss(critic: Critic, found: Tensor, scales: int = 2) -> Tensor:
    """Least-squares loss of a generator: every patch at every scale should count as real.

    Args:
        critic: judges pyramids.
        found: generated images.
        scales: levels of the pyramid.
    """
    return least_squares_loss(critic(image_pyramid(found, scales)), True)


def critic_loss(critic: Critic, found: Tensor, real: Tensor, scales: int = 2) -> Tensor:
    """Half the least-squares losses of generated images as false and of real ones as real.

    Args:
        critic: judges pyramids.
        found: generated images; they get no gradient.
        real: images to be taken for real.
        scales: levels of the pyramid.
    """
    false = least_squares_loss(critic(image_pyramid(found.detach(), scales)), False)
    return 0.5 * (false + least_squares_loss(critic(image_pyramid(real, scales)), True))


def stepwise_loss(
    loss: Callable[[Tensor, Tensor], Tensor], direct: Tensor, stepped: Tensor, expected: Tensor
) -> Tensor:
    """Stepwise consistency: the way over an intermediate pose leads to the same image.

    Args:
        loss: of an image and the expected one, as :class:`Reconstruction`.
        direct: generated in one step.
        stepped: generated from an intermediate result.
        expected: the target's image.
    """
    return 0.5 * (loss(direct, expected) + loss(stepped, expected))


def segmentation_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy.

    Args:
        logits: ``(B, C, H, W)``.
        labels: ``(B, H, W)`` classes.
    """
    return F.cross_entropy(logits.float(), labels)


def segmentation_consistency(head: Tensor, teacher: Tensor) -> Tensor:
    """Mean absolute difference of a generator's segmentation head and the segmentation network's logits.

    Args:
        head: ``(B, C, H, W)``, bounded by tanh.
        teacher: ``(B, C, h, w)`` logits of the target's image, resized (bicubic) where sizes differ; no gradient.
    """
    if teacher.shape[-2:] != head.shape[-2:]:
        teacher = F.interpolate(teacher, head.shape[-2:], mode="bicubic", align_corners=False)
    return (head - teacher.detach()).abs().mean()


def stepwise_segmentation_loss(direct: Tensor, stepped: Tensor, teacher: Tensor) -> Tensor:
    """Consistency of the direct segmentation and cross-entropy of the stepped one, half each.

    Args:
        direct: ``(B, C, H, W)`` head of the direct way.
        stepped: the same of the stepwise way.
        teacher: ``(B, C, H, W)`` logits of the target's image.
    """
    return 0.5 * (segmentation_consistency(direct, teacher) + segmentation_loss(stepped, teacher.argmax(1)))


def blend_target(source: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """What the blending network is to make: the source's gradients inside the mask, the target around.

    The exact solution. :func:`~fsgan_core.ops.official_masks.poisson_target`, which the published networks were trained
    with, has 8-bit steps and the target's gradients in a seam of three pixels.

    Args:
        source: the new face, also a little beyond the mask: in the transfer image, where the target begins at the
            mask, the step between the two would be a gradient to keep.
        target: the target's picture.
        mask: ``(B, 1, H, W)``, 0 or 1; where it spans at most 10 px the target is returned.

    Returns:
        images in [0, 1].
    """
    with torch.no_grad():
        wide = mask * _spacious(mask)[:, None, None, None]
        return poisson_blend(source.float(), target.float(), wide).clamp(0, 1)


def poisson_loss(
    loss: Callable[[Tensor, Tensor], Tensor], found: Tensor, source: Tensor, target: Tensor, mask: Tensor
) -> Tensor:
    """Poisson blending loss: a loss of the blend and :func:`blend_target`."""
    return loss(found, blend_target(source, target, mask))


def _spacious(mask: Tensor) -> Tensor:
    """Which masks ``(B, 1, H, W)`` span more than ten pixels both ways."""
    inside = mask[:, 0] > 0.5
    spans = [_span(inside.any(axis)) for axis in (1, 2)]
    return (spans[0] > _SMALLEST) & (spans[1] > _SMALLEST)


def _span(line: Tensor) -> Tensor:
    """Distance from the first to the last true value of ``(B, N)``."""
    place = torch.arange(line.shape[1], device=line.device)
    return torch.where(line, place, -1).amax(1) - torch.where(line, place, line.shape[1]).amin(1)

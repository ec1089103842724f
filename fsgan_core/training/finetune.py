"""Fine-tuning of an official reenactment network on a clip of the source (FSGAN v2's option), as a new network."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..networks.ms_res_unet import MultiScaleResUNet
from ..networks.vgg import VGGFeatures, perceptual_loss
from ..ops.heatmaps import landmark_discs

_APART = 2
"""least distance of two frames of a pair"""


@dataclass(frozen=True, kw_only=True)
class FinetuneOptions:
    """How a network is fine-tuned; the defaults are the original's but for ``batch_statistics``."""

    samples: int = 800
    """pairs of frames seen in all; default 800"""
    batch: int = 3
    """pairs at a time; default 3"""
    rate: float = 1e-4
    """learning rate of Adam; default 1e-4"""
    pixels: float = 0.1
    """weight of the mean absolute difference; default 0.1"""
    features: float = 1.0
    """weight of the perceptual loss; default 1"""
    freeze_norms: bool = False
    """keep the statistics of batch norm, against ghosts of the source; default off, as the original"""
    batch_statistics: bool = False
    """judge with the statistics of the batch at hand, as the original's perceptual loss does unasked; default off"""
    seed: int = 0
    """of the choice of pairs; default 0"""


def finetune(
    network: MultiScaleResUNet,
    crops: Sequence[NDArray[np.uint8]],
    landmarks: NDArray[np.float32],
    features: VGGFeatures,
    options: FinetuneOptions | None = None,
) -> MultiScaleResUNet:
    """Fit a v2 reenactment network to one person.

    Pairs of frames at least two apart: the first, drawn with the second's landmarks, should be the second.

    Args:
        network: stays as it is.
        crops: F frames of the face, uint8 ``(S, S, 3)`` with crop scale 1.2, S even (256).
        landmarks: ``(F, 98, 2)`` as fractions of the crop's side, not smoothed.
        features: the identity network; stays as it is.
        options: see :class:`FinetuneOptions`.

    Returns:
        a new network in evaluation mode on the device of ``network``.

    Raises:
        ValueError: too few frames, or their number is not that of the landmarks.
    """
    options = options or FinetuneOptions()
    if len(crops) <= _APART or len(crops) != len(landmarks):
        found = f"{len(crops)} crops and {len(landmarks)} sets of landmarks"
        raise ValueError(f"got {found}, expected as many of each and at least {_APART + 1}")
    tuned = copy.deepcopy(network).train().requires_grad_(True)
    judge = copy.deepcopy(features).train(options.batch_statistics).requires_grad_(False)
    if options.freeze_norms:
        for module in tuned.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.eval()
    optimizer = torch.optim.Adam(tuned.parameters(), lr=options.rate, betas=(0.5, 0.999))
    random = np.random.default_rng(options.seed)
    for _ in range(options.samples // options.batch):
        first, second = _pairs(random, len(crops), options.batch)
        levels, target = _batch(crops, landmarks, first, second, next(tuned.parameters()).device)
        drawn = tuned(levels)[0]
        # The original compares values in [-1, 1], where a difference is twice as large.
        loss = options.pixels * 2 * (drawn - target).abs().mean()
        loss = loss + options.features * perceptual_loss(judge(drawn), judge(target))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return tuned.eval().requires_grad_(False)


def _pairs(random: np.random.Generator, count: int, batch: int) -> NDArray[np.int64]:
    """First and second frames ``(2, batch)``, at least two apart and both ways round."""
    step = random.integers(_APART, count, batch)
    start = random.integers(0, count - step)
    pair = np.stack([start, start + step])
    return np.asarray(np.where(random.random(batch) < 0.5, pair, pair[::-1]), np.int64)


def _batch(
    crops: Sequence[NDArray[np.uint8]],
    landmarks: NDArray[np.float32],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    device: torch.device,
) -> tuple[list[Tensor], Tensor]:
    """Input levels and target."""
    sources = [crops[index] for index in first]
    halves = [np.asarray(cv2.pyrDown(picture), np.uint8) for picture in sources]
    points = torch.from_numpy(landmarks[second]).to(device)
    levels = [
        torch.cat([image, landmark_discs(points, image.shape[-1])], 1)
        for image in (_images(sources, device), _images(halves, device))
    ]
    return levels, _images([crops[index] for index in second], device)


def _images(pictures: Sequence[NDArray[np.uint8]], device: torch.device) -> Tensor:
    return torch.from_numpy(np.stack(pictures)).to(device).permute(0, 3, 1, 2).float() / 255

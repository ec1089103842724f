"""HRNet with 98 WFLW landmarks (Sun et al. 2019): heatmaps from four resolutions kept in parallel."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .residual import BasicBlock, bottlenecks, conv1x1, conv3x3

_STEM = 64
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True, kw_only=True)
class HRNetConfig:
    """Sizes of the landmark network; the defaults are HRNet-W18 for WFLW."""

    landmarks: int = 98
    """number of heatmaps"""
    widths: tuple[int, ...] = (18, 36, 72, 144)
    """channels of each resolution, fine to coarse"""
    modules: tuple[int, ...] = (1, 4, 3)
    """modules of stages 2, 3, 4; stage s has s resolutions"""
    blocks: int = 4
    """residual blocks of each resolution of a module"""


class HRNet(nn.Module):
    """Stem, a stage of bottlenecks, three multi-resolution stages, head.

    Args:
        config: sizes; :attr:`config` keeps it.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: HRNetConfig) -> None:
        super().__init__()
        self.config = config
        w = config.widths
        self.conv1, self.bn1 = conv3x3(3, _STEM, 2), nn.BatchNorm2d(_STEM)
        self.conv2, self.bn2 = conv3x3(_STEM, _STEM, 2), nn.BatchNorm2d(_STEM)
        self.layer1 = bottlenecks(_STEM, _STEM, 4)
        self.transition1 = nn.ModuleList([_conv_norm(4 * _STEM, w[0]), nn.Sequential(_conv_norm(4 * _STEM, w[1], 2))])
        self.stage2 = _stage(config, 2)
        self.transition2 = _new_branch(w[:3])
        self.stage3 = _stage(config, 3)
        self.transition3 = _new_branch(w[:4])
        self.stage4 = _stage(config, 4)
        total = sum(w)
        self.head = nn.Sequential(
            nn.Conv2d(total, total, 1),
            nn.BatchNorm2d(total),
            nn.ReLU(inplace=True),
            nn.Conv2d(total, config.landmarks, 1),
        )
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(_STD).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Predict heatmaps.

        Args:
            images: ``(B, 3, H, W)`` in [0, 1], sides divisible by 32 (256 in training).

        Returns:
            ``(B, landmarks, H/4, W/4)``, unbounded; ``ops.heatmaps.landmarks_from_heatmaps`` reads the points.

        Raises:
            ValueError: a side is not divisible by 32.
        """
        if images.ndim != 4 or images.shape[1] != 3 or images.shape[2] % 32 or images.shape[3] % 32:
            raise ValueError(
                f"found images of shape {tuple(images.shape)}, expected (B, 3, H, W) with sides divisible by 32; resize"
            )
        y = torch.relu(self.bn1(self.conv1((images - self.mean) / self.std)))
        y = self.layer1(torch.relu(self.bn2(self.conv2(y))))
        branches = self.stage2([transition(y) for transition in self.transition1])
        branches = self.stage3([*branches, self.transition2[-1](branches[-1])])
        branches = self.stage4([*branches, self.transition3[-1](branches[-1])])
        size = branches[0].shape[2:]
        heatmaps: Tensor = self.head(torch.cat([_resized(branch, size) for branch in branches], 1))
        return heatmaps


class HRModule(nn.Module):
    """Residual blocks at every resolution, then every resolution receives the sum of all."""

    def __init__(self, widths: tuple[int, ...], blocks: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(nn.Sequential(*(BasicBlock(w) for _ in range(blocks))) for w in widths)
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(_fuse(widths, source, target) for source in range(len(widths)))
            for target in range(len(widths))
        )

    def forward(self, inputs: list[Tensor]) -> list[Tensor]:
        """Map one tensor a resolution to the same shapes."""
        branches = [branch(x) for branch, x in zip(self.branches, inputs, strict=True)]
        outputs = []
        for target, row in zip(branches, self.fuse_layers, strict=True):
            terms = [_resized(fuse(x), target.shape[2:]) for fuse, x in zip(row.children(), branches, strict=True)]
            outputs.append(torch.relu(sum(terms[1:], terms[0])))
        return outputs


def _stage(config: HRNetConfig, resolutions: int) -> nn.Sequential:
    widths = config.widths[:resolutions]
    return nn.Sequential(*(HRModule(widths, config.blocks) for _ in range(config.modules[resolutions - 2])))


def _fuse(widths: tuple[int, ...], source: int, target: int) -> nn.Module:
    """Bring resolution ``source`` to the channels (and, if finer, to the size) of ``target``."""
    if source == target:
        return nn.Identity()
    if source > target:
        return nn.Sequential(conv1x1(widths[source], widths[target]), nn.BatchNorm2d(widths[target]))
    keep = [_conv_norm(widths[source], widths[source], 2) for _ in range(target - source - 1)]
    last = nn.Sequential(conv3x3(widths[source], widths[target], 2), nn.BatchNorm2d(widths[target]))
    return nn.Sequential(*keep, last)


def _new_branch(widths: tuple[int, ...]) -> nn.ModuleList:
    """The transition to one more resolution: the others pass unchanged, the new one comes from the coarsest."""
    new = nn.Sequential(_conv_norm(widths[-2], widths[-1], 2))
    return nn.ModuleList([*(nn.Identity() for _ in widths[:-1]), new])


def _conv_norm(in_channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        conv3x3(in_channels, out_channels, stride), nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True)
    )


def _resized(x: Tensor, size: torch.Size) -> Tensor:
    return x if x.shape[2:] == size else F.interpolate(x, size=size, mode="bilinear", align_corners=False)

"""Which official network a file holds, read from nothing but the names and shapes of its tensors."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, NamedTuple

from ..errors import WeightsError
from ..networks.discriminator import DiscriminatorConfig
from ..networks.hopenet import HopenetConfig
from ..networks.hrnet import HRNetConfig
from ..networks.ms_res_unet import MultiScaleResUNetConfig
from ..networks.seg_unet import SegmentationUNetConfig
from ..networks.vgg import VGGConfig

Shapes = Mapping[str, tuple[int, ...]]

STAGES = {101: "reenactment", 71: "reenactment", 4: "completion", 7: "blending"}
"""what a multi-scale generator is for, by its number of input channels"""


class Inferred(NamedTuple):
    """A network recognised by its shapes."""

    kind: str
    """key of ``networks.ARCHITECTURES``"""
    stage: str
    """what it is used for"""
    config: dict[str, Any]
    """fields of its configuration"""


def infer(shapes: Shapes) -> Inferred:
    """Recognise an official network.

    Args:
        shapes: shape of every tensor by its official name.

    Returns:
        kind, stage and configuration; whether *every* tensor fits is for the caller to compare.

    Raises:
        WeightsError: no official network has such tensors.
    """
    for mark, recognise in _MARKS.items():
        if mark in shapes:
            try:
                return recognise(shapes)
            except (KeyError, IndexError, ValueError) as error:
                raise WeightsError(
                    f"found '{mark}' but not the tensors that belong to it; the file is incomplete, get another copy"
                ) from error
    if "inner.flat_block.model.0.model.1.weight" in shapes or "in_conv.1.weight" in shapes:
        raise WeightsError(
            "found the coarse half of a generator (first training phase), expected base and enhancer; train on"
        )
    if "conf.5.conv4.weight" in shapes:
        raise WeightsError("found the DSFD face detector, which is not needed; detection 'open' takes its place")
    names = ", ".join(sorted(shapes)[:3]) or "no tensor"
    raise WeightsError(f"found {names}..., expected the tensors of an official FSGAN network; name such a file")


def _generator(shapes: Shapes) -> Inferred:
    width, in_channels = shapes["enhancer1.in_conv.1.weight"][:2]
    heads = ["out_conv"] if "base.out_conv.1.weight" in shapes else _numbered(shapes, r"base\.(out_conv\d+)\.1\.weight")
    bins = shapes.get(f"base.{heads[0]}.2.scales", (1, 0))[1]
    # The innermost level has no tensors if it has no residual blocks; its parent's way down is always there.
    nests = 1 + len(_numbered(shapes, r"base\.inner\.((?:submodule\.)*)down_block\."))
    levels = ["base.inner." + "submodule." * level for level in range(nests)]
    flats = [_blocks(shapes, prefix + "flat_block.model.") for prefix in ("enhancer1.", *levels)]
    widths = [width, shapes["base.in_conv.1.weight"][0]]
    widths += [shapes[f"{level}down_block.model.1.weight"][0] for level in levels[:-1]]
    capped = [wide for narrow, wide in zip(widths, widths[1:], strict=False) if wide < 2 * narrow]
    if in_channels not in STAGES:
        raise WeightsError(f"found a generator with {in_channels} input channels, expected one of {list(STAGES)}")
    config = MultiScaleResUNetConfig(
        in_channels=in_channels,
        image_channels=6 if in_channels == 7 else 3,
        out_channels=tuple(shapes[f"base.{head}.1.weight"][0] // max(1, bins) for head in heads),
        flat_layers=tuple(flats),
        width=width,
        max_width=capped[0] if capped else max(1024, *widths),
        version="v1" if any(name.startswith("enhancer1.down_block.") for name in shapes) else "v2",
        bins=bins,
    )
    return Inferred("ms_res_unet", STAGES[in_channels], asdict(config))


def _segmentation(shapes: Shapes) -> Inferred:
    config = SegmentationUNetConfig(classes=shapes["final.weight"][0], width=shapes["conv1.conv1.0.weight"][0])
    return Inferred("seg_unet", "segmentation", asdict(config))


def _pose(shapes: Shapes) -> Inferred:
    blocks = tuple(_blocks(shapes, f"layer{layer}.") for layer in range(1, 5))
    config = HopenetConfig(blocks=blocks, width=shapes["conv1.weight"][0], bins=shapes["fc_yaw.weight"][0])
    return Inferred("hopenet", "pose", asdict(config))


def _landmarks(shapes: Shapes) -> Inferred:
    branches = range(_blocks(shapes, "stage4.0.branches."))
    config = HRNetConfig(
        landmarks=shapes["head.3.weight"][0],
        widths=tuple(shapes[f"stage4.0.branches.{branch}.0.conv1.weight"][0] for branch in branches),
        modules=tuple(_blocks(shapes, f"stage{stage}.") for stage in (2, 3, 4)),
        blocks=_blocks(shapes, "stage4.0.branches.0."),
    )
    return Inferred("hrnet", "landmarks", asdict(config))


def _perceptual(shapes: Shapes) -> Inferred:
    widths = tuple(shapes[f"features.{first}.weight"][0] for first in (0, 7, 14, 27, 40))
    return Inferred("vgg", "perceptual", asdict(VGGConfig(widths=widths)))


def _discriminator(shapes: Shapes) -> Inferred:
    scales = len(_numbered(shapes, r"(layer\d+)\.11\.weight"))
    config = DiscriminatorConfig(width=shapes["layer0.0.weight"][0], scales=scales)
    return Inferred("discriminator", "discriminator", asdict(config))


_MARKS: dict[str, Callable[[Shapes], Inferred]] = {
    "enhancer1.in_conv.1.weight": _generator,
    "up_concat1.conv1d.weight": _segmentation,
    "fc_yaw.weight": _pose,
    "stage4.0.branches.0.0.conv1.weight": _landmarks,
    "features.49.weight": _perceptual,
    "layer0.11.weight": _discriminator,
}


def _blocks(shapes: Shapes, prefix: str) -> int:
    """How many different numbers follow a prefix."""
    return len(_numbered(shapes, re.escape(prefix) + r"(\d+)\."))


def _numbered(shapes: Shapes, pattern: str) -> list[str]:
    found = (re.match(pattern, name) for name in shapes)
    return sorted({match.group(1) for match in found if match})

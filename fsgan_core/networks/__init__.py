"""Networks, each a module built from a frozen configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import nn

from .discriminator import DiscriminatorConfig, MultiScaleDiscriminator
from .hopenet import Hopenet, HopenetConfig
from .hrnet import HRNet, HRNetConfig
from .ms_res_unet import MultiScaleResUNet, MultiScaleResUNetConfig
from .seg_unet import SegmentationUNet, SegmentationUNetConfig
from .vgg import VGGConfig, VGGFeatures


class Architecture(NamedTuple):
    """A network and what configures it; ``network(config(...))`` builds one."""

    config: type[Any]
    network: type[nn.Module]


ARCHITECTURES: dict[str, Architecture] = {
    "ms_res_unet": Architecture(MultiScaleResUNetConfig, MultiScaleResUNet),
    "seg_unet": Architecture(SegmentationUNetConfig, SegmentationUNet),
    "hopenet": Architecture(HopenetConfig, Hopenet),
    "hrnet": Architecture(HRNetConfig, HRNet),
    "vgg": Architecture(VGGConfig, VGGFeatures),
    "discriminator": Architecture(DiscriminatorConfig, MultiScaleDiscriminator),
}
"""The official networks by the kind that their converted files carry."""


def build(kind: str, values: Mapping[str, Any]) -> nn.Module:
    """Build an untrained network.

    Args:
        kind: a key of :data:`ARCHITECTURES`.
        values: fields of its configuration, as read from JSON (lists stand for tuples).

    Raises:
        ValueError: unknown kind, or a field that the configuration does not have.
    """
    if kind not in ARCHITECTURES:
        raise ValueError(f"unknown architecture '{kind}', expected one of {', '.join(ARCHITECTURES)}")
    architecture = ARCHITECTURES[kind]
    fields = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    try:
        return architecture.network(architecture.config(**fields))
    except TypeError as error:
        raise ValueError(f"not a configuration of '{kind}': {error}") from error

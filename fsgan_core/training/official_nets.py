"""Official networks in training: how they begin, what judges them, and how they are written as weight sets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ..errors import FSGANError, WeightsError
from ..networks.ms_res_unet import MultiScaleResUNet
from ..networks.seg_unet import SegmentationUNet
from ..networks.vgg import VGGFeatures
from ..ops.official_swap import FACE
from ..stages.pose import load_face_model
from ..stages.segmentation import MeshSegmenter
from ..weights.catalog import find
from ..weights.checkpoint import OPEN, load_network, save_weights
from .losses import Reconstruction

ID, ATTRIBUTES, OWN = "vggface2_vgg19_256_1_2_id", "celeba_vgg19_256_2_0_28_attr", "features"
"""Files of the perceptual networks: the official ones by known name, ours among the bundled weights."""
Mask = Callable[[Tensor, Tensor], Tensor]
"""Images ``(B, 3, S, S)`` and landmarks ``(B, 478, 3)`` in pixels to faces ``(B, 1, S, S)``, 0 or 1."""


def initialise(network: nn.Module) -> None:
    """Normal weights of deviation 0.02 (norms about 1), no bias, as published."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, 0, 0.02)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1, 0.02)
        if isinstance(module, (nn.Conv2d, nn.BatchNorm2d)) and module.bias is not None:
            nn.init.zeros_(module.bias)


def start_from(network: nn.Module, path: Path) -> None:
    """Load weights to go on from. A generator's coarse half alone (no name begins with ``base``) goes into its base.

    Args:
        network: changed in place.
        path: safetensors file of the same network, a converted official one too.

    Raises:
        WeightsError: the file is missing, damaged or of another network.
    """
    try:
        tensors = load_file(path)
        coarse = isinstance(network, MultiScaleResUNet) and not any(name.startswith("base") for name in tensors)
        (network.get_submodule("base") if coarse else network).load_state_dict(tensors)
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:160]
        raise WeightsError(f"cannot start from {path} ({reason}...); name weights of the same network") from error


def frozen(network: nn.Module) -> nn.Module:
    """The network as a judge: no gradient for its weights, statistics as they are."""
    return network.eval().requires_grad_(False)


def reconstruction(identity_only: bool = False, features: str = "") -> tuple[Reconstruction, list[nn.Module]]:
    """The reconstruction loss with the perceptual networks that are at hand, and those networks.

    The named one, else official ones where there are (identity and attributes half each, as v2, or identity alone),
    else our own small feature network, else pixels alone.

    Args:
        identity_only: leave the attributes out.
        features: file of a feature network.

    Raises:
        WeightsError: the named file is missing, damaged or of another network.
    """
    files = [find(ID), None if identity_only else find(ATTRIBUTES)]
    found = [path for path in files if path is not None]
    own = OPEN / f"{OWN}.safetensors"
    if not found and own.is_file():
        found = [own]
    if features:
        found = [Path(features)]
    judges = [frozen(load_network(path, "vgg")) for path in found]
    if not judges:
        return Reconstruction(pixels=1.0), []
    return Reconstruction(tuple((_features(judge), 1 / len(judges)) for judge in judges)), judges


def generator(path: str, stage: str) -> MultiScaleResUNet:
    """A trained generator that another's training needs.

    Raises:
        FSGANError: no path was given.
        WeightsError: the file is missing, damaged or of another network.
    """
    if not path:
        raise FSGANError(f"found no {stage} network, which this training needs; name a file with --set {stage}=FILE")
    network = frozen(load_network(Path(path), "ms_res_unet"))
    if not isinstance(network, MultiScaleResUNet):
        raise WeightsError(f"{path} holds a {type(network).__name__}, expected a generator")
    return network


def face_mask(path: str) -> tuple[Mask, list[nn.Module]]:
    """What finds faces in training, and the network it uses: a segmentation U-Net, or else the landmarks' mesh.

    Raises:
        WeightsError: the file is missing, damaged or of another network.
    """
    if not path:
        model = load_face_model()

        def drawn(images: Tensor, landmarks: Tensor) -> Tensor:
            # Cloned, because what inference mode makes is not for training.
            return MeshSegmenter(model.to(images.device))(images, landmarks.float()).clone()

        return drawn, []
    network = frozen(load_network(Path(path), "seg_unet"))

    @torch.no_grad()
    def masked(images: Tensor, landmarks: Tensor) -> Tensor:
        return (network(images).argmax(1, keepdim=True) == FACE).to(images)

    return masked, [network]


def export(network: nn.Module, path: Path, stage: str, figures: dict[str, float]) -> None:
    """Write a network as a converted official file, which ``fsgan swap --models DIR`` takes.

    Args:
        network: a generator or the segmentation U-Net.
        path: file to write.
        stage: what it does.
        figures: of the last evaluation, for the header.
    """
    kind = "seg_unet" if isinstance(network, SegmentationUNet) else "ms_res_unet"
    config: Any = network.config
    version = getattr(config, "version", "v2")
    name = f"trained_{stage}{'_stepwise' * (version == 'v1')}_{version}"
    shown = {key: f"{value:.5f}" for key, value in figures.items()}
    save_weights(path, network.state_dict(), kind, asdict(config), fsgan_stage=stage, source_name=name, **shown)


def _features(judge: nn.Module) -> Callable[[Tensor], list[Tensor]]:
    if not isinstance(judge, VGGFeatures):
        raise WeightsError(f"found a {type(judge).__name__}, expected a perceptual network")
    return judge

"""The official weight files as data: what they are, whose terms they carry, where to get them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

WeightSet = Literal["v1", "v2"]

RELEASES = "https://github.com/YuvalNirkin/fsgan/releases/download"
_SCRIPT = (
    "the authors' download script (download_fsgan_models.py in github.com/YuvalNirkin/fsgan) or their cloud folder"
)
_AUTHORS = "published by the FSGAN authors (repository: CC0-1.0); trained on {}, whose terms allow research only"
_IJBC = _AUTHORS.format("IJB-C")


@dataclass(frozen=True, kw_only=True)
class KnownFile:
    """One official file."""

    name: str
    """file name without suffix"""
    sets: tuple[WeightSet, ...]
    """weight sets it belongs to"""
    stage: str
    """stage it serves, as ``fsgan_stage`` in the header of the converted file"""
    kind: str
    """key of ``networks.ARCHITECTURES``, or empty: recognised, never converted"""
    content: str
    """what it is"""
    licence: str
    """whose terms apply"""
    source: str
    """where to get it: an address, or words"""
    optional: bool = False
    """not needed for swapping or reenactment, only for training and fine-tuning"""
    variant: str = ""
    """tells files of the same set and stage apart"""


KNOWN: tuple[KnownFile, ...] = (
    KnownFile(
        name="nfv_msrunet_256_1_2_reenactment_v2.1",
        sets=("v2",),
        stage="reenactment",
        kind="ms_res_unet",
        content="reenactment, 98 landmarks, crop scale 1.2",
        licence=_AUTHORS.format("IJB-C and videos collected by the authors"),
        source=_SCRIPT,
    ),
    KnownFile(
        name="ijbc_msrunet_256_1_2_inpainting_v2",
        sets=("v2",),
        stage="completion",
        kind="ms_res_unet",
        content="completion, crop scale 1.2",
        licence=_IJBC,
        source=_SCRIPT,
    ),
    KnownFile(
        name="ijbc_msrunet_256_1_2_blending_v2",
        sets=("v2",),
        stage="blending",
        kind="ms_res_unet",
        content="blending, crop scale 1.2",
        licence=_IJBC,
        source=_SCRIPT,
    ),
    KnownFile(
        name="celeba_unet_256_1_2_segmentation_v2",
        sets=("v2",),
        stage="segmentation",
        kind="seg_unet",
        content="segmentation into face and rest, crop scale 1.2",
        licence=_AUTHORS.format("CelebAMask-HQ"),
        source=_SCRIPT,
    ),
    KnownFile(
        name="hr18_wflw_landmarks",
        sets=("v2",),
        stage="landmarks",
        kind="hrnet",
        content="98 landmarks, HRNet-W18",
        licence=_AUTHORS.format("WFLW") + "; HRNet: its authors' terms",
        source=f"{RELEASES}/v2.0.0/hr18_wflw_landmarks.pth",
    ),
    KnownFile(
        name="hopenet_robust_alpha1",
        sets=("v1", "v2"),
        stage="pose",
        kind="hopenet",
        content="head pose, Hopenet on ResNet-50",
        licence="Hopenet's authors' terms; trained on 300W-LP, whose terms allow research only",
        source=f"{RELEASES}/v1.0.1/hopenet_robust_alpha1.pth",
    ),
    KnownFile(
        name="WIDERFace_DSFD_RES152",
        sets=("v2",),
        stage="detection",
        kind="",
        content="DSFD face detector; not needed, detection 'open' takes its place",
        licence="DSFD's authors' terms; trained on WIDER FACE, whose terms allow research only",
        source=_SCRIPT,
        optional=True,
    ),
    KnownFile(
        name="vggface2_vgg19_256_1_2_id",
        sets=("v2",),
        stage="perceptual",
        kind="vgg",
        content="identity features for training and fine-tuning, crop scale 1.2",
        licence=_AUTHORS.format("VGGFace2"),
        source=f"{RELEASES}/v2.0.0/vggface2_vgg19_256_1_2_id.pth",
        optional=True,
        variant="identity",
    ),
    KnownFile(
        name="celeba_vgg19_256_2_0_28_attr",
        sets=("v1", "v2"),
        stage="perceptual",
        kind="vgg",
        content="attribute features for training",
        licence=_AUTHORS.format("CelebA"),
        source=f"{RELEASES}/v1.0.1/celeba_vgg19_256_2_0_28_attr.pth",
        optional=True,
        variant="attributes",
    ),
    KnownFile(
        name="ijbc_msrunet_256_2_0_reenactment_v1",
        sets=("v1",),
        stage="reenactment",
        kind="ms_res_unet",
        content="reenactment with segmentation head, 68 landmarks, crop scale 2.0",
        licence=_IJBC,
        source=_SCRIPT,
    ),
    KnownFile(
        name="ijbc_msrunet_256_1_2_reenactment_stepwise_v1",
        sets=("v1",),
        stage="reenactment",
        kind="ms_res_unet",
        content="the same trained for several steps, 3D landmarks, crop scale 1.2",
        licence=_IJBC,
        source=_SCRIPT,
        optional=True,
        variant="stepwise",
    ),
    KnownFile(
        name="ijbc_msrunet_256_2_0_inpainting_v1",
        sets=("v1",),
        stage="completion",
        kind="ms_res_unet",
        content="completion, crop scale 2.0",
        licence=_IJBC,
        source=_SCRIPT,
    ),
    KnownFile(
        name="ijbc_msrunet_256_2_0_blending_v1",
        sets=("v1",),
        stage="blending",
        kind="ms_res_unet",
        content="blending, crop scale 2.0",
        licence=_IJBC,
        source=_SCRIPT,
    ),
    KnownFile(
        name="lfw_figaro_unet_256_2_0_segmentation_v1",
        sets=("v1",),
        stage="segmentation",
        kind="seg_unet",
        content="segmentation into face, hair and rest, crop scale 2.0",
        licence=_AUTHORS.format("LFW and Figaro"),
        source=_SCRIPT,
    ),
    KnownFile(
        name="vggface2_vgg19_256_2_0_id",
        sets=("v1",),
        stage="perceptual",
        kind="vgg",
        content="identity features for training, crop scale 2.0",
        licence=_AUTHORS.format("VGGFace2"),
        source=f"{RELEASES}/v1.0.1/vggface2_vgg19_256_2_0_id.pth",
        optional=True,
        variant="identity",
    ),
)
"""every file of the official v1 and v2 sets"""

"""Pyramids, masks, training targets and the whole swap step."""

import re
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from fsgan_core.networks import build
from fsgan_core.ops.official_masks import (
    erosion_kernel,
    image_pyramid,
    poisson_target,
    random_occluder,
    remove_inner_mouth,
    soft_erosion,
    transfer,
)
from fsgan_core.ops.official_swap import SwapInputs, SwapNetworks, swap_step


def test_pyramids(parity):
    case = parity("pyramids")
    levels = image_pyramid(case["input/x"], 3)
    case.check(levels[1], "output/level1")
    case.check(levels[2], "output/level2")
    case.check(cv2.pyrDown(case.array("input/img_u8")), "output/pyrdown_u8")


def test_soft_erosion(parity):
    case = parity("masks_soft_erosion")
    mask = case["input/mask"][:, None].float()
    names = [name for name in case.names("output/soft_") if name.endswith("_batch3")]
    assert names
    for name in names:
        kernel, threshold, iterations = re.fullmatch(r"k(\d+)_t([\d.]+)_i(\d+)_batch3", name).groups()
        soft, hard = soft_erosion(mask, int(kernel), float(threshold), int(iterations), whole_batch=True)
        case.check(soft, f"output/soft_{name}")
        case.check(hard, f"output/hard_{name}")
    case.check(soft_erosion(mask)[0], "output/soft_k21_each_alone")
    for side in case.names("output/kernel"):
        case.check(erosion_kernel(int(side)), f"output/kernel{side}")


def test_inner_mouth(parity):
    case = parity("masks_soft_erosion")
    found = remove_inner_mouth(case.array("input/mask")[0], case.array("input/mouth_landmarks"))
    case.check(found, "output/mouth_removed")


def test_random_occluder(parity):
    case = parity("random_occlusion_mask")
    masks = case.array("input/face_mask").astype(bool)
    for name in case.names("output/occlusion_seed"):
        random = np.random.RandomState(case.meta["np_random_seed_base"] + int(name))
        case.check(random_occluder(masks[int(name) % len(masks)], random), f"output/occlusion_seed{name}")


def test_poisson_target(parity):
    case = parity("poisson_blend_target")
    source, target = ((case[f"input/{name}"] + 1) / 2 for name in ("source", "target"))
    mask = case["input/mask"][:, None].float()
    case.check(transfer(source, target, mask) * 2 - 1, "output/transfer")
    case.check(poisson_target(source, target, mask) * 2 - 1, "output/poisson_target")


@pytest.fixture
def swap(parity):
    case = parity("swap_step_end_to_end")
    kwargs = case.meta["kwargs"]

    def generator(name, images):
        common = kwargs["common"]
        values = {"in_channels": kwargs[name]["in_nc"], "image_channels": images, "width": common["ngf"]}
        values |= {"flat_layers": common["flat_layers"], "out_channels": [common["out_nc"]]}
        return case.load(build("ms_res_unet", values), f"state_dict/{name}/")

    segmentation = build(
        "seg_unet", {"width": 64 // kwargs["S"]["feature_scale"], "classes": kwargs["S"]["num_classes"]}
    )
    networks = SwapNetworks(
        reenactment=generator("Gr", 3),
        segmentation=case.load(segmentation, "state_dict/S/"),
        completion=generator("Gc", 3),
        blending=generator("Gb", 6),
    )
    inputs = SwapInputs(
        views=tuple((case[f"input/src_level{i}"] + 1) / 2 for i in range(2)),
        weights=case["input/bw"],
        landmarks=case["input/tgt_landmarks"],
        target=(case["input/tgt_frame"] + 1) / 2,
        mask=case["input/tgt_mask"][:, None].float(),
    )
    return case, networks, inputs


@torch.inference_mode()
def test_swap_step(swap):
    case, networks, inputs = swap
    step = swap_step(networks, inputs, whole_batch=True)
    case.check(step.reenactment * 2 - 1, "output/1_reenactment")
    case.check(step.logits, "output/2_reenactment_seg")
    sure = case["output/2_reenactment_seg"].topk(2, 1).values.diff(dim=1).abs() > 1e-4
    assert sure.any()
    share, unsure = (step.logits.argmax(1) == 1).float().mean((1, 2)), (~sure).float().mean((1, 2, 3))
    assert ((share - case["output/2_face_fraction"]).abs() <= 1e-5 + unsure).all()
    found, expected = step.face * 2 - 1, case["output/3_reenactment_face_only"]
    assert float(((found - expected) * sure).abs().max()) <= case.meta["atol"]
    # A pixel that flips on a tie changes all that follows, so the rest starts from the recorded segmentation.
    recorded = case["output/2_reenactment_seg"]
    step = swap_step(replace(networks, segmentation=lambda _: recorded), inputs, whole_batch=True)
    case.check(step.face * 2 - 1, "output/3_reenactment_face_only")
    case.check(step.soft, "output/4_soft_mask")
    case.check(step.hard, "output/4_eroded_mask")
    case.check(step.completion * 2 - 1, "output/5_completion")
    case.check(step.transfer * 2 - 1, "output/6_transfer")
    case.check(step.blend * 2 - 1, "output/7_blend")
    case.check(step.result * 2 - 1, "output/8_result")
    frames = (step.result * 255).round().clamp(0, 255).permute(0, 2, 3, 1).flip(3)
    levels = (frames - case["output/9_result_bgr_u8"].float()).abs()
    assert float(levels.max()) <= 1 and float((levels > 0).float().mean()) < 0.01


@torch.inference_mode()
def test_swap_of_an_empty_mask_is_the_target(swap):
    _, networks, inputs = swap
    empty = replace(inputs, mask=torch.zeros_like(inputs.mask))
    torch.testing.assert_close(swap_step(networks, empty).result, inputs.target)

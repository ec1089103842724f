"""Every network computes what the original computes, on the recorded small-width weights."""

import pytest
import torch

from fsgan_core.networks import build
from fsgan_core.networks.discriminator import least_squares_loss
from fsgan_core.networks.vgg import perceptual_loss
from fsgan_core.ops.official_masks import image_pyramid

MS_RES_UNETS = [
    "msrunet_reenactment_v2",
    "msrunet_inpainting_v2",
    "msrunet_blending_v2",
    "msrunet_maxnc_cap",
    "msrunet_split_v2",
    "msrunet_msba",
    "msrunet_reenactment_v1",
    "msrunet_inpainting_v1",
    "msrunet_blending_v1",
]


def ms_res_unet(meta, images):
    kwargs = meta["kwargs"]
    heads = kwargs["out_nc"]
    return build(
        "ms_res_unet",
        {
            "in_channels": kwargs["in_nc"],
            "image_channels": images,
            "out_channels": heads if isinstance(heads, list) else [heads],
            "flat_layers": kwargs["flat_layers"],
            "width": kwargs["ngf"],
            "max_width": kwargs.get("max_nc", 1024),
            "version": "v1" if meta["cls"].startswith("v1_") else "v2",
            "bins": 64 if "msba" in meta["cls"] else 0,
        },
    )


def to_library(level, images):
    """The original's [-1, 1] images to the library's [0, 1]."""
    return torch.cat([(level[:, :images] + 1) / 2, level[:, images:]], 1)


def to_original(heads):
    return [heads[0] * 2 - 1, *heads[1:]]


@pytest.mark.parametrize("name", MS_RES_UNETS)
@torch.inference_mode()
def test_ms_res_unet(parity, name):
    case = parity(name)
    images = 6 if case.meta["kwargs"]["in_nc"] == 7 else 3
    net = case.load(ms_res_unet(case.meta, images))
    levels = [to_library(case[f"input/level{i}"], images) for i in range(2)]
    for kind, given in (("pyramid", levels), ("single_level", levels[1:]), ("bare_tensor", levels[:1])):
        for number, head in enumerate(to_original(net(given))):
            case.check(head, f"output/eval_{kind}_head{number}")


def test_training_step_of_ms_res_unet(parity):
    case = parity("msrunet_reenactment_v2")
    net = case.load(ms_res_unet(case.meta, 3)).train()
    output = to_original(net([to_library(case[f"input/level{i}"], 3) for i in range(2)]))[0]
    case.check(output, "train/output")
    loss = torch.nn.functional.l1_loss(output, case["train/target"])
    case.check(loss, "train/l1_loss")
    loss.backward()
    for name in case.names("train/grad/"):
        case.check(net.get_parameter(name).grad, f"train/grad/{name}")
    for name in case.names("train/bn_running_mean_after/"):
        case.check(net.get_buffer(f"{name}.running_mean"), f"train/bn_running_mean_after/{name}")


@torch.inference_mode()
def test_segmentation(parity):
    case = parity("unet_segmentation")
    kwargs = case.meta["kwargs"]
    net = case.load(build("seg_unet", {"classes": kwargs["num_classes"], "width": 64 // kwargs["feature_scale"]}))
    logits = net((case["input/x"] + 1) / 2)
    case.check(logits, "output/logits")
    margin = case["output/logits"].topk(2, 1).values.diff(dim=1).abs()[:, 0]
    sure = margin > 1e-4
    assert torch.equal(logits.argmax(1)[sure], case["output/argmax"][sure])


@torch.inference_mode()
def test_hrnet(parity):
    case = parity("hrnet_reduced")
    stages = [case.meta["kwargs"]["stages"][s] for s in "234"]
    values = {"widths": stages[-1][2], "modules": [s[0] for s in stages], "blocks": stages[0][1][0]}
    net = case.load(build("hrnet", {"landmarks": case.meta["kwargs"]["joints"], **values}))
    case.check(net(case["input/x"] * net.std + net.mean), "output/heatmaps")


def test_perceptual_loss(parity):
    case = parity("vgg_perceptual_loss")
    widths = [w for w, after in zip(case.meta["widths"], case.meta["widths"][1:], strict=False) if after == "M"]
    net = case.load(build("vgg", {"widths": widths}))
    a, b = case["input/a"].requires_grad_(), case["input/b"]
    taps = net((a + 1) / 2)
    for number, tap in enumerate(taps):
        case.check(tap, f"output/tap{number}")
    loss = perceptual_loss(taps, net((b + 1) / 2))
    case.check(loss, "output/eval_loss")
    loss.backward()
    case.check(a.grad, "output/eval_grad_a")
    net.train()
    case.check(perceptual_loss(net((a + 1) / 2), net((b + 1) / 2)), "output/train_mode_loss")


@torch.inference_mode()
def test_discriminator(parity):
    case = parity("multiscale_discriminator")
    kwargs = case.meta["kwargs"]
    net = case.load(build("discriminator", {"width": kwargs["ndf"], "scales": kwargs["num_D"]}))
    fine, coarse = ((case[f"input/level{i}"] + 1) / 2 for i in range(2))
    scores = net([fine, coarse])
    case.check(scores[0], "output/score_level0")
    case.check(scores[1], "output/score_level1")
    case.check(net([coarse])[0], "output/single_level_score")
    for number, score in enumerate(net(image_pyramid(fine, kwargs["num_D"]))):
        case.check(score, f"output/bare_tensor_score{number}")
    case.check(least_squares_loss(scores, real=True), "output/lsgan_real")
    case.check(least_squares_loss(scores, real=False), "output/lsgan_fake")

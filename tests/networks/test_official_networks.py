"""The official networks at small width: precision, memory formats, batches, mistakes."""

import copy

import pytest
import torch

from fsgan_core.networks import ARCHITECTURES, build
from fsgan_core.networks.ms_res_unet import MultiScaleResUNet, MultiScaleResUNetConfig

SMALL = {
    "ms_res_unet": {"in_channels": 5, "out_channels": [3, 2], "flat_layers": [1, 1, 1, 1], "width": 8},
    "seg_unet": {"width": 8},
    "hopenet": {"blocks": [1, 1, 1, 1], "width": 8},
    "hrnet": {"landmarks": 6, "widths": [4, 8, 12, 16], "modules": [1, 1, 1], "blocks": 1},
    "vgg": {"widths": [4, 8, 16, 16, 16]},
    "discriminator": {"width": 4},
}


def small(kind, seed=0):
    torch.manual_seed(seed)
    net = build(kind, SMALL[kind])
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.2, 0.2)
            torch.nn.init.uniform_(module.running_var, 0.7, 1.3)
    return net.eval()


def inputs(kind, batch=2):
    torch.manual_seed(1)
    if kind == "ms_res_unet":
        return [torch.rand(batch, 5, 32, 32), torch.rand(batch, 5, 16, 16)]
    if kind == "discriminator":
        return [torch.rand(batch, 3, 64, 64), torch.rand(batch, 3, 32, 32)]
    return torch.rand(batch, 3, 64, 64)


def apply(function, value):
    return [function(v) for v in value] if isinstance(value, list) else function(value)


def outputs(net, value):
    with torch.inference_mode():
        found = net(value)
    return list(found) if isinstance(found, (list, tuple)) else [found]


@pytest.mark.parametrize("kind", SMALL)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_close(kind, dtype):
    net, given = small(kind), inputs(kind)
    low = copy.deepcopy(net).to(dtype)
    for found, expected in zip(outputs(low, apply(lambda v: v.to(dtype), given)), outputs(net, given), strict=True):
        allowed = 4 * torch.finfo(dtype).eps * float(expected.abs().max())
        assert float((found.float() - expected).abs().mean()) < allowed


@pytest.mark.parametrize("kind", SMALL)
def test_channels_last_is_the_same_function(kind):
    net, given = small(kind), inputs(kind)
    last = copy.deepcopy(net).to(memory_format=torch.channels_last)
    permuted = apply(lambda v: v.contiguous(memory_format=torch.channels_last), given)
    for found, expected in zip(outputs(last, permuted), outputs(net, given), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", SMALL)
def test_items_of_a_batch_do_not_influence_each_other(kind):
    net, given = small(kind), inputs(kind, 3)
    alone = outputs(net, apply(lambda v: v[1:2], given))
    for found, expected in zip(alone, outputs(net, given), strict=True):
        torch.testing.assert_close(found, expected[1:2], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", SMALL)
def test_normalisation_is_not_part_of_the_weights(kind):
    net = small(kind)
    assert not [
        name for name in net.state_dict() if name.split(".")[-1] in {"mean", "std", "input_scale", "input_shift"}
    ]
    assert isinstance(net, ARCHITECTURES[kind].network) and isinstance(net.config, ARCHITECTURES[kind].config)


def test_maps_are_not_normalised_like_images():
    net = small("ms_res_unet")
    assert net.input_scale.flatten().tolist() == [2, 2, 2, 1, 1]
    assert net.input_shift.flatten().tolist() == [-1, -1, -1, 0, 0]


def test_image_is_in_unit_range_for_every_kind_of_head():
    for bins in (0, 16):
        config = MultiScaleResUNetConfig(in_channels=3, flat_layers=(1, 0, 1), width=4, bins=bins)
        image = outputs(MultiScaleResUNet(config).eval(), [torch.rand(1, 3, 16, 16), torch.rand(1, 3, 8, 8)])[0]
        assert image.shape == (1, 3, 16, 16) and float(image.min()) >= 0 and float(image.max()) <= 1


@pytest.mark.parametrize(
    "levels",
    [
        torch.zeros(1, 5, 32, 32),
        [],
        [torch.zeros(1, 5, 32, 32)] * 2,
        [torch.zeros(1, 5, 32, 32), torch.zeros(1, 4, 16, 16)],
        [torch.zeros(1, 5, 36, 36), torch.zeros(1, 5, 18, 18)],
    ],
)
def test_wrong_pyramid_is_a_mistake_of_the_caller(levels):
    with pytest.raises(ValueError, match="pyramid level"):
        small("ms_res_unet")(levels)


@pytest.mark.parametrize(("kind", "side"), [("seg_unet", 40), ("hrnet", 48)])
def test_wrong_side_is_a_mistake_of_the_caller(kind, side):
    with pytest.raises(ValueError, match="divisible"):
        small(kind)(torch.zeros(1, 3, side, side))


def test_discriminator_takes_a_list():
    for given in (torch.zeros(1, 3, 64, 64), [], [torch.zeros(1, 3, 64, 64)] * 3):
        with pytest.raises(ValueError, match="list of 1 to 2"):
            small("discriminator")(given)


def test_build_refuses_what_it_does_not_know():
    with pytest.raises(ValueError, match="unknown architecture 'x'"):
        build("x", {})
    with pytest.raises(ValueError, match="not a configuration of 'vgg'"):
        build("vgg", {"depth": 3})

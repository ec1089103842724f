"""The savings change nothing: small networks with lively batch norms against their plain selves."""

import pytest
import torch

from fsgan_core.networks import build
from fsgan_core.networks.fast import SharedReenactment, folded

SMALL = {"flat_layers": [1, 1, 1], "width": 4, "max_width": 16}
CASES = {
    "v2": ("ms_res_unet", {"in_channels": 101, **SMALL}),
    "v1": ("ms_res_unet", {"in_channels": 71, "out_channels": [3, 3], "version": "v1", **SMALL}),
    "bins": ("ms_res_unet", {"in_channels": 101, "bins": 8, **SMALL}),
    "segmentation": ("seg_unet", {"width": 4}),
    "pose": ("hopenet", {"blocks": [1, 1, 1, 1], "width": 4}),
    "landmarks": ("hrnet", {"landmarks": 5, "widths": [4, 8, 12, 16], "modules": [1, 1, 1], "blocks": 1}),
    "discriminator": ("discriminator", {"width": 4}),
}


def lively(name):
    torch.manual_seed(0)
    network = build(*CASES[name])
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for values, low, high in (
                (module.running_mean, -0.5, 0.5), (module.running_var, 0.3, 3), (module.weight.data, 0.5, 1.5),
                (module.bias.data, -0.5, 0.5),
            ):  # fmt: skip
                values.uniform_(low, high)
    return network.eval()


def pyramid(channels, size=32):
    torch.manual_seed(1)
    return [torch.rand(2, channels, size, size), torch.rand(2, channels, size // 2, size // 2)]


def flat(outputs):
    return [outputs] if isinstance(outputs, torch.Tensor) else list(outputs)


@pytest.mark.parametrize("name", CASES)
@torch.inference_mode()
def test_folded(name):
    network = lively(name)
    kind, config = CASES[name]
    inputs = {"ms_res_unet": pyramid(config.get("in_channels", 3)), "discriminator": pyramid(3)}
    given = inputs.get(kind, torch.rand(2, 3, 64, 64))
    before = {key: value.clone() for key, value in network.state_dict().items()}
    expected, fast = flat(network(given)), folded(network)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in fast.modules())
    assert not any(parameter.requires_grad for parameter in fast.parameters())
    for found, wanted in zip(flat(fast(given)), expected, strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


@pytest.mark.parametrize("name", ["v2", "v1", "bins"])
@torch.inference_mode()
def test_shared_landmark_half(name):
    network = lively(name)
    shared, maps = SharedReenactment(network), pyramid(CASES[name][1]["in_channels"] - 3)
    prepared = shared.prepare(maps)
    for seed in (2, 3):
        torch.manual_seed(seed)
        images = [torch.rand(2, 3, 32, 32), torch.rand(2, 3, 16, 16)]
        plain = network([torch.cat(pair, 1) for pair in zip(images, maps, strict=True)])
        for found, wanted in zip(shared(images, prepared), plain, strict=True):
            torch.testing.assert_close(found, wanted, atol=1e-4, rtol=0)


@torch.inference_mode()
def test_mixed_views_equal_the_plain_sum():
    network, discs = lively("v2"), pyramid(98)
    torch.manual_seed(4)
    views = [torch.rand(2, 3, 3, 32, 32), torch.rand(2, 3, 3, 16, 16)]
    weights = torch.tensor([[0.5, 0.3, 0.2], [0.0, 1.0, 0.0]])
    plain = sum(
        network([torch.cat((level[:, v], maps), 1) for level, maps in zip(views, discs, strict=True)])[0]
        * weights[:, v, None, None, None]
        for v in range(3)
    )
    torch.testing.assert_close(SharedReenactment(network).mix(views, weights, discs), plain, atol=1e-4, rtol=0)


def test_features_are_read_before_a_norm():
    with pytest.raises(ValueError, match="perceptual"):
        folded(build("vgg", {"widths": [4, 4, 8, 8, 8]}))

"""The U-Net of our crop networks."""

import pytest
import torch

from fsgan_core.networks.fast import folded
from fsgan_core.networks.unet import UNet, UNetConfig

SMALL = UNetConfig(size=32, inputs=5, outputs=2, shuffle=2, channels=(8, 12, 16))


def test_a_crop_gives_a_crop_of_any_multiple():
    network = UNet(SMALL).eval()
    with torch.inference_mode():
        for size in (32, 48):
            assert network(torch.rand(2, 5, size, size)).shape == (2, 2, size, size)


def test_every_parameter_takes_part():
    network = UNet(SMALL)
    network(torch.rand(2, 5, 32, 32)).square().sum().backward()
    assert all(value.grad is not None and value.grad.abs().sum() > 0 for value in network.parameters())


def test_the_configuration_survives_json():
    assert UNetConfig.of({"channels": [8, 16], "size": 64}) == UNetConfig(channels=(8, 16), size=64)
    with pytest.raises(TypeError):
        UNetConfig.of({"depth": 3})


def test_folding_the_norms_changes_nothing():
    torch.manual_seed(0)
    network = UNet(SMALL)
    for _ in range(3):
        network(torch.randn(4, 5, 32, 32))  # moves the running statistics
    network.eval()
    image = torch.randn(1, 5, 32, 32)
    with torch.inference_mode():
        assert (network(image) - folded(network)(image)).abs().max() < 1e-4

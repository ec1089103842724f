"""The dense landmark network."""

import pytest
import torch

from fsgan_core.networks.landmark_net import LandmarkNet, LandmarkNetConfig, fused

SMALL = LandmarkNetConfig(size=32, points=6, stem=4, channels=(4, 8), blocks=(1, 2), reduced=2, rank=4)


def trained(config=SMALL):
    """A network whose normalisations have seen something."""
    torch.manual_seed(0)
    network = LandmarkNet(config).train()
    for _ in range(3):
        network(torch.rand(4, 3, config.size, config.size))
    return network.eval()


def test_untrained_network_answers_the_mean_shape_moved_along_its_modes():
    network = LandmarkNet(SMALL).eval()
    mean, modes = torch.rand(6, 3), torch.rand(2, 6, 3)
    network.start_from(mean, modes)
    points, logit = network(torch.rand(3, 3, 32, 32))
    assert points.shape == (3, 6, 3) and logit.shape == (3,)
    away = (points - mean).detach().flatten(1)
    fit = torch.linalg.lstsq(modes.flatten(1).T, away.T)
    torch.testing.assert_close(modes.flatten(1).T @ fit.solution, away.T, atol=1e-5, rtol=1e-4)


def test_faces_of_a_batch_do_not_see_each_other():
    network, images = trained(), torch.rand(3, 3, 32, 32)
    whole = network(images)
    for i in range(3):
        alone = network(images[i : i + 1])
        torch.testing.assert_close(alone[0][0], whole[0][i], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(alone[1][0], whole[1][i], atol=1e-5, rtol=1e-4)


def test_folding_the_normalisations_changes_nothing():
    network, images = trained(), torch.rand(2, 3, 32, 32)
    before = network(images)
    folded = fused(network)
    assert not any(isinstance(part, torch.nn.BatchNorm2d) for part in folded.modules())
    for one, other in zip(before, folded(images), strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_coordinates_stay_float32_under_autocast():
    with torch.autocast("cpu", torch.bfloat16):
        points, logit = trained()(torch.rand(1, 3, 32, 32))
    assert points.dtype == logit.dtype == torch.float32


def test_configuration_survives_json():
    assert LandmarkNetConfig.of({"size": 32, "channels": [4, 8], "blocks": [1, 2]}).channels == (4, 8)
    with pytest.raises(TypeError):
        LandmarkNetConfig.of({"depth": 3})

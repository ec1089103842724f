"""The local landmark network: what it reads where, and that it starts by moving nothing."""

import torch

from fsgan_core.networks.local_landmark_net import LocalLandmarkNet, LocalLandmarkNetConfig

SMALL = LocalLandmarkNetConfig(size=32, points=6, channels=(4, 8, 8), width=8, rank=4, mixers=1)


def inputs(batch=2):
    torch.manual_seed(0)
    return torch.rand(batch, 3, 32, 32), torch.rand(batch, 6, 3) * 0.6 + 0.2


def stirred():
    torch.manual_seed(1)
    network = LocalLandmarkNet(SMALL).eval()
    torch.nn.init.normal_(network.step, std=0.1)
    return network


def test_an_untrained_network_leaves_points_where_they_are():
    image, points = inputs()
    torch.testing.assert_close(LocalLandmarkNet(SMALL)(image, points), points)


def test_a_point_reads_the_picture_where_it_lies():
    image, points = inputs(1)
    network = stirred()
    network.mixers = torch.nn.ModuleList()
    image = image.requires_grad_()
    points[0, 2] = torch.tensor((0.9, 0.1, 0.5))
    network(image, points)[0, 2].sum().backward()
    seen = image.grad.abs().sum((0, 1))
    assert seen[:8, 24:].sum() > 10 * seen[24:, :8].sum()


def test_points_hear_of_each_other():
    image, points = inputs(1)
    network = stirred()
    before = network(image, points)
    network.name.data[0] += torch.arange(8) - 4.0  # a constant would be normalised away
    assert (network(image, points) - before)[0, 1:].abs().min() > 0


def test_items_of_a_batch_do_not_meet():
    image, points = inputs(3)
    network = stirred()
    torch.testing.assert_close(network(image, points)[1:2], network(image[1:2], points[1:2]))


def test_coordinates_stay_whole_under_autocast():
    image, points = inputs(1)
    with torch.autocast("cpu", torch.bfloat16):
        found = stirred()(image, points)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, stirred()(image, points), atol=2e-3, rtol=0)


def test_its_shape_is_read_from_a_header():
    config = LocalLandmarkNetConfig.of({"channels": [4, 8], "rank": 2})
    assert (config.channels, config.rank) == ((4, 8), 2)

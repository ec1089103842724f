import pytest
import torch

from fsgan_core.networks.alignment_net import SIDE, AlignmentNet, AlignmentNetConfig, correlation, evened


def noise(seed=0, size=SIDE):
    torch.manual_seed(seed)
    return torch.nn.functional.avg_pool2d(torch.rand(1, 1, size, size), 5, 1, 2)


def test_an_untrained_network_moves_nothing():
    shift = AlignmentNet(AlignmentNetConfig())(noise(), noise(1), torch.ones(1, 1, SIDE, SIDE))
    assert shift.shape == (1, 2, SIDE // 2, SIDE // 2) and shift.abs().max() == 0


@pytest.mark.parametrize(("gain", "level"), [(0.5, 0.2), (1.7, -0.1)])
def test_light_is_evened_out(gain, level):
    one, whole = noise(), torch.ones(1, 1, SIDE, SIDE)
    difference = evened(one, whole) - evened(gain * one + level, whole)
    assert difference.abs().mean() < 0.25 * evened(one, whole).abs().mean()


def test_what_is_not_covered_does_not_count():
    cover = torch.zeros(1, 1, SIDE, SIDE)
    cover[..., : SIDE // 2] = 1
    one = noise()
    other = torch.where(cover > 0, one, 7 * noise(1))
    torch.testing.assert_close(evened(one, cover), evened(other, cover))
    assert (evened(one, cover) * (1 - cover)).abs().max() == 0


@pytest.mark.parametrize("way", [(0, 0), (1, -2), (-2, 1)])
def test_the_cost_volume_peaks_at_the_displacement(way):
    theirs = torch.nn.functional.normalize(torch.randn(1, 8, 20, 20), dim=1)
    ours = torch.roll(theirs, way, (2, 3))
    costs = correlation(ours, theirs, 2)
    best = costs[:, :, 4:-4, 4:-4].argmax(1)
    assert (best == (way[0] + 2) * 5 + way[1] + 2).all()

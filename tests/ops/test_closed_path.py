"""The likeliest closed line: exact on few paths, found through gaps, closed at the seam."""

import itertools

import pytest
import torch

from fsgan_core.ops.closed_path import closed_path


def test_every_closed_path_counts_by_its_evidence():
    torch.manual_seed(0)
    evidence, bend = torch.rand(2, 4, 3, dtype=torch.float64) + 0.1, 0.7
    expected = torch.zeros_like(evidence)
    for path in itertools.product(range(3), repeat=4):
        steps = [abs(a - b) for a, b in zip(path, (*path[1:], path[0]), strict=True)]
        moved = torch.exp(-0.5 * torch.tensor(steps, dtype=torch.float64) ** 2 / bend**2).prod()
        for item, weight in enumerate(evidence[:, range(4), path].prod(1) * moved):
            expected[item, range(4), path] += weight
    expected /= expected.sum(2, keepdim=True)
    torch.testing.assert_close(closed_path(evidence, bend), expected)


def test_a_line_with_gaps_is_followed_all_around():
    turn = torch.arange(64) * (2 * torch.pi / 64)
    line = (11 + 4 * torch.sin(turn)).round().long()
    seen = torch.full((1, 64, 24), 0.05)
    seen[0, range(64), line] = 1.0
    seen[:, 20:30] = 0.05
    seen[:, 60:] = 0.05
    found = (closed_path(seen**2) * torch.arange(24)).sum(2)[0]
    assert (found - line).abs().max() < 1.5


def test_nothing_seen_is_answered_and_items_are_apart():
    flat, other = torch.full((1, 8, 6), 1e-3), torch.rand(1, 8, 6) + 0.01
    both = closed_path(torch.cat((flat, other)))
    torch.testing.assert_close(both.sum(2), torch.ones(2, 8))
    torch.testing.assert_close(both[1:], closed_path(other))


def test_directions_are_a_power_of_two():
    with pytest.raises(ValueError, match="expected a power of two of directions, found 12"):
        closed_path(torch.ones(1, 12, 5))

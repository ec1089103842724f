import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fsgan_core.ops.heatmaps import (
    blurred_points,
    filter_heatmaps,
    gaussian_patches,
    landmark_discs,
    landmarks_from_heatmaps,
)

coordinate = st.floats(0.08, 0.92)


@settings(max_examples=40, deadline=None)
@given(x=coordinate, y=coordinate)
def test_discs_decode_to_their_centres(x, y):
    found = landmarks_from_heatmaps(landmark_discs(torch.tensor([[[x, y]]]), 64))
    torch.testing.assert_close(found[0, 0], torch.tensor([x, y]), rtol=0, atol=0.5 / 64)


def test_disc_has_the_stated_radius_and_peak():
    disc = landmark_discs(torch.tensor([[[0.5, 0.5]]], dtype=torch.float64), 257)[0, 0]
    radius = math.sqrt(2) * (1 - 0.8 ** (1 / 8))
    assert radius == pytest.approx(0.0389, abs=1e-4)
    assert float(disc[128, 128]) == pytest.approx(1)
    assert int((disc > 0).sum()) == pytest.approx(math.pi * (radius * 257) ** 2, rel=0.05)


@pytest.mark.parametrize("point", [(5.0, 5.0), (-4.0, 0.5), (math.nan, 0.5), (math.inf, 0.5), (1e30, -1e30)])
def test_points_that_are_nowhere_give_an_empty_disc(point):
    discs = landmark_discs(torch.tensor([[point, (0.5, 0.5)]]), 33)
    assert float(discs[0, 0].abs().max()) == 0
    assert float(discs[0, 1].max()) > 0.8


def test_constant_maps_decode_to_the_middle_without_harm_to_others():
    maps = torch.zeros(1, 3, 8, 8)
    maps[0, 1] = 7.5
    maps[0, 2, 2, 5] = 1
    found = landmarks_from_heatmaps(maps)
    torch.testing.assert_close(found[0], torch.tensor([[0.5, 0.5], [0.5, 0.5], [5.5 / 8, 2.5 / 8]]))


def test_filter_is_invariant_to_scale_and_offset():
    maps = torch.randn(2, 3, 9, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = filter_heatmaps(maps)
    torch.testing.assert_close(filter_heatmaps(maps * 13 - 4), expected)
    assert ((expected == 0) | (expected >= 0.5)).all() and float(expected.amax((2, 3)).min()) == 1


def test_gradients_reach_the_landmarks():
    points = torch.tensor([[[0.41, 0.57]]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda p: landmark_discs(p, 12), points)


@pytest.mark.parametrize("size", [128, 256])
def test_patches_are_centred_one_pixel_before_the_point(size):
    maps = gaussian_patches(torch.tensor([[[40.7, 50.2, 9.0]]]), size)[0, 0]
    row, column = divmod(int(maps.argmax()), size)
    assert (column, row) == (39, 49) and float(maps.max()) == 1
    side = 6 * max(1, round(size / 128)) + 1
    assert int((maps > 0).sum()) == side * side


def test_patches_outside_the_frame_and_left_of_it_are_empty():
    points = torch.tensor([[[-0.5, 30.0], [0.0, 30.0], [900.0, 30.0], [30.0, -90.0]]])
    assert float(gaussian_patches(points, 64).abs().max()) == 0


@settings(max_examples=40, deadline=None)
@given(x=st.floats(-300, 300), y=st.floats(-300, 300), kernel=st.sampled_from([7, 13]))
def test_blurred_points_stay_in_the_frame_and_peak_at_one(x, y, kernel):
    maps = blurred_points(torch.tensor([[[x, y]]]), 64, kernel)[0, 0]
    row, column = divmod(int(maps.argmax()), 64)
    assert (column, row) == (min(max(math.trunc(x), 0), 63), min(max(math.trunc(y), 0), 63))
    assert float(maps.max()) == 1 and int((maps > 0).sum()) <= kernel * kernel
    if kernel // 2 < column < 63 - kernel // 2 and row < 63 - kernel // 2:
        assert float(maps[row, column + 2]) == pytest.approx(math.exp(-0.25))


def test_maps_do_not_depend_on_the_rest_of_the_batch():
    points = torch.rand(3, 5, 2, generator=torch.Generator().manual_seed(1))
    for draw in (
        lambda p: landmark_discs(p, 20),
        lambda p: gaussian_patches(p * 64, 64),
        lambda p: blurred_points(p * 64, 64, 7),
    ):
        torch.testing.assert_close(draw(points)[1:2], draw(points[1:2]))

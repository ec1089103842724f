import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fsgan_core.stages.compositing import Patch, composite, crop


def frame(height=60, width=80, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def patch(value, mask, box):
    return Patch(torch.full((1, 3, *mask.shape[-2:]), value), mask, box)


boxes = st.tuples(st.integers(-30, 90), st.integers(-30, 70), st.integers(1, 50)).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[2])
)


@settings(max_examples=40, deadline=None)
@given(boxes)
def test_a_crop_pasted_back_changes_nothing(box):
    picture = frame()
    image = crop(picture, box)
    mask = torch.rand(1, 1, *image.shape[-2:])
    assert np.array_equal(composite(picture, [Patch(image, mask, box)]), picture)


@settings(max_examples=40, deadline=None)
@given(boxes, st.integers(0, 1000))
def test_only_pixels_under_the_mask_change(box, seed):
    picture, side = frame(), box[2] - box[0]
    mask = (torch.rand(1, 1, side, side, generator=torch.Generator().manual_seed(seed)) > 0.5).float()
    result = composite(picture, [patch(0.2, mask, box)])
    expected = picture.copy()
    for y in range(60):
        for x in range(80):
            v, u = y - box[1], x - box[0]
            if 0 <= v < side and 0 <= u < side and mask[0, 0, v, u]:
                expected[y, x] = 51
    assert np.array_equal(result, expected)


def test_a_crop_repeats_the_edge():
    picture = frame()
    image = crop(picture, (-3, -2, 5, 6))[0].permute(1, 2, 0) * 255
    assert image.shape == (8, 8, 3)
    np.testing.assert_allclose(image[2:, 3:].numpy(), picture[:6, :5], atol=1e-4)
    np.testing.assert_allclose(image[0, 0].numpy(), picture[0, 0], atol=1e-4)
    np.testing.assert_allclose(
        crop(picture, (200, 200, 204, 204))[0, :, 0, 0].numpy() * 255, picture[-1, -1], atol=1e-4
    )


def test_values_are_rounded_to_the_nearest_and_clamped():
    picture = np.full((4, 4, 3), 100, np.uint8)
    full = torch.ones(1, 1, 4, 4)
    for value, level in ((100.4 / 255, 100), (100.6 / 255, 101), (1.2, 255), (-0.3, 0)):
        assert (composite(picture, [patch(value, full, (0, 0, 4, 4))]) == level).all()
    assert (composite(picture, [patch(201 / 255, 0.5 * full, (0, 0, 4, 4))]) == 150).all()


def test_several_faces_and_the_frame_given_is_kept():
    picture = frame()
    before = picture.copy()
    ones = torch.ones(1, 1, 10, 10)
    result = composite(picture, [patch(0.0, ones, (5, 5, 15, 15)), patch(1.0, ones, (12, 12, 22, 22))])
    assert np.array_equal(picture, before)
    assert (result[5:12, 5:15] == 0).all()
    assert (result[12:22, 12:22] == 255).all()
    assert np.array_equal(composite(picture, []), picture)


def test_a_patch_of_another_resolution_is_resized():
    picture = np.zeros((64, 64, 3), np.uint8)
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., 4:12, 4:12] = 1
    result = composite(picture, [patch(0.8, mask, (0, 0, 64, 64))])
    assert (result[22:42, 22:42] == 204).all()
    assert (result[:12] == 0).all()


def test_what_cannot_be_pasted_is_refused():
    with pytest.raises(ValueError, match="empty"):
        crop(frame(), (5, 5, 5, 9))
    with pytest.raises(ValueError, match="patch"):
        composite(frame(), [Patch(torch.zeros(3, 4, 4), torch.zeros(1, 1, 4, 4), (0, 0, 4, 4))])

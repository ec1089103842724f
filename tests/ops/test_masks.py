import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fsgan_core.ops.masks import erode, feather, ramp, smoothstep, soft_erosion, subtract, union


def square(size, low, high, batch=1):
    mask = torch.zeros(batch, 1, size, size)
    mask[..., low:high, low:high] = 1
    return mask


def test_soft_erosion_is_one_inside_and_fades():
    mask = square(256, 60, 200)
    soft = soft_erosion(mask)
    assert (soft[..., 75:185, 75:185] == 1).all()
    assert (soft[..., :49, :] == 0).all()
    edge = soft[0, 0, 130, 45:75]
    assert (edge.diff() >= 0).all()
    assert 0.7 < edge[15] < 0.95


def test_soft_erosion_scales_with_the_resolution():
    small, large = soft_erosion(square(256, 60, 200)), soft_erosion(square(1024, 240, 800))
    shrunk = torch.nn.functional.avg_pool2d(large, 4)
    assert (shrunk - small).abs().mean() < 0.002


def test_soft_erosion_of_an_item_ignores_the_rest_of_the_batch():
    masks = torch.cat((square(128, 20, 100), square(128, 60, 66), torch.zeros(1, 1, 128, 128)))
    together = soft_erosion(masks, iterations=2)
    for k in range(3):
        torch.testing.assert_close(together[k : k + 1], soft_erosion(masks[k : k + 1], iterations=2))
    assert (together[2] == 0).all()


@pytest.mark.parametrize("wrong", [{"kernel": 4}, {"kernel": -1}, {"threshold": 0.0}, {"iterations": 0}])
def test_soft_erosion_refuses_what_has_no_meaning(wrong):
    with pytest.raises(ValueError, match="odd kernel"):
        soft_erosion(square(16, 4, 12), **wrong)


@settings(max_examples=20, deadline=None)
@given(st.integers(8, 60), st.integers(70, 120), st.floats(0, 0.5))
def test_feathering_never_grows_a_mask(low, high, width):
    mask = square(128, low, high) * 0.9
    soft = feather(mask, width)
    assert (soft <= mask).all()
    assert soft.min() >= 0


def test_feathering_is_relative_to_the_face_and_leaves_the_image_border():
    mask = square(256, 60, 200)
    soft = feather(mask, 0.1)
    edge = soft[0, 0, 130, 60:130]
    assert edge[0] < 0.1
    assert edge[14] > 0.9
    assert edge[-1] == 1
    large = torch.nn.functional.avg_pool2d(feather(square(512, 120, 400), 0.1), 2)
    assert (large - soft).abs().max() < 0.02
    assert (feather(torch.ones(1, 1, 64, 64), 0.2) == 1).all()
    assert torch.equal(feather(mask, 0), mask)


def test_erosion_takes_off_the_rim_but_not_the_image_border():
    assert torch.equal(erode(square(32, 5, 20), 2), square(32, 7, 18))
    assert torch.equal(erode(torch.ones(1, 1, 9, 9)), torch.ones(1, 1, 9, 9))


def test_union_and_subtraction():
    a, b = torch.tensor([0.0, 0.5, 1.0]), torch.tensor([0.2, 0.2, 1.0])
    torch.testing.assert_close(union(a, b), torch.tensor([0.2, 0.5, 1.0]))
    torch.testing.assert_close(subtract(a, b), torch.tensor([0.0, 0.4, 0.0]))


def test_smoothstep_is_level_at_both_ends_and_even_about_its_middle():
    x = torch.linspace(-0.5, 1.5, 41)
    y = smoothstep(x)
    assert (y[x <= 0] == 0).all()
    assert (y[x >= 1] == 1).all()
    torch.testing.assert_close(y + y.flip(0), torch.ones_like(y))
    assert smoothstep(torch.tensor(0.01)) < 0.001


def test_a_ramp_is_a_soft_step_from_one_end_to_the_other():
    torch.testing.assert_close(
        ramp(torch.tensor([1.0, 2.0, 3.0, 4.0, 9.0]), (2.0, 4.0)), torch.tensor([0, 0, 0.5, 1, 1])
    )

"""Thin things in front of a face: gaps are found, and what lies behind them is continued."""

import pytest
import torch

from fsgan_core.ops.thin import behind, bridged

SIZE = 200


def face(gap=0):
    """A mask of a square face with a gap across it, so many pixels high."""
    mask = torch.zeros(1, 1, SIZE, SIZE)
    mask[..., 40:160, 40:160] = 1
    mask[..., 90 : 90 + gap, :] = 0
    return mask


def inner(values):
    return values[..., 44:156, 44:156]


@pytest.mark.parametrize("size", (SIZE, 3 * SIZE))
def test_thin_gaps_are_filled_and_wide_ones_stay(size):
    rim, lens = (torch.nn.functional.interpolate(face(gap), (size, size)) for gap in (3, 30))
    whole = torch.nn.functional.interpolate(face(), (size, size))
    assert ((bridged(rim) - whole).abs() > 0.5).float().mean() < 0.003
    assert ((bridged(lens) - lens).abs() > 0.5).float().mean() < 0.003


def test_a_mask_only_grows_and_items_do_not_influence_each_other():
    masks = torch.cat((face(4), torch.rand(1, 1, SIZE, SIZE), torch.zeros(1, 1, SIZE, SIZE)))
    found = bridged(masks)
    assert (found >= masks).all() and not found[2].any()
    assert torch.equal(found[:1], bridged(masks[:1]))


def test_what_a_rim_hides_is_continued_from_beside_it():
    ramp = torch.linspace(0.2, 0.8, SIZE).expand(1, 3, SIZE, SIZE)
    front = bridged(face(4)) - face(4)
    worn = torch.lerp(ramp, torch.zeros_like(ramp), front)
    cleared = behind(worn, front)
    assert (inner(worn) - inner(ramp)).abs().max() > 0.4
    assert (inner(cleared) - inner(ramp)).abs().max() < 0.03
    assert torch.equal(cleared[..., :70, :], worn[..., :70, :]) and torch.equal(
        cleared[..., 120:, :], worn[..., 120:, :]
    )


def test_nothing_is_touched_where_nothing_is_in_front():
    picture = torch.rand(2, 3, 64, 64)
    assert behind(picture, torch.zeros(2, 1, 64, 64)) is picture
    front = torch.zeros(2, 1, 64, 64)
    front[1, :, 30:33] = 1
    assert torch.equal(behind(picture, front)[0], picture[0])

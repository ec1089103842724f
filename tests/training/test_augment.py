"""Photometric changes and occluders of the landmark crops."""

import numpy as np
import pytest

from fsgan_core.training import augment


def picture(seed=0, size=64):
    rows, columns = np.indices((size, size))
    return np.stack([rows * 3, columns * 3, 100 + 0 * rows], 2).astype(np.uint8)


@pytest.mark.parametrize(
    "change", [augment.color, augment.light, augment.soften, augment.noise, augment.compress, augment.photometric]
)
def test_changes_keep_the_kind_of_picture_and_repeat_with_the_seed(change):
    original = picture()
    for seed in range(8):
        one, other = (change(picture(), np.random.default_rng(seed)) for _ in range(2))
        assert one.shape == original.shape and one.dtype == np.uint8
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(one, original) or change is augment.photometric


@pytest.mark.parametrize("change", [augment.soften, augment.compress])
def test_sharpness_changes_move_nothing(change):
    """The centre of a soft spot stays where it is, to a quarter of a pixel."""
    rows, columns = np.indices((64, 64)) + 0.5
    spot = 255 * np.exp(-((columns - 37.2) ** 2 + (rows - 29.6) ** 2) / 50)
    image = np.repeat(spot.astype(np.uint8)[..., None], 3, 2)
    for seed in range(12):
        weight = change(image, np.random.default_rng(seed))[..., 0].astype(float)
        weight[weight < 40] = 0
        middle = np.array([(columns * weight).sum(), (rows * weight).sum()]) / weight.sum()
        np.testing.assert_allclose(middle, (37.2, 29.6), atol=0.4)


def test_light_brightens_one_side():
    flat = np.full((64, 64, 3), 100, np.uint8)
    lit = np.stack([augment.light(flat, np.random.default_rng(seed)).mean(2) for seed in range(20)])
    assert (lit.max((1, 2)) / lit.min((1, 2)).clip(1) > 1.4).mean() > 0.8


def test_occluders_cover_what_their_mask_says():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        mask = augment.blob(64, rng)
        assert mask.shape == (64, 64) and mask.min() >= 0 and mask.max() <= 1
        content = augment.paint(64, rng, [np.full((80, 90, 3), 7, np.uint8)])
        assert content.shape == (64, 64, 3) and content.dtype == np.uint8
        covered = augment.cover(picture(), mask, content)
        np.testing.assert_array_equal(covered[mask == 0], picture()[mask == 0])
        np.testing.assert_array_equal(covered[mask == 1], content[mask == 1])


def test_glasses_darken_the_eyes_and_leave_the_chin():
    bright = np.full((64, 64, 3), 220, np.uint8)
    eyes = np.array([[20.0, 28.0], [44.0, 28.0]])
    worn = augment.dark_glasses(bright, np.random.default_rng(0), eyes)
    assert worn[28, [20, 44]].max() < 160 and (worn[50:] == 220).all()


def test_a_mask_lies_between_its_corners():
    mask = np.zeros((30, 40, 4), np.uint8)
    mask[...] = (0, 90, 200, 255)
    corners = np.array([[16, 36], [32, 28], [48, 36], [32, 56]], np.float32)
    worn = augment.face_mask(np.full((64, 64, 3), 255, np.uint8), mask, corners)
    np.testing.assert_array_equal(worn[42, 32], (0, 90, 200))
    assert (worn[:24] == 255).all() and (worn[60:] == 255).all()


@pytest.mark.parametrize("change", [augment.scrambled, augment.melted])
def test_a_face_taken_to_pieces_is_no_longer_in_place(change):
    for seed in range(10):
        pieces = change(picture(), np.random.default_rng(seed))
        assert pieces.shape == (64, 64, 3) and pieces.dtype == np.uint8
        moved = (np.abs(pieces.astype(int) - picture()).max(2) > 12).mean()
        assert moved > 0.4, "most pixels come from elsewhere"
        assert pieces.max() <= picture().max()

"""Crops for the landmark network: similarity there and back, pixels where the points say."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fsgan_core.stages.landmark_crops import after, box_placement, cut, inverse, moved, placement, shape_placement
from fsgan_core.stages.pose import load_face_model

MEAN = load_face_model().mean.numpy()
number = st.floats(-50, 150)


def frame_with_spots(spots, size=240, radius=3.0):
    """Soft bright spots at given continuous places."""
    rows, columns = np.indices((size, size)) + 0.5
    light = sum(np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * radius**2)) for x, y in spots)
    return np.repeat((255 * light.clip(0, 1)).astype(np.uint8)[..., None], 3, 2)


def centre_of(image):
    weight = image[..., 0].astype(float)
    rows, columns = np.indices(weight.shape) + 0.5
    return np.array([(columns * weight).sum(), (rows * weight).sum()]) / weight.sum()


@settings(max_examples=50, deadline=None)
@given(number, number, st.floats(5, 500), st.floats(-3, 3))
def test_placement_and_its_inverse_cancel(x, y, side, roll):
    matrix = placement(np.array([x, y]), side, roll, 128)
    points = np.random.default_rng(0).normal(0, 50, (7, 3))
    np.testing.assert_allclose(moved(moved(points, matrix), inverse(matrix)), points, atol=1e-6)
    np.testing.assert_allclose(after(inverse(matrix), matrix), np.eye(2, 3), atol=1e-6)
    np.testing.assert_allclose(moved(np.array([[x, y, 0.0]]), matrix)[0], (64, 64, 0), atol=1e-6)


@pytest.mark.parametrize("side", [100, 128, 210, 400])
@pytest.mark.parametrize("roll", [0.0, 0.5])
def test_pixels_go_where_the_points_go(side, roll):
    spot = np.array([131.3, 108.8])
    matrix = placement(np.array([120.0, 120.0]), side, roll, 128)
    image = cut(frame_with_spots([spot]), matrix, 128)
    there = moved(np.array([[*spot, 0]]), matrix)[0, :2]
    np.testing.assert_allclose(centre_of(image), there, atol=0.12)


def test_strong_minification_averages():
    stripes = np.zeros((800, 800, 3), np.uint8)
    stripes[:, ::2] = 255
    image = cut(stripes, placement(np.array([400.0, 400.0]), 790, 0.0, 64), 64)
    inside = image[4:-4, 4:-4]
    assert abs(float(inside.mean()) - 127.5) < 2 and inside.std() < 8


@pytest.mark.parametrize("centre", [(-900.0, 50.0), (50.0, 4000.0)])
@pytest.mark.parametrize("side", [60, 700])
def test_a_crop_outside_the_frame_is_black(centre, side):
    assert not cut(np.full((100, 100, 3), 200, np.uint8), placement(np.array(centre), side, 0.2, 32), 32).any()


def test_the_border_mode_fills_what_is_missing():
    image = cut(
        np.full((50, 50, 3), 90, np.uint8), placement(np.array([0.0, 25.0]), 50, 0, 32), 32, cv2.BORDER_REPLICATE
    )
    assert (image == 90).all()


@settings(max_examples=30, deadline=None)
@given(st.floats(-180, 180), st.floats(10, 300), number, number)
def test_a_face_lands_upright_and_of_one_size_whatever_its_place(degrees, scale, x, y):
    roll = np.radians(degrees)
    turn = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    face = scale * MEAN @ turn.T + (x, y, 7)
    seen = moved(face, shape_placement(face, 128))
    plain = moved(MEAN, shape_placement(MEAN, 128))
    np.testing.assert_allclose(seen[:, :2], plain[:, :2], atol=1e-4)


def test_turning_the_head_does_not_change_the_size_of_its_crop():
    yaw = np.radians(50)
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    sizes = [np.linalg.det(shape_placement(face, 128)[:, :2]) for face in (MEAN, MEAN @ turn.T)]
    assert sizes[0] == pytest.approx(sizes[1])


def test_a_box_fills_its_crop_with_a_margin():
    matrix = box_placement(np.array([10.0, 20.0, 50.0, 100.0], np.float32), 104)
    corners = moved(np.array([[10.0, 20.0, 0], [50.0, 100.0, 0]]), matrix)
    np.testing.assert_allclose(corners[:, 1], (12, 92))
    np.testing.assert_allclose(corners[:, 0], (32, 72))
    assert np.isfinite(box_placement(np.zeros(4), 104)).all()

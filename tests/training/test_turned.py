"""Portraits turned in three dimensions."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fsgan_core.ops.face_model import poses
from fsgan_core.ops.geometry import rotation_matrix
from fsgan_core.ops.head_mesh import place
from fsgan_core.stages.pose import load_face_model
from fsgan_core.training.labelled import Face
from fsgan_core.training.turned import draw, expression, new_pose, shrunk, turn

MODEL = load_face_model()
POINTS = (MODEL.mean * 70 + torch.tensor((120.0, 110.0, 0.0)))[None]


def smooth(side=240):
    rows, columns = np.indices((side, side))
    return np.stack([rows, columns, 128 + 0 * rows], 2).astype(np.uint8)


def test_a_face_that_does_not_move_keeps_its_picture():
    here = place(MODEL.mean, POINTS)
    np.testing.assert_allclose(draw(smooth(), here, here, MODEL).astype(int), smooth(), atol=1)


def test_the_picture_moves_as_the_points_do():
    here = place(MODEL.mean, POINTS)
    there = replace(here, rotation=rotation_matrix(torch.tensor([[30.0, 0.0, 0.0]])))
    drawn = draw(smooth(), here, there, MODEL)
    from fsgan_core.ops.head_mesh import points

    before, after = POINTS[0].numpy(), points(there)[0].numpy()
    for index in (1, 33, 61, 152, 9):
        column, row = after[index, :2].astype(int)
        # Red is the row and green the column that the pixel came from.
        np.testing.assert_allclose(drawn[row, column, :2], before[index, 1::-1] - 0.5, atol=3)


def test_a_turned_portrait_looks_further_and_keeps_its_place():
    face = Face("x", smooth(), POINTS[0].numpy())
    for seed in range(6):
        turned = turn(face, MODEL, np.random.default_rng(seed))
        assert turned.image.shape[2] == 3 and turned.image.dtype == np.uint8
        assert turned.landmarks.shape == (478, 3) and np.isfinite(turned.landmarks).all()
        yaw = float(poses(MODEL, torch.from_numpy(turned.landmarks)[None])[0, 0])
        assert 7 < abs(yaw) < 50
        middle = turned.landmarks[:, :2].mean(0) / turned.image.shape[1::-1]
        np.testing.assert_allclose(middle, POINTS[0, :, :2].mean(0).numpy() / 240, atol=0.12)


def test_large_portraits_are_drawn_smaller():
    face = shrunk(Face("x", np.zeros((900, 600, 3), np.uint8), POINTS[0].numpy() * 3))
    spread = np.sqrt(((face.landmarks - face.landmarks.mean(0)) ** 2).sum(1).mean())
    assert spread == pytest.approx(50, abs=0.2)
    assert face.image.shape[0] / 900 == pytest.approx(spread / 123, rel=0.02)


def test_heads_that_are_turned_are_turned_further():
    poses_drawn = [new_pose(torch.tensor([[25.0, 5.0, 3.0]]), np.random.default_rng(seed))[0] for seed in range(60)]
    yaw = torch.stack(poses_drawn)[:, 0]
    assert (yaw > 25).float().mean() > 0.6 and yaw.max() <= 80 and yaw.min() >= -20
    assert all(pose[2] == 3 for pose in poses_drawn)


def test_expressions_stay_within_the_model():
    drawn = torch.stack([expression(MODEL, np.random.default_rng(seed)) for seed in range(40)])
    assert drawn.min() >= 0 and drawn.max() <= 1
    assert 0.15 < (drawn.abs().sum(1) == 0).float().mean() < 0.55
    assert (drawn[:, MODEL.names.index("jawOpen")] > 0).any() and (drawn[:, MODEL.names.index("eyeBlink_L")] > 0).any()

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from fsgan_core.ops import geometry as G

degrees = st.floats(-179, 179)
tilts = st.floats(-85, 85)


def rotations(seed, count=20):
    return torch.from_numpy(Rotation.random(count, random_state=seed).as_matrix())


@settings(max_examples=60, deadline=None)
@given(degrees, tilts, degrees)
def test_angles_round_trip(yaw, pitch, roll):
    pose = torch.tensor([[yaw, pitch, roll]], dtype=torch.float64)
    torch.testing.assert_close(G.euler_angles(G.rotation_matrix(pose)), pose, atol=1e-6, rtol=0)


@settings(max_examples=30, deadline=None)
@given(degrees, st.floats(-90, 90), degrees)
def test_rotations_are_proper(yaw, pitch, roll):
    rotation = G.rotation_matrix(torch.tensor([[yaw, pitch, roll]], dtype=torch.float64))
    torch.testing.assert_close(rotation @ rotation.mT, torch.eye(3, dtype=torch.float64)[None], atol=1e-12, rtol=0)
    assert torch.linalg.det(rotation).item() == pytest.approx(1)


@pytest.mark.parametrize(("pose", "axis", "sign"), [((20.0, 0.0, 0.0), 0, 1), ((0.0, 20.0, 0.0), 1, -1)])
def test_positive_yaw_looks_right_and_positive_pitch_up(pose, axis, sign):
    towards_camera = torch.tensor([0.0, 0.0, -1.0])
    gaze = G.rotation_matrix(torch.tensor([pose]))[0] @ towards_camera
    assert sign * gaze[axis].item() == pytest.approx(math.sin(math.radians(20)), abs=1e-6)


def test_positive_roll_turns_clockwise_as_seen():
    right = G.rotation_matrix(torch.tensor([[0.0, 0.0, 90.0]]))[0] @ torch.tensor([1.0, 0.0, 0.0])
    torch.testing.assert_close(right, torch.tensor([0.0, 1.0, 0.0]), atol=1e-6, rtol=0)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_similarity_is_found_again(dimensions):
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(4, 9, dimensions, generator=generator, dtype=torch.float64)
    rotation = rotations(1, 4)
    if dimensions == 2:
        rotation = G.rotation_matrix(torch.tensor([[0, 0, a] for a in (10.0, 100, -170, 3)], dtype=torch.float64))
        rotation = rotation[:, :2, :2]
    scale, shift = torch.rand(4, generator=generator).double() + 0.5, torch.randn(4, dimensions).double()
    goal = scale[:, None, None] * points @ rotation.mT + shift[:, None]
    found = G.similarity(points, goal)
    for value, expected in zip(found, (scale, rotation, shift), strict=True):
        torch.testing.assert_close(value, expected)


def test_similarity_never_mirrors():
    points = torch.randn(1, 8, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    _, rotation, _ = G.similarity(points, points * torch.tensor([-1.0, 1, 1], dtype=torch.float64))
    assert torch.linalg.det(rotation).item() == pytest.approx(1)


def test_points_without_weight_do_not_count():
    points = torch.randn(1, 10, 3, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    goal = 2 * points + 1
    goal[:, 7:] += 5
    weights = torch.ones(1, 10, dtype=torch.float64)
    weights[:, 7:] = 0
    scale, rotation, _ = G.similarity(points, goal, weights)
    assert scale.item() == pytest.approx(2)
    torch.testing.assert_close(rotation[0], torch.eye(3, dtype=torch.float64))


def test_vectors_agree_with_scipy():
    rotation = rotations(5)
    vector = G.rotation_vector(rotation)
    torch.testing.assert_close(vector, torch.from_numpy(Rotation.from_matrix(rotation.numpy()).as_rotvec()))
    torch.testing.assert_close(G.from_vector(vector), rotation)


def test_half_turns_are_regular():
    half = torch.diag(torch.tensor([-1.0, 1.0, -1.0], dtype=torch.float64))[None]
    vector = G.rotation_vector(half)
    assert vector.norm().item() == pytest.approx(math.pi)
    torch.testing.assert_close(G.from_vector(vector), half)


def test_slerp_goes_at_even_speed():
    start, end = rotations(6), rotations(7)
    total = G.angle(start, end)
    torch.testing.assert_close(G.slerp(start, end, 0.0), start)
    torch.testing.assert_close(G.slerp(start, end, 1.0), end)
    parts = torch.linspace(0, 1, 20, dtype=torch.float64)
    torch.testing.assert_close(G.angle(start, G.slerp(start, end, parts)), parts * total)


def test_no_turn_is_no_angle():
    assert G.angle(torch.eye(3)[None], torch.eye(3)[None]).item() == pytest.approx(0, abs=1e-3)


def test_poses_are_found_without_depths():
    points = torch.randn(12, 3, generator=torch.Generator().manual_seed(8), dtype=torch.float64)
    rotation, scale = rotations(9, 5), torch.tensor([1.0, 2, 3, 4, 0.5], dtype=torch.float64)
    shift = torch.randn(5, 3, generator=torch.Generator().manual_seed(10), dtype=torch.float64)
    seen = (scale[:, None, None] * points @ rotation.mT + shift[:, None])[..., :2]
    weights = torch.rand(1, 12, generator=torch.Generator().manual_seed(11), dtype=torch.float64)
    found = G.scaled_orthographic(points, seen, weights)
    torch.testing.assert_close(found[0], scale)
    torch.testing.assert_close(found[1], rotation)
    torch.testing.assert_close(found[2][:, :2], shift[:, :2])


def test_small_matrices_are_inverted_and_singular_ones_do_not_fail():
    matrices = torch.from_numpy(Rotation.random(6, random_state=1).as_matrix())[:, :2, :2]
    torch.testing.assert_close(G.inverse_2x2(matrices), torch.linalg.inv(matrices))
    assert G.inverse_2x2(torch.zeros(1, 2, 2)).isfinite().all()

import numpy as np
import pytest

from fsgan_core.ops import landmarks as L
from fsgan_core.training import face_shapes as S
from fsgan_core.training.anchors import _closest
from fsgan_core.weights.checkpoint import OPEN, load_weights


@pytest.fixture(scope="module")
def bundled():
    tensors, config = load_weights(OPEN / "face_model.safetensors", "face_model")
    return {name: tensor.numpy() for name, tensor in tensors.items()} | config | {"names": config["expression"]}


def expression(bundled, *names):
    tensors, config = load_weights(OPEN / "face_model.safetensors", "face_model")
    shapes = tensors["expression"].double().numpy()
    return sum(shapes[config["expression"].index(name)] for name in names)


def test_twins_of_names():
    assert S.twin("eyeBlink_L") == "eyeBlink_R"
    assert S.twin("jawLeft") == "jawRight"
    assert S.twin("jawOpen") == "jawOpen"


def test_twins_are_mirror_images(bundled):
    for name in bundled["names"]:
        other = expression(bundled, S.twin(name))[bundled["mirror"]] * [-1, 1, 1]
        np.testing.assert_allclose(expression(bundled, name), other, atol=2e-4, err_msg=name)


def test_blink_closes_the_lids_and_leaves_the_irises(bundled):
    blink = expression(bundled, "eyeBlink_L", "eyeBlink_R")
    closed = bundled["mean"] + blink
    for lower, upper in (((144, 145, 153), (160, 159, 158)), ((373, 374, 380), (387, 386, 385))):
        gap = closed[list(lower), 1] - closed[list(upper), 1]
        assert np.abs(gap).max() < 0.006
    assert not blink[468:].any()


def test_jaw_opens_the_mouth(bundled):
    wide = bundled["mean"] + expression(bundled, "jawOpen")
    assert wide[14, 1] - wide[13, 1] > 0.25
    assert np.abs(expression(bundled, "jawOpen")[[33, 263, 10, 168]]).max() < 0.01


@pytest.mark.parametrize(
    ("names", "axis", "sign"),
    [
        (("eyeLookUp_L", "eyeLookUp_R"), 1, -1),
        (("eyeLookDown_L", "eyeLookDown_R"), 1, 1),
        (("eyeLookOut_L", "eyeLookIn_R"), 0, 1),
        (("eyeLookIn_L", "eyeLookOut_R"), 0, -1),
    ],
)
def test_both_irises_follow_the_gaze(bundled, names, axis, sign):
    shape = expression(bundled, *names)
    for iris in (L.RIGHT_IRIS, L.LEFT_IRIS):
        assert (sign * shape[list(iris), axis] > 0.05).all()
        assert np.abs(shape[list(iris), 1 - axis]).max() < 0.01


def test_identity_shapes_are_orthogonal_sorted_and_do_not_move_the_head(bundled):
    shapes = bundled["identity"].astype(np.float64)
    flat = shapes.reshape(len(shapes), -1)
    size = np.linalg.norm(flat, axis=1)
    assert (np.diff(size) < 1e-3).all()
    overlap = flat @ flat.T / np.outer(size, size)
    assert np.abs(overlap - np.eye(len(shapes))).max() < 2e-2
    mean = bundled["mean"].astype(np.float64)
    np.testing.assert_allclose(S.without_motion(shapes, mean), shapes, atol=2e-4)


def test_small_motions_are_taken_out():
    mean = np.random.default_rng(0).normal(size=(L.COUNT, 3))
    moved = np.stack([0.01 * mean + 0.02, np.cross([0.01, 0.02, -0.01], mean)])
    assert np.abs(S.without_motion(moved, mean)).max() < 1e-9


def test_nearest_place_on_a_triangle():
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], float)
    points = np.array([[0.2, 0.3, 5], [0.5, -1, 0], [2, -1, 0], [1, 1, 3]], float)
    expected = [[0.5, 0.2, 0.3], [0.5, 0.5, 0], [0, 1, 0], [0, 0.5, 0.5]]
    np.testing.assert_allclose(_closest(np.broadcast_to(corners, (4, 3, 3)), points), expected, atol=1e-12)


def test_head_vertices_are_weighted_means(bundled):
    np.testing.assert_allclose(bundled["ict_weights"].sum(1), 1, atol=1e-6)
    assert bundled["ict_weights"].min() >= -1e-6


def test_calming_evens_out_the_border_alone(bundled):
    spike = np.zeros((1, L.COUNT, 3))
    spike[0, [152, 13], 1] = 1
    calm = S.calmed(spike, bundled["triangles"])
    assert calm[0, 13, 1] == 1
    assert 0 < calm[0, 152, 1] < 0.5
    level = np.ones((1, L.COUNT, 3))
    np.testing.assert_allclose(S.calmed(level, bundled["triangles"]), level)

import numpy as np
import pytest
import torch

from fsgan_core.ops.face_model import poses
from fsgan_core.ops.motion import LIPS, RIGHT_LIDS
from fsgan_core.stages.analysis import load_analysis
from fsgan_core.stages.pose import load_face_model
from fsgan_core.training.motion import SCALE, bundled_motion, curve
from fsgan_core.weights.checkpoint import OPEN


@pytest.fixture(scope="module")
def bundled():
    return load_analysis(OPEN / "motion.safetensors")


def test_curves_pass_their_keys_and_rest_there():
    keys = ((1.0, 0.0), (2.0, 4.0), (3.0, -1.0))
    times = np.array([0.0, 1.0, 1.5, 2.0, 3.0, 9.0])
    np.testing.assert_allclose(curve(keys, times), [0, 0, 2, 4, -1, -1])
    slope = (curve(keys, np.array([2.0 + 1e-4])) - 4) / 1e-4
    assert abs(slope.item()) < 1e-3


def test_the_file_is_what_the_code_makes(bundled):
    made = bundled_motion(load_face_model())
    assert (
        (made.size, made.rate, made.frame_count)
        == (bundled.size, bundled.rate, bundled.frame_count)
        == ((256, 256), 25, 125)
    )
    np.testing.assert_allclose(made.faces[0].landmarks, bundled.faces[0].landmarks, atol=0.1)


def test_the_face_stays_in_the_picture_and_moves_smoothly(bundled):
    landmarks = bundled.faces[0].landmarks
    assert landmarks[..., :2].min() > 8
    assert landmarks[..., :2].max() < 248
    closed = np.concatenate([landmarks, landmarks[:1]])
    assert np.abs(np.diff(closed, axis=0)).max() < 7


def test_it_looks_around_nods_speaks_and_blinks_twice(bundled):
    face = bundled.faces[0]
    assert face.poses[:, 0].min() < -20
    assert face.poses[:, 0].max() > 20
    assert np.abs(face.poses).max() < 25
    assert face.poses[:, 1].min() < -8
    landmarks = torch.from_numpy(face.landmarks)
    assert LIPS.width(landmarks).max() / SCALE > 0.15
    shut = (RIGHT_LIDS.width(landmarks) / SCALE < 0.02).int()
    assert (shut.diff() == 1).sum() == 2


def test_stored_poses_are_those_of_the_landmarks(bundled):
    face = bundled.faces[0]
    measured = poses(load_face_model(), torch.from_numpy(face.landmarks)).numpy()
    np.testing.assert_allclose(measured, face.poses, atol=0.6)

"""Lids lowered in portraits: what comes down is skin, what stays is the portrait, and the labels say how far."""

import numpy as np
import pytest

from fsgan_core.ops.landmarks import LEFT_EYE, RIGHT_EYE
from fsgan_core.stages.pose import load_face_model
from fsgan_core.stages.reenactment import FlowOptions, FlowReenactor
from fsgan_core.training.blinks import apertures, blinked, closings
from fsgan_core.training.labelled import Face
from fsgan_core.training.local_faces import measured

MODEL = load_face_model()
DRAW = FlowReenactor(MODEL, FlowOptions(refine=False, steps=1))


class Chance:
    """A generator whose choice between engine (0) and brush (1) is known."""

    def __init__(self, seed, way):
        self.rng, self.way = np.random.default_rng(seed), way

    def random(self, *shape):
        return self.rng.random(*shape) if shape else self.way

    def __getattr__(self, name):
        return getattr(self.rng, name)


@pytest.fixture
def portrait(face, landmarks):
    found = measured(Face("one", face, landmarks), None)
    assert found is not None
    return found


def eye_box(points, ring=RIGHT_EYE):
    low, high = points[list(ring), :2].min(0), points[list(ring), :2].max(0)
    return slice(int(low[1]), int(high[1]) + 1), slice(int(low[0]), int(high[0]) + 1)


@pytest.mark.parametrize("way", [0.0, 0.99], ids=["engine", "brush"])
def test_lids_come_down_over_the_eye(portrait, way, monkeypatch):
    monkeypatch.setattr("fsgan_core.training.blinks.closings", lambda rng: (1.0, 0.0))
    shut = blinked(portrait, MODEL, DRAW, Chance(0, way))
    right, left = apertures(shut.landmarks)
    assert right < 0.02 and left == pytest.approx(apertures(portrait.landmarks)[1], rel=0.05)
    inside = eye_box(portrait.landmarks)
    gap = np.abs(shut.image.astype(int) - portrait.image)
    assert gap[inside].mean() > 15 > 5 * gap[eye_box(portrait.landmarks, LEFT_EYE)].mean(), "one eye is covered"
    chin = slice(int(0.75 * len(shut.image)), None)
    assert np.abs(shut.image[chin].astype(int) - portrait.image[chin]).mean() < 2


def test_how_far_lids_come_down_is_as_said():
    rng = np.random.default_rng(0)
    parts = np.array([closings(rng) for _ in range(400)])
    assert ((parts >= 0) & (parts <= 1)).all()
    assert 0.3 < (parts.min(1) == 1).mean() < 0.45, "about two in five are shut"
    assert 0.06 < (parts.min(1) == 0).mean() < 0.2, "one in eight winks"


def test_an_eye_that_hardly_moves_is_not_painted(portrait, monkeypatch):
    monkeypatch.setattr("fsgan_core.training.blinks.closings", lambda rng: (0.01, 0.01))
    np.testing.assert_array_equal(blinked(portrait, MODEL, DRAW, Chance(0, 0.99)).image, portrait.image)

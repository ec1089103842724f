"""Irises moved in portraits: labels follow the pixels, lids and skin stay."""

import numpy as np
import pytest

from fsgan_core.ops.landmarks import LEFT_IRIS, RIGHT_IRIS
from fsgan_core.stages.pose import load_face_model
from fsgan_core.training.gazes import FARTHEST, looked
from fsgan_core.training.labelled import Face
from fsgan_core.training.local_faces import measured

MODEL = load_face_model()
IRISES = [*RIGHT_IRIS, *LEFT_IRIS]


@pytest.fixture
def portrait(face, landmarks):
    return measured(Face("one", face, landmarks), None)


class Chance:
    """A generator whose choice between engine (0) and brush (1) and of the direction is known."""

    def __init__(self, way, aside):
        self.rng, self.way, self.aside = np.random.default_rng(0), way, aside

    def random(self):
        return self.way

    def uniform(self, low, high, *size):
        return self.aside if high == FARTHEST else self.rng.uniform(low, high, *size)

    def __getattr__(self, name):
        return getattr(self.rng, name)


@pytest.mark.parametrize("way", [0.0, 0.99], ids=["engine", "brush"])
def test_both_eyes_look_where_the_labels_say(portrait, way):
    right, left = (looked(portrait, MODEL, Chance(way, aside)) for aside in (-0.25, 0.25))
    step = (left.landmarks - right.landmarks)[[468, 473], 0]
    assert (step > 8).all(), "of eyes of about 30 pixels"
    rest = np.setdiff1d(np.arange(478), IRISES)
    np.testing.assert_array_equal(left.landmarks[rest], portrait.landmarks[rest])
    gap = left.image.astype(int).mean(2) - right.image.mean(2)
    here, there = (
        np.mean([gap[y - 1 : y + 2, x - 1 : x + 2] for x, y in face.landmarks[[468, 473], :2].astype(int)])
        for face in (left, right)
    )
    assert here < -10 < 10 < there - here, "dark where the irises are"
    away = np.abs(left.image.astype(int) - portrait.image).max(2)
    rows = np.arange(len(away))
    eyes = np.abs(rows - portrait.landmarks[[33, 263], 1].mean()) < 25
    assert away[~eyes].max() <= 1, "nothing but the eyes changes"


def test_an_iris_stays_in_its_eye(portrait):
    for seed in range(8):
        points = looked(portrait, MODEL, np.random.default_rng(seed)).landmarks
        for iris, corners in ((468, (33, 133)), (473, (362, 263))):
            low, high = points[list(corners), 0]
            assert low < points[iris, 0] < high

"""Irises found in crops of eyes: crops lie right, answers go back to the frame, and eyes that look aside are seen."""

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from fsgan_core.networks.iris_net import IrisNet, IrisNetConfig
from fsgan_core.ops.landmarks import LEFT_EYE, LEFT_IRIS, RIGHT_EYE, RIGHT_IRIS, opposite
from fsgan_core.stages.irises import MARGIN, eye_placement, with_irises
from fsgan_core.stages.landmark_crops import moved
from fsgan_core.stages.open_landmarks import load_open_landmarker
from fsgan_core.stages.openings import IRISES, LEFT, RIGHT, RINGS
from fsgan_core.stages.pose import load_face_model
from fsgan_core.training.gazes import painted

MEAN = load_face_model().mean.numpy()
SIZE = IrisNetConfig().size


def standing(roll=0.0, scale=90.0):
    """The mean face in a picture of 300 pixels, tilted by degrees."""
    turn = cv2.getRotationMatrix2D((0, 0), -roll, 1)[:, :2]
    points = MEAN * scale
    points[:, :2] = points[:, :2] @ turn.T + 150
    return points.astype(np.float32)


@pytest.mark.parametrize("roll", [0.0, 35.0, -80.0])
def test_both_eyes_lie_alike_in_their_crops(roll):
    points = standing(roll)
    right, left = (moved(points, eye_placement(points, region, SIZE))[list(RINGS[region])] for region in (RIGHT, LEFT))
    np.testing.assert_allclose(right[:, :2], left[:, :2], atol=0.3)
    for ring in (right, left):
        np.testing.assert_allclose(ring[[0, 8], :2].mean(0), SIZE / 2, atol=1e-3)
        assert ring[8, 0] - ring[0, 0] == pytest.approx(SIZE / MARGIN, rel=0.05)
        assert ring[0, 1] == pytest.approx(ring[8, 1], abs=1e-3)


class Answer(nn.Module):
    """Says the same of every crop."""

    def __init__(self, *iris):
        super().__init__()
        self.config, self.iris, self.head = IrisNetConfig(), torch.tensor(iris), nn.Conv2d(1, 1, 1)

    def forward(self, image):
        return self.iris.expand(len(image), 3)


def test_answers_go_back_to_the_frame():
    points = standing(20.0)
    found = with_irises(Answer(0.6, 0.45, 0.125), [np.zeros((300, 300, 3), np.uint8)], points[None])[0]
    for region, iris in IRISES.items():
        inside = moved(found, eye_placement(points, region, SIZE))[list(iris)]
        np.testing.assert_allclose(inside[0, :2], (0.6 * SIZE, 0.45 * SIZE), atol=1e-3)
        assert np.linalg.norm(inside[1:, :2] - inside[0, :2], axis=1).mean() == pytest.approx(SIZE / 8, rel=1e-3)
    # Rims go along in their order, and nothing else moves.
    assert (found[[469, 474], 0] > found[[471, 476], 0]).all()
    rest = np.setdiff1d(np.arange(478), [*RIGHT_IRIS, *LEFT_IRIS])
    np.testing.assert_array_equal(found[rest], points[rest])


@pytest.mark.parametrize("aperture, believed", [(0.0, 0.0), (0.1, 0.0), (0.19, 0.5), (0.3, 1.0)])
def test_the_less_an_eye_is_open_the_less_the_answer_counts(aperture, believed):
    points = standing()
    for region in IRISES:
        ring, (upper, lower) = RINGS[region], opposite(RINGS[region])
        width = np.linalg.norm(points[ring[0]] - points[ring[8]])
        middle = points[[ring[0], ring[8]]].mean(0)
        points[list(lower), 0] = points[list(upper), 0]
        for rows, side in ((list(upper), -1), (list(lower), 1)):
            points[rows, 1:] = middle[1:] + np.array((side * aperture * width / 2, 0))
    found = with_irises(Answer(0.6, 0.45, 0.125), [np.zeros((300, 300, 3), np.uint8)], points[None])[0]
    for region, iris in IRISES.items():
        matrix = eye_placement(points, region, SIZE)
        before, after = (moved(one, matrix)[iris[0], 0] for one in (points, found))
        assert (after - before) / (0.6 * SIZE - before) == pytest.approx(believed, abs=0.02)


@torch.no_grad()
def test_an_answer_is_a_centroid_that_no_light_changes():
    network = IrisNet(IrisNetConfig())
    network.trunk, network.head = nn.AvgPool2d(4), nn.Conv2d(3, 2, 1, bias=False)
    nn.init.constant_(network.head.weight, 5.0)
    image = torch.full((1, 3, SIZE, SIZE), 0.2)
    image[:, :, 20:24, 16:20] = 0.6
    for shown in (image, 1.5 * image, image - 0.1):
        x, y, radius = network(shown)[0].tolist()
        assert (x, y) == pytest.approx((18 / SIZE, 22 / SIZE), abs=0.01) and radius > 0
    assert network(image.roll(6, 3))[0, 0].item() == pytest.approx(24 / SIZE, abs=0.01), "half a cell is half a cell"


@pytest.mark.parametrize("aside", [-0.3, -0.15, 0.0, 0.15, 0.3])
def test_the_bundled_network_sees_where_eyes_look(face, aside):
    landmarker = load_open_landmarker()
    landmarks = landmarker([face], [np.array([[80, 70, 170, 190]], np.float32)])[0].points[0]
    points, image = landmarks.copy(), face.astype(np.float32)
    for ring, iris in ((RIGHT_EYE, RIGHT_IRIS), (LEFT_EYE, LEFT_IRIS)):
        corners = landmarks[[ring[0], ring[8]], :2]
        right, left = corners[corners[:, 0].argsort()]
        points[list(iris), :2] += (left + right) / 2 + aside * (left - right) - landmarks[iris[0], :2]
        rng = np.random.default_rng(1)
        image = painted(image, landmarks[list(ring), :2], points[list(iris), :2], np.float32((70, 50, 35)), rng)
    found = with_irises(landmarker.irises, [image.clip(0, 255).astype(np.uint8)], landmarks[None])[0]
    width = np.linalg.norm(landmarks[33, :2] - landmarks[133, :2])
    gap = np.abs(found[[468, 473], :2] - points[[468, 473], :2]) / width
    assert gap[:, 0].max() < 0.07 and gap[:, 1].max() < 0.1

"""Labels of face and hair from landmarks and colours, on a drawn head."""

import cv2
import numpy as np

from fsgan_core.stages.pose import load_face_model
from fsgan_core.training.face_labels import FACE, HAIR, REST, UNKNOWN, filled, label, trustworthy

MEAN = load_face_model().mean.numpy()
SIDE = 192


def head(hair_to=0.0):
    """A skin-coloured head under dark hair before a green wall, and its landmarks; hair falls over the forehead."""
    points = (MEAN[:, :2] * 52 + SIDE / 2).astype(np.float32)
    image = np.full((SIDE, SIDE, 3), (40, 130, 70), np.uint8)
    centre = points.mean(0).round().astype(int).tolist()
    cv2.ellipse(image, (centre[0], centre[1] - 15), (62, 80), 0, 0, 360, (40, 25, 20), -1)
    cv2.ellipse(image, (centre[0], centre[1] + 5), (52, 68), 0, 0, 360, (205, 160, 130), -1)
    line = int(points[10, 1] + hair_to * (points[9, 1] - points[10, 1]))
    image[: line + 1][cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[: line + 1] > 120] = (40, 25, 20)
    noise = np.random.default_rng(0).normal(0, 6, image.shape)
    return (image + noise).clip(0, 255).astype(np.uint8), points


def test_the_face_is_skin_the_rest_is_not():
    image, points = head()
    found = label(image, points)
    oval = filled(points, SIDE) > 0
    assert (found[oval] == FACE).mean() > 0.93
    assert (found[:10] == REST).all() and (found[-10:] == REST).all()
    x, y = points[10].round().astype(int)
    assert (found[y - 14 : y - 8, x - 10 : x + 10] == HAIR).mean() > 0.9
    assert trustworthy(found, points)


def test_hair_over_the_forehead_is_no_face():
    image, points = head(hair_to=0.6)
    found = label(image, points)
    x, top, brow = int(points[10, 0]), int(points[10, 1]), int(points[9, 1])
    assert (found[top : top + (brow - top) // 3, x - 8 : x + 8] != FACE).all()
    assert (found[brow + 4 : brow + 20, x - 8 : x + 8] == FACE).all()


def test_what_lies_under_glasses_is_unknown():
    image, points = head()
    found = label(image, points, glasses=True)
    for eye in (159, 386):
        x, y = points[eye].round().astype(int)
        assert found[y, x] == UNKNOWN
    x, y = points[152].round().astype(int)
    assert found[y - 4, x] == FACE


def test_a_label_that_found_no_face_is_not_trusted():
    _, points = head()
    assert not trustworthy(np.zeros((SIDE, SIDE), np.uint8), points)

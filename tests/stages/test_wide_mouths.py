"""A mouth opened wide is looked at with the lower face pressed together, and only believed to be wider."""

import numpy as np
import pytest

from fsgan_core.stages.pose import load_face_model
from fsgan_core.stages.wide_mouths import Pressed, gaping

SIZE = 400
MODEL = load_face_model()
FRAME = np.broadcast_to((np.arange(SIZE) // 2).astype(np.uint8)[:, None, None], (SIZE, SIZE, 3))


def face(jaw, turn=0.0):
    shape = (MODEL.mean + jaw * MODEL.expression[MODEL.names.index("jawOpen")]).numpy() * (0.35 * SIZE)
    c, s = np.cos(turn), np.sin(turn)
    return (shape @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]) + (SIZE / 2, 0.4 * SIZE, 0)).astype(np.float32)


def distance(points):
    return np.linalg.norm(points[33, :2] - points[263, :2])


def test_only_wide_mouths_gape():
    assert gaping(face(0.0)) == gaping(face(0.5)) == 0
    assert 0 < gaping(face(1.05)) < gaping(face(1.6)) == 1


@pytest.mark.parametrize("turn", [0.0, 0.6])
def test_a_pressed_mouth_is_lower_and_what_is_found_there_comes_back(turn):
    wide = face(1.6, turn)
    pressed = Pressed.of(FRAME, wide)
    before, now = ((points[14] - points[13])[:2] / distance(points) for points in (wide, pressed.face))
    assert now[1] == pytest.approx(0.65 * np.linalg.norm(before), rel=0.02)
    np.testing.assert_allclose(pressed.released(pressed.face), wide, atol=0.01)


def test_the_picture_is_pressed_as_the_landmarks_are():
    wide = face(1.6)
    pressed = Pressed.of(FRAME, wide)
    for point in (1, 14, 17):
        x, y = pressed.face[point, :2].round().astype(int)
        assert pressed.image[y, x, 0] == pytest.approx(wide[point, 1] / 2, abs=2)


def test_a_mouth_found_wider_is_believed_and_one_found_narrower_is_not():
    wide = face(1.6)
    pressed = Pressed.of(FRAME, wide)
    for step, moves in ((20, True), (-20, False)):
        found = pressed.face.copy()
        found[[14, 17], 1] += step
        result = pressed.released(found)
        assert (abs(result[14, 1] - wide[14, 1]) > 5) == moves
        np.testing.assert_allclose(result[[33, 105, 1]], wide[[33, 105, 1]], atol=0.01)

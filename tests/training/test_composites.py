"""Scenes for the detector: geometry of pasting, visibility of faces."""

import numpy as np
import pytest

from fsgan_core.training.canvas import Canvas, ellipse, enlarged, moved, rectangle, similarity
from fsgan_core.training.degradation import degrade
from fsgan_core.training.occluders import bar, cover, glasses, half, hand, hat, scarf


def blank(size: int = 100) -> Canvas:
    return Canvas.filled(np.zeros((size, size, 3), np.uint8))


def test_a_similarity_turns_clockwise_as_seen():
    matrix = similarity((0, 0), (10, 20), 2, 90, mirror=False)
    np.testing.assert_allclose(moved(matrix, np.array([[0, 0], [1, 0]], np.float32)), [[10, 20], [10, 22]], atol=1e-5)


def test_a_mirror_keeps_the_origin():
    matrix = similarity((5, 7), (50, 60), 1, 0, mirror=True)
    np.testing.assert_allclose(moved(matrix, np.array([[5, 7], [8, 7]], np.float32)), [[50, 60], [47, 60]], atol=1e-5)


def test_face_coordinates_span_the_box():
    matrix = enlarged(similarity((0, 0), (0, 0), 1, 0, False), (30, 40), (20, 10))
    corner = np.array([[-0.5, -0.5], [0.5, 0.5]], np.float32)
    np.testing.assert_allclose(moved(matrix, corner), [[20, 35], [40, 45]])


@pytest.mark.parametrize("scale", [1.0, 0.25, 3.0])
def test_a_picture_lands_where_its_outline_does(scale):
    picture = np.zeros((80, 60, 3), np.uint8)
    picture[20:60, 10:50] = 255
    canvas = blank(240)
    matrix = similarity((30, 40), (120, 120), scale, 0, False)
    canvas.paste([picture, picture[::2, ::2]], matrix, [moved(matrix, rectangle(0, 0, 60, 80))], 0)
    rows, columns = np.nonzero(canvas.image()[..., 0] > 127)
    left, top = moved(matrix, np.array([[10, 20]], np.float32))[0]
    right, bottom = moved(matrix, np.array([[50, 60]], np.float32))[0]
    found = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    np.testing.assert_allclose(found, [left, top, right, bottom], atol=1.01)


def test_what_is_pasted_over_a_face_hides_it():
    canvas = blank()
    canvas.add_face(rectangle(20, 20, 60, 60))
    canvas.blend(np.full((100, 100, 3), 9, np.uint8), canvas.alpha([rectangle(40, 0, 100, 100)]))
    boxes, visible, large = canvas.faces()
    np.testing.assert_allclose(boxes, [[20, 20, 60, 60]])
    assert visible[0] == pytest.approx(0.5, abs=0.03) and large.all()


def test_the_part_of_a_face_beyond_the_border_counts_as_hidden():
    canvas = blank()
    canvas.add_face(rectangle(-30, 20, 10, 60))
    boxes, visible, _ = canvas.faces()
    assert boxes[0, 0] == -30 and visible[0] == pytest.approx(0.25, abs=0.03)


def test_a_hidden_face_is_forgotten_and_a_small_one_marked():
    canvas = blank()
    canvas.add_face(ellipse(50, 50, 3, 4))
    canvas.add_face(rectangle(200, 200, 240, 240))
    boxes, _, large = canvas.faces()
    assert len(boxes) == 1 and not large[0]


@pytest.mark.parametrize("shape", [glasses, scarf, hand, hat, bar, half])
def test_occluders_hide_something_but_not_everything(shape):
    to_face = similarity((0, 0), (50, 50), 40, 0, False)
    face = blank().alpha([moved(to_face, ellipse(0, 0, 0.5, 0.5))])
    shares = []
    for seed in range(8):
        parts = [moved(to_face, part) for part in shape(np.random.default_rng(seed))]
        shares.append((blank().alpha(parts) * face).sum() / face.sum())
    assert max(shares) > 0.05 and max(shares) < 0.9


def test_covering_and_degrading_keep_the_picture_a_picture():
    mask = np.full((30, 40, 4), 120, np.uint8)
    for seed in range(25):
        rng, canvas = np.random.default_rng(seed), blank(64)
        to_face = similarity((0, 0), (32, 32), 40, 10, False)
        cover(rng, canvas, to_face, lambda: np.full((10, 10, 3), 77, np.uint8), [mask])
        found = degrade(rng, canvas.image())
        assert found.shape == (64, 64, 3) and found.dtype == np.uint8

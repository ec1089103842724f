import cv2
import numpy as np
import pytest

from fsgan_core.stages.descriptor import describe_box, describe_face, similarity


def picture(seed=0, side=300):
    rng = np.random.default_rng(seed)
    image = np.full((side, side, 3), rng.integers(60, 200, 3), np.uint8)
    for _ in range(60):
        centre = [int(v) for v in rng.integers(0, side, 2)]
        cv2.circle(image, centre, int(rng.integers(5, 40)), [int(v) for v in rng.integers(0, 255, 3)], -1)
    return cv2.GaussianBlur(image, (0, 0), 2)


def landmarks():
    points = np.full((478, 3), 150.0, np.float32)
    for number, place in ((33, (95, 120)), (133, (125, 120)), (362, (175, 120)), (263, (205, 120))):
        points[number, :2] = place
    points[61, :2], points[291, :2] = (125, 200), (175, 200)
    return points


def moved(image, points, angle, scale):
    matrix = cv2.getRotationMatrix2D((150, 150), angle, scale)
    matrix[:, 2] += 10
    turned = cv2.warpAffine(image, matrix, (320, 320), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    result = points.copy()
    result[:, :2] = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    return turned, result


def test_a_descriptor_has_length_one_and_equals_itself():
    one = describe_face(picture(), landmarks())
    assert np.linalg.norm(one) == pytest.approx(1, abs=1e-5)
    assert similarity(one, one) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(("angle", "scale"), [(30, 1), (-50, 0.8), (0, 0.6), (180, 0.9)])
def test_tilt_and_size_do_not_matter_once_measured(angle, scale):
    assert (
        similarity(describe_face(picture(), landmarks()), describe_face(*moved(picture(), landmarks(), angle, scale)))
        > 0.93
    )


@pytest.mark.parametrize(("gain", "offset"), [(0.6, 0), (1, 40), (0.5, 60)])
def test_light_hardly_matters(gain, offset):
    lit = np.clip(picture() * float(gain) + offset, 0, 255).astype(np.uint8)
    box = (60, 60, 240, 260)
    assert similarity(describe_box(picture(), box), describe_box(lit, box)) > 0.85


def test_others_are_less_similar():
    box, ones = (60, 60, 240, 260), [picture(seed) for seed in range(8)]
    described = [describe_box(image, box) for image in ones]
    others = [similarity(a, b) for n, a in enumerate(described) for b in described[:n]]
    trembling = [
        similarity(a, describe_box(image, (63, 58, 244, 257))) for a, image in zip(described, ones, strict=True)
    ]
    assert max(others) < 0.6 < 0.9 < min(trembling)


@pytest.mark.parametrize("box", [(-50, -50, 60, 80), (290, 290, 400, 420), (500, 500, 600, 600), (10, 10, 10, 10)])
def test_boxes_beyond_the_frame_do_not_fail(box):
    assert np.isfinite(describe_box(picture(), box)).all()


def test_a_huge_face_needs_little_memory():
    assert np.isfinite(describe_box(np.zeros((2000, 2000, 3), np.uint8), (0, 0, 2000, 2000))).all()


def test_faces_without_extent_do_not_fail():
    assert np.isfinite(describe_face(picture(), np.full((478, 3), 7, np.float32))).all()

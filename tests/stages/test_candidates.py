from functools import cache

import cv2
import numpy as np
import pytest

from fsgan_core.errors import NoFaceError
from fsgan_core.ops.landmarks import COUNT, LEFT_EYE, RIGHT_EYE
from fsgan_core.stages.appearance_map import build
from fsgan_core.stages.candidates import Candidate, MapOptions, rate, sharpness


def landmarks(centre=(160, 120), size=80.0, seed=0):
    """A disc of points, wide-eyed."""
    rng = np.random.default_rng(seed)
    angle, radius = rng.uniform(0, 2 * np.pi, COUNT), np.sqrt(rng.uniform(0, 1, COUNT))
    radius[:8], angle[:8] = 1, np.arange(8) * np.pi / 4
    points = np.stack((np.cos(angle) * radius, np.sin(angle) * radius, 0.2 * radius), 1) / 2
    for ring, side in ((RIGHT_EYE, -0.2), (LEFT_EYE, 0.2)):
        turn = np.arange(16) * np.pi / 8
        points[list(ring)] = np.stack((side + 0.1 * np.cos(turn), -0.1 + 0.03 * np.sin(turn), 0 * turn), 1)
    return (points * size + (*centre, 0)).astype(np.float32)


@cache
def texture(seed=0, size=(240, 320)):
    """Detail of all sizes, as a face has."""
    rng, picture = np.random.default_rng(seed), np.full((*size, 3), 128.0)
    for sigma in (1, 2, 4, 8, 16):
        layer = cv2.GaussianBlur(rng.normal(size=(*size, 3)), (0, 0), sigma)
        picture += 8 * sigma**0.5 * layer / layer.std()
    return picture.clip(0, 255).astype(np.uint8)


def candidate(pose=(0, 0, 0), frame=None, score=1.0, **where):
    frame = texture() if frame is None else frame
    return Candidate(frame, landmarks(**where), np.array(pose, np.float32), score)


def yaws(appearance):
    return appearance.poses[:, 0].tolist()


def blurred(frame, sigma=3.0):
    return cv2.GaussianBlur(frame, (0, 0), sigma)


def test_one_picture_is_one_view_with_context():
    appearance = build([candidate((10, 0, 0))])
    np.testing.assert_array_equal(appearance.boxes, [[80, 40, 240, 200]])
    np.testing.assert_array_equal(appearance.views[0], texture()[40:200, 80:240])
    np.testing.assert_allclose(appearance.landmarks[0], landmarks() - (80, 40, 0), atol=1e-4)


def test_a_crop_ends_at_the_border():
    appearance = build([candidate(centre=(10, 120))])
    assert appearance.boxes[0, 0] == 0 and appearance.views[0].shape == (160, 90, 3)


def test_a_huge_face_is_reduced_with_its_landmarks():
    frame = cv2.resize(texture(), (3200, 2400))
    appearance = build([candidate(frame=frame, centre=(1600, 1200), size=1200.0)])
    assert appearance.views[0].shape == (2048, 2048, 3)
    restored = appearance.landmarks[0] * 2400 / 2048 + (400, 0, 0)
    np.testing.assert_allclose(restored, landmarks((1600, 1200), 1200.0), atol=1e-2)


def test_close_poses_compete_and_the_sharper_wins():
    frames = [(0, blurred(texture(), 1.5)), (1, texture()), (30, texture()), (31, blurred(texture(), 1.5))]
    assert yaws(build(candidate((yaw, 0, 0), frame) for yaw, frame in frames)) == [1, 30]


def test_upright_and_open_eyed_wins():
    assert build([candidate((0, 0, 25)), candidate((1, 0, 3))]).poses[0, 2] == 3
    closed = landmarks()
    for ring in (RIGHT_EYE, LEFT_EYE):
        closed[list(ring), 1] = closed[list(ring), 1].mean()
    asleep = Candidate(texture(), closed, np.zeros(3, np.float32))
    assert yaws(build([asleep, candidate((1, 0, 0))])) == [1]


def test_a_larger_face_wins():
    small = candidate(frame=cv2.resize(texture(), (160, 120), interpolation=cv2.INTER_AREA), centre=(80, 60), size=40)
    assert yaws(build([small, candidate((1, 0, 0))])) == [1]


def test_a_blurred_view_is_dropped():
    clear = [candidate((yaw, 0, 0)) for yaw in (0, 20, 40)]
    assert yaws(build([*clear, candidate((60, 0, 0), blurred(texture(), 4))])) == [0, 20, 40]
    assert yaws(build([candidate((60, 0, 0), blurred(texture(), 4))])) == [60]


def test_a_tilted_face_is_the_last_resort():
    assert yaws(build([candidate((50, 0, 60)), candidate((0, 0, 0))])) == [0]
    assert yaws(build([candidate((50, 0, 60)), candidate((20, 0, 170))])) == [50]


def test_unseen_and_unmeasured_faces_are_not_used():
    hidden, nowhere = candidate(score=0), candidate(centre=(-500, -500))
    lost = Candidate(texture(), np.full((COUNT, 3), np.nan, np.float32), np.zeros(3, np.float32))
    assert yaws(build([hidden, nowhere, lost, candidate((5, 0, 0))])) == [5]
    with pytest.raises(NoFaceError, match="no usable picture"):
        build([hidden, nowhere, lost])
    with pytest.raises(NoFaceError):
        build([])


def turning(count, seed=0):
    rng = np.random.default_rng(seed)
    for number, yaw in enumerate(np.linspace(-70, 70, count)):
        yield candidate((yaw, 10 * np.sin(number / 9) + rng.normal(), 0))


def test_a_stream_is_thinned_and_still_covered():
    appearance = build(turning(400))
    gaps = np.linalg.norm(appearance.poses[:, None, :2] - appearance.poses[None, :, :2], axis=2)
    assert gaps[~np.eye(len(gaps), dtype=bool)].min() >= 4
    assert appearance.poses[:, 0].min() < -64 and appearance.poses[:, 0].max() > 64
    reach = [np.linalg.norm(appearance.poses[:, :2] - one.pose[:2], axis=1).min() for one in turning(400)]
    assert max(reach) < 8


def test_quality_rising_through_a_turn_does_not_thin_the_start_away():
    frames = (candidate((yaw, 0, 0), blurred(texture(), 2.5 - yaw / 60)) for yaw in range(61))
    found = yaws(build(frames, MapOptions(blur=0)))
    assert min(found) < 6 and max(found) > 55 and len(found) > 9


def test_the_number_of_views_is_bounded_while_streaming():
    alive = build(turning(400), MapOptions(limit=5, radius=0.5))
    assert len(alive) <= 5 and np.ptp(alive.poses[:, 0]) > 80


def test_order_is_that_of_the_candidates():
    assert yaws(build(candidate((yaw, 0, 0)) for yaw in (30, -30, 0))) == [30, -30, 0]


def test_notes_travel():
    assert build([candidate()], notes={"consent": "given"}).notes == {"consent": "given"}


def test_sharpness_compares_pictures_whatever_their_light_and_size():
    points = landmarks()[:, :2]
    clear = sharpness(texture(), points)
    assert sharpness(blurred(texture()), points) < 0.3 * clear
    assert sharpness((texture() * 0.5).astype(np.uint8), points) == pytest.approx(clear, rel=0.2)
    assert sharpness(cv2.resize(texture(), (1280, 960), interpolation=cv2.INTER_CUBIC), points * 4) == pytest.approx(
        clear, rel=0.3
    )


def test_flat_pictures_do_not_fail():
    assert rate(candidate(frame=np.zeros((240, 320, 3), np.uint8))) is not None


@pytest.mark.parametrize("wrong", [{"radius": 0}, {"limit": 0}, {"blur": 2}, {"roll": -1}])
def test_options_are_checked(wrong):
    with pytest.raises(ValueError, match="expected"):
        MapOptions(**wrong)

import numpy as np
import pytest

from fsgan_core.stages.appearance_map import AppearanceMap
from fsgan_core.stages.coverage import coverage_picture, hint, missing

RED, GREEN = (200, 30, 40), (20, 160, 60)


def make(*poses):
    count = len(poses)
    views = tuple(np.full((60, 60, 3), RED if number % 2 == 0 else GREEN, np.uint8) for number in range(count))
    landmarks = np.tile(np.random.default_rng(0).uniform(10, 50, (478, 3)), (count, 1, 1)).astype(np.float32)
    placed = np.array([(*pose, 0) for pose in poses], np.float32)
    return AppearanceMap(views, placed, landmarks, np.tile((0.0, 0.0, 60.0, 60.0), (count, 1)).astype(np.float32))


FULL = make((0, 0), (-35, 0), (35, 0), (-75, 0), (75, 0), (0, 28), (0, -28))


def where(picture, colour):
    """Middle of the pixels of a colour, relative to the size."""
    rows, columns = np.nonzero((np.abs(picture.astype(int) - colour) < 12).all(2))
    return columns.mean() / picture.shape[1], rows.mean() / picture.shape[0]


def test_what_is_missing_is_said():
    assert missing(FULL) == ()
    assert missing(make((0, 0))) == (
        "to the picture's left",
        "to the picture's right",
        "up",
        "down",
    )
    assert "to the picture's left by more than 40°" in missing(make((-40, 0), (0, 0), (75, 0)))
    assert "straight into the camera" in missing(make((75, 0)))
    assert "to the picture's right by about 35°" in missing(make((0, 0), (75, 0)))
    assert hint(FULL) == "Nothing is missing."
    assert hint(make((-40, 0), (0, 0), (75, 0), (35, 0), (0, -28), (0, 28))) == (
        "No view looks to the picture's left by more than 40°: add one."
    )


@pytest.mark.parametrize("size", [(1280, 860), (640, 480), (481, 700), (2000, 400)])
def test_a_picture_of_the_size_asked_for(size):
    picture = coverage_picture(make((0, 0), (40, 10)), size)
    assert picture.shape == (size[1], size[0], 3) and picture.dtype == np.uint8


def test_views_lie_at_their_pose():
    picture = coverage_picture(make((60, 20), (-60, -20)))
    red, green = where(picture, RED), where(picture, GREEN)
    assert red[0] > 0.7 and green[0] < 0.35 and red[1] < green[1]


def test_missing_views_are_marked():
    lacking, full = coverage_picture(make((0, 0))), coverage_picture(FULL)
    marks = [int((np.abs(picture.astype(int) - (196, 84, 52)) < 12).all(2).sum()) for picture in (lacking, full)]
    assert marks[0] > 500 and marks[1] < 20


@pytest.mark.parametrize("poses", [[(180, 0), (-170, 90)], [(0, 0)] * 3, [(yaw, 0) for yaw in range(-80, 81, 2)]])
def test_odd_maps_can_be_drawn(poses):
    assert coverage_picture(make(*poses), (480, 360)).std() > 0


def test_too_small_a_picture_is_refused():
    with pytest.raises(ValueError, match="at least 480 by 360"):
        coverage_picture(FULL, (100, 100))

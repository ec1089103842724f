"""A target that looks where no source picture does is told of before anything is drawn."""

import numpy as np
import pytest

from fsgan_core.cli.quality import tell_of_gaps
from fsgan_core.evaluation.gaps import far_apart, overturned
from fsgan_core.faces import FaceSequence, Track
from fsgan_core.ops.controls import Controls
from fsgan_core.stages.appearance_map import AppearanceMap


def seen(yaws, scores=None):
    poses = np.array([(yaw, 0, 0) for yaw in yaws], np.float32)
    scores = np.ones(len(poses), np.float32) if scores is None else np.array(scores, np.float32)
    boxes = np.zeros((len(poses), 4), np.float32)
    return FaceSequence(Track(0, boxes), np.zeros((len(poses), 478, 3), np.float32), poses, scores)


def source(*yaws):
    count = len(yaws)
    poses = np.array([(yaw, 0, 0) for yaw in yaws], np.float32)
    picture = np.zeros((8, 8, 3), np.uint8)
    return AppearanceMap(
        (picture,) * count, poses, np.zeros((count, 478, 3), np.float32), np.zeros((count, 4), np.float32)
    )


@pytest.mark.parametrize(
    ("yaws", "views", "told"),
    [([70, 0], (0,), "turns up to 70 degrees away"), ([70, 0], (0, 60), ""), ([20, -20], (0,), "")],
)
def test_the_nearest_view_counts(yaws, views, told, capsys):
    tell_of_gaps([seen(yaws)], source(*views), None)
    said = capsys.readouterr().out
    assert said.startswith("note: the target") and told in said if told else not said


def test_frames_without_the_face_do_not_count(capsys):
    tell_of_gaps([seen([80, 0], scores=[0, 1])], source(0), None)
    assert not capsys.readouterr().out and far_apart([]) == ""


def test_a_few_frames_are_not_worth_a_word():
    assert far_apart([0.0] * 9 + [70.0]) == "" and "70 degrees" in far_apart([0.0] * 3 + [70.0])


@pytest.mark.parametrize(
    ("turn", "told"),
    [
        ({"yaw": 25}, ""),
        ({"yaw": 30}, "by 30 degrees, so that the side that comes into sight is soft"),
        ({"yaw": -30, "pitch": 25}, "by 39 degrees, so that half of it is guessed"),
        ({"smile": 1}, ""),
    ],
)
def test_a_turn_that_no_picture_shows_is_told(turn, told):
    said = overturned(Controls(**turn))
    assert told in said if told else not said

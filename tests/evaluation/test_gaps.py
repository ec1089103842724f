"""What parts a target from a source is told of before anything is drawn, once, and of the one that causes it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fsgan_core.cli.quality import tell_of_gaps
from fsgan_core.evaluation.gaps import far_apart, overturned, told_eyes, told_kept, told_mouth, told_size
from fsgan_core.faces import FaceSequence, Track
from fsgan_core.ops.controls import Controls
from fsgan_core.ops.geometry import rotation_matrix
from fsgan_core.stages.appearance_map import AppearanceMap
from fsgan_core.stages.pose import load_face_model


def seen(yaws, scores=None):
    poses = np.array([(yaw, 0, 0) for yaw in yaws], np.float32)
    scores = np.ones(len(poses), np.float32) if scores is None else np.array(scores, np.float32)
    boxes = np.zeros((len(poses), 4), np.float32)
    return FaceSequence(Track(0, boxes), np.zeros((len(poses), 478, 3), np.float32), poses, scores)


def poses(*yaws):
    return np.array([(yaw, 0, 0) for yaw in yaws], np.float32).reshape(-1, 3)


def source(*yaws):
    count = len(yaws)
    poses = np.array([(yaw, 0, 0) for yaw in yaws], np.float32)
    picture = np.zeros((8, 8, 3), np.uint8)
    return AppearanceMap(
        (picture,) * count, poses, np.zeros((count, 478, 3), np.float32), np.zeros((count, 4), np.float32)
    )


@pytest.mark.parametrize(
    ("yaws", "views", "told"),
    [
        ([70, 0], (0,), "note: the target turns up to 70 degrees away"),
        ([70], (0,), "note: the target is turned 70 degrees away"),
        ([-3], (42,), "note: the source is turned 42 degrees away from the camera, the target only 3"),
        ([0], (42, -50), "note: the nearest source picture is turned 42 degrees away from the camera"),
        ([70, 0], (0, 60), ""),
        ([20, -20], (0,), ""),
    ],
)
def test_the_nearest_view_counts(yaws, views, told, capsys):
    told_notes = tell_of_gaps([seen(yaws)], source(*views), crop=False)
    said = capsys.readouterr().out
    assert said.startswith(told) if told else not said
    assert said == "".join(f"note: {words}\n" for words in told_notes)


def test_frames_without_the_face_do_not_count(capsys):
    tell_of_gaps([seen([80, 0], scores=[0, 1])], source(0), crop=False)
    assert not capsys.readouterr().out and far_apart(poses(), poses(0)) == ""


def test_a_few_frames_are_not_worth_a_word():
    few, many = (far_apart(poses(*[0] * count, 70), poses(0)) for count in (9, 3))
    assert few == "" and "70 degrees" in many


def shaped(length):
    """Landmarks of a face so many pixels long."""
    points = np.zeros((1, 478, 3), np.float32)
    points[0, 10], points[0, 152] = (0, 0, 0), (0, length, 0)
    return points


@pytest.mark.parametrize(("ours", "told"), [(136, "136 px long and drawn 355 px long: soft"), (230, "")])
def test_a_small_source_is_told_by_the_size_it_is_drawn_at(ours, told, capsys):
    person, target = replace(source(0), landmarks=shaped(ours)), replace(seen([0]), landmarks=shaped(355))
    said = told_size([target], person)
    assert told in said if told else not said
    assert tell_of_gaps([target], person, crop=False) == []
    assert tell_of_gaps([target], person, crop=True) == ([said] if told else [])
    assert ("px long" in capsys.readouterr().out) == bool(told)


@pytest.mark.parametrize(("ours", "theirs", "told"), [(0.9, 0.0, True), (0.9, 0.9, False), (0.4, 0.0, False)])
def test_a_scream_is_told_where_the_target_does_not_scream_but_no_laugh(ours, theirs, told):
    model = load_face_model()
    mouths = [100 * (model.mean + jaw * model.expression[model.names.index("jawOpen")]) for jaw in (ours, theirs)]
    person, face = (
        replace(one, landmarks=mouth[None].numpy()) for one, mouth in zip((source(0), seen([0])), mouths, strict=True)
    )
    assert bool(told_mouth([face], person, model)) == told
    assert told_mouth([], person, model) == ""


@pytest.mark.parametrize(
    ("yaw", "pitch", "blink", "told"),
    [(0, 0, 0, False), (0, 0, 1, False), (35, 20, 0, False), (65, 0, 0, True), (0, 40, 0, True)],
)
def test_a_target_that_keeps_its_own_eyes_is_told(yaw, pitch, blink, told):
    model = load_face_model()
    lids = [model.names.index("eyeBlink_L"), model.names.index("eyeBlink_R")]
    shape = model.mean + blink * model.expression[lids].sum(0)
    turned = 100 * shape @ rotation_matrix(torch.tensor([[float(yaw), float(pitch), 0.0]]))[0].T
    person = replace(source(0), landmarks=100 * model.mean[None].numpy())
    faces = [replace(seen([0]), landmarks=turned[None].numpy())]
    assert bool(said := told_eyes(faces, person, model)) == told and "frames" not in said
    some = replace(seen([0] * 3), landmarks=np.concatenate([person.landmarks, turned[None].numpy(), person.landmarks]))
    assert ("in 33% of the frames" in told_eyes([some], person, model)) == told
    assert not told_eyes([replace(seen([0], [0]), landmarks=turned[None].numpy())], person, model)
    asleep = 100 * (model.mean + model.expression[lids].sum(0))[None].numpy()
    assert "source's are shut" in told_eyes(faces, replace(person, landmarks=asleep), model)


@pytest.mark.parametrize(("ours", "theirs", "told"), [(0, 40, True), (42, 0, True), (40, 40, False), (0, 15, False)])
def test_a_face_that_stays_nearly_whole_is_told(ours, theirs, told):
    model = load_face_model()
    turns = [rotation_matrix(torch.tensor([[0.0, float(pitch), 0.0]]))[0] for pitch in (ours, theirs)]
    heads = [(100 * model.mean @ turn.T)[None].numpy() for turn in turns]
    person, face = (replace(one, landmarks=head) for one, head in zip((source(0), seen([0])), heads, strict=True))
    assert ("hardly anything is swapped" in told_kept([face], person, model)) == told
    assert told_kept([], person, model) == ""


@pytest.mark.parametrize(
    ("turn", "told"),
    [
        ({"yaw": 19}, ""),
        ({"yaw": 20}, "by 20 degrees, so that the side that comes into sight is soft, with pale rims at jaw"),
        ({"yaw": 30}, "by 30 degrees, so that the side that comes into sight is soft"),
        ({"yaw": -30, "pitch": 25}, "by 39 degrees, so that half of it is guessed"),
        ({"smile": 1}, ""),
    ],
)
def test_a_turn_that_no_picture_shows_is_told(turn, told):
    said = overturned(Controls(**turn))
    assert told in said if told else not said
    worn = overturned(Controls(**turn), glasses=True)
    assert "glasses" not in said and ("glasses" in worn) == ("soft" in told)

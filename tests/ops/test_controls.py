"""What each control does to landmarks, measured on a made-up person."""

from dataclasses import fields

import pytest
import torch

from fsgan_core.ops import face_model as F
from fsgan_core.ops.controls import Controls, controlled
from fsgan_core.ops.geometry import rotation_matrix
from fsgan_core.ops.head_mesh import place
from fsgan_core.ops.landmarks import LEFT_EYE, LEFT_IRIS, LIPS_INNER, RIGHT_EYE, RIGHT_IRIS, opposite
from fsgan_core.stages.openings import LEFT, MOUTH, RIGHT, openness
from fsgan_core.stages.pose import load_face_model

MODEL = load_face_model()
NAMES = [item.name for item in fields(Controls)]


def person(pose=(6.0, -4.0, 3.0), **expression):
    """Landmarks ``(1, 478, 3)`` of somebody who looks about straight ahead."""
    coefficients = torch.zeros(1, len(MODEL.names))
    for name, value in expression.items():
        coefficients[0, MODEL.names.index(name)] = value
    identity = 0.6 * torch.randn(1, len(MODEL.identity), generator=torch.Generator().manual_seed(5))
    rotation, where = rotation_matrix(torch.tensor([pose])), torch.tensor([[120.0, 130.0, 0.0]])
    return F.points(MODEL, F.Fit(torch.tensor([90.0]), rotation, where, identity, coefficients))


def shaped(landmarks=None, **values):
    """The canonical landmarks that controls lead to."""
    return place(MODEL.mean, controlled(MODEL, person() if landmarks is None else landmarks, Controls(**values))).shape


def grows(measure, name, values, **start):
    found = [float(measure(shaped(person(**start), **{name: value}))) for value in values]
    steps = [after - before for before, after in zip(found, found[1:], strict=False)]
    assert min(steps) > 0, (name, found)
    return found


def test_nothing_asked_changes_nothing():
    landmarks = person()
    assert controlled(MODEL, landmarks, Controls()) is landmarks


@pytest.mark.parametrize("name", NAMES)
def test_a_small_wish_is_a_small_change(name):
    landmarks = person()
    moved = controlled(MODEL, landmarks, Controls(**{name: 1e-3}))
    assert 0 < (moved - landmarks).abs().max() < 0.1


@pytest.mark.parametrize(("name", "axis"), [("yaw", 0), ("pitch", 1), ("roll", 2)])
def test_the_head_turns_by_so_many_degrees_about_its_neck(name, axis):
    landmarks = person()
    before = F.poses(MODEL, landmarks)[0]
    for degrees in (-30.0, -5.0, 12.0, 35.0):
        moved = controlled(MODEL, landmarks, Controls(**{name: degrees}))
        change = (F.poses(MODEL, moved)[0] - before).tolist()
        assert change == pytest.approx([degrees if axis == one else 0.0 for one in range(3)], abs=0.05)
    right = controlled(MODEL, landmarks, Controls(yaw=20))
    assert right[0, 1, 0] > landmarks[0, 1, 0], "the tip of the nose goes to the right side of the picture"
    assert controlled(MODEL, landmarks, Controls(pitch=20))[0, 1, 1] < landmarks[0, 1, 1]


@pytest.mark.parametrize(
    ("name", "region", "other", "ring"),
    [("blink_left", LEFT, RIGHT, LEFT_EYE), ("blink_right", RIGHT, LEFT, RIGHT_EYE)],
)
def test_a_blink_closes_that_eye_alone_along_its_whole_edge(name, region, other, ring):
    found = grows(lambda shape: -openness(shape, region), name, (-1.0, -0.5, 0.0, 0.3, 0.6, 0.9, 1.0))
    assert found[-1] > 0.02 * found[2]
    before, after = shaped(), shaped(**{name: 1.0})
    assert openness(after, other) == pytest.approx(float(openness(before, other)), rel=0.01)
    upper, lower = opposite(ring)
    assert (after[:, upper] - after[:, lower]).norm(dim=-1).max() < 1e-4
    side = before[0, list(ring), 0].mean()
    assert (side > 0) == (name == "blink_left"), "the left eye is on the right side of the picture"


@pytest.mark.parametrize(("name", "axis", "sign"), [("gaze_yaw", 0, 1), ("gaze_pitch", 1, -1)])
def test_gaze_moves_both_irises_and_keeps_their_form(name, axis, sign):
    for iris in (LEFT_IRIS, RIGHT_IRIS):
        grows(lambda shape, iris=iris: sign * shape[0, iris[0], axis], name, (-30.0, -15.0, 0.0, 10.0, 30.0))
    before, after = shaped(), shaped(**{name: 20.0})
    for iris in (LEFT_IRIS, RIGHT_IRIS):
        width = [(shape[0, iris[1]] - shape[0, iris[3]]).norm() for shape in (before, after)]
        assert width[1] == pytest.approx(float(width[0]), rel=0.1)
    corners = [33, 133, 263, 362]
    assert (after - before)[0, corners].norm(dim=-1).max() < 0.02


def test_brows_rise():
    grows(lambda shape: -shape[0, [105, 66, 334, 296], 1].mean(), "brows", (-1.0, -0.4, 0.0, 0.5, 1.0))


def test_a_smile_raises_both_corners():
    for corner in (61, 291):
        grows(lambda shape, corner=corner: -shape[0, corner, 1], "smile", (-1.0, -0.5, 0.0, 0.5, 1.0))


def test_a_smile_that_is_there_is_not_doubled():
    def rise(**start):
        before, after = shaped(person(**start)), shaped(person(**start), smile=1.0)
        return float((before - after)[0, [61, 291], 1].mean())

    assert rise(mouthSmile_L=0.9, mouthSmile_R=0.9) < 0.6 * rise()


def test_a_sad_mouth_takes_a_smile_away():
    def corners(start, **values):
        return float(shaped(person(**start), **values)[0, [61, 291], 1].mean())

    smiling = {"mouthSmile_L": 0.9, "mouthSmile_R": 0.9}
    assert corners(smiling, smile=-1.0) > corners({}) + 0.02 > corners(smiling) + 0.04


def test_the_jaw_opens_and_closes_the_mouth():
    grows(lambda shape: openness(shape, MOUTH), "jaw", (0.0, 0.25, 0.5, 1.0))
    grows(lambda shape: openness(shape, MOUTH), "jaw", (-1.0, -0.5, 0.0, 0.5), jawOpen=0.4)
    shut = shaped(person(jawOpen=0.4), jaw=-1.0)
    upper, lower = opposite(LIPS_INNER)
    assert (shut[:, upper] - shut[:, lower]).norm(dim=-1).max() < 1e-4
    assert shaped(jaw=1.0)[0, 152, 1] > shaped()[0, 152, 1] + 0.1, "the chin goes down"


def test_lips_pucker_stretch_and_shift():
    grows(lambda shape: shape[0, 61, 0] - shape[0, 291, 0], "pucker", (-1.0, -0.5, 0.0, 0.5, 1.0))
    grows(lambda shape: shape[0, 13, 0], "sideways", (-1.0, -0.5, 0.0, 0.5, 1.0))


def test_every_frame_of_one_person_moves_alike():
    frames = torch.cat((person(), person((20.0, 0.0, 0.0))))
    moved = place(MODEL.mean, controlled(MODEL, frames, Controls(smile=0.7, yaw=5.0))).shape
    still = place(MODEL.mean, frames).shape
    change = moved - still
    assert (change[0] - change[1]).norm(dim=-1).max() < 0.01


def test_values_out_of_range_are_refused():
    with pytest.raises(ValueError, match="smile is 2, expected -1 to 1"):
        Controls(smile=2.0)
    with pytest.raises(ValueError, match="yaw is 90, expected -60 to 60 degrees"):
        Controls(yaw=90.0)
    with pytest.raises(ValueError, match="jaw is nan"):
        Controls(jaw=float("nan"))

"""Faces edited in a real picture, and measured again in the result by our own networks."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from fsgan_core import Controls, Frames, Models, Still, analyze, edit, read_image, select
from fsgan_core.cli import main
from fsgan_core.ops.head_mesh import place
from fsgan_core.ops.head_rings import head_reach
from fsgan_core.ops.landmarks import LEFT_EYE, RIGHT_EYE
from fsgan_core.stages.openings import MOUTH, openness


@pytest.fixture(scope="module")
def models():
    return Models.load()


@pytest.fixture(scope="module")
def person(face, models):
    return select(analyze(Still(face), models))


@pytest.fixture(scope="module")
def look(face, models, person):
    """The picture after an edit, and what is found in it: canonical landmarks and pose."""

    def edited(**values):
        frame = next(edit(Still(face), person, Controls(**values), models)).frame
        found = select(analyze(Still(frame), models))[0]
        return place(models.face_model.mean, torch.from_numpy(found.landmarks)).shape, found.poses[0]

    return edited


def test_with_every_control_at_0_the_picture_is_the_input(face, models, person):
    result = next(edit(Still(face), person, Controls(), models))
    np.testing.assert_array_equal(result.frame, face)
    assert result.records[0].status == "kept"


def test_beyond_the_head_no_pixel_changes_and_the_input_stays(face, models, person):
    before = face.copy()
    result = next(edit(Still(face), person, Controls(smile=0.5, jaw=0.5), models)).frame
    np.testing.assert_array_equal(face, before)
    reach = head_reach(models.face_model.mean, torch.from_numpy(person[0].landmarks))[0]
    left, top, right, bottom = (*reach.amin(0)[:2].int().tolist(), *reach.amax(0)[:2].int().tolist())
    changed = (result != face).any(-1)
    assert changed.any()
    outside = np.ones_like(changed)
    outside[max(0, top) : bottom + 1, max(0, left) : right + 1] = False
    assert not changed[outside].any()
    # An expression moves no hair and no background above it either.
    top = int(person[0].landmarks[0, 10, 1]) - 25
    assert np.abs(result[:top].astype(int) - face[:top]).max() <= 3


@pytest.mark.parametrize(
    ("name", "axis", "low", "high"), [("yaw", 0, -15, 15), ("pitch", 1, -10, 10), ("roll", 2, -15, 15)]
)
def test_the_result_is_seen_to_have_turned(look, name, axis, low, high):
    one, other = (look(**{name: value})[1][axis] for value in (low, high))
    assert other - one == pytest.approx(high - low, rel=0.35)


@pytest.mark.parametrize(
    ("name", "values", "measure"),
    [
        ("jaw", (-1.0, 0.0, 0.5, 1.0), lambda shape: openness(shape, MOUTH)),
        ("smile", (-1.0, 0.0, 1.0), lambda shape: -shape[0, [61, 291], 1].mean()),
        ("brows", (-1.0, 0.0, 1.0), lambda shape: -shape[0, [105, 334], 1].mean()),
    ],
)
def test_the_result_is_seen_to_move_with_the_control(look, name, values, measure):
    found = [float(measure(look(**{name: value})[0])) for value in values]
    assert found == sorted(found)
    assert len(set(found)) == len(found)


def darkness(frame, person, ring):
    """How dark each pixel is against the skin around an eye, with the pixels' x and y; the eye as it was measured."""
    low, high = (person[0].landmarks[0, list(ring), :2].min(0) - 2, person[0].landmarks[0, list(ring), :2].max(0) + 2)
    part = frame[int(low[1]) : int(high[1]) + 1, int(low[0]) : int(high[0]) + 1].mean(2)
    dark = np.clip(0.55 * np.quantile(part, 0.9) - part, 0, None)
    rows, columns = np.indices(part.shape)
    return dark, columns, rows


@pytest.mark.parametrize(
    ("name", "ring", "other"), [("blink_left", LEFT_EYE, RIGHT_EYE), ("blink_right", RIGHT_EYE, LEFT_EYE)]
)
def test_a_blink_covers_the_iris_of_the_eye_it_was_asked_for(face, models, person, name, ring, other):
    frames = [next(edit(Still(face), person, Controls(**{name: part}), models)).frame for part in (0.0, 0.6, 1.0)]
    shown = [darkness(frame, person, ring)[0].sum() for frame in frames]
    assert shown[0] > shown[1] > shown[2]
    assert shown[2] < 0.85 * shown[0]
    kept = darkness(frames[2], person, other)[0].sum()
    assert kept == pytest.approx(darkness(frames[0], person, other)[0].sum(), rel=0.02)


@pytest.mark.parametrize(("name", "axis"), [("gaze_yaw", 1), ("gaze_pitch", 2)])
def test_the_irises_are_seen_where_the_gaze_goes(face, models, person, name, axis):
    for ring in (LEFT_EYE, RIGHT_EYE):
        found = []
        for degrees in (-25.0, 0.0, 25.0):
            frame = next(edit(Still(face), person, Controls(**{name: degrees}), models)).frame
            dark, *places = darkness(frame, person, ring)
            found.append(float((dark * places[axis - 1]).sum() / dark.sum()))
        assert found == sorted(found, reverse=axis == 2)
        assert abs(found[2] - found[0]) > 1.5


def test_every_frame_and_every_face_of_a_clip(face, models, person):
    blank = np.full_like(face, 127)
    clip = Frames([face, blank, face], Fraction(10))
    still = person[0]
    repeated = type(still)(
        type(still.track)(0, still.track.boxes.repeat(3, 0)),
        *(values.repeat(3, 0) for values in (still.landmarks, still.poses)),
        np.array((0.9, 0.0, 0.9), np.float32),
    )
    results = list(edit(clip, [repeated, repeated], Controls(jaw=0.4), models))
    assert [[record.status for record in one.records] for one in results] == [
        ["edited", "edited"],
        ["no_face", "no_face"],
        ["edited", "edited"],
    ]
    np.testing.assert_array_equal(results[0].frame, results[2].frame)
    np.testing.assert_array_equal(results[1].frame, blank)


def test_command_line(portrait: Path, tmp_path: Path, capsys) -> None:
    result, report = tmp_path / "edited.png", tmp_path / "report.html"
    words = ["edit", "-i", portrait, "-o", result, "--smile", "0.6", "--yaw", "-40", "--report", report]
    assert main([str(word) for word in words]) == 0
    said = capsys.readouterr().out
    assert "note: the face turns by 40 degrees" in said and "1 face edited, in 1 of 1 frame" in said
    image = read_image(result)
    assert (image.frame != read_image(portrait).frame).any()
    assert "<h1>Report of an edit</h1>" in report.read_text()
    values = json.loads(report.with_suffix(".json").read_text())
    assert (values["operation"], values["options"]["edit"]["smile"]) == ("edit", 0.6)
    assert values["frames"][0]["pose"][0] < 0
    with pytest.raises(SystemExit) as stop:
        main(["edit", "-i", str(portrait), "-o", str(tmp_path / "no.png"), "--smile", "3"])
    assert stop.value.code == 2
    assert "--smile: found '3', expected a number, -1 to 1" in capsys.readouterr().err

import json
from fractions import Fraction

import numpy as np

from fsgan_core.faces import Analysis, FaceSequence, Track
from fsgan_core.ops.landmarks import to_ibug68
from fsgan_core.pipeline import FaceRecord, Rendered
from fsgan_core.report import Report, analysis_arrays, analysis_values


def analysis(rate: int) -> Analysis:
    rng = np.random.default_rng(0)
    boxes = np.array([[1, 2, 30, 40]] * 3, np.float32)
    landmarks = rng.uniform(0, 64, (3, 478, 3)).astype(np.float32)
    scores = np.array([0.9, 0, 0.8], np.float32)
    face = FaceSequence(Track(4, boxes), landmarks, rng.normal(size=(3, 3)).astype(np.float32), scores)
    return Analysis((64, 48), Fraction(rate), 10, (4,) if rate else (), (face,))


def test_report_has_a_row_for_every_face_and_frame() -> None:
    frame = np.zeros((4, 4, 3), np.uint8)
    swapped = FaceRecord(0, "swapped", (0, 0, 4, 4), (1.0, 2.0, 3.0), 2, 0.5)
    results = [Rendered(frame, (swapped, FaceRecord(1, "no_face"))), Rendered(frame, ())]
    report = Report("swap", {"faces": "all"}, {"blending": "poisson"}, "cpu")
    assert len(list(report.noted(results, lambda index: index / 25))) == 2
    values = json.loads(report.json())
    assert set(values) == {"version", "operation", "options", "models", "device", "frames", "summary"}
    assert [(row["index"], row["status"], row["track"]) for row in values["frames"]] == [
        (0, "swapped", 0),
        (0, "no_face", 1),
        (1, "kept", None),
    ]
    row = {"index": 0, "time": 0.0, "track": 0, "status": "swapped", "crop": [0, 0, 4, 4]}
    assert values["frames"][0] == row | {"pose": [1.0, 2.0, 3.0], "steps": 2, "seen": 0.5, "reason": None}
    assert values["frames"][2]["time"] == 0.04
    assert values["summary"]["statuses"] == {"swapped": 1, "no_face": 1, "kept": 1}
    assert report.summary("swapped") == "1 face swapped, in 1 of 2 frames"
    assert values["summary"]["notes"] == [report.left()] == ["no face is seen in frame 1: the picture stays as it is"]


def test_an_empty_report_is_json() -> None:
    assert json.loads(Report("swap", {}, {}, "cpu").json())["frames"] == []


def test_analysis_leaves_out_what_was_not_seen() -> None:
    measured = analysis(25)
    values = json.loads(json.dumps(analysis_values(measured, "clip.mp4")))
    assert values["video"] == {"file": "clip.mp4", "width": 64, "height": 48, "rate": 25.0, "frames": 10, "cuts": [4]}
    frames = values["tracks"][0]["frames"]
    assert [frame["index"] for frame in frames] == [4, 6]
    np.testing.assert_allclose(frames[1]["landmarks"], measured.faces[0].landmarks[2], atol=0.006)
    np.testing.assert_allclose(frames[1]["landmarks68"], to_ibug68(measured.faces[0].landmarks[2])[:, :2], atol=0.006)


def test_analysis_of_a_still_is_an_image() -> None:
    assert set(analysis_values(analysis(0), "a.png")) == {"version", "image", "tracks"}


def test_arrays_hold_every_row() -> None:
    measured = analysis(25)
    arrays = analysis_arrays(measured)
    assert (arrays["track0_landmarks"] == measured.faces[0].landmarks).all()
    assert arrays["track0_landmarks68"].shape == (3, 68, 3)
    assert arrays["track0_start"] == 4

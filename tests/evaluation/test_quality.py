"""The quality of a run: warnings in plain words, the worst frames, the page."""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fsgan_core.evaluation.inspection import Inspector
from fsgan_core.evaluation.measures import MEASURES, fault
from fsgan_core.evaluation.quality import Quality
from fsgan_core.evaluation.reference import Reference
from fsgan_core.evaluation.report_page import report_page
from fsgan_core.media import read_image
from fsgan_core.media.marking import read_marking
from fsgan_core.models import Models
from fsgan_core.pipeline import FaceRecord, Rendered
from fsgan_core.provenance import Marking
from fsgan_core.report import Report
from fsgan_core.stages.appearance_map import AppearanceMap


@pytest.fixture
def quality(source: AppearanceMap, models: Models) -> Quality:
    return Quality(Inspector([Reference.of(source, models, None)], models, None))


FINE = {"identity": 0.4, "identity_before": 0.8, "pose_gap": 5.0, "face_size": 200.0, "source_size": 1.2}
FINE |= {"flicker": 1.0, "flicker_target": 1.0, "sharpness": 1.0, "seam": 0.5, "pose_error": 2.0, "expression": 1.0}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, ""),
        ({"face_size": 30.0}, "only 30 px long"),
        ({"identity": 0.78}, "identity hardly changed: the distance to the source is 0.80 before, 0.78 after"),
        ({"identity": 0.62}, "hardly looks like the source"),
        ({"identity": 0.78, "pose_gap": 20.0}, "try a larger, sharper or more frontal source, or several"),
        ({"identity": 0.78, "pose_gap": 60.0}, "try one that looks the same way as the target, or several"),
        ({"identity": 0.65, "identity_before": 0.5}, ""),
        ({"flicker": 3.0}, "flickers 2.8 times as much as the target"),
        ({"sharpness": 0.2}, "in most frames it is blurred"),
        ({"seam": 6.0}, "in most frames the border shows"),
    ],
)
def test_warnings_say_what_is_wrong(quality: Quality, change: dict[str, float], words: str) -> None:
    quality.rows = [{"index": n, "track": 0, **FINE, **change} for n in range(10)]
    quality.frames = 10
    found = quality.warnings()
    assert words in "".join(found)
    assert len(found) == bool(words)


def test_frames_without_a_face_are_a_warning_with_their_reason(quality: Quality) -> None:
    quality.rows = [{"index": 0, "track": 0, **FINE}]
    quality.frames = 10
    quality.reasons.update(["it is dark"] * 9)
    assert quality.warnings() == ["no face was drawn in 9 of 10 frames: it is dark"]
    assert quality.summary()["not_drawn"] == {"it is dark": 9}
    assert "nothing drawn in 9 of 10 frames: it is dark" in quality.words().splitlines()


def test_frames_swapped_and_frames_not_drawn_are_all_frames(quality: Quality, swapped: list[Rendered]) -> None:
    """One leaves after two frames and comes back in the fourth as another face; in the third nobody is there."""
    away = FaceRecord(0, "no_face", reason="not there")
    for index, result in enumerate(swapped):
        here, points = result.records[0], result.wanted[0]
        first, second = index < 2, index > 2
        records = (here if first else away, replace(here if second else away, track=1))
        quality.look(replace(result, records=records, wanted=(points if first else None, points if second else None)))
    found = quality.summary()
    assert found["measures"]["coverage"] == 0.8
    assert found["not_drawn"] == {"not there": 1}
    assert "nothing drawn in 1 of 5 frames: not there" in quality.words().splitlines()


def test_the_worst_of_a_frame_is_what_is_farthest_beyond_its_limit() -> None:
    assert fault(FINE)[0] < 1
    assert fault({**FINE, "seam": 4.0, "sharpness": 0.1}) == (5.0, MEASURES["sharpness"].fault)
    assert fault({}) == (0.0, MEASURES["identity"].fault)


def noted(report: Report, results: Iterable[Rendered]) -> None:
    for _ in report.noted(results, lambda index: index / 25):
        pass


def test_every_row_of_a_report_has_its_quality(quality: Quality, swapped: list[Rendered]) -> None:
    gone = replace(
        swapped[1], records=(replace(swapped[1].records[0], status="no_face", reason="dark"),), wanted=(None,)
    )
    report = Report("swap", {}, {}, "cpu", quality)
    noted(report, [swapped[0], gone, *swapped[2:]])
    values = json.loads(report.json())
    assert values["frames"][0]["quality"]["pose_error"] >= 0
    assert values["frames"][1]["quality"] is None
    assert values["frames"][1]["reason"] == "dark"
    found = values["summary"]["quality"]
    assert found["measures"]["coverage"] == 0.8
    assert found["not_measured"][0].startswith("identity")
    assert found["worst"]
    assert set(found["measures"]) >= {"ssim", "seam", "expression", "sharpness"}


def test_the_worst_frame_is_kept_with_its_pixels(quality: Quality, swapped: list[Rendered]) -> None:
    many = swapped * 4
    blurred = replace(many[13], frame=np.full_like(many[13].frame, 128))
    report = Report("swap", {}, {}, "cpu", quality)
    noted(report, [*many[:13], blurred, *many[14:]])
    assert quality.worst[0].index == 13
    assert quality.worst[0].severity > 1
    assert len(quality.worst) <= 6
    assert [one.severity for one in quality.worst] == sorted((one.severity for one in quality.worst), reverse=True)
    sheet = quality.worst_sheet()
    assert sheet is not None
    assert (sheet == 128).all(-1).sum() > 100 * 100


def test_the_page_shows_all_of_it(quality: Quality, swapped: list[Rendered], tmp_path: Path) -> None:
    report = Report("swap", {}, {"blending": "poisson"}, "cpu", quality)
    noted(report, swapped)
    report_page(tmp_path / "r.html", report, quality, Marking(operation="face swap"), overwrite=False)
    text = (tmp_path / "r.html").read_text()
    assert "<details><summary><h2>Every measure" in text and text.count("</details>") == 1
    for words in ("Over time", "r-plot.png", "The worst frames", "r-worst.jpg", "seam", "blending: poisson"):
        assert words in text
    assert read_image(tmp_path / "r-plot.png").frame.std() > 1
    assert read_marking(tmp_path / "r-worst.jpg")


@pytest.mark.parametrize(
    ("severity", "notes", "heading"),
    [
        (1.2, (), "What probably looks wrong"),
        (0.4, ("the source wears glasses",), "No measure stands out"),
        (0.4, (), "Nothing stands out"),
    ],
)
def test_the_page_is_silent_only_where_frames_and_source_are_fine(
    quality: Quality, swapped: list[Rendered], tmp_path: Path, severity: float, notes: tuple[str, ...], heading: str
) -> None:
    report = Report("swap", {}, {}, "cpu", quality, notes)
    noted(report, swapped)
    quality.rows = [{"index": n, "track": 0, **FINE} for n in range(5)]
    quality.worst = [replace(quality.worst[0], severity=severity, why="the border shows")]
    report_page(tmp_path / "r.html", report, quality, Marking(operation="face swap"), overwrite=False)
    text = (tmp_path / "r.html").read_text()
    headings = {"What probably looks wrong", "No measure stands out", "Nothing stands out"}
    assert {words for words in headings if words in text} == {heading}
    assert ("the border shows" in text) == (severity >= 1)
    quality.rows = [{**row, "identity": 0.78} for row in quality.rows]
    report_page(tmp_path / "r2.html", report, quality, Marking(operation="face swap"), overwrite=False)
    assert "<th>the whole run</th><td>identity hardly changed" in (tmp_path / "r2.html").read_text()
    assert all(words in text for words in notes)


def test_a_run_without_any_face_has_a_report_too(quality: Quality, swapped: list[Rendered], tmp_path: Path) -> None:
    report = Report("swap", {}, {}, "cpu", quality)
    absent = FaceRecord(0, "no_face", reason="she is away")
    noted(report, [Rendered(swapped[0].frame, ()), *[Rendered(swapped[0].frame, (absent,))] * 2])
    report_page(tmp_path / "r.html", report, quality, Marking(operation="face swap"), overwrite=False)
    assert "no face was drawn in 3 of 3 frames: she is away" in (tmp_path / "r.html").read_text()
    assert quality.worst_sheet() is None
    json.loads(report.json())

"""``--report`` of the commands: numbers as before, measures beside them, a page."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from fsgan_core.cli import main
from fsgan_core.evaluation.measures import CLIP_MEASURES, MEASURES


@pytest.mark.parametrize(("command", "name"), [("swap", "swap"), ("reenact", "reenactment")])
def test_a_page_is_written_with_what_it_shows(command: str, name: str, portrait: Path, tmp_path: Path) -> None:
    words = [command, "-s", str(portrait), "-t", str(portrait), "-o", str(tmp_path / "out.png")]
    assert main([*words, "--report", str(tmp_path / "r.html")]) == 0
    page = (tmp_path / "r.html").read_text()
    assert ("Each with its target" in page) == (command == "swap")
    assert f"<h1>Quality of a {name}</h1>" in page
    assert "<td>mean distance of the 478 landmarks</td>" in page
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"out.png", "r.html", "r.json", "r-worst.jpg"}
    (row,) = json.loads((tmp_path / "r.json").read_text())["frames"]
    assert row["status"] == {"swap": "swapped", "reenact": "reenacted"}[command]
    assert row["quality"]["expression"] < 3
    assert ("ssim" in row["quality"]) == (command == "swap")


def test_without_measures_the_numbers_are_as_before(portrait: Path, tmp_path: Path) -> None:
    words = ["swap", "-s", str(portrait), "-t", str(portrait), "-o", str(tmp_path / "out.png"), "--no-measure"]
    assert main([*words, "--report", str(tmp_path / "r.json")]) == 0
    values = json.loads((tmp_path / "r.json").read_text())
    assert "quality" not in values["summary"]
    assert "quality" not in values["frames"][0]
    assert {"index", "time", "track", "status", "crop", "pose", "steps", "seen"} <= set(values["frames"][0])


def test_other_kinds_of_report_are_refused_before_any_work(
    portrait: Path, tmp_path: Path, fails: Callable[..., str]
) -> None:
    words = ("swap", "-s", portrait, "-t", portrait, "-o", tmp_path / "out.png", "--report")
    assert "use .json or .html" in fails(*words, tmp_path / "r.pdf")
    (tmp_path / "r-plot.png").touch()
    assert "r-plot.png" in fails(*words, tmp_path / "r.html")
    assert not (tmp_path / "out.png").exists()


def test_the_document_has_the_names_and_words_of_the_reports() -> None:
    text = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| `(\w+)` \| (.+) \| (\w*) \|$", text, re.MULTILINE)
    better = {"one": "1"}
    assert told == [
        (measure.name, measure.about, better.get(measure.better, measure.better))
        for measure in (*MEASURES.values(), *CLIP_MEASURES.values())
    ]
    assert [MEASURES[name].heading for name in ("ssim", "pose_error")] == ["SSIM ↑", "pose error ↓ (degrees)"]

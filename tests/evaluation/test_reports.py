"""``--report`` of the commands: numbers as before, measures beside them, a page."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from fsgan_core.cli import main


@pytest.mark.parametrize("command", ["swap", "reenact"])
def test_a_page_is_written_with_what_it_shows(command: str, portrait: Path, tmp_path: Path) -> None:
    words = [command, "-s", str(portrait), "-t", str(portrait), "-o", str(tmp_path / "out.png")]
    assert main([*words, "--report", str(tmp_path / "r.html")]) == 0
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"out.png", "r.html", "r.json", "r-plot.png", "r-worst.jpg"}
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

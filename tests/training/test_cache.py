"""Folders that are written once."""

import pytest

from fsgan_core.training.cache import written_once


def test_the_first_of_several_to_finish_wins(tmp_path):
    folder = tmp_path / "deep" / "kept"

    def slow(place):
        written_once(folder, lambda other: (other / "a").write_text("fast"))
        (place / "a").write_text("slow")

    assert written_once(folder, slow) == folder
    assert (folder / "a").read_text() == "fast"
    assert list(folder.parent.iterdir()) == [folder], "nothing is left lying around"
    written_once(folder, lambda place: pytest.fail("is there already"))


def test_what_is_not_finished_leaves_nothing(tmp_path):
    def stopped(place):
        (place / "half").write_text("")
        raise KeyboardInterrupt

    (tmp_path / "kept").mkdir()
    with pytest.raises(KeyboardInterrupt):
        written_once(tmp_path / "kept", stopped)
    written_once(tmp_path / "kept", lambda place: (place / "whole").write_text(""))
    assert [path.name for path in tmp_path.rglob("*")] == ["kept", "whole"]

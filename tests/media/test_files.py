import os
from pathlib import Path

import pytest

from fsgan_core.errors import MediaError
from fsgan_core.media import check_input, check_output, staged, staged_folder


def test_a_file_appears_at_the_end_and_alone(tmp_path):
    path = tmp_path / "with space ü.txt"
    with staged(path) as temporary:
        temporary.write_text("new")
        assert temporary.parent == tmp_path
        assert not path.exists()
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == [path.name]


def test_permissions_are_those_of_any_new_file(tmp_path):
    plain = tmp_path / "plain"
    plain.touch()
    with staged(tmp_path / "ours") as temporary:
        temporary.touch()
    assert (tmp_path / "ours").stat().st_mode == plain.stat().st_mode


def test_after_an_exception_the_old_file_is_untouched_and_nothing_else_there(tmp_path):
    path = tmp_path / "a"
    path.write_text("old")
    with pytest.raises(KeyError), staged(path, overwrite=True) as temporary:
        temporary.write_text("half")
        raise KeyError
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a"]


def test_an_exception_of_the_block_keeps_its_kind(tmp_path):
    with pytest.raises(FileNotFoundError), staged(tmp_path / "a"):
        Path(tmp_path / "absent").read_text()


def test_a_file_that_came_to_be_meanwhile_is_not_replaced(tmp_path):
    path = tmp_path / "a"
    with pytest.raises(MediaError, match="exists"), staged(path) as temporary:
        temporary.write_text("ours")
        path.write_text("theirs")
    assert path.read_text() == "theirs"
    assert os.listdir(tmp_path) == ["a"]


def test_outputs_are_refused_before_any_work(tmp_path):
    (tmp_path / "there").touch()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    cases = [
        (tmp_path, {}, "folder"),
        (tmp_path / "there", {}, "exists"),
        (tmp_path / "absent" / "a", {}, "no folder"),
        (tmp_path / "there" / "a", {}, "no folder"),
        (tmp_path / "link", {"overwrite": True, "inputs": [tmp_path / "there"]}, "also an input"),
    ]
    for path, options, words in cases:
        with pytest.raises(MediaError, match=words) as told:
            check_output(path, **options)
        assert "\n" not in str(told.value)
    check_output(tmp_path / "there", overwrite=True)
    check_output(tmp_path / "new", inputs=[tmp_path / "there", tmp_path / "absent"])


def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path, monkeypatch):
    # Permission bits do not stop an administrator, so the system's answer is given here.
    def refused(self, *args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "touch", refused)
    with pytest.raises(MediaError, match="cannot write into folder .*Permission denied"):
        check_output(tmp_path / "a")


def test_inputs_that_can_hold_nothing_are_told_apart(tmp_path):
    (tmp_path / "empty").touch()
    for path, words in [
        (tmp_path, "is a folder"),
        (tmp_path / "absent", "no file"),
        (tmp_path / "empty", "is empty"),
        (tmp_path / "empty" / "below", "cannot read"),
        (Path("nul\0byte"), "cannot read"),
    ]:
        with pytest.raises(MediaError, match=words) as told:
            check_input(path)
        assert "\n" not in str(told.value)


def test_a_folder_is_made_when_all_is_well(tmp_path):
    with staged_folder(tmp_path / "a" / "b") as temporary:
        (temporary / "deep").mkdir()
        (temporary / "deep" / "file").write_text("new")
        assert not (tmp_path / "a").exists()
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "b", "deep", "file"]
    assert (tmp_path / "a").stat().st_mode == tmp_path.joinpath("a/b").stat().st_mode


@pytest.mark.parametrize("kind", [KeyError, KeyboardInterrupt])
def test_of_a_folder_whose_work_fails_nothing_remains(tmp_path, kind):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "file").write_text("old")
    for folder in (tmp_path / "new" / "deeper", tmp_path / "old"):
        with pytest.raises(kind), staged_folder(folder, overwrite=True) as temporary:
            (temporary / "file").write_text("half")
            raise kind
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "old"]
    assert (tmp_path / "old" / "file").read_text() == "old"


def test_a_folder_with_files_is_kept_unless_overwriting_is_allowed(tmp_path):
    (tmp_path / "mine").write_text("mine")
    mine = tmp_path / "mine"
    for path, words in [(tmp_path, "holds files"), (mine, "found the file"), (mine / "a", "found the file")]:
        with pytest.raises(MediaError, match=words), staged_folder(path):
            pytest.fail("work began")
    (tmp_path / "same").write_text("old")
    with staged_folder(tmp_path, overwrite=True) as temporary:
        (temporary / "same").write_text("new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "same"]
    assert ((tmp_path / "mine").read_text(), (tmp_path / "same").read_text()) == ("mine", "new")

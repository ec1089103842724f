"""Bad input: one clear line, exit status 1, nothing written, nothing replaced; where a sensible result exists, it."""

import json
import os
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from fsgan_core.cli import main
from fsgan_core.media import EncodeOptions, Image, Video, VideoWriter, read_image, write_image
from fsgan_core.media.encoding import DEFAULT_OPTIONS
from fsgan_core.models import Models
from fsgan_core.pipeline import analyze
from fsgan_core.streams import Frames, Still

Fails = Callable[..., str]
Picture = NDArray[np.uint8]


def empty(path: Path) -> None:
    path.touch()


def text(path: Path) -> None:
    path.write_text("this is no picture")


def truncated(path: Path) -> None:
    write_image(path, Image(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)), marking=None)
    path.write_bytes(path.read_bytes()[:600])


def folder(path: Path) -> None:
    path.mkdir()


def missing(path: Path) -> None:
    pass


def sound_only(path: Path) -> None:
    with av.open(str(path), "w", format="mp4") as output:
        stream = output.add_stream("aac", rate=44_100, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = 44_100, Fraction(1, 44_100), 0
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def no_frames(path: Path) -> None:
    with VideoWriter(path.with_suffix(".mp4")) as writer:
        writer.write(np.zeros((64, 64, 3), np.uint8))
    whole = path.with_suffix(".mp4").read_bytes()
    path.with_suffix(".mp4").unlink()
    path.write_bytes(whole[: whole.index(b"mdat") - 4])


def one_pixel(path: Path) -> None:
    write_image(path, Image(np.zeros((1, 1, 3), np.uint8)), marking=None)


def ribbon(path: Path) -> None:
    write_image(path, Image(np.full((20, 20_000, 3), 90, np.uint8)), marking=None)


def no_face(path: Path) -> None:
    y, x = np.mgrid[:200, :300]
    write_image(path, Image(np.stack([x % 256, y, (x + y) // 2], -1).astype(np.uint8)), marking=None)


UNREADABLE = (empty, text, truncated, folder, missing, sound_only, no_frames)
FACELESS = (one_pixel, ribbon, no_face)


@pytest.mark.parametrize("make", UNREADABLE, ids=lambda make: make.__name__)
@pytest.mark.parametrize("role", ["swap source", "swap target", "reenact source", "reenact target", "analyze", "faces"])
def test_what_cannot_be_read_is_named(
    make: Callable[[Path], None], role: str, portrait: Path, tmp_path: Path, fails: Fails
) -> None:
    bad, output = tmp_path / "bad ü file.png", tmp_path / "out.png"
    make(bad)
    words: dict[str, list[str | Path]] = {
        "swap source": ["swap", "-s", bad, "-t", portrait, "-o", output],
        "swap target": ["swap", "-s", portrait, "-t", bad, "-o", output],
        "reenact source": ["reenact", "-s", bad, "-t", portrait, "-o", output],
        "reenact target": ["reenact", "-s", portrait, "-t", bad, "-o", output],
        "analyze": ["analyze", bad, "-o", output.with_suffix(".json")],
        "faces": ["faces", "build", bad, "-o", output.with_suffix(".safetensors")],
    }
    assert "bad ü file.png" in fails(*words[role])
    assert {path.name for path in tmp_path.iterdir()} <= {bad.name}


@pytest.mark.parametrize("make", FACELESS, ids=lambda make: make.__name__)
@pytest.mark.parametrize("role", ["-s", "-t"])
def test_no_face_is_said(make: Callable[[Path], None], role: str, portrait: Path, tmp_path: Path, fails: Fails) -> None:
    bad, output = tmp_path / "nobody.png", tmp_path / "out.png"
    make(bad)
    line = fails("swap", role, bad, {"-s": "-t", "-t": "-s"}[role], portrait, "-o", output)
    assert "no face" in line
    assert "nobody.png" in line
    assert not output.exists()


def test_an_existing_output_is_refused_before_any_work(portrait: Path, tmp_path: Path, fails: Fails) -> None:
    output = tmp_path / "out.png"
    output.write_bytes(b"precious")
    assert "exists" in fails("swap", "-s", portrait, "-t", portrait, "-o", output)
    assert "exists" in fails("reenact", "-s", portrait, "-t", portrait, "-o", output)
    report = tmp_path / "out.json"
    report.write_bytes(b"precious")
    line = fails("swap", "-s", portrait, "-t", portrait, "-o", tmp_path / "new.png", "--report", report)
    assert f"report {report} exists" in line
    assert not (tmp_path / "new.png").exists() and report.read_bytes() == b"precious"
    assert output.read_bytes() == b"precious"


def test_a_failed_run_leaves_the_old_output_even_with_overwrite(portrait: Path, tmp_path: Path, fails: Fails) -> None:
    bad, output = tmp_path / "nobody.png", tmp_path / "out.png"
    no_face(bad)
    output.write_bytes(b"precious")
    fails("swap", "-s", portrait, "-t", bad, "-o", output, "--overwrite")
    assert output.read_bytes() == b"precious"


def test_output_must_not_be_an_input(portrait: Path, fails: Fails) -> None:
    before = portrait.read_bytes()
    assert "input" in fails("swap", "-s", portrait, "-t", portrait, "-o", portrait, "--overwrite")
    assert portrait.read_bytes() == before


@pytest.mark.parametrize("name", ["out.mp4", "out.xyz", "out", "nowhere/out.png"])
def test_outputs_that_cannot_be(name: str, portrait: Path, tmp_path: Path, fails: Fails) -> None:
    fails("swap", "-s", portrait, "-t", portrait, "-o", tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written(portrait: Path, tmp_path: Path, fails: Fails) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    if os.access(locked, os.W_OK):  # the superuser's
        locked = Path("/proc")
    assert "cannot write into folder" in fails("swap", "-s", portrait, "-t", portrait, "-o", locked / "out.png")


def test_a_mask_of_another_size(portrait: Path, tmp_path: Path, fails: Fails) -> None:
    one_pixel(tmp_path / "mask.png")
    line = fails("swap", "-s", portrait, "-t", portrait, "-o", tmp_path / "o.png", "--mask", tmp_path / "mask.png")
    assert "1x1" in line
    assert "256x256" in line


@pytest.mark.parametrize(
    "words", [["--blend-light", "7"], ["--steps", "x"], ["--face", "most"], ["--detection", "mine"]]
)
def test_options_out_of_range_are_usage_errors(words: list[str], portrait: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["swap", "-s", str(portrait), "-t", str(portrait), "-o", str(tmp_path / "o.png"), *words])
    assert stop.value.code == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["swap -s", "reenact -s", "edit --yaw 5"])
def test_a_reference_is_a_picture(command: str, face: Picture, portrait: Path, tmp_path: Path, fails: Fails) -> None:
    clip = written(tmp_path / "clip.mp4", [face] * 2)
    files = ["-i", portrait] if command.startswith("edit") else [portrait, "-t", portrait]
    line = fails(*command.split(), *files, "-o", tmp_path / "o.png", "--reference", clip)
    assert f"--reference {clip} is a video, expected a picture" in line
    assert {path.name for path in tmp_path.iterdir()} == {"clip.mp4"}


def test_a_face_that_is_not_there(portrait: Path, tmp_path: Path, fails: Fails) -> None:
    line = fails("swap", "-s", portrait, "-t", portrait, "-o", tmp_path / "o.png", "--face", "3")
    assert "3" in line


def test_unicode_and_spaces(face: Picture, tmp_path: Path) -> None:
    folder = tmp_path / "ein Ordner für 얼굴"
    folder.mkdir()
    source, output = folder / "q ü ü.png", folder / "ergebnis é.png"
    write_image(source, Image(face), marking=None)
    assert main(["swap", "-s", str(source), "-t", str(source), "-o", str(output)]) == 0
    assert read_image(output).size == (256, 256)


def written(path: Path, frames: Iterable[Picture], options: EncodeOptions = DEFAULT_OPTIONS) -> Path:
    with VideoWriter(path, rate=Fraction(10), options=options) as writer:
        for frame in frames:
            writer.write(frame)
    return path


def test_frames_without_the_face_are_passed_through_and_reported(
    face: Picture, portrait: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blank = np.full_like(face, 128)
    target = written(tmp_path / "sometimes.mp4", [face] * 9 + [blank] * 3)
    output, report = tmp_path / "out.mkv", tmp_path / "r.json"
    words = ["swap", "-s", portrait, "-t", target, "-o", output, "--report", report, "--codec", "ffv1"]
    assert main([str(word) for word in words]) == 0
    said = capsys.readouterr().out
    assert "in 9 of 12 frames" in said
    assert "note: no face is seen in frames 9-11: the picture stays as it is" in said
    values = json.loads(report.read_text())
    assert [row["status"] for row in values["frames"]] == ["swapped"] * 9 + ["no_face"] * 3
    assert values["summary"]["frames"] == 12
    before, after = list(Video(target)), list(Video(output))
    assert len(after) == 12
    assert all((a == b).all() for a, b in zip(before[9:], after[9:], strict=True))
    assert any((a != b).any() for a, b in zip(before[:9], after[:9], strict=True))


def test_a_target_that_is_cut_off_is_swapped_as_far_as_it_goes_and_told(
    face: Picture, portrait: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target, output, report = tmp_path / "part.mkv", tmp_path / "out.mp4", tmp_path / "r.json"
    written(target, [np.roll(face, shift, 1) for shift in range(12)], EncodeOptions(codec="ffv1"))
    target.write_bytes(target.read_bytes()[: target.stat().st_size // 2])
    words = ["swap", "-s", portrait, "-t", target, "-o", output, "--report", report, "--no-measure"]
    assert main([str(word) for word in words]) == 0
    count = len(list(Video(output)))
    assert 1 <= count < 12
    summary = json.loads(report.read_text())["summary"]
    assert summary["frames"] == summary["statuses"]["swapped"] == count
    [note] = summary["notes"]
    assert note.startswith(f"{target} seems cut off: found {count} of about 1")
    assert f"note: {note}\n" in capsys.readouterr().out


def test_python_is_told_of_arrays_that_are_no_frames() -> None:
    bad = np.full((64, 64, 3), np.nan, np.float32)
    with pytest.raises(ValueError, match="uint8"):
        Still(bad)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="uint8"):
        Frames([bad], Fraction(25))  # type: ignore[list-item]


def test_half_a_face_is_measured_or_refused_but_never_a_crash(face: Picture) -> None:
    for part in (face[:, :120], face[:110], face[::4, ::4]):
        analysis = analyze(Still(np.ascontiguousarray(part)), Models.load())
        for found in analysis.faces:
            assert np.isfinite(found.landmarks).all()
            assert np.isfinite(found.poses).all()

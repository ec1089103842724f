"""The command line as a user meets it; what needs a face is in test_bad_input and tests/pipeline."""

import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fsgan_core.cli import COMMANDS, main
from fsgan_core.cli.flags import add_options, read_options
from fsgan_core.media import Image, staged, write_image
from fsgan_core.provenance import Marking
from fsgan_core.training.loop import TrainOptions


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    told = capsys.readouterr().out
    assert told.startswith(f"usage: fsgan {command}")
    assert "[--" not in told  # options are listed once, each with its meaning


@pytest.mark.parametrize("words", [[], ["nonsense"], ["inspect"], ["weights"], ["train", "nothing"]])
def test_usage_errors_leave_with_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2
    said, advice = capsys.readouterr().err.splitlines()
    assert said.startswith("fsgan")
    assert "--help" in advice


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "swap -s a.png -t b.png -o c.png --face foo",
            "--face: found 'foo', expected largest, all or a number from 0",
        ),
        (
            "swap -s a.png -t b.png -o c.png --source-face all",
            "face: found 'all', expected largest or a number from 0",
        ),
        ("swap -s a.png -t b.png -o c.png --margin wide", "--margin: found 'wide', expected a number"),
        ("swap -s a.png -t b.png -o c.png --steps 1.5", "--steps: found '1.5', expected a whole number"),
        ("swap -s a.png -t b.png -o c.png --steps -1", "--steps: found '-1', expected a whole number, 0 to 16"),
        ("swap -s a.png -t b.png -o c.png --mirror 5", "--mirror: found '5', expected a number, 0 to 1"),
        ("swap -s a.png -t b.png -o c.png --margin 0.1", "--margin: found '0.1', expected a number, 1.2 to 3"),
        ("reenact -s a.png -t b.png -o c.png --grid 5", "--grid: found '5', expected a whole number, 16 to 320"),
        ("analyze a.png -o c.json --every 0", "--every: found '0', expected a whole number, 1 to 60 frames"),
        ("analyze a.png -o c.json --tracking-gap -1", "--tracking-gap: found '-1', expected a whole number, 0 or more"),
        ("inspect ''", "found an empty name, expected a file or folder"),
        ("swap -s '' -t b.png -o c.png", "--source/-s: found an empty name, expected a file or folder"),
        ("swap -s a.png -t b.png -o c.png --device gpu", "'gpu' (choose from"),
        ("swap -s a.png -t b.png -o c.png --smile 1", "fsgan swap: found --smile 1, which it does not know"),
        ("swap -t b.png -o c.png", "required: --source/-s"),
        ("edit -i a.png -o c.png", "nothing to change; say what, such as --smile 0.6"),
        ("edit -i a.png -o c.png --yaw wide", "--yaw: found 'wide', expected a number, -60 to 60 degrees"),
        ("edit -i a.png -o c.png --yaw 99", "--yaw: found '99', expected a number, -60 to 60 degrees"),
        ("edit -i a.png -o c.png --yaw nan", "--yaw: found 'nan', expected a number, -60 to 60 degrees"),
        ("faces build", "fsgan faces build: the following arguments are required: source"),
        ("evaluate swap -o c --variant best", "fsgan evaluate swap: argument --variant: no variant 'best'; take"),
        ("evaluate all -o c --variant x:steps=99", "argument --variant: steps is 99, expected 0 to 16"),
        ("weights fetch nonsense", "argument name: found the name 'nonsense', expected one of"),
        ("swap -s a.png -t b.png -o c.png --models ''", "--models: found an empty name, expected a name"),
        ("swap -s a.png -t b.png -o c.mp4 --codec divx", "--codec: invalid choice: 'divx' (choose from"),
        ("swap -s a.png -t b.png -o c.mp4 --quality 52", "--quality: found '52', expected a whole number, 0 to 51"),
        (
            "dataset build . -o c --margin 1",
            "fsgan dataset build: argument --margin: found '1', expected a number, 1.2 or",
        ),
        ("train blending --data . --out c --clip -1", "--clip: found '-1', expected a number, 0 or more"),
        ("evaluate self -o a --frames 0", "--frames: found '0', expected a whole number of at least 1"),
    ],
)
def test_usage_errors_say_what_was_found_and_expected(
    words: str, message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in "ab":
        write_image(Path(f"{name}.png"), Image(np.zeros((8, 8, 3), np.uint8)), marking=None)
    with pytest.raises(SystemExit) as stop:
        main(shlex.split(words))
    assert stop.value.code == 2
    said, _ = capsys.readouterr().err.splitlines()
    assert message in said
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", "b.png"}


def test_top_level_help_loads_no_network() -> None:
    script = """if True:
        import sys
        from fsgan_core.cli import main
        try:
            main(["--help"])
        except SystemExit:
            sys.exit("torch" in sys.modules)
    """
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, check=False).returncode == 0


def test_module_is_the_program() -> None:
    words = [sys.executable, "-m", "fsgan_core", "inspect", "no such file.png"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "no such file.png" in done.stderr


def test_who_reads_its_lines_may_stop_reading() -> None:
    words = [sys.executable, "-m", "fsgan_core", "weights", "list"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout and running.stderr
        running.stdout.close()
        assert running.stderr.read() == ""
    assert running.returncode == 1


def test_another_broken_pipe_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(_: argparse.Namespace) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr("fsgan_core.cli.inspect.run", broken)
    assert main(["inspect", "a.png"]) == 1
    assert "Broken pipe" in capsys.readouterr().err


def test_debug_adds_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "nothing.png", "--debug"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("Traceback")
    assert lines[-1].startswith("fsgan inspect: ")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends processes at once")
def test_a_loop_around_a_command_ends_with_it_and_leaves_no_unfinished_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def half(args: argparse.Namespace) -> None:
        with staged(tmp_path / "out.png") as temporary:
            temporary.write_bytes(b"half")
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)

    monkeypatch.setattr("fsgan_core.cli.inspect.run", half)
    before, turns = signal.getsignal(signal.SIGTERM), 0
    with pytest.raises(SystemExit) as stop:
        while True:
            turns += 1
            main(["inspect", "any.png"])
    assert (stop.value.code, turns, list(tmp_path.iterdir())) == (128 + signal.SIGTERM, 1, [])
    assert capsys.readouterr().err == "fsgan inspect: stopped; nothing was written\n"
    assert signal.getsignal(signal.SIGTERM) is before


def test_inspect_reads_what_was_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a ü.png"
    write_image(path, Image(np.zeros((8, 8, 3), np.uint8)), marking=Marking(operation="swap", weights="open"))
    assert main(["inspect", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["operation"] == "swap"
    assert main(["inspect", str(path)]) == 0
    assert "compositeWithTrainedAlgorithmicMedia" in capsys.readouterr().out


def test_inspect_says_when_there_is_no_mark(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "plain.png"
    write_image(path, Image(np.zeros((8, 8, 3), np.uint8)), marking=None)
    assert main(["inspect", str(path)]) == 0
    assert "no provenance mark" in capsys.readouterr().out


def test_weights_list_names_every_bundled_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "list"]) == 0
    listed = {line.split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith("  ")}
    folder = Path(__file__).parents[1] / "fsgan_core" / "weights" / "open"
    assert listed >= {path.stem for path in folder.glob("*.safetensors")}


def test_weights_verify_refuses_what_is_none(tmp_path: Path, fails: Callable[..., str]) -> None:
    (tmp_path / "w.safetensors").write_bytes(b"no tensors")
    assert "w.safetensors" in fails("weights", "verify", tmp_path / "w.safetensors")


def test_auto_takes_the_default() -> None:
    parser = argparse.ArgumentParser()
    add_options(parser, TrainOptions, "training")
    assert read_options(parser.parse_args(["--steps", "auto", "--lr", "0.5"]), TrainOptions) == TrainOptions(lr=0.5)


def test_a_map_is_made_and_shown_in_plain_words(
    portrait: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, chart = str(tmp_path / "anna.safetensors"), tmp_path / "chart.png"
    assert main(["faces", "build", str(portrait), "-o", path]) == 0
    assert capsys.readouterr().out == f"wrote {path}: 1 view\n"
    assert main(["faces", "show", path, "-o", str(chart)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "view     yaw   pitch    roll  size" in lines
    assert lines[-1].startswith("No view looks ")
    assert chart.is_file()

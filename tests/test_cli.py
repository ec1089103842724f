"""The command line as a user meets it; what needs a face is in test_bad_input and tests/pipeline."""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fsgan_core.cli import COMMANDS, main
from fsgan_core.cli.flags import add_options, read_options
from fsgan_core.media import Image, write_image
from fsgan_core.provenance import Marking
from fsgan_core.training.loop import TrainOptions


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: fsgan {command}")


@pytest.mark.parametrize("words", [[], ["nonsense"], ["inspect"], ["weights"], ["train", "nothing"]])
def test_usage_errors_leave_with_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2
    assert "usage: fsgan" in capsys.readouterr().err


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


def test_debug_adds_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "nothing.png", "--debug"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("Traceback")
    assert lines[-1].startswith("fsgan inspect: ")


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

"""Recipes are read and checked; every task's smoke recipe runs through the command line."""

import json

import numpy as np
import pytest

from fsgan_core.cli import main
from fsgan_core.cli.train import TASKS
from fsgan_core.errors import FSGANError
from fsgan_core.training.recipes import FOLDER, Phase, check_arguments, names, read_recipe
from fsgan_core.training.run_files import read_log
from fsgan_core.weights.checkpoint import OPEN


@pytest.mark.parametrize("task", TASKS)
def test_the_smoke_recipe_of_every_task_runs(task, training_material, tmp_path, capsys):
    words = ("train", task, "--recipe", "smoke", "--data", training_material, "--out", tmp_path, "--device", "cpu")
    assert main([str(word) for word in words]) == 0, capsys.readouterr().err
    (last,) = read_log(tmp_path / "log.csv")
    assert all(np.isfinite(value) for value in last.values())
    card = (tmp_path / "model.md").read_text()
    assert f"fsgan train {task} --recipe smoke --data DIR --out DIR" in card and str(training_material) not in card
    assert task not in ("detection", "landmarks") or len(list((tmp_path / "sheets").iterdir())) == 1
    assert (tmp_path / "model.safetensors").is_file() and (tmp_path / "checkpoint.safetensors").is_file()


@pytest.mark.parametrize("task", ["segmentation", "local_landmarks", "irises", "blending", "alignment"])
def test_training_starts_from_a_named_file(task, training_material, tmp_path, capsys):
    words = ["train", task, "--recipe", "smoke", "--data", training_material, "--device", "cpu", "--out"]
    start = OPEN / f"{task}.safetensors"
    assert main([*map(str, (*words, tmp_path / "on", "--set", f"start={start}"))]) == 0, capsys.readouterr().err
    assert main([*map(str, (*words, tmp_path / "bad", "--set", f"start={OPEN / 'completion.safetensors'}"))]) == 1
    assert f"expected '{task}'" in capsys.readouterr().err


def test_flags_go_before_the_recipe_and_the_recipe_before_the_defaults(training_material, tmp_path):
    recipe = tmp_path / "mine.json"
    recipe.write_text(json.dumps({"arguments": {"scenes": 1}, "options": {"steps": 3, "every": 1, "warmup": 1}}))
    words = ("train", "detection", "--recipe", recipe, "--steps", 1, "--set", "scenes=2", "--out", tmp_path / "run")
    assert main([str(word) for word in (*words, "--data", training_material)]) == 0
    assert [row["step"] for row in read_log(tmp_path / "run" / "log.csv")] == [1]
    assert "--set scenes=2 --steps 1 --warmup 1 --every 1`" in (tmp_path / "run" / "model.md").read_text()


def test_a_stopped_training_says_how_to_go_on(fails, training_material, tmp_path, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("fsgan_core.cli.train.train", stopped)
    words = ("train", "detection", "--recipe", "smoke", "--data", training_material, "--out", tmp_path)
    assert "goes on from the last checkpoint" in fails(*words)


def test_phases_inherit_from_the_whole(tmp_path):
    path = tmp_path / "grow.json"
    phases = [{"name": "128", "arguments": {"size": 128}}, {"name": "256", "options": {"lr": 4e-5}}]
    path.write_text(json.dumps({"arguments": {"size": 256}, "options": {"lr": 1e-4}, "phases": phases}))
    assert read_recipe("any", str(path)) == (
        Phase("128", {"size": 128}, {"lr": 1e-4}),
        Phase("256", {"size": 256}, {"lr": 4e-5}),
    )
    assert read_recipe("a task without recipe") == (Phase(),)


def test_recipes_that_come_along_are_well_formed():
    assert "smoke" in names("detection")
    for path in FOLDER.glob("*.json"):
        assert read_recipe("any", str(path)) and len(json.loads(path.read_text())["about"]) > 20, path.name


def test_the_recipes_of_refinement_and_fitting_can_share_a_folder_of_pairs():
    refinement, fitting = (read_recipe(task)[0].arguments["pairs"] for task in ("refinement", "fitting"))
    assert refinement == fitting


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not readable JSON"),
        ("[]", "expected an object"),
        ('{"option": {}}', "expected an object with about, arguments, options, phases"),
        ('{"options": 3}', "to be objects"),
        ('{"phases": [{"steps": 3}]}', "expected an object with name, arguments, options"),
    ],
)
def test_bad_recipes_are_refused(tmp_path, content, message):
    path = tmp_path / "bad.json"
    path.write_text(content)
    with pytest.raises(FSGANError, match=message):
        read_recipe("any", str(path))


def test_unknown_names_are_refused(fails, misused, training_material, tmp_path):
    with pytest.raises(ValueError, match="no recipe 'fast' of detection; known: smoke"):
        read_recipe("detection", "fast")
    with pytest.raises(ValueError, match="knows no 'width'; it takes size"):
        check_arguments(["size"], {"width": 3})
    path = tmp_path / "bad.json"
    path.write_text('{"options": {"step": 3}}')
    words = ("--data", training_material, "--out", tmp_path / "run", "--device", "cpu")
    assert "found the option 'step', expected one of steps" in fails("train", "detection", "--recipe", path, *words)
    told = misused("train", "detection", "--set", "scenes", *words)
    assert "argument --set: found 'scenes', expected NAME=VALUE" in told
    assert "argument --recipe: no recipe 'fast'" in misused("train", "detection", "--recipe", "fast", *words)

"""The training loop: exact resume, several processes, critic, schedule, log, sheets, card."""

import csv
import hashlib
import importlib.util
import math
import os
import signal
import socket
import subprocess
import sys
import time
import types
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from fsgan_core.errors import FSGANError, WeightsError
from fsgan_core.training.card import Card
from fsgan_core.training.loop import learning_rate, train
from fsgan_core.training.parallel import APART
from fsgan_core.training.run_files import grid, read_log
from fsgan_core.weights.checkpoint import load_weights, read_header, save_weights

TOY = Path(__file__).with_name("toy.py")
_spec = importlib.util.spec_from_file_location("toy", TOY)
toy = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(toy)
Line, JudgedLine, options = toy.Line, toy.JudgedLine, toy.options


def start(*words, **environment):
    command = [sys.executable, str(TOY), *map(str, words)]
    return subprocess.Popen(command, env=os.environ | environment, stderr=subprocess.PIPE)


def checkpoint(folder):
    return load_weights(folder / "checkpoint.safetensors", "training")


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert torch.equal(value, other[name]), name


@pytest.mark.parametrize("kind", [Line, JudgedLine])
def test_a_run_killed_at_any_moment_continues_bit_for_bit(kind, tmp_path):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    train(kind(), options(steps=60), tmp_path / "whole")
    process = start(kind.__name__, tmp_path / "parts", 60, 0.01)
    deadline = time.monotonic() + 60
    while not (tmp_path / "parts" / "checkpoint.safetensors").is_file() and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL and not (tmp_path / "parts" / "model.safetensors").exists()
    assert 10 <= checkpoint(tmp_path / "parts")[1]["step"] < 60
    train(kind(), options(steps=60), tmp_path / "parts")
    torch.set_num_threads(threads)
    one, other = (checkpoint(tmp_path / name)[0] for name in ("whole", "parts"))
    assert {name.split(".")[0] for name in one} >= {"model", "average", "optimizer"}
    assert ("critic_optimizer.0.exp_avg" in one) == (kind is JudgedLine)
    assert_same(one, other)
    logs = [[{k: v for k, v in row.items() if k != "minutes"} for row in read_log(tmp_path / name / "log.csv")]
            for name in ("whole", "parts")]  # fmt: skip
    assert logs[0] == logs[1] and len(logs[0]) == 6


def test_rows_after_the_checkpoint_are_written_again(tmp_path):
    train(Line(), options(steps=20), tmp_path)
    with (tmp_path / "log.csv").open("a") as file:
        file.write("30,0,9,9\r\n")
    train(Line(), options(steps=30), tmp_path)
    rows = read_log(tmp_path / "log.csv")
    assert [row["step"] for row in rows] == [10, 20, 30] and rows[-1]["error"] < 9


def test_two_processes_take_the_step_of_one_with_both_batches(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    words = ("Line", tmp_path / "two", 3, 0, "plain")
    processes = [start(*words, RANK=str(rank), LOCAL_RANK=str(rank), **common) for rank in range(2)]
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors.decode()
    both = Line(norm=False)
    batches = both.batches

    def joined(seed):
        for one, other in zip(batches(seed), batches(seed + APART), strict=True):
            yield {name: torch.cat([value, other[name]]) for name, value in one.items()}

    both.batches = joined
    train(both, options(steps=3), tmp_path / "one")
    one, other, again = (checkpoint(tmp_path / name)[0] for name in ("one", "two/first", "two/second"))
    assert_same(other, again)
    assert one.keys() == other.keys()
    for name, value in one.items():
        torch.testing.assert_close(value, other[name], msg=name)
    alone = tmp_path / "alone"
    train(Line(norm=False), options(steps=3), alone)
    assert not torch.allclose(checkpoint(alone)[0]["model.0.weight"], other["model.0.weight"], atol=1e-4)


def test_the_critic_learns_from_its_own_losses_alone(tmp_path):
    task, seen = JudgedLine(), []
    losses = task.losses

    def watched(model, batch):
        seen.append([parameter.requires_grad for parameter in task.critic.parameters()])
        return losses(model, batch)

    task.losses = watched
    before = [parameter.clone() for parameter in task.critic.parameters()]
    train(task, options(steps=2, every=1), tmp_path)
    assert not any(map(any, seen)) and all(parameter.requires_grad for parameter in task.critic.parameters())
    assert all(not torch.equal(*pair) for pair in zip(before, task.critic.parameters(), strict=True))
    row = read_log(tmp_path / "log.csv")[0]
    assert {"distance", "adversarial", "critic"} <= row.keys()


def test_training_lowers_the_error_and_logs_it(tmp_path):
    figures = train(Line(), options(steps=300, every=100), tmp_path)
    with (tmp_path / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [100, 200, 300]
    assert float(rows[-1]["error"]) == pytest.approx(figures["error"], rel=1e-4)
    assert figures["error"] < 0.15
    assert load_weights(tmp_path / "model.safetensors", "line")[0].keys() == Line().model.state_dict().keys()


def test_half_precision_and_averaging_change_what_is_exported(tmp_path):
    for name, changes in {"full": {}, "half": {"bfloat16": True}, "last": {"ema": 0.0}}.items():
        train(Line(), options(**changes), tmp_path / name)
    full, half, last = (checkpoint(tmp_path / name)[0] for name in ("full", "half", "last"))
    assert not torch.equal(full["model.0.weight"], half["model.0.weight"])
    torch.testing.assert_close(full["model.0.weight"], half["model.0.weight"], atol=0.02, rtol=0)
    assert torch.equal(last["average.0.weight"], last["model.0.weight"])
    assert not torch.equal(full["average.0.weight"], full["model.0.weight"])
    exported = load_weights(tmp_path / "full" / "model.safetensors", "line")[0]
    assert torch.equal(exported["0.weight"], full["average.0.weight"])


def test_sheets_and_a_card_come_with_the_weights(tmp_path):
    class Shown(Line):
        card = Card(title="A line", data="Random numbers, public domain.", licence="MIT", faults="It is straight.")

        def sheet(self, model):
            return grid([[np.full((4, 6, 3), (255, 0, 0), np.uint8)] * 2])

    train(Shown(), options(steps=20), tmp_path, "fsgan train line")
    assert sorted(path.name for path in (tmp_path / "sheets").iterdir()) == ["0000010.png", "0000020.png"]
    picture = cv2.imread(str(tmp_path / "sheets" / "0000020.png"))
    assert picture.shape == (6, 16, 3) and tuple(picture[4, 4]) == (0, 0, 255)
    card = (tmp_path / "model.md").read_text()
    digest = hashlib.sha256((tmp_path / "model.safetensors").read_bytes()).hexdigest()
    for words in ("# A line", digest, "MIT", "Random numbers", "straight", "fsgan train line", "20 steps", "| error |"):
        assert words in card
    assert read_header(tmp_path / "model.safetensors")["fsgan_kind"] == "line"


def test_curves_are_written_where_tensorboard_is_installed(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(ModuleNotFoundError, match="tensorboard"):
        train(Line(), options(tensorboard=True), tmp_path / "without")
    assert not (tmp_path / "without").exists(), "said before any work"
    written = []

    class Writer:
        def __init__(self, folder):
            written.append(folder)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def add_scalar(self, *values):
            written.append(values)

    monkeypatch.setitem(sys.modules, "tensorboard", types.ModuleType("tensorboard"))
    stand_in = types.ModuleType("torch.utils.tensorboard")
    stand_in.SummaryWriter = Writer
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", stand_in)
    figures = train(Line(), options(steps=10, tensorboard=True), tmp_path / "with")
    assert written[0] == str(tmp_path / "with" / "tensorboard")
    assert [values[0] for values in written[1:]] == ["distance", "error"]
    assert written[2] == ("error", figures["error"], 10)


def test_rows_hold_means_over_the_steps_since_the_last(tmp_path):
    class Counting(Line):
        def losses(self, model, batch):
            return {"distance": super().losses(model, batch)["distance"] * 0 + 6.0}

    train(Counting(), options(steps=25, every=10), tmp_path)
    assert [row["distance"] for row in read_log(tmp_path / "log.csv")] == [6, 6, 6]


def test_a_loss_that_is_no_number_spoils_no_checkpoint(tmp_path):
    class Broken(Line):
        def losses(self, model, batch):
            losses = super().losses(model, batch)
            return losses if len(read_log(tmp_path / "log.csv")) < 2 else {"distance": losses["distance"] / 0}

    with pytest.raises(FSGANError, match="'distance' is not finite between steps 20 and 30"):
        train(Broken(), options(steps=40), tmp_path)
    tensors, values = checkpoint(tmp_path)
    assert values["step"] == 20 and all(bool(value.isfinite().all()) for value in tensors.values())


def test_no_time_left_still_exports_what_there_is(tmp_path):
    first = train(Line(), options(minutes=0.0), tmp_path)
    assert first == Line().evaluate(Line().model.eval())
    weights = load_weights(tmp_path / "model.safetensors", "line")[0]
    assert torch.equal(weights["0.weight"], Line().model.state_dict()["0.weight"])


def test_a_checkpoint_of_something_else_is_refused(tmp_path):
    save_weights(tmp_path / "checkpoint.safetensors", {"a": torch.zeros(1)}, "landmarks")
    with pytest.raises(WeightsError, match="holds 'landmarks' weights, expected 'training'"):
        train(Line(), options(), tmp_path)
    train(Line(), options(steps=10), tmp_path / "run")
    other = Line()
    other.model = nn.Linear(2, 1)
    with pytest.raises(WeightsError, match="is of another network"):
        train(other, options(), tmp_path / "run")


def test_learning_rate_follows_steps_or_time_whichever_ends_first():
    plan = options(steps=105, lr=1.0, minutes=10.0)
    assert learning_rate(0, 0.0, plan) == pytest.approx(0.2)
    assert learning_rate(5, 0.0, plan) == pytest.approx(1.0)
    assert learning_rate(55, 0.0, plan) == pytest.approx(0.505)
    assert learning_rate(6, 5.0, plan) == pytest.approx(0.505)
    assert learning_rate(105, 1.0, plan) == pytest.approx(0.01)
    assert learning_rate(55, 99.0, options(steps=105, lr=1.0, minutes=math.inf)) == pytest.approx(0.505)
    halved = options(lr=1.0, halve=100)
    assert [learning_rate(step, 9.0, halved) for step in (50, 99, 100, 250)] == [1.0, 1.0, 0.5, 0.25]


def test_loaders_fork_from_a_process_without_threads_of_opencv(tmp_path):
    """A forked child that works with OpenCV would wait for ever for threads that only its parent has."""
    seen = []

    class Watched(Line):
        def batches(self, seed):
            seen.append(cv2.getNumThreads())
            return super().batches(seed)

    setting = cv2.getNumThreads()
    cv2.setNumThreads(2)
    try:
        train(Watched(), options(steps=1), tmp_path)
        assert seen == [1] and cv2.getNumThreads() == 2
    finally:
        cv2.setNumThreads(setting)

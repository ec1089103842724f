"""The training loop: exact resume, schedule, log."""

import csv
import math

import pytest
import torch
from torch import nn

from fsgan_core.errors import WeightsError
from fsgan_core.training.loop import TrainOptions, learning_rate, train
from fsgan_core.weights.checkpoint import load_weights, save_weights


class Line:
    """Fits a line with noise from dropout, so that chance has to be resumed too."""

    def __init__(self):
        torch.manual_seed(3)
        self.model = nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 1))

    def batches(self, seed):
        while True:
            x = torch.rand(16, 2, generator=torch.Generator().manual_seed(seed))
            yield {"x": x, "y": x.sum(1, keepdim=True)}
            seed += 1

    def losses(self, model, batch):
        return {"distance": (model(batch["x"]) - batch["y"]).abs().mean()}

    def evaluate(self, model):
        x = torch.rand(64, 2, generator=torch.Generator().manual_seed(99))
        with torch.no_grad():
            return {"error": float((model(x) - x.sum(1, keepdim=True)).abs().mean())}

    def export(self, model, path, figures):
        save_weights(path, model.state_dict(), "line", None, error=str(figures["error"]))


def options(**changes):
    return TrainOptions(**({"steps": 30, "warmup": 5, "every": 10, "lr": 0.02, "bfloat16": False} | changes))


def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path):
    train(Line(), options(), tmp_path / "whole")
    # Stop where no checkpoint is due.
    broken = Line()
    batches = broken.batches

    def few(seed):
        for number, batch in enumerate(batches(seed)):
            if number == 14:
                raise KeyboardInterrupt
            yield batch

    broken.batches = few
    with pytest.raises(KeyboardInterrupt):
        train(broken, options(), tmp_path / "parts")
    assert load_weights(tmp_path / "parts" / "checkpoint.safetensors", "training")[1] == {"step": 10}
    train(Line(), options(), tmp_path / "parts")
    one, other = (
        load_weights(tmp_path / name / "checkpoint.safetensors", "training")[0] for name in ("whole", "parts")
    )
    assert one.keys() == other.keys()
    assert any(name.startswith("optimizer.") for name in one)
    for name, value in one.items():
        assert torch.equal(value, other[name]), name


def test_training_lowers_the_error_and_logs_it(tmp_path):
    figures = train(Line(), options(steps=300, every=100), tmp_path)
    with (tmp_path / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [100, 200, 300]
    assert float(rows[-1]["error"]) == pytest.approx(figures["error"], rel=1e-4)
    assert figures["error"] < 0.15
    assert load_weights(tmp_path / "model.safetensors", "line")[0].keys() == Line().model.state_dict().keys()


def test_no_time_left_still_exports_what_there_is(tmp_path):
    train(Line(), options(minutes=0.0), tmp_path)
    weights = load_weights(tmp_path / "model.safetensors", "line")[0]
    assert torch.equal(weights["0.weight"], Line().model.state_dict()["0.weight"])


def test_a_checkpoint_of_something_else_is_refused(tmp_path):
    save_weights(tmp_path / "checkpoint.safetensors", {"a": torch.zeros(1)}, "landmarks")
    with pytest.raises(WeightsError, match="holds 'landmarks' weights, expected 'training'"):
        train(Line(), options(), tmp_path)


def test_learning_rate_follows_steps_or_time_whichever_ends_first():
    plan = options(steps=105, lr=1.0, minutes=10.0)
    assert learning_rate(0, 0.0, plan) == pytest.approx(0.2)
    assert learning_rate(5, 0.0, plan) == pytest.approx(1.0)
    assert learning_rate(55, 0.0, plan) == pytest.approx(0.505)
    assert learning_rate(6, 5.0, plan) == pytest.approx(0.505)
    assert learning_rate(105, 1.0, plan) == pytest.approx(0.01)
    assert learning_rate(55, 99.0, options(steps=105, lr=1.0, minutes=math.inf)) == pytest.approx(0.505)

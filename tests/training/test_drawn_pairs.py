"""Drawn pairs in the form of the official trainings, and a training fed with them; the head is synthetic."""

import numpy as np
import pytest
import torch

from fsgan_core.cli import main
from fsgan_core.errors import FSGANError
from fsgan_core.training import drawn_pairs
from fsgan_core.training.crop_occluders import Props
from fsgan_core.training.drawn_pairs import DrawnPairs
from fsgan_core.training.pairs import Engine
from fsgan_core.training.run_files import read_log
from fsgan_core.weights.catalog import verify


@pytest.fixture(scope="module")
def engine(rig, model, heads):
    return Engine(rig, model, heads, Props())


@pytest.mark.parametrize("same", [True, False])
def test_a_pair_has_pictures_and_their_landmarks(engine, same):
    pairs = DrawnPairs(engine, 64, same)
    one, again, other = pairs[3], pairs[3], pairs[4]
    assert one.keys() == {"seed", "source", "target", "source_landmarks", "target_landmarks"}
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not torch.equal(one["source"], other["source"]) and not torch.equal(one["source"], one["target"])
    for name in ("source", "target"):
        assert one[name].shape == (64, 64, 3) and one[name].dtype == torch.uint8 and one[name].float().std() > 5
        points = one[f"{name}_landmarks"]
        extent = (points[:, :2].amax(0) - points[:, :2].amin(0)).max()
        assert points.shape == (478, 3) and extent == pytest.approx(64 / 1.2, abs=0.5)


def test_two_people_are_two(engine, monkeypatch):
    people, pairs = [], drawn_pairs.pairs

    def watched(*arguments):
        batch = pairs(*arguments)
        people.append(batch["person"].tolist())
        return batch

    monkeypatch.setattr(drawn_pairs, "pairs", watched)
    for index in range(6):
        DrawnPairs(engine, 32, same=False)[index]
        assert len(set(people[-1])) == 2
    assert len(people) > 6, "some were the same person and drawn again"
    alone = Engine(engine.rig, engine.model, engine.heads[torch.tensor([0])], Props())
    with pytest.raises(FSGANError, match="found one portrait, expected two"):
        DrawnPairs(alone, 32, same=False)


def test_a_training_is_fed_by_the_engine(engine, tmp_path, monkeypatch):
    monkeypatch.setattr(drawn_pairs, "read_engine", lambda data, split: engine)
    (tmp_path / "material" / "ict").mkdir(parents=True)
    words = ["train", "reenactment", "--arch", "msrunet-v2", "--recipe", "smoke", "--device", "cpu"]
    assert main([*words, "--data", str(tmp_path / "material"), "--out", str(tmp_path / "run")]) == 0
    for phase in ("32", "64"):
        (row,) = read_log(tmp_path / "run" / phase / "log.csv")
        assert all(np.isfinite(value) for value in row.values())
    assert "for reenactment" in verify(tmp_path / "run" / "64" / "model.safetensors")
    assert "drawn by the data engine" in (tmp_path / "run" / "64" / "model.md").read_text()

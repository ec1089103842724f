"""Batches of pairs: shapes, labels, mirrors, chance; with the real material, if it is there, real portraits."""

import csv
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from fsgan_core.errors import WeightsError
from fsgan_core.ops.flow import sample
from fsgan_core.training.crop_occluders import Props
from fsgan_core.training.face_labels import FACE, REST
from fsgan_core.training.heads import read_heads
from fsgan_core.training.labelled import read_faces
from fsgan_core.training.pairs import Engine, PairOptions, pairs, read_engine

TRAIN = Path(os.environ.get("FSGAN_TRAIN", "../shared/train"))


@pytest.fixture(scope="module")
def engine(rig, model, heads):
    return Engine(rig, model, heads, Props())


def test_a_batch_has_all_it_promises(engine):
    batch = pairs(engine, 6, np.random.default_rng(0), PairOptions(size=64, covered=0.5))
    for name in ("source", "target", "source_covered", "target_covered"):
        assert batch[name].shape == (6, 3, 64, 64) and batch[name].min() >= 0 and batch[name].max() <= 1
    for name in ("source_labels", "target_labels", "visible", "trust", "depth", "source_cover", "target_cover"):
        assert batch[name].shape == (6, 1, 64, 64)
    assert batch["flow"].shape == (6, 2, 64, 64) and batch["target_landmarks"].shape == (6, 478, 3)
    assert all(value.isfinite().all() for value in batch.values())
    covered = batch["target_cover"] > 0.5
    assert covered.any() and (batch["target_labels"][covered] == REST).all()
    clean = (batch["target_cover"] == 0).expand(-1, 3, -1, -1)
    assert (batch["target_covered"][clean] <= batch["target"][clean] + 0.01).all()


def test_the_same_chance_makes_the_same_batch(engine):
    one, other = (pairs(engine, 4, np.random.default_rng(5), PairOptions(size=64)) for _ in range(2))
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("kind", range(4))
def test_each_kind_trusts_what_is_real(engine, kind):
    chances = tuple(float(k == kind) for k in range(4))
    batch = pairs(engine, 4, np.random.default_rng(kind), PairOptions(size=64, chances=chances, yaw=60.0))
    assert (batch["kind"] == kind).all()
    assert ((batch["trust"] == 1).all()) == (kind in (1, 3))


@pytest.mark.parametrize("seed", range(3))
def test_flow_finds_the_source_colours_of_one_photo(engine, seed):
    """Photo to photo, whether mirrored or not: what is visible looks the same at the other end of the flow."""
    options = PairOptions(size=96, chances=(0, 0, 0, 1), toned=0, camera=0)
    batch = pairs(engine, 4, np.random.default_rng(seed), options)
    moved, visible = sample(batch["source"], batch["flow"]), batch["visible"]
    assert visible.mean() > 0.1
    assert ((moved - batch["target"]).abs() * visible).sum() / visible.sum() / 3 < 0.03
    noses = batch["target_landmarks"][:, 1, :2].long()
    for item, (x, y) in enumerate(noses.tolist()):
        assert batch["target_labels"][item, 0, y, x] == FACE
        torch.testing.assert_close(
            batch["flow"][item, :, y, x], batch["source_landmarks"][item, 1, :2], atol=2.5, rtol=0
        )


def test_the_camera_spares_targets_and_tones_change_both(engine):
    def make(**more):
        options = PairOptions(size=64, chances=(0, 0, 0, 1), **more)
        return pairs(engine, 4, np.random.default_rng(1), options)

    clean, noisy = make(toned=0, camera=0), make(toned=0, camera=1.0)
    assert torch.equal(clean["target"], noisy["target"]) and not torch.equal(clean["source"], noisy["source"])
    toned = make(toned=1.0, camera=0)
    gap = [(toned[name].mean((2, 3)) - clean[name].mean((2, 3))).mean(1) for name in ("source", "target")]
    torch.testing.assert_close(gap[0], gap[1], atol=0.05, rtol=0)


def material(folder, faces):
    """A tiny portrait set on disk."""
    (folder / "faces_ai").mkdir(parents=True)
    with (folder / "faces_ai" / "index.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "split"])
        for face in faces:
            writer.writerow([f"{face.name}.png", "train"])
            cv2.imwrite(str(folder / "faces_ai" / f"{face.name}.png"), face.image[..., ::-1])
    np.savez(folder / "faces_ai" / "mp478.npz", lmk=np.stack([face.landmarks for face in faces]))


def test_heads_are_built_once_and_cut_faces_left_out(tmp_path, faces, rig, model, monkeypatch):
    cut = type(faces[0])("cut", faces[0].image, faces[0].landmarks - np.float32([200, 0, 0]))
    material(tmp_path, [*faces[:2], cut])
    first = read_heads(tmp_path, "train", rig, model, tmp_path / "cache")
    assert len(first) == 2
    monkeypatch.setattr("fsgan_core.training.heads.build_heads", lambda *_: pytest.fail("built again"))
    again = read_heads(tmp_path, "train", rig, model, tmp_path / "cache")
    assert torch.equal(first.sheet, again.sheet) and torch.equal(first.neutral, again.neutral)
    assert [file.name for file in (tmp_path / "cache").iterdir()] == ["heads-train.safetensors"]
    cv2.imwrite(str(tmp_path / "faces_ai" / f"{faces[0].name}.png"), 255 - faces[0].image)
    monkeypatch.setattr("fsgan_core.training.heads.build_heads", lambda *_: first)
    assert read_heads(tmp_path, "train", rig, model, tmp_path / "cache") is first, "a picture has changed"
    kept = tmp_path / "cache" / "heads-train.safetensors"
    kept.write_bytes(b"no safetensors")
    with pytest.raises(WeightsError):
        read_heads(tmp_path, "train", rig, model, tmp_path / "cache")


@pytest.mark.skipif(not (TRAIN / "ict").is_dir(), reason="no training material; set FSGAN_TRAIN to its folder")
def test_the_real_head_on_real_portraits(monkeypatch, tmp_path):
    monkeypatch.setattr(
        "fsgan_core.training.heads.read_faces", lambda data, split: read_faces(data, split, ("faces_faker",))[:4]
    )
    engine = read_engine(TRAIN, "val", tmp_path)
    options = PairOptions(size=128, chances=(0, 0, 0, 1), camera=0, toned=0)
    batch = pairs(engine, 4, np.random.default_rng(0), options)
    moved, visible = sample(batch["source"], batch["flow"]), batch["visible"]
    assert visible.mean() > 0.1 and ((moved - batch["target"]).abs() * visible).sum() / visible.sum() / 3 < 0.03

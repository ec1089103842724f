import csv
from pathlib import Path
from runpy import run_path

import cv2
import numpy as np
import pytest
import torch

from fsgan_core.errors import FSGANError, WeightsError
from fsgan_core.networks.flow_net import CHANNELS, FlowNet, FlowNetConfig
from fsgan_core.ops.head_mesh import place
from fsgan_core.stages.open_landmarks import load_open_landmarker
from fsgan_core.stages.openings import MOUTH, openness
from fsgan_core.stages.pose import load_face_model
from fsgan_core.training.labelled import Face
from fsgan_core.training.loop import TrainOptions, train
from fsgan_core.training.reenactment_pairs import SHAPES, as_evidence, build_pairs, light_of, pair, shut, subject
from fsgan_core.training.refinement import (
    WEIGHTS,
    Pairs,
    RefinementTask,
    aligned,
    augmented,
    kept,
    plain,
    task,
    unlikeness,
)
from fsgan_core.weights.checkpoint import load_weights, save_weights

_FACES = run_path(str(Path(__file__).parents[1] / "stages" / "test_reenactment.py"))
MODEL = load_face_model()
SIZE = 256


def portrait(name="a", **expressions):
    return Face(name, _FACES["picture"](SIZE), _FACES["face"](size=SIZE, **expressions).numpy())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three portraits as training material."""
    root = tmp_path_factory.mktemp("data")
    (root / "faces_ai").mkdir()
    faces = [portrait(f"{n}.png", jawOpen=0.3 * n) for n in range(3)]
    for face in faces:
        cv2.imwrite(str(root / "faces_ai" / face.name), face.image[..., ::-1])
    with (root / "faces_ai" / "index.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("file", "split"))
        rows.writerows((face.name, split) for face, split in zip(faces, ("train", "train", "val"), strict=True))
    np.savez(root / "faces_ai" / "mp478.npz", lmk=np.stack([face.landmarks for face in faces]))
    return root


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    root = tmp_path_factory.mktemp("pairs")
    build_pairs(root, [portrait(jawOpen=0.5)], (MODEL, load_open_landmarker()), 6, seed=1, twins=0.5)
    return Pairs(root, 6)


def test_lips_are_shut_and_the_rest_stays():
    opened = place(MODEL.mean, torch.from_numpy(portrait(jawOpen=0.7).landmarks)[None]).shape
    closed = shut(opened)
    assert openness(closed, MOUTH) < 0.05 * openness(opened, MOUTH)
    assert (closed - opened)[0, [10, 33, 263, 168]].abs().max() < 0.02


def test_the_light_is_found():
    face = portrait()
    x = np.arange(SIZE) / SIZE
    lit = Face("lit", (face.image * (0.5 + x)[None, :, None]).clip(0, 255).astype(np.uint8), face.landmarks)
    assert light_of(lit, MODEL)[0] < light_of(face, MODEL)[0] - 0.1


def test_pairs_show_the_photo_and_twins_differ_only_in_steps():
    landmarker = load_open_landmarker()
    who = subject(portrait(), MODEL, landmarker)
    one, many = pair(who, MODEL, landmarker, np.random.default_rng(3), twin=True)
    assert one.target.shape == SHAPES["target"] and np.array_equal(one.target, many.target)
    assert np.abs(one.sheets.astype(int) - many.sheets).mean() < 4
    assert 0 < one.trust.max() <= 255 and one.views == many.views


def test_batches_are_the_same_for_the_same_seed_and_flips_keep_the_errors(pairs):
    first, again = (pairs.draw(np.random.default_rng(5), 2) for _ in range(2))
    assert all(torch.equal(first[name], again[name]) for name in SHAPES)
    flipped = next(
        batch
        for seed in range(9)
        if (batch := augmented(first, np.random.default_rng(seed)))["trust"].ne(first["trust"]).any()
    )
    error = [(plain(as_evidence(b)) - b["target"] / 255).abs().mean() for b in (first, flipped)]
    assert float(error[1]) == pytest.approx(float(error[0]), rel=0.5)
    x = CHANNELS.index("normal_x")
    assert torch.allclose(as_evidence(flipped).geometry[:, x].flip(-1), -as_evidence(first).geometry[:, x], atol=0.02)


def test_twins_are_to_look_alike_however_many_steps_they_took(pairs):
    model = FlowNet(FlowNetConfig(widths=(4, 4, 4, 4), judge=4))
    made = RefinementTask(model, pairs, pairs)
    drawn = (pairs.draw(np.random.default_rng(seed), 2) for seed in range(50))
    twins = next(batch for batch in drawn if batch["twins"])
    equal = {name: values[[0, 0]] if values.ndim else values for name, values in twins.items()}
    apart = equal | {"sheets": torch.stack((equal["sheets"][0], 255 - equal["sheets"][1]))}
    none, little, much = (made.losses(model, batch)["steps"].item() for batch in (equal, twins, apart))
    assert none == 0 and 0 < little < 0.5 * much
    assert "steps" not in made.losses(model, twins | {"twins": torch.zeros(())})


def test_a_run_learns_and_writes_weights(folder, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    made = task(folder, pairs=4, batch=2, shape={"widths": (4, 4, 4, 4), "judge": 4})
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before, "material is only read"
    figures = train(made, TrainOptions(steps=3, every=3, warmup=1, device="cpu", bfloat16=False), tmp_path)
    assert figures["structure_geometry"] > 0 and all(0.5 < figures[name] < 2 for name in WEIGHTS)
    tensors, config = load_weights(tmp_path / "model.safetensors", "flow_net")
    assert config["judge"] == 4 and all(value.dtype == torch.float16 for value in tensors.values())
    assert (tmp_path / "model.md").is_file() and list((tmp_path / "sheets").iterdir())


def test_pairs_are_kept_where_asked_and_their_number_is_checked(folder, tmp_path, monkeypatch):
    first = kept(tmp_path / "cache", folder, "train", 2)
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == ["train"]
    monkeypatch.setattr("fsgan_core.training.refinement.build_pairs", None)
    again = kept(tmp_path / "cache", folder, "train", 2)
    assert all(torch.equal(first.read([0, 1])[name], again.read([0, 1])[name]) for name in SHAPES)
    with pytest.raises(FSGANError, match="expected 3 pairs of .*; delete it or name another 'cache'"):
        kept(tmp_path / "cache", folder, "train", 3)
    (tmp_path / "cache" / "train" / "views.npy").unlink()
    with pytest.raises(FSGANError, match="holds no pairs"):
        kept(tmp_path / "cache", folder, "train", 2)


def test_weights_of_another_network_are_no_start(folder, tmp_path):
    other = FlowNet(FlowNetConfig(widths=(4, 4, 4, 4), judge=8))
    save_weights(tmp_path / "other.safetensors", other.state_dict(), "flow_net", other.config)
    with pytest.raises(WeightsError, match="name weights of the same network"):
        task(folder, pairs=2, start=tmp_path / "other.safetensors", shape={"widths": [4, 4, 4, 4], "judge": 4})


def test_what_alignment_mends_is_not_punished(pairs):
    evidence = as_evidence(pairs.read([0]))
    image = plain(evidence)
    beside = image.roll((2, 1), (2, 3))
    errors = [
        float(unlikeness(one, image, evidence)["structure"]) for one in (beside, aligned(beside, image, evidence))
    ]
    assert errors[1] < 0.7 * errors[0]
    assert unlikeness(image, image, evidence)["structure"] == pytest.approx(0, abs=1e-5)

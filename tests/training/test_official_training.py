"""Official architectures in training: pairs, problems, curriculum, and weight sets that a swap takes."""

import json
import shutil

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from fsgan_core.cli import main
from fsgan_core.cli.train import ARCHITECTURES
from fsgan_core.errors import FSGANError, WeightsError
from fsgan_core.networks import build
from fsgan_core.networks.ms_res_unet import MultiScaleResUNetConfig
from fsgan_core.ops.heatmaps import landmark_discs
from fsgan_core.ops.wflw import to_wflw98
from fsgan_core.training.dataset import read_dataset
from fsgan_core.training.loop import TrainOptions, train
from fsgan_core.training.losses import blend_target
from fsgan_core.training.official_nets import initialise, start_from
from fsgan_core.training.official_pairs import Pairs, first_batch, half_way, pictures
from fsgan_core.training.official_segmentation import LabelledCrops
from fsgan_core.training.official_tasks import task
from fsgan_core.training.recipes import read_recipe
from fsgan_core.training.run_files import read_log
from fsgan_core.weights.catalog import verify
from fsgan_core.weights.checkpoint import load_weights, save_weights

TINY = {"width": 4, "max_width": 8, "batch": 2, "workers": 0}


@pytest.fixture(scope="module")
def trained(dataset, tmp_path_factory):
    """Folders of every official architecture after its smoke recipe, through the command line."""
    root, folders = tmp_path_factory.mktemp("trained"), {}
    for name in ("reenactment", "segmentation", "completion", "blending"):
        for arch in ARCHITECTURES[name]:
            words = ["train", name, "--arch", arch, "--recipe", "smoke", "--data", dataset, "--device", "cpu"]
            folders[name, arch] = folder = root / f"{name}-{arch}"
            if name in ("completion", "blending"):
                words += ["--set", f"reenactment={folders['reenactment', 'msrunet-v2'] / '64' / 'model.safetensors'}"]
                words += ["--set", f"segmentation={folders['segmentation', 'unet-v2'] / 'model.safetensors'}"]
            assert main([str(word) for word in (*words, "--out", folder)]) == 0, (name, arch)
    return folders


def final(folder):
    return next(folder / name for name in ("64", ".") if (folder / name / "model.safetensors").is_file())


def test_every_architecture_trains_and_verifies(trained):
    assert set(trained) == {(name, arch) for name, archs in ARCHITECTURES.items() for arch in archs}
    for (name, _), folder in trained.items():
        (row,) = read_log(final(folder) / "log.csv")
        assert all(np.isfinite(value) for value in row.values())
        assert f"for {name}" in verify(final(folder) / "model.safetensors")
        (sheet,) = (final(folder) / "sheets").iterdir()
        assert cv2.imread(str(sheet)).shape[0] == 6 * 66
        card = (final(folder) / "model.md").read_text()
        assert "user's own pictures" in card and str(folder.parent) not in card, "no folder of the user's"
    adversarial = read_log(trained["blending", "msrunet-v2"] / "64" / "log.csv")[0]
    assert {"reconstruction", "adversarial", "critic", "difference"} <= adversarial.keys()


def test_what_was_trained_is_a_weight_set_of_its_own(trained, portrait, tmp_path):
    models = tmp_path / "models"
    models.mkdir()
    for (name, arch), folder in trained.items():
        if arch != "msrunet-v1":
            shutil.copy(final(folder) / "model.safetensors", models / f"{name}.safetensors")
    words = ("swap", "-s", portrait, "-t", portrait, "-o", tmp_path / "swap.png", "--models", models, "--device", "cpu")
    report = tmp_path / "report.json"
    assert main([str(word) for word in (*words, "--report", report)]) == 0
    used = json.loads(report.read_text())["models"]
    assert all(str(models) in used[stage] for stage in ("reenactment", "segmentation", "completion", "blending"))
    assert cv2.imread(str(tmp_path / "swap.png")).shape == (256, 256, 3)


def test_the_second_phase_starts_from_the_first(trained):
    first, second = (
        load_weights(trained["reenactment", "msrunet-v2"] / phase / "model.safetensors", "ms_res_unet")[0]
        for phase in ("32", "64")
    )
    name, fine = "base.inner.flat_block.model.0.model.1.weight", "enhancer1.in_conv.1.weight"
    # Two steps change little, compared with another beginning.
    assert (first[name] - second[name]).abs().max() < 0.01 < first[name].std() * 3
    assert not torch.equal(first[name], second[name]) and not torch.equal(first[fine], second[fine])


def test_a_trained_network_is_fitted_to_one_person(trained, dataset, tmp_path):
    start = final(trained["reenactment", "msrunet-v2"]) / "model.safetensors"
    changes = {"width": 4, "max_width": 8, "resolution": 64, "workers": 0, "start": start}
    words = ["train", "reenactment", "--recipe", "finetune", "--data", dataset, "--out", tmp_path, "--device", "cpu"]
    words += ["--steps", 3, "--every", 3]
    words += [word for name, value in changes.items() for word in ("--set", f"{name}={value}")]
    assert main([str(word) for word in words]) == 0
    (row,) = read_log(tmp_path / "log.csv")
    assert {"reconstruction", "critic"} & row.keys() == {"reconstruction"}, "no critic in the original's fine-tuning"
    before, after = (load_weights(path, "ms_res_unet")[0] for path in (start, tmp_path / "model.safetensors"))
    change = max(float((after[name] - before[name]).abs().max()) for name in before if "weight" in name)
    assert 0 < change < 0.01


def test_with_one_level_the_base_is_trained_alone(dataset, tmp_path):
    made = task(dataset, "reenactment", "msrunet-v2", resolution=32, levels=1, **TINY)
    before = {name: value.clone() for name, value in made.model.named_parameters()}
    train(made, TrainOptions(steps=2, every=2, warmup=1, ema=0.0), tmp_path)
    changed = {
        name.split(".")[0] for name, value in made.model.named_parameters() if not torch.equal(value, before[name])
    }
    assert changed == {"base"}


def test_a_named_feature_network_judges(dataset, tmp_path):
    network = build("vgg", {"widths": [2, 2, 2, 2, 2]})
    save_weights(tmp_path / "features.safetensors", network.state_dict(), "vgg", {"widths": [2, 2, 2, 2, 2]})
    plain, judged = (
        task(dataset, "reenactment", "msrunet-v2", resolution=32, levels=1, features=str(path), adversarial=0, **TINY)
        for path in ("", tmp_path / "features.safetensors")
    )
    batch = first_batch(plain.pairs[0], 2, torch.device("cpu"))
    assert len(judged.judge.judges) == 1
    one, other = (made.judge(pictures(batch["source"]), pictures(batch["target"])) for made in (plain, judged))
    assert other > 0 and other != one
    with pytest.raises(WeightsError):
        task(dataset, "reenactment", "msrunet-v2", features=str(tmp_path / "none.safetensors"), **TINY)


def test_a_coarse_half_alone_goes_into_the_base(tmp_path):
    values = {"width": 4, "max_width": 8, "flat_layers": [1, 1, 1, 1]}
    one, other = (build("ms_res_unet", values) for _ in range(2))
    initialise(one)
    save_file(one.base.state_dict(), tmp_path / "half.safetensors")
    enhancer = {name: value.clone() for name, value in other.enhancer1.state_dict().items()}
    start_from(other, tmp_path / "half.safetensors")
    assert all(torch.equal(value, other.base.state_dict()[name]) for name, value in one.base.state_dict().items())
    assert all(torch.equal(value, other.enhancer1.state_dict()[name]) for name, value in enhancer.items())
    save_file(one.state_dict(), tmp_path / "whole.safetensors")
    start_from(other, tmp_path / "whole.safetensors")
    assert torch.equal(other.enhancer1.in_conv[1].weight, one.enhancer1.in_conv[1].weight)
    assert other.base.in_conv[1].weight.std().item() == pytest.approx(0.02, rel=0.1)
    with pytest.raises(WeightsError, match="name weights of the same network"):
        start_from(build("ms_res_unet", values | {"width": 6}), tmp_path / "whole.safetensors")


def test_the_published_curriculum_is_the_default(tmp_path):
    for name in ("reenactment", "completion", "blending"):
        small, large = read_recipe(f"{name}-msrunet-v2")
        assert (small.arguments["resolution"], large.arguments["resolution"]) == (128, 256)
        assert (small.arguments["levels"], "levels" in large.arguments) == (1, False)
        assert (small.options["lr"], large.options["lr"]) == (1e-4, 4e-5)
        assert small.options["steps"] * small.arguments["batch"] == 24 * 20000
        assert large.options["steps"] * large.arguments["batch"] == 50 * 20000
        assert large.arguments["adversarial"] == (0.1 if name == "blending" else 0.001)
    assert MultiScaleResUNetConfig().width == 128, "the recipes leave the width to the default, the published one"


def test_pairs_show_one_person_twice_or_two(dataset):
    tracks = read_dataset(dataset)
    same, different = Pairs(tracks, 64), Pairs(tracks, 64, same=False)
    seen = set()
    for index in range(12):
        for pairs in (same, different):
            one, again = pairs[index], pairs[index]
            assert all(torch.equal(one[name], again[name]) for name in one)
            tints = [float(one[name].float().mean((0, 1)).diff().sign()[0]) for name in ("source", "target")]
            assert (tints[0] == tints[1]) == (pairs is same)
            if pairs is same:
                assert not torch.equal(one["source"], one["target"])
            points = one["target_landmarks"]
            # A mirror image has its landmarks exchanged: the subject's right eye stays on the picture's left.
            assert points[33, 0] < points[263, 0]
            seen.add(round(float(points[4, 0]), 2))
    assert len(seen) > 3
    with pytest.raises(FSGANError, match="found 0 people with two pictures, expected at least 1; add videos"):
        Pairs([], 64)
    with pytest.raises(FSGANError, match="found 1 people with pictures, expected at least 2"):
        Pairs(tracks[:1], 64, same=False)


def test_what_each_generator_is_asked_for(trained, dataset):
    reenactment = str(trained["reenactment", "msrunet-v2"] / "64" / "model.safetensors")
    arguments = TINY | {"resolution": 64, "reenactment": reenactment, "adversarial": 0}
    made = {name: task(dataset, name, "msrunet-v2", **arguments) for name in ("reenactment", "completion", "blending")}
    batch = first_batch(made["reenactment"].pairs[0], 2, torch.device("cpu"))
    problem = made["reenactment"].posed(batch)
    target = pictures(batch["target"])
    assert torch.equal(problem.expected, target) and torch.equal(problem.real, target)
    assert torch.equal(problem.levels[0][:, :3], pictures(batch["source"])) and len(problem.levels) == 2
    discs = landmark_discs(to_wflw98(batch["target_landmarks"])[..., :2] / 64, 64)
    assert torch.equal(problem.levels[0][:, 3:], discs)

    problem = made["completion"].posed(batch)
    face = problem.levels[0][:, 3:]
    assert set(face.unique().tolist()) == {0.0, 1.0} and 0.1 < face.mean() < 0.9
    assert torch.equal(problem.expected, target * face)
    shown = problem.levels[0][:, :3].amax(1) > 0
    assert 0.02 < 1 - shown[face[:, 0] > 0].float().mean() < 0.98, "an ellipse of the face is missing"

    batch = first_batch(made["blending"].pairs[0], 2, torch.device("cpu"))
    problem = made["blending"].posed(batch)
    moved, target, inside = problem.levels[0].split((3, 3, 1), 1)
    assert torch.equal(target, pictures(batch["target"])) and torch.equal(problem.real, target)
    outside = (inside < 0.5).expand_as(target)
    assert torch.equal(moved[outside], target[outside]) and torch.equal(problem.expected[outside], target[outside])
    assert not torch.equal(problem.expected, blend_target(target, target, inside))


def test_two_pairs_are_learnt(dataset, tmp_path):
    arguments = TINY | {"width": 16, "max_width": 32, "resolution": 32, "levels": 1, "adversarial": 0}
    made = task(dataset, "reenactment", "msrunet-v2", **arguments)
    pairs = made.pairs[0]
    made.pairs = (torch.utils.data.Subset(pairs, [0, 1] * 200), pairs)
    problem = made.posed(first_batch(pairs, 2, torch.device("cpu")))

    def difference():
        with torch.no_grad():
            return float((made.model.eval()(problem.levels)[0] - problem.expected).abs().mean())

    before = difference()
    made.model.train()
    train(made, TrainOptions(steps=60, every=60, warmup=5, lr=3e-3, beta1=0.5, weight_decay=0.0), tmp_path)
    assert difference() < 0.5 * before


def test_labels_beside_a_crop_go_before_the_mesh(dataset, tmp_path):
    shutil.copytree(dataset, tmp_path / "labelled")
    tracks = read_dataset(tmp_path / "labelled")
    plain = LabelledCrops(tracks, 64, plain=True)
    mesh = plain[0]["labels"]
    assert mesh.shape == (64, 64) and set(mesh.unique().tolist()) == {0, 1}
    path = tracks[0].files[0].with_suffix(".labels.png")
    cv2.imwrite(str(path), np.full((256, 256), 2, np.uint8))
    assert set(plain[0]["labels"].unique().tolist()) <= {0, 2} and (plain[0]["labels"] == 2).float().mean() > 0.9
    changed = LabelledCrops(tracks, 64)
    assert all(torch.equal(changed[3][name], changed[3][name]) for name in ("target", "labels"))
    cv2.imwrite(str(path), np.full((256, 256), 9, np.uint8))
    with pytest.raises(Exception, match="no picture of the classes 0, 1 and 2"):
        plain[0]


def test_half_way_is_between(dataset):
    batch = first_batch(Pairs(read_dataset(dataset), 64), 2, torch.device("cpu"))
    turned = batch["source_landmarks"] + torch.tensor([6.0, 0, 0])
    middle = half_way(batch["source_landmarks"], turned)
    end = half_way(turned, turned)
    assert middle.shape == (2, 68, 3)
    torch.testing.assert_close(middle + torch.tensor([3.0, 0, 0]), end, atol=1e-2, rtol=0)


def test_what_is_missing_is_said(fails, misused, dataset, tmp_path):
    words = ("--data", dataset, "--out", tmp_path / "run", "--device", "cpu")
    assert "needs; name a file with --set reenactment=FILE" in fails(
        "train", "completion", "--arch", "msrunet-v2", *words
    )
    assert "reenactment has no architecture 'unet'" in misused("train", "reenactment", "--arch", "unet", *words)
    assert "detection has no architecture" in misused("train", "detection", "--arch", "msrunet-v2", *words)
    assert "the task knows no 'size'" in misused("train", "reenactment", "--set", "size=3", *words)
    assert "is no dataset" in fails("train", "reenactment", "--data", tmp_path, *words[2:])

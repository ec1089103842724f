"""Official networks of a few channels as stages: equal to the original's step, choosable, saying what is missing."""

import argparse
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from fsgan_core.cli import engine, main
from fsgan_core.errors import WeightsError
from fsgan_core.faces import FaceSequence, Track
from fsgan_core.models import MENUS, Backends, Models
from fsgan_core.networks import build
from fsgan_core.ops.geometry import rotation_matrix
from fsgan_core.ops.official_masks import soft_erosion
from fsgan_core.ops.official_swap import SwapInputs, SwapNetworks, swap_step
from fsgan_core.ops.pyramid import reduce
from fsgan_core.ops.wflw import to_wflw98
from fsgan_core.pipeline import build_appearance_map, reenact, reenact_crops, swap
from fsgan_core.stages import official_files
from fsgan_core.stages.cropping import in_crop
from fsgan_core.stages.layers import Anchor
from fsgan_core.stages.official import LearnedBlender, LearnedReenactor, path
from fsgan_core.stages.pose import load_face_model
from fsgan_core.stages.views import prepare
from fsgan_core.streams import Frames, Still
from fsgan_core.weights import catalog
from fsgan_core.weights.checkpoint import save_weights

MODEL = load_face_model()
SMALL = {"flat_layers": [1, 1, 1], "width": 4, "max_width": 16}
CONFIGS = {
    ("v2", "reenactment"): ("ms_res_unet", {"in_channels": 101, **SMALL}),
    ("v2", "completion"): ("ms_res_unet", {"in_channels": 4, **SMALL}),
    ("v2", "blending"): ("ms_res_unet", {"in_channels": 7, "image_channels": 6, **SMALL}),
    ("v2", "segmentation"): ("seg_unet", {"width": 4}),
    ("v1", "reenactment"): ("ms_res_unet", {"in_channels": 71, "out_channels": [3, 3], "version": "v1", **SMALL}),
    ("v1", "completion"): ("ms_res_unet", {"in_channels": 4, "version": "v1", **SMALL}),
    ("v1", "blending"): ("ms_res_unet", {"in_channels": 7, "image_channels": 6, "version": "v1", **SMALL}),
    ("v1", "segmentation"): ("seg_unet", {"width": 4}),
}
FILES = {
    ("v2", "reenactment"): "nfv_msrunet_256_1_2_reenactment_v2.1",
    ("v2", "completion"): "ijbc_msrunet_256_1_2_inpainting_v2",
    ("v2", "blending"): "ijbc_msrunet_256_1_2_blending_v2",
    ("v2", "segmentation"): "celeba_unet_256_1_2_segmentation_v2",
    ("v1", "reenactment"): "ijbc_msrunet_256_2_0_reenactment_v1",
    ("v1", "completion"): "ijbc_msrunet_256_2_0_inpainting_v1",
    ("v1", "blending"): "ijbc_msrunet_256_2_0_blending_v1",
    ("v1", "segmentation"): "lfw_figaro_unet_256_2_0_segmentation_v1",
}


def network(key):
    torch.manual_seed(len(FILES[key]))
    made = build(*CONFIGS[key])
    for module in made.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.3, 0.3)
            module.running_var.uniform_(0.5, 2)
    if key[1] == "segmentation":
        with torch.inference_mode():
            logits = made.eval()(light())[0]
            # Half of the light, in one piece or few, counts as face.
            made.final.bias[1] += (logits[[0, 2]].amax(0) - logits[1]).median()
    return made.eval()


def light():
    """``(1, 3, 256, 256)``, bright in the middle."""
    axis = torch.linspace(-1, 1, 256)
    return (1 - (axis[:, None] ** 2 + axis**2) / 2).expand(1, 3, -1, -1).clone()


def write(folder, key, name=None):
    kind, config = CONFIGS[key]
    file = folder / f"{name or FILES[key]}.safetensors"
    save_weights(file, network(key).state_dict(), kind, config, fsgan_stage=key[1], source_name=f"{FILES[key]}.pth")
    return file


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """A folder with every file of both sets, the stepwise one too."""
    folder = tmp_path_factory.mktemp("models")
    for key in FILES:
        write(folder, key)
    write(folder, ("v1", "reenactment"), "ijbc_msrunet_256_1_2_reenactment_stepwise_v1")
    return folder


@pytest.fixture(autouse=True)
def nothing_else(tmp_path, monkeypatch):
    monkeypatch.delenv("FSGAN_MODELS", raising=False)
    monkeypatch.setattr(catalog, "user_folder", lambda: tmp_path / "none")
    stage = lambda *_: None  # noqa: E731
    monkeypatch.setattr("fsgan_core.models.bundle.DETECTORS", {"open": stage})
    monkeypatch.setattr("fsgan_core.models.bundle.LANDMARKERS", {"open": stage})


def face_at(side, yaw=0.0, roll=0.0):
    turned = MODEL.mean @ rotation_matrix(torch.tensor([[yaw, 0.0, roll]]))[0].T
    return (turned * side / 6 + torch.tensor([side / 2, side / 2, 0.0])).numpy().astype(np.float32)


def sequence(points):
    box = np.concatenate((points[:, :2].min(0), points[:, :2].max(0)))
    return FaceSequence(Track(0, box[None]), points[None], np.zeros((1, 3), np.float32), np.ones(1, np.float32))


def picture(side=128, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3)).astype(np.uint8)


def source_map():
    return build_appearance_map([(Still(picture(seed=1)), sequence(face_at(128, yaw=20)))])


def test_stages_in_a_row_equal_the_original_step(sets):
    models = Models.load(Backends.of("v2"), folders=[sets])
    points = torch.from_numpy(face_at(256))[None]
    target = light()
    view = prepare(picture(256, 1), torch.from_numpy(face_at(256)), MODEL)
    drawn = models.reenactment([view], [1.0], points, 256, picture=target)
    mask = models.segmentation(target, points) * drawn.mask
    result = models.blending(models.completion(drawn.image, drawn.confidence, mask), target, mask)

    nets = {stage: network(("v2", stage)) for stage in ("reenactment", "segmentation", "completion", "blending")}
    image, _ = models.reenactment._crop(view, points)
    with torch.inference_mode():
        raw = (nets["segmentation"](target).argmax(1, keepdim=True) == 1).float()
        inputs = SwapInputs(
            views=(image[:, None], reduce(image)[:, None]),
            weights=torch.ones(1, 1),
            landmarks=to_wflw98(points)[..., :2] / 256,
            target=target,
            mask=raw,
        )
        step = swap_step(SwapNetworks(**nets), inputs)
    assert 0.1 < float(raw.mean()) < 0.9 and float(step.hard.sum()) > 100, "the random network must find some face"
    torch.testing.assert_close(mask, soft_erosion(raw)[0], atol=2e-6, rtol=0)
    torch.testing.assert_close(drawn.image, step.reenactment.clamp(0, 1), atol=1e-4, rtol=0)
    assert float((result - step.result).abs().max()) < 1e-4


@pytest.mark.parametrize(
    ("names", "scale", "steps"),
    [
        (Backends.of("v2"), 1.2, 1),
        (Backends.of("v1"), 2.0, 1),
        (replace(Backends.of("v1"), reenactment="v1-stepwise"), 1.2, 2),
        (Backends(blending="v2", segmentation="mesh"), 1.2, 1),
        (Backends(reenactment="v2", segmentation="mesh"), 1.2, 1),
    ],
)
def test_swap_through_the_pipeline(sets, names, scale, steps):
    models = Models.load(names, folders=[sets])
    assert models.crop_scale == scale
    frame, points = picture(), face_at(128)
    (result,) = swap(Still(frame), [sequence(points)], [source_map()], models)
    (record,) = result.records
    assert result.frame.shape == frame.shape and record.status == "swapped" and record.steps == steps
    left, top, right, bottom = record.crop
    assert right - left == pytest.approx(scale * np.ptp(points[:, :2], axis=0).max(), abs=3)
    outside = np.ones(frame.shape[:2], bool)
    outside[max(0, top) : bottom, max(0, left) : right] = False
    assert (result.frame[outside] == frame[outside]).all()
    assert (result.frame != frame).any()


def test_a_video_is_seen_before_it_is_drawn(sets):
    """Landmarks and masks of a frame depend on its neighbours; those of a still, and of our own stages, do not."""
    models = Models.load(Backends.of("v2"), folders=[sets])
    heatmaps = []
    models.reenactment.landmarks = lambda image: heatmaps.append(0) or torch.rand(1, 98, 64, 64)
    face, count = sequence(face_at(128)), 4
    tracked = FaceSequence(
        Track(0, np.repeat(face.track.boxes, count, 0)),
        *(np.repeat(part, count, 0) for part in (face.landmarks, face.poses, face.scores)),
    )
    clip = Frames([picture(seed=seed) for seed in range(count)], Fraction(25))
    (along,) = models.along(clip, [tracked])
    assert len(heatmaps) == count
    steady = [along(row) for row in range(count)]
    assert all(one.reenactment.known.shape == (1, 98, 2) for one in steady)
    assert not torch.equal(steady[0].reenactment.known, steady[1].reenactment.known)
    view = prepare(picture(256, 1), torch.from_numpy(face_at(256)), MODEL)
    target, points = light(), torch.from_numpy(face_at(256))[None]
    drawn = [one.reenactment([view], [1.0], points, 256, picture=target).image for one in steady[:2]]
    assert len(heatmaps) == count, "known landmarks are not measured again"
    assert not torch.equal(*drawn)
    soft = steady[1].segmentation(target, points)
    torch.testing.assert_close(soft, soft_erosion(steady[1].segmentation.known)[0], atol=2e-6, rtol=0)
    assert models.reenactment.known is None and models.segmentation.known is None
    assert models.along(Still(picture()), [face])[0](0) is models
    ours = replace(models, segmentation=None, reenactment=None)
    assert ours.along(clip, [tracked])[0](0) is ours
    results = list(swap(clip, [tracked], [source_map()], models))
    assert [one.records[0].status for one in results] == ["swapped"] * count


def test_reenactment_in_crops_only(sets):
    models = Models.load(Backends(reenactment="v2"), folders=[sets])
    (crop,) = reenact_crops(source_map(), sequence(face_at(128)), models)
    assert crop.frame.shape == (512, 512, 3) and crop.frame.std() > 0
    with pytest.raises(ValueError, match="use --crop"):
        next(reenact(picture(), face_at(128), sequence(face_at(128)), models))


def test_blending_takes_half_precision():
    blend = LearnedBlender(network(("v2", "blending")), soften=True)
    images = [
        torch.rand(1, channels, 64, 64, generator=torch.Generator().manual_seed(channels)) for channels in (3, 3, 1)
    ]
    halves = [image.half() for image in images]
    found = blend(*halves)
    assert found.dtype == torch.float16
    assert (found.float() - blend(*(half.float() for half in halves))).abs().max() <= torch.finfo(torch.float16).eps


def test_source_takes_the_roll_of_the_target():
    engine = LearnedReenactor(network(("v2", "reenactment")), MODEL, lambda image, _: image[:, :1])
    upright, tilted = (torch.from_numpy(face_at(256, roll=roll)) for roll in (0.0, 25.0))
    view = prepare(picture(256), upright, MODEL)
    _, moved = engine._crop(view, tilted[None])
    wanted = tilted[None] - tilted[None].mean(1, keepdim=True)
    found = moved - moved.mean(1, keepdim=True)
    scale = float(found.norm() / wanted.norm())
    torch.testing.assert_close(found[..., :2], scale * wanted[..., :2], atol=2.0, rtol=0)


def test_path_ends_at_the_target_and_keeps_the_source_on_the_way():
    start, end = torch.rand(1, 68, 3) * 100, torch.rand(1, 68, 3) * 100
    assert torch.equal(path(start, end, 1)[0], end)
    steps = path(start, end, 3)
    assert len(steps) == 3 and torch.equal(steps[-1], end)
    torch.testing.assert_close(torch.pdist(steps[0][0]), torch.pdist(start[0]), atol=1e-2, rtol=1e-3)
    with pytest.raises(ValueError, match="at least 1"):
        path(start, end, 0)


def test_anchor_is_refused():
    engine = LearnedReenactor(network(("v2", "reenactment")), MODEL, lambda image, _: image[:, :1])
    with pytest.raises(ValueError, match="flow"):
        engine([], [], in_crop(face_at(64), (0, 0, 64, 64)), 64, Anchor(1.0, 0.0, 0.0))


def test_a_missing_file_names_itself_its_terms_and_the_way(tmp_path):
    with pytest.raises(WeightsError) as caught:
        Models.load(Backends(completion="v2"), folders=[tmp_path])
    for part in (FILES["v2", "completion"], "terms: ", "research only", "fsgan convert", "download_fsgan_models.py"):
        assert part in str(caught.value)
    with pytest.raises(ValueError, match=r"segmentation has no backend 'v3'.*mesh, v2, v1"):
        Backends(segmentation="v3")


def test_a_folder_does_what_it_can(tmp_path):
    write(tmp_path, ("v1", "blending"), "mine")
    write(tmp_path, ("v1", "segmentation"), "other")
    names = Backends.of(str(tmp_path))
    assert names.reenactment == "flow" and names.blending == str(tmp_path / "mine.safetensors")
    assert Models.load(names).crop_scale == 2.0
    with pytest.raises(WeightsError, match="is for 'blending', expected one for 'completion'"):
        Models.load(Backends(completion=names.blending))
    write(tmp_path, ("v2", "blending"), "second")
    with pytest.raises(WeightsError, match="two files for 'blending', mine.safetensors and second.safetensors"):
        Backends.of(str(tmp_path))
    with pytest.raises(WeightsError, match="name open, v1, v2"):
        Backends.of(str(tmp_path / "absent"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(WeightsError, match="holds no converted weights"):
        official_files.folder_choice(tmp_path / "empty")


def test_command_line_names_the_stages_that_a_folder_lacks(tmp_path, capsys):
    write(tmp_path, ("v1", "blending"), "mine")
    parser = argparse.ArgumentParser()
    engine.add_stages(parser, tuple(MENUS))
    engine.load_models(parser.parse_args(["--models", str(tmp_path), "--completion", "smooth"]))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(";")[0] for line in lines] == [
        f"note: {tmp_path} has no file for {stage}" for stage in ("reenactment", "segmentation")
    ]
    engine.load_models(parser.parse_args([]))
    assert not capsys.readouterr().out


def test_command_line_says_what_is_missing(portrait, tmp_path, fails):
    words = ("swap", "--source", portrait, "--target", portrait, "--output", tmp_path / "o.png")
    assert FILES["v1", "segmentation"] in fails(*words, "--models", "v1")
    assert FILES["v2", "blending"] in fails(*words, "--blending", "v2")
    assert "name open, v1, v2" in fails(*words, "--models", tmp_path / "none")
    with pytest.raises(SystemExit):
        main([str(word) for word in (*words, "--blending", "v3")])

"""The original's swaps with networks of a few channels: shapes, ranges, reports, ablations, steps, steadiness."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from fsgan_core.faces import FaceSequence, Track
from fsgan_core.networks import build
from fsgan_core.official import OfficialNetworks, OfficialOptions, Photo, swap_clip, swap_photo
from fsgan_core.ops.geometry import rotation_matrix
from fsgan_core.ops.official_swap import SwapNetworks, reenact_stepwise
from fsgan_core.ops.official_tracking import hamming_mean, moving_mean, smooth_boxes
from fsgan_core.stages.pose import load_face_model
from fsgan_core.streams import Frames

MODEL = load_face_model()
COUNT, GAP = 7, 4
"""frames of the clip, and the one in which the face is not seen"""
SMALL = {"flat_layers": [1, 1, 1], "width": 4, "max_width": 16}


def small(weight_set):
    torch.manual_seed(3)
    v1 = weight_set != "v2"
    common = {**SMALL, "version": "v1" if v1 else "v2"}
    heads = {"in_channels": 71, "out_channels": [3, 3]} if v1 else {"in_channels": 101}
    networks = SwapNetworks(
        reenactment=build("ms_res_unet", {**common, **heads}).eval(),
        segmentation=build("seg_unet", {"width": 4}).eval(),
        completion=build("ms_res_unet", {**common, "in_channels": 4}).eval(),
        blending=build("ms_res_unet", {**common, "in_channels": 7, "image_channels": 6}).eval(),
    )
    with torch.inference_mode():
        image = torch.from_numpy(light(64)).permute(2, 0, 1)[None].float() / 255
        logits = networks.segmentation(image)[0]
        # Half of such a photo counts as face.
        networks.segmentation.final.bias[1] += (logits[[0, 2]].amax(0) - logits[1]).median()
    return OfficialNetworks(weight_set=weight_set, networks=networks)


def light(side, seed=0):
    """A photo ``(side, side, 3)`` that is bright in the middle, with a little noise."""
    axis = np.linspace(-1, 1, side)
    bright = 200 * (1 - (axis[:, None] ** 2 + axis**2) / 2)[..., None]
    return (bright + np.random.default_rng(seed).integers(0, 40, (side, side, 3))).astype(np.uint8)


def photo(seed=0, yaw=0.0, side=96):
    pose = np.array((yaw, 0, 0), np.float32)
    turned = MODEL.mean @ rotation_matrix(torch.from_numpy(pose)[None])[0].T
    points = (turned * side / 6 + torch.tensor([side / 2, side / 2, 0.0])).numpy().astype(np.float32)
    box = np.concatenate((points[:, :2].min(0), points[:, :2].max(0)))
    return Photo(light(side, seed), box, points, pose)


@pytest.mark.parametrize("weight_set", ["v2", "v1", "v1-stepwise"])
def test_swap_of_a_photo(weight_set):
    target = photo()
    found = swap_photo([photo(1, 15.0), photo(2, -20.0), photo(3, 70.0)], target, small(weight_set))
    step, report = found.step, found.report
    for image in (step.reenactment, step.completion, step.transfer, step.blend, step.result):
        assert image.shape == (1, 3, 256, 256) and float(image.min()) >= -1e-5 and float(image.max()) <= 1 + 1e-5
    assert step.logits.shape == (1, 3, 256, 256) and step.soft.shape == step.hard.shape == (1, 1, 256, 256)
    left, top, width, height = report["box"]
    assert found.frame.shape == target.frame.shape and width == height
    outside = np.ones(target.frame.shape[:2], bool)
    outside[max(top, 0) : top + height, max(left, 0) : left + width] = False
    assert (found.frame[outside] == target.frame[outside]).all() and (found.frame != target.frame).any()
    assert sum(report["views"].values()) == pytest.approx(1, abs=1e-3) and len(report["views"]) >= 2
    assert report["steps"] == (2 if weight_set == "v1-stepwise" else 1) and 0 <= report["face"] <= 1


@pytest.mark.parametrize("weight_set", ["v2", "v1"])
def test_ablation(weight_set):
    networks = small(weight_set)
    calls = []

    def counted(name, network):
        return lambda levels: calls.append(name) or network(levels)

    nets = networks.networks
    networks = replace(
        networks,
        networks=replace(nets, completion=counted("Gc", nets.completion), blending=counted("Gb", nets.blending)),
    )
    steps = {}
    for parts in ("Gr", "Gr+Gc", "Gr+Gb", "Gr+Gc+Gb"):
        calls.clear()
        steps[parts] = swap_photo([photo(1)], photo(), networks, OfficialOptions(parts=parts)).step
        assert calls == parts.split("+")[1:]
        assert torch.equal(steps[parts].logits, steps["Gr"].logits), "the segmentation stays"
    assert torch.equal(steps["Gr"].blend, steps["Gr"].transfer)
    shown = steps["Gr"].hard * (steps["Gr"].logits.argmax(1, keepdim=True) == 1)
    outside = (shown == 0).expand(-1, 3, -1, -1)
    assert torch.equal(steps["Gr"].transfer[outside], steps["Gr+Gb"].transfer[outside])
    assert torch.equal(steps["Gr+Gc"].completion, steps["Gr+Gc+Gb"].completion)


def test_any_number_of_steps():
    networks = small("v1-stepwise")
    results = [swap_photo([photo(1, 30.0)], photo(), networks, OfficialOptions(steps=n)) for n in (1, 2, 5)]
    assert [result.report["steps"] for result in results] == [1, 2, 5]
    assert not torch.equal(results[0].step.reenactment, results[1].step.reenactment)


def test_every_step_starts_from_the_last_picture():
    seen = []

    def brighter(levels):
        seen.append(float(levels[0][:, :3].mean()))
        return levels[0][:, :3] + 0.1, torch.zeros(1)

    levels = [torch.zeros(1, 3, 256, 256), torch.zeros(1, 3, 128, 128)]
    image, _ = reenact_stepwise(brighter, levels, torch.full((1, 4, 68, 3), 50.0))
    assert seen == pytest.approx([0, 0.1, 0.2, 0.3]) and float(image.mean()) == pytest.approx(0.4)


def test_mouth_is_left_to_the_target():
    networks = small("v2")
    everything = torch.tensor([0.0, 1.0, 0.0])[None, :, None, None]
    nets = replace(networks.networks, segmentation=lambda images: everything.expand(-1, -1, 256, 256))
    target = photo()
    # The lower lip's inner edge goes down.
    target.landmarks[[14, 402, 317, 178, 87], 1] += 6
    found = swap_photo([photo(1)], target, replace(networks, networks=nets), OfficialOptions(remove_mouth=True))
    assert 0.9 < found.report["face"] < 0.999


def test_landmark_and_pose_networks_are_used_when_there():
    networks = small("v2")
    torch.manual_seed(0)
    given = replace(
        networks,
        landmarks=build("hrnet", {"widths": [4, 8, 12, 16], "modules": [1, 1, 1], "blocks": 1}).eval(),
        pose=build("hopenet", {"blocks": [1, 1, 1, 1], "width": 4}).eval(),
    )
    with_them, without = (swap_photo([photo(1, 30.0)], photo(), n) for n in (given, networks))
    assert without.report["pose"] == [0, 0, 0] and with_them.report["pose"] != [0, 0, 0]
    assert not torch.equal(with_them.step.reenactment, without.step.reenactment)


def test_no_source():
    with pytest.raises(ValueError, match="no source photo"):
        swap_photo([], photo(), small("v2"))
    with pytest.raises(ValueError, match="no source photo"):
        next(swap_clip([], Frames([light(96)], Fraction(25)), None, small("v2")))


@pytest.fixture(scope="module")
def clip():
    return Frames([light(96, seed) for seed in range(COUNT)], Fraction(25))


@pytest.fixture(scope="module")
def face():
    """A face that trembles, turns, and is not seen in one frame; measured from frame 1 on."""
    random = np.random.default_rng(0)
    still = photo()
    shift = random.normal(0, 2, (COUNT - 1, 1, 2)).astype(np.float32)
    landmarks = np.repeat(still.landmarks[None], COUNT - 1, 0)
    landmarks[..., :2] += shift
    boxes = np.repeat(still.box[None], COUNT - 1, 0) + np.tile(shift[:, 0], 2)
    poses = random.normal(0, 8, (COUNT - 1, 3)).astype(np.float32)
    scores = np.ones(COUNT - 1, np.float32)
    scores[GAP - 1] = 0
    return FaceSequence(Track(1, boxes), landmarks, poses, scores)


@pytest.mark.parametrize("weight_set", ["v2", "v1", "v1-stepwise"])
def test_swap_of_a_clip(weight_set, clip, face):
    results = list(swap_clip([photo(1, 15.0), photo(2, -20.0)], clip, face, small(weight_set)))
    assert [result.swap is None for result in results] == [index in (0, GAP) for index in range(COUNT)]
    for result, frame in zip(results, clip, strict=True):
        assert np.array_equal(result.frame, frame) == (result.swap is None)
    poses = np.array([result.swap.report["pose"] for result in results[1:GAP]])
    smooth = moving_mean(face.poses[: GAP - 1], 5) if weight_set == "v2" else hamming_mean(face.poses[: GAP - 1])
    np.testing.assert_allclose(poses, smooth, atol=0.01)


@pytest.mark.parametrize("weight_set", ["v2", "v1"])
def test_boxes_are_steadied_as_published(weight_set, clip, face):
    results = list(swap_clip([photo(1)], clip, face, small(weight_set)))
    smooth = smooth_boxes if weight_set == "v2" else hamming_mean
    boxes = smooth(face.track.boxes[: GAP - 1].astype(np.float64))
    centres = [np.array(r.swap.report["box"][:2]) + np.array(r.swap.report["box"][2:]) / 2 for r in results[1:GAP]]
    np.testing.assert_allclose(centres, (boxes[:, :2] + boxes[:, 2:]) / 2, atol=1)


def test_a_clip_of_one_frame_is_a_photo():
    target, networks = photo(), small("v2")
    alone = FaceSequence(Track(0, target.box[None]), target.landmarks[None], target.pose[None], np.ones(1, np.float32))
    (found,) = swap_clip([photo(1, 15.0)], Frames([target.frame], Fraction(25)), alone, networks)
    expected = swap_photo([photo(1, 15.0)], target, networks)
    assert np.array_equal(found.frame, expected.frame) and found.swap.report == expected.report


def test_masks_are_means_of_votes(clip, face):
    networks, seen = small("v2"), []

    def votes(images):
        seen.append(0)
        return torch.randn(1, 3, 256, 256, generator=torch.Generator().manual_seed(len(seen)))

    nets = replace(networks.networks, segmentation=votes)
    results = list(swap_clip([photo(1)], clip, face, replace(networks, networks=nets), OfficialOptions(parts="Gr")))
    shares = [result.swap.report["face"] for result in results[1:GAP]]
    assert shares == pytest.approx([1 / 3] * 3, abs=0.02)
    raw = [torch.randn(1, 3, 256, 256, generator=torch.Generator().manual_seed(n)) for n in (1, 2, 3)]
    # Five frames around the second of three, reflected: 2 and 1 and 2 and 3 and 2.
    middle = (raw[0] + 3 * raw[1] + raw[2]).argmax(1) == 1
    assert shares[1] == pytest.approx(float(middle.float().mean()), abs=1e-4)

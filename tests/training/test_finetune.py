import numpy as np
import pytest
import torch

from fsgan_core.networks import build
from fsgan_core.ops.heatmaps import landmark_discs
from fsgan_core.training.finetune import FinetuneOptions, _pairs, finetune

SIDE = 32


@pytest.fixture
def scene():
    torch.manual_seed(0)
    network = build("ms_res_unet", {"flat_layers": [1, 1, 1], "width": 4, "max_width": 16}).eval()
    features = build("vgg", {"widths": [4, 4, 8, 8, 8]}).eval()
    random = np.random.default_rng(0)
    base = random.integers(150, 220, (SIDE, SIDE, 3)) * np.array((1.0, 0.7, 0.3))
    crops = [(base - 2 * i).astype(np.uint8) for i in range(5)]
    return network, crops, random.random((5, 98, 2)).astype(np.float32), features


def error(network, crops, landmarks):
    image = torch.from_numpy(crops[0]).permute(2, 0, 1)[None].float() / 255
    points = torch.from_numpy(landmarks[3:4])
    levels = [image, image[..., ::2, ::2]]
    with torch.inference_mode():
        drawn = network([torch.cat([x, landmark_discs(points, x.shape[-1])], 1) for x in levels])[0]
    return float((drawn - torch.from_numpy(crops[3]).permute(2, 0, 1)[None].float() / 255).abs().mean())


def test_a_new_network_that_knows_the_source_better(scene):
    network, crops, landmarks, features = scene
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    tuned = finetune(network, crops, landmarks, features, FinetuneOptions(samples=150, rate=3e-3))
    assert error(tuned, crops, landmarks) < 0.6 * error(network, crops, landmarks)
    assert tuned is not network and not tuned.training and not network.training
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert tuned.state_dict().keys() == before.keys()


def test_frozen_norms_and_seed(scene):
    network, crops, landmarks, features = scene
    options = FinetuneOptions(samples=6, freeze_norms=True)
    once, again = (finetune(network, crops, landmarks, features, options).state_dict() for _ in range(2))
    assert all(torch.equal(once[name], again[name]) for name in once)
    statistics = [name for name in once if "running" in name]
    assert statistics and all(torch.equal(once[name], network.state_dict()[name]) for name in statistics)


def test_statistics_of_the_judge(scene):
    network, crops, landmarks, features = scene
    before = {name: tensor.clone() for name, tensor in features.state_dict().items()}
    results = [
        finetune(network, crops, landmarks, features, FinetuneOptions(samples=3, batch_statistics=batch)).state_dict()
        for batch in (False, True)
    ]
    name = "enhancer1.out_conv.1.weight"
    assert not torch.equal(results[0][name], results[1][name])
    assert not features.training and all(torch.equal(before[n], t) for n, t in features.state_dict().items())


def test_pairs_are_two_apart_both_ways():
    pairs = _pairs(np.random.default_rng(1), 3, 50)
    assert {tuple(pair) for pair in pairs.T} == {(0, 2), (2, 0)}
    pairs = _pairs(np.random.default_rng(1), 9, 500)
    assert np.abs(pairs[0] - pairs[1]).min() == 2 and pairs.min() == 0 and pairs.max() == 8


def test_too_few_frames(scene):
    network, crops, landmarks, features = scene
    with pytest.raises(ValueError, match="got 2 crops"):
        finetune(network, crops[:2], landmarks[:2], features)

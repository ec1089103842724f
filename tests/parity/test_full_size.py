"""The full-size networks: their names and shapes, and their outputs with weights made from the names."""

import json
import re
import zlib

import numpy as np
import pytest
import torch

from fsgan_core.networks import build
from fsgan_core.ops.official_masks import image_pyramid
from fsgan_core.weights.infer import infer

GENERATORS = {
    "reenactment_v2": ("reenactment_v2", 3),
    "inpainting_v2": ("inpainting_v2", 3),
    "blending_v2": ("blending_v2", 6),
    "reenactment_v1": ("reenactment_v1", 3),
    "inpainting_v1": ("inpainting_v1", 3),
    "blending_v1": ("blending_v1", 6),
}
DETECTOR = "dsfd"
"""recorded, but replaced by the library's own detector"""


@pytest.fixture(scope="module")
def manifests(parity_folder):
    found = json.loads((parity_folder / "full_size_manifest.json").read_text())["manifests"]
    return {name: {n: tuple(shape) for n, shape, _ in rows} for name, rows in found.items() if DETECTOR not in name}


def network(manifest, device="cpu"):
    found = infer(manifest)
    with torch.device(device):
        return build(found.kind, found.config)


def test_names_shapes_and_order_equal_the_manifest(manifests):
    assert len(manifests) >= 13
    for name, manifest in manifests.items():
        state = network(manifest, "meta").state_dict()
        expected = [(n, shape) for n, shape in manifest.items() if not n.startswith("classifier.")]
        assert [(n, tuple(t.shape)) for n, t in state.items()] == expected, name


def uniform(seed, name, count):
    """Numbers in [-1, 1) from a name: splitmix64 of (seed, crc32), as the recording prescribes."""
    key = np.uint64((seed << 32 | zlib.crc32(name.encode())) & 0xFFFFFFFFFFFFFFFF)
    out = np.empty(count)
    for start in range(0, count, 1 << 15):
        stop = min(count, start + (1 << 15))
        with np.errstate(over="ignore"):
            z = key + np.arange(start + 1, stop + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
            z ^= z >> np.uint64(30)
            z *= np.uint64(0xBF58476D1CE4E5B9)
            z ^= z >> np.uint64(27)
            z *= np.uint64(0x94D049BB133111EB)
            z ^= z >> np.uint64(31)
        out[start:stop] = (z >> np.uint64(11)) * 2.0**-52 - 1
    return out


def fill(net, seed, gain):
    """Give every tensor the values that its name prescribes."""
    state = net.state_dict()
    filled = {}
    for name, tensor in state.items():
        kind = name.rpartition(".")[2]
        if kind == "num_batches_tracked":
            filled[name] = torch.tensor(7)
            continue
        values = uniform(seed, name, tensor.numel())
        if kind in {"running_mean", "running_var"} or name.rpartition(".")[0] + ".running_mean" in state:
            scale = {"weight": (1, 0.2), "bias": (0, 0.2), "running_mean": (0, 0.2), "running_var": (1, 0.3)}[kind]
            values = scale[0] + scale[1] * values
        elif kind == "weight" and tensor.ndim >= 2:
            values *= gain * (3 / np.prod(tensor.shape[1:])) ** 0.5
        else:
            values *= 0.1
        filled[name] = torch.from_numpy(values.astype(np.float32)).view(tensor.shape)
    net.load_state_dict(filled, strict=True, assign=True)
    return net.eval()


@pytest.fixture
def recorded(parity, manifests):
    """The case, and a function that gives a network its weights and its input."""
    case = parity("full_size_name_filled")
    seed = case.meta["seed"]

    def prepare(name, manifest):
        spec = case.meta["nets"][name]
        rule = re.match(r"rnd\(([\w.]+), \[([\d,]+)\](?:, *(-?[\d.]+), *(-?[\d.]+))?\)", spec["input"])
        shape = [int(n) for n in rule.group(2).split(",")]
        low, high = float(rule.group(3) or -1), float(rule.group(4) or 1)
        values = low + (uniform(seed, rule.group(1), int(np.prod(shape))) + 1) / 2 * (high - low)
        given = torch.from_numpy(values.astype(np.float32)).view(shape)
        return fill(network(manifests[manifest]), seed, spec["weight_gain"]), given

    return case, prepare


def test_recipe(parity):
    vector = parity("full_size_name_filled").meta["recipe"]["test_vector"]
    np.testing.assert_allclose(uniform(vector["seed"], vector["name"], 4), vector["first4"], rtol=0, atol=1e-15)


@pytest.mark.parametrize("name", GENERATORS)
@torch.inference_mode()
def test_generator(recorded, name):
    case, prepare = recorded
    manifest, images = GENERATORS[name]
    net, given = prepare(name, manifest)
    levels = image_pyramid(given)
    heads = net([torch.cat([(level[:, :images] + 1) / 2, level[:, images:]], 1) for level in levels])
    assert len(heads) == len(case.names(f"output/{name}/head"))
    for number, head in enumerate(heads):
        case.check(head if number else head * 2 - 1, f"output/{name}/head{number}")


@torch.inference_mode()
def test_segmentation(recorded):
    case, prepare = recorded
    net, given = prepare("segmentation", "segmentation_unet")
    case.check(net((given + 1) / 2), "output/segmentation/logits")


@torch.inference_mode()
def test_pose(recorded):
    case, prepare = recorded
    net, given = prepare("hopenet", "hopenet")
    case.check(net((given + 1) / 2), "output/hopenet/angles")


@torch.inference_mode()
def test_landmarks(recorded):
    case, prepare = recorded
    net, given = prepare("hrnet", "hrnet_w18_wflw")
    case.check(net(given * net.std + net.mean), "output/hrnet/heatmaps")


@torch.inference_mode()
def test_discriminator(recorded):
    case, prepare = recorded
    net, given = prepare("discriminator", "discriminator")
    for number, score in enumerate(net([(level + 1) / 2 for level in image_pyramid(given)])):
        case.check(score, f"output/discriminator/s{number}")


def test_every_recorded_network_is_tested(parity):
    tested = {*GENERATORS, "segmentation", "hopenet", "hrnet", "discriminator"}
    assert set(parity("full_size_name_filled").meta["nets"]) - {DETECTOR} == tested

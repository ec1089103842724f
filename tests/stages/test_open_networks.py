"""The upright square that our crop networks look at, and their files."""

import pytest
import torch

from fsgan_core.errors import WeightsError
from fsgan_core.networks.unet import UNet, UNetConfig
from fsgan_core.ops.geometry import rotation_matrix
from fsgan_core.stages.open_networks import Upright, load_unet
from fsgan_core.stages.pose import load_face_model
from fsgan_core.weights.checkpoint import save_weights

MEAN = load_face_model().mean


def face(size, roll, scale=0.3):
    turned = MEAN @ rotation_matrix(torch.tensor([[0.0, 0.0, roll]]))[0].T
    return (turned * scale * size + torch.tensor([size * 0.52, size * 0.47, 0.0]))[None]


@pytest.mark.parametrize("roll", [-70.0, 0.0, 30.0])
def test_the_face_is_upright_and_of_one_size(roll):
    square = Upright.around(face(200, roll), 96, 1.6)
    found = square.points(face(200, roll))
    flat = found[0, :, :2]
    assert abs(flat[33, 1] - flat[263, 1]) < 0.1 and flat[33, 0] < flat[263, 0]
    extent = flat.amax(0) - flat.amin(0)
    assert extent.max() == pytest.approx(96 / 1.6, rel=1e-3)
    assert ((flat.amax(0) + flat.amin(0)) / 2 - 48).abs().max() < 0.1


def test_what_is_cut_out_lies_under_its_landmarks_and_comes_back():
    size, points = 200, face(200, 35.0)
    y, x = torch.meshgrid(torch.arange(size) + 0.5, torch.arange(size) + 0.5, indexing="ij")
    image = torch.stack((x, y, x + y))[None] / 400
    square = Upright.around(points, 96, 1.6)
    cut, inside = square.cut(image), square.points(points)[0, [4, 33, 263, 152], :2]
    for (u, v), true in zip(inside.long().tolist(), points[0, [4, 33, 263, 152], :2], strict=True):
        assert (400 * cut[0, :2, v, u] - true).abs().max() < 2.5
    back = square.put_back(cut, size, size)
    middle = slice(80, 110)
    assert (back - image)[..., middle, middle].abs().max() < 0.01
    assert (back[..., 0, 0] == 0).all() and (back[..., -1, -1] == 0).all()


def test_a_network_comes_from_its_file_in_half_precision(tmp_path):
    torch.manual_seed(0)
    config = UNetConfig(size=32, inputs=4, outputs=1, channels=(8, 16))
    network, path = UNet(config).eval(), tmp_path / "net.safetensors"
    tensors = {
        name: value.half() if value.is_floating_point() else value for name, value in network.state_dict().items()
    }
    save_weights(path, tensors, "segmentation", config)
    image = torch.rand(1, 4, 32, 32)
    with torch.inference_mode():
        assert (load_unet("segmentation", path)(image) - network(image)).abs().max() < 0.01
    with pytest.raises(WeightsError, match="expected 'completion'"):
        load_unet("completion", path)
    save_weights(path, {}, "segmentation", config)
    with pytest.raises(WeightsError, match="does not fit"):
        load_unet("segmentation", path)

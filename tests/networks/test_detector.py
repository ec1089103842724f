"""The face detector's network."""

import io

import pytest
import torch
from safetensors.torch import save

from fsgan_core.networks.detector import Detector, DetectorConfig, boxes_from_sides, cell_centres, fused

SMALL = DetectorConfig(stem=(4, 6), widths=(6, 8, 8), head=6)


def settled(config: DetectorConfig) -> Detector:
    """A network whose normalisations are not at their initial values."""
    torch.manual_seed(0)
    model = Detector(config)
    model(torch.rand(2, 3, 96, 64))
    return model.eval()


def test_cells_lie_row_by_row_at_their_centres():
    assert cell_centres(torch.zeros(1, 1, 2, 3), 8).tolist() == [[4, 4], [12, 4], [20, 4], [4, 12], [12, 12], [20, 12]]


def test_boxes_extend_from_centres():
    found = boxes_from_sides(torch.tensor([[10.0, 20]]), torch.tensor([[[1.0, 2, 3, 4]]]))
    assert found.tolist() == [[[9, 18, 13, 24]]]


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (37, 101), (64, 96)])
def test_every_cell_of_every_level_answers(size):
    logits, boxes = settled(SMALL)(torch.rand(2, 3, *size))
    cells = sum(-(-size[0] // stride) * -(-size[1] // stride) for stride in SMALL.strides)
    assert logits.shape == (2, cells) and boxes.shape == (2, cells, 4)
    assert (boxes[..., 2:] > boxes[..., :2]).all()


def test_folded_normalisation_changes_nothing():
    model, image = settled(SMALL), torch.rand(1, 3, 48, 80)
    with torch.no_grad():
        before = model(image)
        after = fused(model)(image)
    for one, other in zip(before, after, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in model.modules())


def test_a_picture_is_judged_alone():
    model, images = settled(SMALL), torch.rand(3, 3, 40, 40)
    with torch.no_grad():
        together, alone = model(images), [model(image[None]) for image in images]
    for part in (0, 1):
        separate = torch.cat([found[part] for found in alone])
        torch.testing.assert_close(together[part], separate, rtol=1e-4, atol=1e-4)


def test_the_default_network_is_small():
    tensors = {name: value.half() for name, value in Detector(DetectorConfig()).state_dict().items()}
    assert io.BytesIO(save(tensors)).getbuffer().nbytes < 1.5e6
    assert not {"mean", "std"} & set(tensors)

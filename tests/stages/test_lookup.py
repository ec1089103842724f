"""Where a view is looked up, and how much detail is left out there."""

import numpy as np
import pytest
import torch

from fsgan_core.ops.geometry import rotation_matrix
from fsgan_core.stages.lookup import looked_up, lookup, stretched
from fsgan_core.stages.pose import load_face_model
from fsgan_core.stages.views import prepare

SIZE, MODEL = 128, load_face_model()


def face(yaw):
    """The mean face in the middle of a picture, turned by some degrees."""
    turned = MODEL.mean @ rotation_matrix(torch.tensor([[float(yaw), 0.0, 0.0]]))[0].T
    return turned * (0.36 * SIZE) + torch.tensor([SIZE / 2, SIZE / 2, 0.0])


def softer(before, after):
    """Levels of detail that a swap leaves out of the right and of the left cheek."""
    view, wanted = prepare(np.full((SIZE, SIZE, 3), 90, np.uint8), face(before), MODEL), face(after)[None]
    places = lookup(view, view.landmarks, wanted, MODEL, own=False)[0]
    levels = stretched(view, places, wanted, MODEL, inside=False)[0, :, 0]
    return levels[MODEL.mean[:, 0] < -0.25].mean(), levels[MODEL.mean[:, 0] > 0.25].mean()


@pytest.mark.parametrize("yaw", [30, 50])
def test_a_cheek_that_turns_into_sight_is_softer_and_the_other_is_not(yaw):
    near, far = softer(yaw, 0)
    assert far > 1.3
    assert near < 0.1
    assert torch.equal(torch.stack(softer(yaw, yaw)), torch.zeros(2)), "what does not turn is as fine as it was"


def test_detail_is_left_out_where_levels_say_so_and_nowhere_else():
    fine = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    y, x = torch.meshgrid(torch.arange(64) + 0.5, torch.arange(64) + 0.5, indexing="ij")
    flow, blur = torch.stack((x, y))[None], torch.zeros(1, 1, 64, 64)
    blur[..., 40:] = 2
    found = looked_up(fine, flow, blur)
    torch.testing.assert_close(found[..., :40], fine[..., :40])
    assert found[..., 44:].std() < 0.4 * fine[..., 44:].std()
    assert torch.equal(looked_up(fine, flow, None), looked_up(fine, flow, 0 * blur))

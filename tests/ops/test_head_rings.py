from dataclasses import replace

import pytest
import torch

from fsgan_core.ops.geometry import rotation_matrix
from fsgan_core.ops.head_mesh import Placement, points
from fsgan_core.ops.head_rings import contour, covered, head_reach, head_rings, outline, ring_triangles
from fsgan_core.stages.pose import load_face_model

MODEL = load_face_model()


def head(yaw=0.0, pitch=0.0, roll=0.0, scale=100.0):
    """The mean face at its place in a picture, turned about the middle of its head."""
    rotation = rotation_matrix(torch.tensor([[yaw, pitch, roll]]))
    middle = torch.tensor([[0.0, 0.25, 0.85]])
    moved = torch.tensor([[300.0, 300.0, 0.0]]) - scale * (rotation @ middle[..., None])[..., 0]
    return Placement(MODEL.mean[None], torch.tensor([scale]), rotation, moved)


def areas(rings):
    """Signed areas of the triangles between rings."""
    a, b, c = rings[0, ring_triangles(rings.device), :2].unbind(1)
    return (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]


@pytest.mark.parametrize("pose", [(yaw, pitch, roll) for yaw in (0, 20, 45) for pitch in (-15, 15) for roll in (0, 25)])
@pytest.mark.parametrize("start", [0.0, -20.0])
def test_what_is_around_a_turned_face_is_not_folded(start, pose):
    before, after = head_rings(head(start), head(*map(float, pose)))
    assert (areas(before) > 0).all() or (areas(before) < 0).all()
    assert ((areas(after) > 0) == (areas(before) > 0)).all()


def test_a_head_at_rest_moves_nothing_around_it():
    before, after = head_rings(head(25.0), head(25.0))
    torch.testing.assert_close(before, after)


@pytest.mark.parametrize("yaw", [-85.0, -60.0, 60.0, 85.0])
def test_a_head_in_profile_keeps_its_contour_within_what_stays(yaw):
    profile = replace(head(), rotation=head(yaw).rotation)  # about its eyes, as a head turns on its neck
    _, after = head_rings(head(), profile)
    ring, outer = after[0, 36:72, None, :2], after[None, 0, 72:, :2]
    along, away = outer.roll(-1, 1) - outer, ring - outer
    side = along[..., 0] * away[..., 1] - along[..., 1] * away[..., 0]
    assert (side > 0).all() or (side < 0).all()
    _, calm = head_rings(head(), head(0.0, 0.0, 20.0))
    torch.testing.assert_close(calm[0, 36:72, :2], contour(MODEL.mean[None], head(0.0, 0.0, 20.0))[0])


def test_the_contour_of_a_turned_head_stays_and_leans_with_it():
    rest, turned = (contour(MODEL.mean[None], head(yaw))[0] for yaw in (0.0, 25.0))
    assert (turned - rest).norm(dim=1).max() < 12  # of 225 pixels
    slight = contour(MODEL.mean[None], head(2.0))[0]
    assert (slight - rest)[rest[:, 1] < 200, 0].max() > 0.5 * 40 * 0.035  # 40 pixels before the middle, it turns
    leant = contour(MODEL.mean[None], head(roll=30.0))[0]
    turn = rotation_matrix(torch.tensor([[0.0, 0.0, 30.0]]))[0, :2, :2]
    torch.testing.assert_close(leant, (rest - 300) @ turn.T + 300, atol=0.5, rtol=0)


def test_the_cheek_covers_what_is_behind_it_on_the_side_a_face_turns_to():
    assert covered(head()).max() < 0.1
    turned, ring = covered(head(40.0))[0, :, 0], outline(points(head(40.0)))[0, :, 0]
    right = ring > ring.mean()
    assert turned[right].max() > 0.7 and turned[~right].median() < 0.01
    before, after = head_rings(head(), head(40.0))
    beside = (before - head_rings(head(), head())[0])[0, :36].norm(dim=1)
    assert beside[right].max() > 10 and torch.equal(before[:, 72:, :2], after[:, 72:, :2])


def test_the_rings_lie_in_one_another_and_behind_the_face():
    _, after = head_rings(head(), head(30.0))
    middle = after[0, 36:72, :2].mean(0)
    reach = (after[0, :, :2] - middle).norm(dim=1).view(3, 36)
    assert (reach[1] > reach[0]).all() and (reach[2] > 1.5 * reach[1]).all()
    assert (after[..., 2] >= points(head(30.0))[..., 2].max()).all()
    reached = head_reach(MODEL.mean, points(head()))
    torch.testing.assert_close(reached, after[:, 72:, :2], atol=0.1, rtol=0)

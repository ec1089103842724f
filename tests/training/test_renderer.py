"""Drawings: the own view is the photo, labels follow the geometry, visibility is what the other side shows."""

from dataclasses import replace

import pytest
import torch

from fsgan_core.ops.flow import sample
from fsgan_core.ops.geometry import euler_angles, rotation_matrix
from fsgan_core.training.face_labels import FACE
from fsgan_core.training.head_fit import expressed
from fsgan_core.training.renderer import correspond, draw, own_view, photograph, surface
from fsgan_core.training.rig import landmarks


@pytest.fixture
def view(rig, heads, middle):
    origin, size = middle
    return own_view(rig, heads, torch.full((len(heads), 2), origin), torch.full((len(heads),), size / 256))


def turned(view, yaw):
    return replace(view, rotation=rotation_matrix(euler_angles(view.rotation) + torch.tensor([yaw, 0.0, 0.0])))


def test_the_own_view_is_the_photo(rig, model, heads, view, middle):
    drawn = draw(rig, model, heads, view, middle[1])
    real = photograph(rig, heads, view.origin, view.zoom, middle[1])
    assert (drawn.image - real.image).abs().mean() < 0.012
    torch.testing.assert_close(drawn.surface.landmarks, real.surface.landmarks)
    expected = (heads.points[..., :2] - view.origin[:, None]) * view.zoom[:, None, None]
    assert (drawn.surface.landmarks[:, :468, :2] - expected[:, :468]).norm(dim=2).max() < 1


def test_landmarks_and_labels_follow_the_pose(rig, model, heads, view, middle):
    view = turned(view, 25.0)
    drawn = draw(rig, model, heads, view, middle[1])
    points = view.scale[:, None, None] * landmarks(rig, view.shape) @ view.rotation.mT + view.translation[:, None]
    expected = (points[..., :2] - view.origin[:, None]) * view.zoom[:, None, None]
    torch.testing.assert_close(drawn.surface.landmarks[..., :2], expected, atol=1e-2, rtol=0)
    nose = expected[:, 1].round().long()
    assert all(drawn.labels[i, 0, y, x] == FACE for i, (x, y) in enumerate(nose.tolist()))
    assert (drawn.labels[:, 0, :16, :16] != FACE).all()


def test_what_is_visible_has_the_same_colour_there(rig, model, heads, view, middle):
    one, other = draw(rig, model, heads, view, middle[1]), draw(rig, model, heads, turned(view, 20.0), middle[1])
    flow, visible = correspond(rig, other.surface, one.surface)
    inner = visible & (torch.nn.functional.avg_pool2d(visible.float(), 5, 1, 2) > 0.99)
    moved = sample(one.image, flow)
    assert inner.float().mean() > 0.1
    assert ((moved - other.image).abs() * inner).sum() / inner.sum() / 3 < 0.02


def test_a_cheek_that_turns_away_is_not_visible(rig, heads, view, middle):
    """Against each landmark's own angle to the camera: what looked away in the source cannot be seen in it."""
    source, target = (surface(rig, turned(view, yaw), middle[1]) for yaw in (-50.0, 30.0))
    _, visible = correspond(rig, target, source)
    assert not visible[(target.number < 0)[:, None]].any()
    centres = target.landmarks[:, :, :2].long().clamp(0, middle[1] - 1)
    for item in range(len(heads)):
        cheeks = [visible[item, 0, centres[item, k, 1], centres[item, k, 0]] for k in (50, 280)]
        assert int(cheeks[0]) != int(cheeks[1])


def test_an_opened_mouth_shows_teeth_and_nothing_else_moves_up(rig, model, heads, view, middle):
    coefficients = heads.expression.clone()
    coefficients[:, rig.names.index("jawOpen")] = 1
    opened = replace(view, shape=expressed(rig, heads.neutral.float(), heads.gain, coefficients))
    drawn, before = (draw(rig, model, heads, v, middle[1]) for v in (opened, view))
    lips = drawn.surface.landmarks[:, [13, 14], :2].mean(1).long()
    assert all(drawn.seen[i, 0, y, x] == 0 for i, (x, y) in enumerate(lips.tolist()))
    assert (drawn.image - before.image)[..., :30, :].abs().mean() < 0.001


def test_light_changes_skin_as_its_ratio_says(rig, model, heads, view, middle):
    plain = draw(rig, model, heads, view, middle[1])
    same = draw(rig, model, heads, replace(view, light=heads.light), middle[1])
    dim = draw(rig, model, heads, replace(view, light=0.5 * heads.light), middle[1])
    assert (same.image - plain.image).abs().max() < 0.02
    skin = (plain.surface.number >= 0)[:, None] & (plain.labels == FACE)
    ratio = ((dim.image + 0.02) / (plain.image + 0.02)).mean(1, keepdim=True)[skin]
    assert 0.6 < ratio.median() < 0.85  # half the linear light is 0.73 in sRGB, less where it is bounded


def test_items_of_a_batch_do_not_touch_each_other(rig, model, heads, view, middle):
    together = draw(rig, model, heads, turned(view, 10.0), middle[1])
    rows = torch.tensor([1])
    part = replace(turned(view, 10.0), **{n: getattr(turned(view, 10.0), n)[rows] for n in
                   ("shape", "scale", "rotation", "translation", "origin", "zoom")})  # fmt: skip
    alone = draw(rig, model, heads[rows], part, middle[1])
    torch.testing.assert_close(alone.image[0], together.image[1], atol=1e-4, rtol=0)

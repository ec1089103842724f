from dataclasses import replace

import numpy as np
import pytest
import torch

from fsgan_core.ops.geometry import rotation_matrix
from fsgan_core.ops.head_mesh import place, points
from fsgan_core.ops.head_rings import head_reach, outline
from fsgan_core.ops.landmarks import FACE_OVAL
from fsgan_core.stages import merging
from fsgan_core.stages.layers import Anchor
from fsgan_core.stages.mouth import plain_mouth
from fsgan_core.stages.openings import MOUTH, missing, openness
from fsgan_core.stages.pose import load_face_model
from fsgan_core.stages.reenactment import FlowOptions, FlowReenactor
from fsgan_core.stages.views import prepare
from fsgan_core.stages.visibility import visibility

SIZE = 192
MODEL = load_face_model()
GEOMETRY = FlowOptions(refine=False)


def face(yaw=0.0, size=SIZE, **expressions):
    """The mean face in the middle of a crop, turned and with an expression."""
    shape = MODEL.mean.clone()
    for name, amount in expressions.items():
        shape = shape + amount * MODEL.expression[MODEL.names.index(name)]
    turned = shape @ rotation_matrix(torch.tensor([[yaw, 0.0, 0.0]]))[0].T
    return turned * (0.36 * size) + torch.tensor([size / 2, size / 2, 0.0])


def picture(size=SIZE, seed=0):
    """Smooth shades under fine texture, so that sharpness is well defined."""
    rng = np.random.default_rng(seed)
    fine = torch.from_numpy(rng.normal(0, 14, (1, 3, size, size)))
    fine = torch.nn.functional.avg_pool2d(fine, 3, 1, 1) * 2
    y, x = np.mgrid[:size, :size] / size
    shades = torch.from_numpy(np.stack((90 + 90 * x, 70 + 80 * y, 120 - 50 * x)))[None]
    return (shades + fine).clamp(0, 255).round()[0].permute(1, 2, 0).numpy().astype(np.uint8)


def sharpness(image, mask):
    detail = image - torch.nn.functional.avg_pool2d(image, 5, 1, 2)
    return float((detail.abs() * (mask > 0.99)).sum() / (mask > 0.99).sum())


def as_image(frame):
    return torch.from_numpy(frame).permute(2, 0, 1)[None] / 255


def test_a_face_onto_itself_keeps_its_pixels():
    view = prepare(picture(), face(), MODEL)
    drawn = FlowReenactor(MODEL, GEOMETRY)([view], [1.0], face()[None], SIZE)
    inner = (drawn.mask > 0.99) & (drawn.confidence > 0.9)
    assert inner.float().mean() > 0.15
    assert ((drawn.image - as_image(picture())).abs() * inner).max() < 3 / 255
    assert drawn.steps == 1 and drawn.missing.max() < 0.01


def test_sharpness_does_not_depend_on_the_number_of_steps():
    view = prepare(picture(), face(), MODEL)
    drawn = [FlowReenactor(MODEL, FlowOptions(steps=n))([view], [1.0], face(28.0)[None], SIZE) for n in (1, 2, 4, 8)]
    assert [d.steps for d in drawn] == [1, 2, 4, 8]
    values = [sharpness(d.image, d.mask * (d.confidence > 0.9)) for d in drawn]
    assert max(values) / min(values) < 1.02
    assert (drawn[0].image - drawn[-1].image).abs().mean() > 0  # the path is really walked


def test_automatic_steps_follow_the_pose_gap():
    view = prepare(picture(), face(-40.0), MODEL)
    assert FlowReenactor(MODEL, GEOMETRY)([view], [1.0], face(40.0)[None], SIZE).steps == 3


def test_what_lies_beyond_the_head_stays_exactly():
    size = 320
    frame, landmarks = picture(size), face(size=size) * torch.tensor([0.4, 0.4, 0.4]) + torch.tensor([100.0, 90, 0])
    view = prepare(frame, landmarks, MODEL)
    turned = face(20.0, size) * 0.4 + torch.tensor([100.0, 90, 0])
    drawn = FlowReenactor(MODEL, GEOMETRY)([view], [1.0], turned[None], size, Anchor(1.0, 0.0, 0.0), surroundings=True)
    ring = head_reach(MODEL.mean, landmarks[None])[0, :, :2]
    left, top = ring.amin(0).floor().long().tolist()
    right, bottom = ring.amax(0).ceil().long().tolist()
    outside = torch.ones(size, size, dtype=torch.bool)
    outside[max(0, top - 4) : bottom + 4, max(0, left - 4) : right + 4] = False
    assert outside.float().mean() > 0.2
    result = (drawn.image[0] * 255).round().to(torch.uint8)
    assert (result[:, outside] == torch.from_numpy(frame).permute(2, 0, 1)[:, outside]).all()
    assert (result[:, ~outside] != torch.from_numpy(frame).permute(2, 0, 1)[:, ~outside]).float().mean() > 0.2


def test_the_hidden_side_comes_from_the_mirrored_one_and_is_marked():
    frame = picture()
    frame[:, : SIZE // 2] = (200, 40, 40)
    view = prepare(frame, face(70.0), MODEL)  # shows mostly one side
    drawn = FlowReenactor(MODEL, GEOMETRY)([view], [1.0], face(0.0)[None], SIZE)
    columns = drawn.confidence[0, 0, SIZE // 2] * (drawn.mask[0, 0, SIZE // 2] > 0.99)
    inside = (drawn.mask[0, 0, SIZE // 2] > 0.99).nonzero()[:, 0]
    low, high = columns[inside[: len(inside) // 4]].mean(), columns[inside[-len(inside) // 4 :]].mean()
    assert abs(float(low - high)) > 0.4  # one side is seen, the other is not
    assert drawn.image[drawn.mask.expand(-1, 3, -1, -1) > 0.99].isfinite().all()


def test_a_view_that_sees_a_place_is_preferred_there():
    left, right = np.full((SIZE, SIZE, 3), 40, np.uint8), np.full((SIZE, SIZE, 3), 220, np.uint8)
    views = [prepare(left, face(-65.0), MODEL), prepare(right, face(65.0), MODEL)]
    drawn = FlowReenactor(MODEL, GEOMETRY)(views, [0.5, 0.5], face()[None], SIZE)
    row = drawn.image[0, 0, SIZE // 2, (drawn.mask[0, 0, SIZE // 2] > 0.99)]
    fifth = len(row) // 6
    ends = sorted((float(row[:fifth].mean()), float(row[-fifth:].mean())))
    assert ends[0] < 80 / 255 and ends[1] > 180 / 255


def test_output_follows_the_source_resolution():
    big = prepare(picture(768), face(size=768), MODEL)
    for size in (192, 768):
        drawn = FlowReenactor(MODEL, GEOMETRY)([big], [1.0], face(size=size)[None], size)
        expected = torch.nn.functional.interpolate(as_image(picture(768)), (size, size), mode="area")
        inner = (drawn.mask > 0.99) & (drawn.confidence > 0.9)
        assert ((drawn.image - expected).abs() * inner).sum() / inner.sum() / 3 < 0.02


def test_a_closed_mouth_stretched_open_is_missing_and_an_open_one_is_not():
    closed, wide = face(), face(jawOpen=0.8)
    view = prepare(picture(), closed, MODEL)
    drawn = FlowReenactor(MODEL, GEOMETRY)([view], [1.0], wide[None], SIZE)
    assert drawn.missing.max() > 0.9
    x, y = ((wide[13] + wide[14]) / 2)[:2].long().tolist()
    assert drawn.missing[0, 0, y, x] > 0.9 and drawn.openings[0, 0, y, x] > 0.9
    again = FlowReenactor(MODEL, GEOMETRY)([prepare(picture(), wide, MODEL)], [1.0], wide[None], SIZE)
    assert again.missing.max() < 0.01 and again.openings.max() > 0.9


def test_openness_grows_with_the_jaw_and_missing_is_continuous():
    shapes = [place(MODEL.mean, face(jawOpen=amount)[None]).shape for amount in np.linspace(0, 1, 21)]
    areas = torch.cat([openness(shape, MOUTH) for shape in shapes])
    assert (areas.diff() > 0).all()
    regions = torch.full((1, 1, 1), MOUTH)
    parts = torch.cat([missing(shapes[8], shape, regions).flatten() for shape in shapes])
    assert parts[0] == 0 and parts[-1] > 0.3 and parts.diff().abs().max() < 0.25


def test_plain_mouth_is_dark_inside_and_leaves_the_rest():
    image, wide = as_image(picture()), face(jawOpen=0.8)
    drawn = plain_mouth(image, wide[None], MODEL)
    changed = (drawn - image).abs().amax(1)[0] > 1e-6
    ring = wide[[78, 308, 13, 14], :2]
    rows, columns = changed.nonzero(as_tuple=True)
    assert columns.min() >= ring[:, 0].min() - 3 and columns.max() <= ring[:, 0].max() + 3
    assert rows.min() >= ring[:, 1].min() - 6 and rows.max() <= ring[:, 1].max() + 6
    x, y = (wide[13, :2] * 0.45 + wide[14, :2] * 0.55).long().tolist()
    assert drawn[0, :, y, x].mean() < 0.5 * image[0, :, y, x].mean()


@pytest.mark.parametrize("yaw", [-60.0, 60.0])
def test_visibility_drops_on_the_side_turned_away(yaw):
    seen = visibility(face(yaw)[None], MODEL)[0]
    right, left = seen[[234, 93, 132]].mean(), seen[[454, 323, 361]].mean()
    near, far = (right, left) if face(yaw)[234, 2] < face(yaw)[454, 2] else (left, right)
    assert near > 0.6 and far < 0.05
    assert visibility(face()[None], MODEL)[0, [1, 4, 9, 152, 50, 280]].min() > 0.7


def test_placement_is_taken_apart_and_put_together():
    landmarks = face(33.0, mouthSmile_L=0.5)[None]
    placement = place(MODEL.mean, landmarks)
    torch.testing.assert_close(points(placement), landmarks, atol=1e-3, rtol=0)
    moved = replace(placement, translation=placement.translation + 7)
    torch.testing.assert_close(points(moved), landmarks + 7, atol=1e-3, rtol=0)


def test_what_lies_outside_the_source_picture_is_not_seen():
    frame = picture()
    half = prepare(frame[:, : SIZE // 2], face(), MODEL)
    assert half.visibility[0, 454] == 0 and prepare(frame, face(-40.0), MODEL).visibility.max() == 1
    drawn = FlowReenactor(MODEL, GEOMETRY)([half], [1.0], face()[None], SIZE)
    row = drawn.image[0, :, SIZE // 2, SIZE // 2 + 8 : SIZE // 2 + 40]
    assert row.diff(dim=1).abs().mean() > 0.01  # mirrored texture, not the border repeated


def test_the_outline_of_a_turned_face_holds_the_whole_face():
    for yaw in (0.0, 35.0, -35.0):
        vertices = face(yaw)[None]
        ring, oval = outline(vertices)[0, :, :2], vertices[0, list(FACE_OVAL), :2]
        middle = oval.mean(0)
        grown = (ring - middle).norm(dim=1) / (oval - middle).norm(dim=1)
        assert grown.min() > 0.999
        assert (grown.max() > 1.1) == (yaw != 0)
        assert ring[:, 0].max() > vertices[0, :, 0].max() - 0.02 * SIZE
        assert ring[:, 0].min() < vertices[0, :, 0].min() + 0.02 * SIZE


def test_views_are_looked_up_only_where_they_count(monkeypatch):
    views = [prepare(picture(), face(yaw), MODEL) for yaw in (0.0, 25.0)]

    def drawn():
        return FlowReenactor(MODEL)(views, [0.6, 0.4], face(-15.0, jawOpen=0.4)[None], SIZE, surroundings=True).image

    expected = drawn()
    monkeypatch.setattr(merging, "_BESIDE", 1000)
    torch.testing.assert_close(drawn(), expected, atol=1e-6, rtol=0)

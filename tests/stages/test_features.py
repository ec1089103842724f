"""Eyes and mouth drawn anew: what moves keeps its form, what covers covers, what is not there is drawn."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fsgan_core.ops.flow import identity
from fsgan_core.ops.geometry import rotation_matrix
from fsgan_core.ops.head_mesh import place, points
from fsgan_core.ops.landmarks import LEFT_IRIS, LIPS_INNER, LIPS_OUTER
from fsgan_core.stages.eyes import behind_lids
from fsgan_core.stages.features import feature_layer
from fsgan_core.stages.mouth import parted
from fsgan_core.stages.openings import LEFT, RIGHT, RINGS, missing
from fsgan_core.stages.pose import load_face_model
from fsgan_core.stages.views import prepare

SIZE = 256
MODEL = load_face_model()


def draw_features(image, view, landmarks, model):
    colours, cover = feature_layer(image.shape[-1], view, landmarks, model)
    return image * (1 - cover) + colours


def face(**expressions):
    shape = MODEL.mean.clone()
    for name, amount in expressions.items():
        shape = shape + amount * MODEL.expression[MODEL.names.index(name)]
    return shape * (0.4 * SIZE) + torch.tensor([SIZE / 2, SIZE / 2, 0.0])


def picture(landmarks):
    """Skin of fine texture, with white eyes and black irises in them."""
    noise = np.random.default_rng(3).normal(150, 12, (SIZE, SIZE, 1))
    pixels = np.repeat(noise, 3, 2)
    rows, columns = np.indices((SIZE, SIZE)) + 0.5
    for ring, iris in (((33, 133, 159, 145), 468), ((362, 263, 386, 374), 473)):
        corners = landmarks[list(ring), :2].numpy()
        middle, half = corners.mean(0), np.ptp(corners, axis=0) / 2
        opening = ((columns - middle[0]) / half[0]) ** 2 + ((rows - middle[1]) / half[1]) ** 2 < 1
        pixels[opening] = 235
        centre = landmarks[iris, :2].numpy()
        pixels[opening & (np.hypot(columns - centre[0], rows - centre[1]) < 6.5)] = 20
    return np.clip(pixels, 0, 255).astype(np.uint8)


def as_image(pixels):
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


def drawn(source, target):
    pixels = picture(source)
    return draw_features(as_image(pixels), prepare(pixels, source, MODEL), target[None], MODEL)


def test_lips_that_part_leave_the_dark_line_between_them_behind():
    view = prepare(picture(face()), face(), MODEL)
    shut, wide = (parted(view, place(MODEL.mean, face(jawOpen=jaw)[None]))[0] for jaw in (0.0, 0.6))
    assert torch.equal(shut, view.landmarks[0, :, :2])
    inner, outer = list(LIPS_INNER), list(LIPS_OUTER)
    torch.testing.assert_close(wide[inner], torch.lerp(shut[inner], shut[outer], 0.25))
    assert torch.equal(wide[outer], shut[outer])


def test_a_face_that_does_not_move_keeps_every_pixel():
    source = face(jawOpen=0.3)
    torch.testing.assert_close(drawn(source, source), as_image(picture(source)), atol=2e-3, rtol=0)


def test_nothing_but_eyes_and_mouth_is_touched():
    source = face()
    result = drawn(source, face(eyeBlink_L=1.0, jawOpen=0.5))
    changed = ((result - as_image(picture(source))).abs().amax(1)[0] > 1e-3).numpy()
    nose, brow = face()[4, :2].int().tolist(), face()[10, :2].int().tolist()
    for x, y in (nose, brow, (5, 5)):
        assert not changed[y - 3 : y + 4, x - 3 : x + 4].any()
    assert changed.any()


@pytest.mark.parametrize("name", ["eyeLookOut_L", "eyeLookIn_L"])
def test_an_iris_moves_as_it_is(name):
    source, target = face(), face(**{name: 0.5})
    dark = (drawn(source, target).mean(1)[0] < 0.3).numpy()
    left = slice(SIZE // 2, None)
    rows, columns = np.nonzero(dark[:, left])
    wanted = target[LEFT_IRIS[0], 0] - SIZE // 2
    assert columns.mean() + 0.5 == pytest.approx(float(wanted), abs=1.2)
    assert np.ptp(columns) + 1 == pytest.approx(13, abs=2)
    assert rows.size > 60


def aside(landmarks, step):
    """Landmarks with the irises moved along the eyes, in pixels."""
    result = landmarks.clone()
    result[468:, 0] += step
    return result


@pytest.mark.parametrize("step", [-9.0, 9.0])
def test_an_iris_far_aside_goes_behind_the_lids(step):
    source, target = face(), aside(face(), step)
    result = drawn(source, target)
    row = (result.mean(1)[0, int(target[LEFT_IRIS[0], 1])] < 0.3).numpy()
    columns = np.nonzero(row[SIZE // 2 :])[0] + SIZE // 2
    edge, way = (columns.max() + 1, 1) if step < 0 else (columns.min(), -1)
    assert edge == pytest.approx(float(target[LEFT_IRIS[0], 0]) + way * 6.5, abs=1.5), "as wide as it was"
    assert 6 < np.ptp(columns) + 1 < 12, "and partly covered"
    changed = (result - as_image(picture(source))).abs().amax(1)[0]
    low, high = target[list(RINGS[LEFT]), 1].amin(), target[list(RINGS[LEFT]), 1].amax()
    assert max(changed[: int(low) - 3].max(), changed[int(high) + 4 : SIZE * 3 // 5].max()) < 0.02, "lids stay"


@pytest.mark.parametrize("yaw", [-30.0, 30.0])
def test_an_iris_of_a_turned_head_is_where_its_landmark_is(yaw):
    turned = place(MODEL.mean, aside(face(), 3.0)[None])
    turned = replace(turned, rotation=rotation_matrix(torch.tensor([[yaw, 0.0, 0.0]])))
    target = points(turned)[0]
    # An iris lies in the eye, behind the lids: seen from the side it is not where it would be on them.
    target[468:, 0] += 2.0
    blank, pixels = torch.full((1, 3, SIZE, SIZE), 0.6), picture(face())
    dark = (draw_features(blank, prepare(pixels, face(), MODEL), target[None], MODEL).mean(1)[0] < 0.3).numpy()
    near = dark & (np.hypot(*(np.indices(dark.shape)[::-1] + 0.5 - target[473, :2, None, None].numpy())) < 9)
    assert np.nonzero(near)[1].mean() + 0.5 == pytest.approx(float(target[LEFT_IRIS[0], 0]), abs=1.2)


def test_both_eyes_come_from_one_face():
    winking = place(MODEL.mean, face(eyeBlink_L=1.0)[None]).shape
    regions = torch.tensor([[[0, RIGHT, LEFT]]])
    assert missing(winking, MODEL.mean[None], regions)[0, 0, 0].tolist() == [0, 1, 1]
    assert missing(MODEL.mean[None], winking, regions).max() == 0


def test_a_lid_covers_the_iris_instead_of_squeezing_it():
    source = face()
    before = (as_image(picture(source)).mean(1)[0] < 0.3)[:, SIZE // 2 :].sum()
    half, closed = ((drawn(source, face(eyeBlink_L=part)).mean(1)[0] < 0.3)[:, SIZE // 2 :] for part in (0.5, 1.0))
    assert 0.2 * before < half.sum() < 0.9 * before
    assert closed.sum() < 0.2 * before
    columns = half.nonzero()[:, 1]
    assert columns.max() - columns.min() + 1 >= 11, "what is left of it is as wide as it was"


def test_places_behind_lids_are_those_of_the_source_where_nothing_moves():
    source = face()
    view, target = prepare(picture(source), source, MODEL), place(MODEL.mean, source[None])
    grid = identity(SIZE, SIZE, source)
    centre = source[LEFT_IRIS[0]]
    flow, _, bare = behind_lids(view, target, grid, LEFT)
    x, y = centre[:2].int().tolist()
    part = (..., slice(y - 3, y + 4), slice(x - 8, x + 9))
    torch.testing.assert_close(flow[part], grid[part], atol=0.05, rtol=0)
    assert bare[part].max() < 1e-3


def test_a_made_up_white_is_round_and_in_the_shadow_of_its_lid():
    source = face()
    view, target = prepare(picture(source), source, MODEL), place(MODEL.mean, source[None])
    _, white, _ = behind_lids(view, target, identity(SIZE, SIZE, source), LEFT)
    upper, lower, corner = (source[number, :2] for number in (386, 374, 263))

    def at(spot):
        return white[0, :, int(spot[1]), int(spot[0])]

    middle = torch.lerp(upper, lower, 0.8)
    assert (at(torch.lerp(middle, corner, 0.8)) < 0.97 * at(middle)).all()
    assert (at(upper) < 0.85 * at(middle)).all()


def test_an_opened_mouth_is_dark_below_drawn_teeth():
    source, target = face(), face(jawOpen=0.8)
    result = drawn(source, target).mean(1)[0]
    top, low = target[13, :2], target[14, :2]
    x, height = int(top[0]), float(low[1] - top[1])
    teeth = result[int(top[1] + 0.12 * height), x - 4 : x + 5].mean()
    cavity = result[int(top[1] + 0.55 * height), x - 4 : x + 5].mean()
    assert height > 15
    assert cavity < 0.25 < 0.4 < teeth


def test_teeth_that_are_seen_stay_with_the_skull():
    source, target = face(jawOpen=0.25), face(jawOpen=0.8)
    pixels = picture(source)
    x, y = (source[13, :2] + torch.tensor([0.0, 4.0])).int().tolist()
    pixels[y : y + 2, x - 6 : x + 7] = 255
    result = draw_features(as_image(pixels), prepare(pixels, source, MODEL), target[None], MODEL).mean(1)[0]
    lip = int(target[13, 1])
    bright = (result[lip : int(target[14, 1]), x - 3 : x + 4] > 0.9).nonzero()[:, 0]
    assert bright.float().mean() == pytest.approx(4.5, abs=1.6), "as far below the upper lip as it was"

"""Eyes that are lit like the target's: whites are white on any skin, and irises keep their contrast to them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fsgan_core.ops.color import ColorMatch, srgb_to_oklab
from fsgan_core.ops.geometry import rotation_matrix
from fsgan_core.ops.head_mesh import place
from fsgan_core.stages.eye_light import eyes_lit, source_whites, unusual_whites
from fsgan_core.stages.pose import load_face_model
from fsgan_core.stages.views import prepare

SIZE = 256
MODEL = load_face_model()
PALE, DARK = (225, 190, 170), (95, 65, 50)
NOTHING = ColorMatch(
    source=torch.zeros(1, 3),
    target=torch.zeros(1, 3),
    gain=torch.ones(1, 3),
    bounds=torch.zeros(1, 2),
    fineness=torch.zeros(1, 3),
)


def landmarks(closed=0.0):
    shape = MODEL.mean.clone()
    for side in "LR":
        shape = shape + closed * MODEL.expression[MODEL.names.index(f"eyeBlink_{side}")]
    return shape * (0.4 * SIZE) + torch.tensor([SIZE / 2, SIZE / 2, 0.0])


def picture(skin, white=(205, 200, 198), iris=(70, 50, 40)):
    pixels = np.empty((SIZE, SIZE, 3), np.uint8)
    pixels[:] = skin
    rows, columns = np.indices((SIZE, SIZE)) + 0.5
    points = landmarks().numpy()
    for corners, middle in (((33, 133, 159, 145), 468), ((362, 263, 386, 374), 473)):
        ring = points[list(corners), :2]
        centre, half = ring.mean(0), np.ptp(ring, axis=0) / 2
        opening = ((columns - centre[0]) / half[0]) ** 2 + ((rows - centre[1]) / half[1]) ** 2 < 1.3
        x, y = points[middle, :2]
        pixels[opening] = white
        pixels[opening & (np.hypot(columns - x, rows - y) < 5.5)] = iris
    return pixels


def as_image(pixels):
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


def lit(source, target, color=NOTHING, points=None):
    points = landmarks() if points is None else points
    view, crop = prepare(source, landmarks(), MODEL), as_image(target)
    color = replace(color, whites=unusual_whites(crop, place(MODEL.mean, landmarks()[None])))
    drawn, face = as_image(source), place(MODEL.mean, points[None])
    return eyes_lit(torch.zeros_like(crop), drawn, crop, torch.ones_like(crop[:, :1]), face, source_whites(view), color)


def lightness(image, place):
    x, y = (int(value) for value in place)
    return float(srgb_to_oklab(image)[0, 0, y, x])


def beside(iris=468, corner=33):
    points = landmarks().numpy()
    return points[iris, :2] + 0.7 * (points[corner, :2] - points[iris, :2])


def test_eyes_of_the_same_face_in_the_same_light_stay_as_they_are():
    same = picture(PALE)
    result, inside = lit(same, same), landmarks()[468, :2].int().tolist()
    assert result[0, :, inside[1], inside[0]].numpy() == pytest.approx(same[inside[1], inside[0]] / 255, abs=0.01)


@pytest.mark.parametrize(("source", "target"), [(PALE, DARK), (DARK, PALE)])
def test_a_white_becomes_the_targets_whatever_the_skins(source, target):
    own, wanted = picture(source, (190, 180, 175)), picture(target, (175, 168, 163))
    white = lightness(lit(own, wanted), beside())
    assert white == pytest.approx(lightness(as_image(wanted), beside()), abs=0.06)


@pytest.mark.parametrize(("source", "target"), [(PALE, DARK), (DARK, PALE)])
def test_an_iris_keeps_its_share_of_the_white(source, target):
    own = picture(source)
    result, middle = lit(own, picture(target)), landmarks()[468, :2]
    before = lightness(as_image(own), middle) / lightness(as_image(own), beside())
    assert lightness(result, middle) / lightness(result, beside()) == pytest.approx(before, abs=0.04)


def test_only_what_is_between_the_lids_is_changed():
    result = lit(picture(PALE), picture(DARK))
    changed = (result[0].sum(0) > 0).nonzero().flip(1) + 0.5
    ring = landmarks()[[33, 133, 159, 145, 362, 263, 386, 374], :2]
    assert len(changed) > 100
    assert (changed >= ring.amin(0) - 2).all()
    assert (changed <= ring.amax(0) + 2).all()


def test_between_closed_lids_nothing_is_changed():
    assert lit(picture(PALE), picture(DARK), points=landmarks(1.1)).sum() < lit(picture(PALE), picture(DARK)).sum() / 20


def test_whites_that_are_not_seen_are_taken_for_usual():
    closed = place(MODEL.mean, landmarks(1.1)[None])
    assert unusual_whites(as_image(picture(DARK)), closed).abs().max() < 1e-3


@pytest.mark.parametrize(("yaw", "changed"), [(20, True), (70, False)])
def test_eyes_seen_from_their_side_stay_as_they_are_blended(yaw, changed):
    middle = torch.tensor([SIZE / 2, SIZE / 2, 0.0])
    turned = (landmarks() - middle) @ rotation_matrix(torch.tensor([[yaw, 0.0, 0.0]]))[0].mT + middle
    assert bool(lit(picture(PALE), picture(DARK), points=turned).any()) is changed

"""Eyes that are lit like the target's: whites are white on any skin, and irises keep their contrast to them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fsgan_core.ops.color import ColorMatch, oklab_to_srgb, srgb_to_oklab
from fsgan_core.ops.geometry import rotation_matrix
from fsgan_core.ops.head_mesh import place
from fsgan_core.ops.relighting import relit
from fsgan_core.stages.eye_light import eyes_lit, source_whites, unusual_whites
from fsgan_core.stages.pose import load_face_model
from fsgan_core.stages.views import prepare

SIZE = 256
MODEL = load_face_model()
PALE, DARK = (225, 190, 170), (95, 65, 50)
ON_PALE, ON_DARK = (PALE, (175, 168, 163)), (DARK, (130, 123, 118))
"""Skins and their whites."""
NOTHING = ColorMatch(
    source=torch.zeros(1, 3),
    target=torch.zeros(1, 3),
    gain=torch.ones(1, 3),
    bounds=torch.zeros(1, 2),
    fineness=torch.zeros(1, 4),
)


def landmarks(closed=0.0):
    shape = MODEL.mean.clone()
    for side in "LR":
        shape = shape + closed * MODEL.expression[MODEL.names.index(f"eyeBlink_{side}")]
    return shape * (0.4 * SIZE) + torch.tensor([SIZE / 2, SIZE / 2, 0.0])


def picture(skin, white=(205, 200, 198), iris=(70, 50, 40), other=None):
    """A face; ``other`` is the white of its left eye if it is not like that of the right."""
    pixels = np.empty((SIZE, SIZE, 3), np.uint8)
    pixels[:] = skin
    rows, columns = np.indices((SIZE, SIZE)) + 0.5
    points = landmarks().numpy()
    for corners, middle, colour in (((33, 133, 159, 145), 468, white), ((362, 263, 386, 374), 473, other or white)):
        ring = points[list(corners), :2]
        centre, half = ring.mean(0), np.ptp(ring, axis=0) / 2
        opening = ((columns - centre[0]) / half[0]) ** 2 + ((rows - centre[1]) / half[1]) ** 2 < 1.3
        x, y = points[middle, :2]
        pixels[opening] = colour
        pixels[opening & (np.hypot(columns - x, rows - y) < 5.5)] = iris
    return pixels


def as_image(pixels):
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


def with_skin(source, target):
    """What blending makes of all of a face: relit with its skin, which is seen in the corner of both pictures."""
    before, after = (srgb_to_oklab(as_image(pixels))[..., :1, :1] for pixels in (source, target))
    return oklab_to_srgb(relit(srgb_to_oklab(as_image(source)), before, after)).clamp(0, 1)


def whites_of(source, points=None):
    return source_whites(prepare(source, landmarks() if points is None else points, MODEL))


def lit(source, target, color=NOTHING, points=None):
    points, crop = landmarks() if points is None else points, as_image(target)
    color = replace(color, whites=unusual_whites(crop, place(MODEL.mean, landmarks()[None])))
    whites, face = whites_of(source), place(MODEL.mean, points[None])
    mask = torch.ones_like(crop[:, :1])
    return eyes_lit(with_skin(source, target), as_image(source), crop, mask, face, whites, color)


def turned(yaw=0.0, pitch=0.0):
    middle = torch.tensor([SIZE / 2, SIZE / 2, 0.0])
    return (landmarks() - middle) @ rotation_matrix(torch.tensor([[yaw, pitch, 0.0]]))[0].mT + middle


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


@pytest.mark.parametrize(("source", "target"), [(ON_PALE, ON_DARK), (ON_DARK, ON_PALE)])
def test_a_white_becomes_the_targets_whatever_the_skins(source, target):
    own, wanted = picture(*source), picture(*target)
    white = lightness(lit(own, wanted), beside())
    assert white == pytest.approx(lightness(as_image(wanted), beside()), abs=0.1)


@pytest.mark.parametrize(("source", "target"), [(ON_PALE, ON_DARK), (ON_DARK, ON_PALE)])
def test_an_iris_keeps_its_share_of_the_white(source, target):
    own = picture(*source)
    result, middle = lit(own, picture(*target)), landmarks()[468, :2]
    before = lightness(as_image(own), middle) / lightness(as_image(own), beside())
    assert lightness(result, middle) / lightness(result, beside()) == pytest.approx(before, abs=0.04)


def test_only_what_is_between_the_lids_is_changed():
    source, target = picture(PALE), picture(DARK)
    difference = (lit(source, target) - with_skin(source, target)).abs()
    changed = (difference[0].sum(0) > 1e-3).nonzero().flip(1) + 0.5
    ring = landmarks()[[33, 133, 159, 145, 362, 263, 386, 374], :2]
    assert len(changed) > 100
    assert (changed >= ring.amin(0) - 2).all()
    assert (changed <= ring.amax(0) + 2).all()


def test_whites_that_are_not_seen_are_taken_for_usual():
    closed = place(MODEL.mean, landmarks(1.1)[None])
    assert unusual_whites(as_image(picture(DARK)), closed).abs().max() < 1e-3


@pytest.mark.parametrize("white", [(60, 50, 45), (82, 62, 52)])
def test_lashes_and_shadows_are_not_taken_for_whites(white):
    face = place(MODEL.mean, landmarks()[None])
    assert unusual_whites(as_image(picture(PALE, white)), face).abs().max() < 1e-3


def test_a_lashes_shadow_in_the_target_darkens_no_eye():
    source = picture(PALE)
    shaded = lightness(lit(source, picture(PALE, (60, 50, 45))), beside())
    assert shaded > 0.8 * lightness(lit(source, picture(PALE, (150, 145, 140))), beside())


def test_eyes_in_shadow_get_brighter_with_their_skin():
    source, target = picture((70, 55, 48), (80, 72, 68), (35, 28, 25)), picture(PALE)
    before = lightness(with_skin(source, target), beside())
    assert 0.7 * before < lightness(lit(source, target), beside()) < 1.5 * before


@pytest.mark.parametrize("skin", [PALE, DARK])
def test_an_eye_gets_at_most_half_as_light_again_as_with_its_skin(skin):
    source, target = picture(PALE), picture(skin)
    assert lightness(lit(source, target), beside()) <= 1.5 * lightness(with_skin(source, target), beside())


def test_both_eyes_have_one_white():
    source = picture(PALE, other=(100, 92, 88))
    result = lit(source, picture(PALE))
    irises = [lightness(result, landmarks()[middle, :2]) for middle in (468, 473)]
    assert irises[0] == pytest.approx(irises[1], rel=0.15)


@pytest.mark.parametrize("white", [(78, 58, 48), (75, 55, 46)])
def test_eyes_that_show_no_white_are_relit_with_their_skin(white):
    source, target = picture(PALE, white), picture(DARK)
    assert torch.equal(lit(source, target), with_skin(source, target))


def test_an_eye_that_the_source_hides_is_relit_with_its_skin():
    source = picture(PALE)
    source[:, SIZE // 2 :] = PALE
    known = whites_of(source)[:, 3].tolist()
    assert known == pytest.approx([1, 0], abs=0.01)


@pytest.mark.parametrize(("pitch", "known"), [(0, 1), (15, 1), (-45, 0), (45, 0)])
def test_eyes_seen_from_below_or_above_are_not_known(pitch, known):
    whites = whites_of(picture(PALE), turned(pitch=float(pitch)))
    assert float(whites[:, 3].amin()) == pytest.approx(known, abs=0.05)


def test_between_lids_that_nearly_meet_nothing_is_changed():
    source, target = picture(PALE), picture(DARK)
    assert torch.equal(lit(source, target, points=landmarks(1.1)), with_skin(source, target))


@pytest.mark.parametrize(("yaw", "changed"), [(20, True), (70, False)])
def test_eyes_seen_from_their_side_stay_as_they_are_blended(yaw, changed):
    source, target = picture(PALE), picture(DARK)
    assert torch.equal(lit(source, target, points=turned(float(yaw))), with_skin(source, target)) is not changed

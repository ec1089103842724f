"""Coloured lamps on a source's skin."""

import torch

from fsgan_core.ops.color import oklab_to_srgb, srgb_to_oklab
from fsgan_core.ops.landmarks import LEFT_EYE, LIPS_INNER, LIPS_OUTER
from fsgan_core.ops.relighting import at_lightness, saturation
from fsgan_core.stages.colored_light import colored, departing, evened
from fsgan_core.stages.delighting import delighted
from fsgan_core.stages.frontal import Frontal
from fsgan_core.stages.pose import load_face_model

MODEL = load_face_model()
SIDE = 128
FRONTAL = Frontal.of(MODEL, SIDE)
SKIN = FRONTAL.skin.float()
USUAL = torch.tensor([0.05, 0.08])[None, :, None, None]
BROW, CHIN = FRONTAL.points[0, 9, :2].round().long(), FRONTAL.points[0, 200, :2].round().long()


def face(beyond: torch.Tensor) -> torch.Tensor:
    """A face of one lightness whose lower half is lit by a lamp that adds so much saturation ``(2,)``."""
    tint = USUAL.expand(1, 2, SIDE, SIDE).clone()
    tint[..., SIDE // 2 :, :] += beyond[:, None, None]
    return at_lightness(torch.full((1, 1, SIDE, SIDE), 0.7), tint)


def at(values: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
    return values[0, :, int(place[1]), int(place[0])]


def apart(lab: torch.Tensor) -> float:
    tint = saturation(lab)
    return float(torch.linalg.vector_norm(at(tint, BROW) - at(tint, CHIN)))


def test_most_of_a_lamp_s_colour_goes_and_its_light_stays() -> None:
    for lamp in (torch.tensor([0.15, 0.15]), torch.tensor([-0.15, -0.2])):
        lab = face(lamp)
        after = at_lightness(lab[:, :1], saturation(lab) - departing(lab, SKIN, FRONTAL))
        assert apart(after) < 0.6 * apart(lab)
        assert colored(lab, SKIN, FRONTAL) > 0.025


def test_a_flush_is_skin_s_own() -> None:
    lab = face(torch.tensor([0.02, -0.01]))
    assert departing(lab, SKIN, FRONTAL).norm(dim=1)[SKIN[:, 0] > 0].max() < 0.004
    assert colored(lab, SKIN, FRONTAL) < 0.002


def test_lips_are_as_red_as_they_were_against_the_skin_around_them() -> None:
    lab = face(torch.zeros(2))
    marked = torch.zeros(1, 478, 1)
    marked[:, list(LIPS_OUTER)] = 1
    lab[:, 1:] += 0.1 * (FRONTAL.spread(marked) > 0.5)
    assert departing(lab, SKIN, FRONTAL).norm(dim=1)[FRONTAL.spread(marked)[:, 0] > 0.5].mean() < 0.02


def test_a_picture_loses_the_colour_of_a_lamp() -> None:
    picture = oklab_to_srgb(face(torch.tensor([-0.15, -0.2])))
    after = delighted(picture, FRONTAL.points, torch.ones(1, 478), MODEL)
    assert apart(srgb_to_oklab(after)) < 0.6 * apart(srgb_to_oklab(picture))
    assert delighted(picture, FRONTAL.points, torch.zeros(1, 478), MODEL).isfinite().all()


def test_of_no_skin_no_colour_is_taken() -> None:
    lab = face(torch.tensor([-0.15, -0.2]))
    assert departing(lab, SKIN, FRONTAL).abs().max() > 0.05
    assert not departing(lab, torch.zeros_like(SKIN), FRONTAL).any()


def test_a_lamp_s_colour_is_not_taken_off_eyes_and_mouth() -> None:
    points = FRONTAL.points.clone()
    points[:, [13, 14], 1] += 10 * torch.tensor([-1.0, 1.0])  # between the middles of open lips
    blue = torch.tensor([0.3, 0.4, 0.6])
    picture = oklab_to_srgb(face(torch.tensor([0.15, 0.15])))
    for opening in (LEFT_EYE, LIPS_INNER):
        x, y = points[0, list(opening), :2].mean(0).round().long().tolist()
        shown = picture.clone()
        shown[..., y - 1 : y + 2, x - 1 : x + 2] = blue[:, None, None]
        after = delighted(shown, points, torch.ones(1, 478), MODEL)[..., y, x]
        assert after[0].allclose(blue, atol=0.01)


def test_nothing_grows_more_colourful() -> None:
    tint, departs = 0.1 * torch.randn(2, 1, 2, 40, 40, generator=torch.Generator().manual_seed(0))
    after = evened(tint, departs)
    assert (after.norm(dim=1) <= tint.norm(dim=1) + 1e-6).all()
    assert evened(tint, 0.5 * tint).allclose(0.5 * tint, atol=1e-6)

"""Beards are neither skin nor light."""

import torch

from fsgan_core.ops.color import srgb_to_oklab
from fsgan_core.stages.beards import bearded, shaved
from fsgan_core.stages.blending import PoissonBlender
from fsgan_core.stages.pose import load_face_model

MODEL = load_face_model()
SIZE = 200
LANDMARKS = (MODEL.mean * (0.4 * SIZE) + torch.tensor([SIZE / 2, 0.4 * SIZE, 0.0]))[None]
KNOWN = torch.ones(1, 1, SIZE, SIZE)
COLOR = torch.tensor([0.7, 0.5, 0.4])
SKIN = COLOR[None, :, None, None].expand(1, 3, SIZE, SIZE)
CHIN, CHEEK, BROW = (LANDMARKS[0, number, :2].round().long().tolist() for number in (199, 50, 9))


def at(picture: torch.Tensor, place: list[int]) -> torch.Tensor:
    x, y = place
    return picture[0, :, y - 3 : y + 4, x - 3 : x + 4].mean((1, 2))


def with_beard(color: float) -> torch.Tensor:
    """A grey beard from above the lips down."""
    picture, top = SKIN.clone(), int(LANDMARKS[0, 0, 1])
    picture[..., top:, :] = color
    return picture


def both_without(source: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return shaved(source, target, LANDMARKS, KNOWN, MODEL, bearded(source, target, LANDMARKS, KNOWN, MODEL))


def without(picture: torch.Tensor) -> torch.Tensor:
    return both_without(SKIN, picture)[1]


def test_under_a_beard_dark_or_white_is_skin() -> None:
    for color in (0.2, 0.45, 0.85):
        after = without(with_beard(color))
        assert at(after, CHIN).allclose(COLOR, atol=0.08)
        assert at(after, BROW).allclose(COLOR, atol=0.01)


def test_a_face_without_one_is_returned_as_it_is() -> None:
    for picture in (SKIN, 0.4 * SKIN, SKIN.mean(1, keepdim=True).expand(-1, 3, -1, -1)):
        assert without(picture) is picture


def test_a_shadow_is_no_beard() -> None:
    side, chin = SKIN.clone(), SKIN.clone()
    side[..., : SIZE // 2] *= 0.5
    chin[..., int(LANDMARKS[0, 17, 1]) :, :] *= 0.8
    assert without(side) is side
    assert without(chin) is chin


def test_each_of_the_two_is_looked_at_by_itself() -> None:
    first, second = both_without(with_beard(0.2), SKIN)
    assert second is SKIN and at(first, CHIN).allclose(COLOR, atol=0.08)


def test_a_shaved_chin_does_not_turn_grey() -> None:
    target = with_beard(0.3)
    mask = torch.zeros_like(KNOWN)
    left, top = LANDMARKS[0, :, :2].amin(0).long().tolist()
    right, bottom = LANDMARKS[0, :, :2].amax(0).long().tolist()
    mask[..., top + 4 : bottom + 10, left + 4 : right - 4] = 1
    skins = shaved(SKIN, target, LANDMARKS, mask, MODEL, bearded(SKIN, target, LANDMARKS, mask, MODEL))
    after, plain = PoissonBlender()(SKIN, target, mask, None, skins), PoissonBlender()(SKIN, target, mask)
    wanted = srgb_to_oklab(SKIN)[0, :, 0, 0]
    grey, kept = (float((at(srgb_to_oklab(part), CHIN) - wanted).norm()) for part in (plain, after))
    assert kept < 0.5 * grey


def test_along_a_track_a_beard_is_shaved_by_as_much_as_its_track_has_one() -> None:
    stubble, before = with_beard(0.45), at(with_beard(0.45), CHIN)
    away = []
    for share in (0.0, 0.02, 0.04):
        after = shaved(SKIN, stubble, LANDMARKS, KNOWN, MODEL, torch.tensor([[0.0, share]]))[1]
        away.append(float((at(after, CHIN) - before).norm()))
    assert away[0] == 0 and 0 < away[1] < 0.05 and 1.5 * away[1] < away[2] < 2.5 * away[1]

"""Hard light taken off a source's picture."""

import pytest
import torch

from fsgan_core.ops.color import srgb_to_oklab
from fsgan_core.stages.delighting import delighted
from fsgan_core.stages.pose import load_face_model

MODEL = load_face_model()
SIZE = 200
LANDMARKS = (MODEL.mean * (0.4 * SIZE) + torch.tensor([SIZE / 2, SIZE / 2, 0.0]))[None]
SEEN = torch.ones(1, 478)
SKIN = torch.tensor([0.7, 0.5, 0.4])[None, :, None, None].expand(1, 3, SIZE, SIZE)
CHEEKS = LANDMARKS[0, [50, 280], :2].round().long().tolist()


def lightness(picture: torch.Tensor, place: list[int]) -> float:
    x, y = place
    return float(srgb_to_oklab(picture)[0, 0, y - 3 : y + 4, x - 3 : x + 4].mean())


def between_cheeks(picture: torch.Tensor) -> float:
    return abs(lightness(picture, CHEEKS[0]) - lightness(picture, CHEEKS[1]))


def half_dark() -> torch.Tensor:
    picture = SKIN.clone()
    picture[..., : SIZE // 2] *= 0.5
    return picture


def test_one_half_in_shadow_becomes_as_light_as_the_other() -> None:
    before = half_dark()
    after = delighted(before, LANDMARKS, SEEN, MODEL)
    assert between_cheeks(before) > 0.15
    assert between_cheeks(after) < 0.25 * between_cheeks(before)


def test_strength_is_how_far() -> None:
    before = half_dark()
    assert delighted(before, LANDMARKS, SEEN, MODEL, 0.0) is before
    some, all_ = (between_cheeks(delighted(before, LANDMARKS, SEEN, MODEL, part)) for part in (0.5, 1.0))
    assert some == pytest.approx((between_cheeks(before) + all_) / 2, abs=0.01)


def test_an_evenly_lit_face_and_all_beyond_a_face_stay() -> None:
    torch.testing.assert_close(delighted(SKIN, LANDMARKS, SEEN, MODEL), SKIN, atol=2e-3, rtol=0)
    before = half_dark()
    after = delighted(before, LANDMARKS, SEEN, MODEL)
    assert torch.equal(after[..., :6, :], before[..., :6, :])


def test_a_small_difference_is_a_person_s_own() -> None:
    before = SKIN.clone()
    before[..., : SIZE // 2] *= 0.95
    assert between_cheeks(delighted(before, LANDMARKS, SEEN, MODEL)) > 0.75 * between_cheeks(before)


def test_a_mole_stays_on_its_side() -> None:
    before, (x, y) = SKIN.clone(), CHEEKS[0]
    before[..., y - 1 : y + 2, x - 1 : x + 2] *= 0.4
    after = delighted(before, LANDMARKS, SEEN, MODEL)
    dark = (after / before)[..., y - 1 : y + 2, x - 1 : x + 2]
    assert dark.max() < 1.1
    assert after[..., CHEEKS[1][1], CHEEKS[1][0]].allclose(SKIN[..., 0, 0], atol=0.02)


def test_shine_is_dulled_on_both_sides_alike_and_takes_the_skin_s_colour() -> None:
    before = SKIN.clone()
    for x, y in CHEEKS:
        before[..., y - 4 : y + 5, x - 4 : x + 5] = 0.97
    after = delighted(before, LANDMARKS, SEEN, MODEL)
    skin = lightness(SKIN, CHEEKS[0])
    for x, y in CHEEKS:
        assert lightness(after, [x, y]) - skin < 0.7 * (lightness(before, [x, y]) - skin)
        red, _, blue = after[0, :, y, x]
        assert red - blue > 0.1


def test_what_is_not_seen_on_both_sides_is_not_compared() -> None:
    before, seen = half_dark(), SEEN.clone()
    seen[:, LANDMARKS[0, :, 0] < SIZE / 2] = 0
    after = delighted(before, LANDMARKS, seen, MODEL)
    assert between_cheeks(after) == pytest.approx(between_cheeks(before), abs=0.02)


def test_a_face_at_the_border_or_beyond_the_picture() -> None:
    away = torch.tensor([-0.6 * SIZE, 0.0, 0.0])
    picture = half_dark()
    assert delighted(picture, LANDMARKS + away, SEEN, MODEL).isfinite().all()
    assert delighted(picture, LANDMARKS + 9 * away, SEEN, MODEL) is picture

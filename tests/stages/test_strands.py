"""Single hairs across a forehead."""

import torch

from fsgan_core.stages.pose import load_face_model
from fsgan_core.stages.strands import strands

MODEL = load_face_model()
SIZE = 320
LANDMARKS = (MODEL.mean * (0.4 * SIZE) + torch.tensor([SIZE / 2, 0.6 * SIZE, 0.0]))[None]
TOP, BROW = (int(LANDMARKS[0, point, 1]) for point in (10, 105))
LEFT, RIGHT = (int(LANDMARKS[0, point, 0]) for point in (105, 334))
SHARE = torch.ones(1, 1, SIZE, SIZE)
SHARE[..., : TOP + 3, :] = 0


def smooth() -> torch.Tensor:
    return torch.tensor([0.7, 0.5, 0.4])[None, :, None, None].repeat(1, 1, SIZE, SIZE)


def hairs(picture: torch.Tensor) -> torch.Tensor:
    return strands(picture, SHARE, LANDMARKS, MODEL)


def hanging() -> torch.Tensor:
    picture = smooth()
    for row in range(TOP - 5, BROW - 4):
        x = LEFT + 10 + (row - TOP) // 3
        picture[..., row, x : x + 2] = 0.15
    return picture


def test_a_hair_that_hangs_from_the_hairline_is_found() -> None:
    picture = hanging()
    found = hairs(picture)
    dark = (picture[:, :1] < 0.2) & (torch.arange(SIZE)[:, None] > TOP + 4)
    assert dark.sum() > 40
    assert (found[dark] > 0.5).float().mean() > 0.9
    assert (found > 0.1).float().mean() < 0.02


def test_smooth_skin_and_wrinkles_that_lie_have_none() -> None:
    assert hairs(smooth()).max() == 0
    picture = smooth()
    picture[..., TOP + 10 : BROW - 5 : 12, LEFT - 20 : RIGHT + 20] *= 0.6
    assert hairs(picture).max() == 0


def test_a_line_that_hangs_on_nothing_is_skin() -> None:
    picture = smooth()
    middle = (LEFT + RIGHT) // 2
    picture[..., BROW - 20 : BROW - 8, middle : middle + 2] *= 0.4
    assert hairs(picture).max() == 0


def test_on_a_wrinkled_forehead_no_hair_is_told_from_a_furrow() -> None:
    picture = hanging()
    picture[..., TOP:BROW, :] *= 1 - 0.45 * ((torch.arange(SIZE) // 3) % 2)
    assert hairs(picture).max() < hairs(hanging()).max() and hairs(picture).mean() < 0.3 * hairs(hanging()).mean()

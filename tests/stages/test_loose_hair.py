"""Hair on a forehead that the segmentation network takes for face."""

import torch

from fsgan_core.stages.glasses import Look
from fsgan_core.stages.loose_hair import loose_hair
from fsgan_core.stages.open_segmentation import mesh_prior
from fsgan_core.stages.pose import load_face_model

MODEL = load_face_model()
SIZE = 192
LANDMARKS = (MODEL.mean * (0.42 * SIZE) + torch.tensor([SIZE / 2, 0.58 * SIZE, 0.0]))[None]
PRIOR = mesh_prior(LANDMARKS, MODEL, SIZE)
BROW = float(MODEL.mean[[105, 334], 1].mean())
SKIN, HAIR = torch.tensor([0.78, 0.58, 0.48]), torch.tensor([0.25, 0.18, 0.1])
TOP, LINE = int(LANDMARKS[0, 10, 1]), int(LANDMARKS[0, 105, 1])
MIDDLE = SIZE // 2
GRAIN = torch.rand(1, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(5)) - 0.5
STRANDS = HAIR[:, None, None] * (1 + 1.2 * GRAIN)
LOCK = (..., slice(TOP, LINE - 8), slice(MIDDLE - 22, MIDDLE + 8))


def drawn(hair: torch.Tensor = HAIR, lock: bool = True) -> torch.Tensor:
    """A face under hair, of which a lock may hang onto the forehead."""
    skin = SKIN[:, None, None] * (1 + 0.04 * GRAIN)
    strands = STRANDS if hair is HAIR else skin
    picture = skin.clone()
    picture[..., :TOP, :] = strands[..., :TOP, :]
    if lock:
        picture[LOCK] = strands[LOCK]
    return picture.clamp(0, 1)


def found(picture: torch.Tensor) -> torch.Tensor:
    """By a network that takes the lock for face but for its root."""
    hair = torch.zeros(1, 1, SIZE, SIZE)
    hair[..., :TOP, :] = 1
    face = PRIOR[:, :1] * (1 - hair)
    face[..., : TOP + 3, :] = 0
    return loose_hair(Look(picture, LANDMARKS, PRIOR), face, hair, BROW)


def test_a_lock_on_the_forehead_is_found() -> None:
    hair = found(drawn())
    beside = hair.clone()
    beside[..., LOCK[1], MIDDLE - 28 : MIDDLE + 14] = 0
    assert (hair[LOCK] > 0.5).float().mean() > 0.8
    assert (beside > 0.1).float().mean() < 0.004


def test_a_bare_forehead_keeps_its_skin_with_shine_and_a_mole() -> None:
    picture = drawn(lock=False)
    picture[..., TOP + 12 : TOP + 22, MIDDLE : MIDDLE + 24] *= 1.25
    picture[..., LINE - 12 : LINE - 8, MIDDLE - 20 : MIDDLE - 16] *= 0.4
    assert (found(picture.clamp(max=1))[..., TOP + 6 :, :] > 0.1).float().mean() < 0.001


def test_who_has_hair_that_looks_like_skin_has_none() -> None:
    assert found(drawn(hair=SKIN)).max() == 0


def test_brows_and_beards_are_not_looked_at() -> None:
    picture = drawn(lock=False)
    low = slice(LINE + 2, SIZE)
    beard = (PRIOR[:, 2:] > 0.3) | (PRIOR[:, 2:] > BROW) & (PRIOR[:, 2:] < BROW + 0.1)
    dark = torch.where(beard & (PRIOR[:, :1] > 0), drawn().roll(TOP, 2) * 0 + HAIR[:, None, None], picture)
    assert found(dark)[..., low, :].max() == 0


def test_the_tail_of_a_brow_is_no_hair_but_what_hangs_over_it_is() -> None:
    x, y = LANDMARKS[0, 300, :2].long().tolist()
    picture, tail = drawn(lock=False), (..., slice(y - 2, y + 3), slice(x - 4, x + 4))
    for part in (tail, (..., slice(TOP, y + 40), slice(x + 4, SIZE))):
        picture[part] = STRANDS[part]
    hair = found(picture)
    assert hair[tail].mean() < 0.05 and (hair[..., y + 10 : y + 20, x + 4 : x + 8] > 0.5).float().mean() > 0.8
    curtain = (..., slice(TOP, y + 40), slice(x - 12, SIZE))
    picture[curtain] = STRANDS[curtain]
    assert (found(picture)[..., tail[1], x : x + 4] > 0.5).float().mean() > 0.8

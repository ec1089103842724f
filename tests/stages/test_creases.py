"""Creases of a smile go and come with it, and nothing else does."""

import numpy as np
import pytest
import torch

from fsgan_core.ops.expressions import readings
from fsgan_core.ops.head_mesh import place
from fsgan_core.ops.landmarks import LIPS_INNER, LIPS_OUTER, NOSE
from fsgan_core.stages.creases import creased, unfolded
from fsgan_core.stages.pose import load_face_model
from fsgan_core.stages.reenactment import FlowOptions, FlowReenactor
from fsgan_core.stages.views import prepare

SIZE = 256
MODEL = load_face_model()
FOLD = (203, 206, 216)
DRAW = FlowReenactor(MODEL, FlowOptions(refine=False))


def face(smile=0.0, sides="LR"):
    shape = MODEL.mean.clone()
    for name in (f"mouthSmile_{side}" for side in sides):
        shape = shape + smile * MODEL.expression[MODEL.names.index(name)]
    return shape * (0.4 * SIZE) + torch.tensor([SIZE / 2, SIZE / 2, 0.0])


def picture(landmarks, folded, moustache=False, beard=False):
    """Skin, with the folds of a smile where they are asked for, and hair."""
    rows, columns = np.indices((SIZE, SIZE)) + 0.5
    away = np.full((SIZE, SIZE), np.inf)
    for fold in (FOLD, MODEL.mirror[list(FOLD)].tolist()):
        for first, second in zip(fold, fold[1:], strict=False):
            for part in np.linspace(0, 1, 12):
                x, y, _ = torch.lerp(landmarks[first], landmarks[second], float(part)).tolist()
                away = np.minimum(away, np.hypot(columns - x, rows - y))
    light = 170 - 50 * np.exp(-((away / 3) ** 2)) * folded
    if moustache:
        light[(away > 6) & (np.abs(columns - SIZE / 2) < 36) & (np.abs(rows - landmarks[164, 1].item()) < 9)] = 60
    if beard:
        light[rows > landmarks[57, 1].item() + 3] = 60
    return np.repeat(light[..., None], 3, 2).clip(0, 255).astype(np.uint8)


def depth(image, landmarks):
    """How much darker a face is in its folds than beside them."""
    x, y = landmarks[[*FOLD[1:], 205, 425], :2].round().long().unbind(1)
    light = image[0].mean(0)[y, x]
    return (light[2:].mean() - light[:2].mean()).item()


def tensor(pixels):
    return torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255


def drawn(pixels, source, target, wanted=None):
    view = prepare(pixels, source, MODEL)
    wanted = None if wanted is None else tensor(wanted)
    return DRAW([view], [1.0], target[None], SIZE, picture=wanted).image


def moved(source, target):
    """How far the skin at each landmark changes."""
    pixels = np.full((SIZE, SIZE, 3), 170, np.uint8)
    return unfolded(prepare(pixels, source, MODEL), place(MODEL.mean, target[None]), MODEL)[0, :, 0]


@pytest.mark.parametrize("amount", [0.0, 0.4, 0.8])
def test_a_smile_is_read_off_a_face_whoever_it_is(amount):
    shape = (face(amount) - face(0.0)) / (0.4 * SIZE) + MODEL.mean + 1.5 * MODEL.identity[0] - MODEL.identity[3]
    found = readings(shape[None], ("mouthSmile_R", "mouthSmile_L"), MODEL)
    assert found[0].tolist() == pytest.approx([amount, amount], abs=0.15)


def test_folds_go_with_the_smile():
    smiling, calm = face(0.8), face(0.0)
    pixels = picture(smiling, folded=1)
    before = depth(drawn(pixels, smiling, smiling), smiling)
    assert before > 0.15
    assert abs(depth(drawn(pixels, smiling, calm), calm)) < 0.25 * before


def test_folds_stay_where_the_smile_does():
    smiling = face(0.8)
    pixels = picture(smiling, folded=1)
    assert depth(drawn(pixels, smiling, smiling), smiling) == pytest.approx(depth(tensor(pixels), smiling), rel=0.02)


def test_folds_come_with_the_smile_from_the_targets_picture_alone():
    smiling, calm = face(0.8), face(0.0)
    plain = picture(calm, folded=0)
    wanted = picture(smiling, folded=1)
    assert abs(depth(drawn(plain, calm, smiling), smiling)) < 0.02
    assert depth(drawn(plain, calm, smiling, wanted), smiling) > 0.08
    assert abs(depth(drawn(plain, calm, calm, picture(calm, folded=1)), calm)) < 0.02


def test_a_moustache_is_no_crease():
    smiling, calm = face(0.8), face(0.0)
    pixels = picture(smiling, folded=1, moustache=True)
    image = drawn(pixels, smiling, calm)
    x, y = calm[[92, 322], :2].round().long().unbind(1)
    assert image[0].mean(0)[y, x].mean() < 0.3


@pytest.mark.parametrize("hair", ["moustache", "beard"])
def test_no_crease_comes_from_a_face_with_hair_there(hair):
    smiling, calm = face(0.8), face(0.0)
    plain, wanted = picture(calm, folded=0), picture(smiling, folded=1, **{hair: True})
    assert torch.equal(drawn(plain, calm, smiling, wanted), drawn(plain, calm, smiling))


def test_hair_of_a_chin_is_no_crease():
    smiling, calm = face(0.8), face(0.0)
    view = prepare(picture(smiling, folded=1, beard=True), smiling, MODEL)
    share = unfolded(view, place(MODEL.mean, calm[None]), MODEL)[0, :, 0]
    assert share[216] > 0.9
    assert share[[202, 212, 422, 432]].abs().max() == 0


@pytest.mark.parametrize("smiles", [(0.8, 0.0), (0.0, 0.8)])
def test_noses_and_lips_are_no_creases(smiles):
    share = moved(*map(face, smiles)).abs()
    assert share[[206, 216, 426, 436]].min() > 0.9
    assert share[[*NOSE, *LIPS_INNER, *LIPS_OUTER, 79, 166, 309, 392]].max() < 1e-3


def test_a_smile_of_one_side_moves_no_crease():
    assert moved(face(0.8, sides="L"), face()).abs().max() == 0
    assert moved(face(), face(0.8, sides="R")).abs().max() == 0


def test_a_slight_smile_moves_no_crease():
    assert moved(face(), face(0.14)).abs().max() == 0


def deep(color):
    """Skin with a deep fold down the middle, and where all of it is a crease."""
    image = torch.tensor([0.8, 0.55, 0.45])[None, :, None, None].repeat(1, 1, 64, 64)
    image[..., 30:33] = torch.tensor(color)[:, None, None]
    return image, torch.ones(1, 1, 64, 64)


def test_what_is_lightened_gets_the_colour_of_the_skin_around():
    image, share = deep((0.2, 0.04, 0.03))
    red = (creased(image, share, 60.0) / image)[..., 31].mean(2)[0]
    assert 1.2 < red[0] < 2  # and hardly more than light is: a bright red line else
    assert red[1] > 1.3 * red[0]


def test_creases_change_within_bounds_and_keep_their_shape():
    image, share = deep((0.02, 0.02, 0.02))
    plain = torch.full_like(image, 0.5)
    come = creased(plain, -share, 60.0, deep((0.2, 0.04, 0.03))[0])
    assert 0.5 * 0.7 < come.min() < 0.5 * 0.9
    assert torch.allclose(come[:, :1], come[:, 1:], atol=1e-3)  # light alone
    image[..., 30], image[..., 32] = 0.25, 0.25
    gain = (creased(image, share, 60.0) / image).mean(1)[0, 32]
    assert gain.max() < 2
    assert gain[31] > 1.1 * gain[30] > 1.1  # as its flank is less deep, it is lightened less

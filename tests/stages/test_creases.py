"""Creases of a smile go and come with it, and nothing else does."""

import numpy as np
import pytest
import torch

from fsgan_core.ops.expressions import readings
from fsgan_core.stages.pose import load_face_model
from fsgan_core.stages.reenactment import FlowOptions, FlowReenactor
from fsgan_core.stages.views import prepare

SIZE = 256
MODEL = load_face_model()
FOLD = (203, 206, 216)
DRAW = FlowReenactor(MODEL, FlowOptions(refine=False))


def face(smile=0.0):
    shape = MODEL.mean.clone()
    for name in ("mouthSmile_L", "mouthSmile_R"):
        shape = shape + smile * MODEL.expression[MODEL.names.index(name)]
    return shape * (0.4 * SIZE) + torch.tensor([SIZE / 2, SIZE / 2, 0.0])


def picture(landmarks, folded, moustache=False):
    """Skin, with the folds of a smile where they are asked for."""
    rows, columns = np.indices((SIZE, SIZE)) + 0.5
    away = np.full((SIZE, SIZE), np.inf)
    for fold in (FOLD, MODEL.mirror[list(FOLD)].tolist()):
        for first, second in zip(fold, fold[1:], strict=False):
            for part in np.linspace(0, 1, 12):
                x, y, _ = torch.lerp(landmarks[first], landmarks[second], float(part)).tolist()
                away = np.minimum(away, np.hypot(columns - x, rows - y))
    light = 170 - 80 * np.exp(-((away / 3) ** 2)) * folded
    if moustache:
        light[(away > 6) & (np.abs(columns - SIZE / 2) < 36) & (np.abs(rows - landmarks[164, 1].item()) < 9)] = 60
    return np.repeat(light[..., None], 3, 2).clip(0, 255).astype(np.uint8)


def depth(image, landmarks):
    """How much darker a face is in its folds than beside them."""
    x, y = landmarks[[*FOLD[:2], 205, 425], :2].round().long().unbind(1)
    light = image[0].mean(0)[y, x]
    return (light[2:].mean() - light[:2].mean()).item()


def drawn(pixels, source, target, wanted=None):
    view = prepare(pixels, source, MODEL)
    wanted = None if wanted is None else torch.from_numpy(wanted).permute(2, 0, 1)[None] / 255
    return DRAW([view], [1.0], target[None], SIZE, picture=wanted).image


@pytest.mark.parametrize("amount", [0.0, 0.4, 0.8])
def test_a_smile_is_read_off_a_face_whoever_it_is(amount):
    shape = (face(amount) - face(0.0)) / (0.4 * SIZE) + MODEL.mean + 1.5 * MODEL.identity[0] - MODEL.identity[3]
    found = readings(shape[None], ("mouthSmile_R", "mouthSmile_L"), MODEL)
    assert found[0].tolist() == pytest.approx([amount, amount], abs=0.15)


def test_folds_go_with_the_smile():
    smiling, calm = face(0.8), face(0.0)
    pixels = picture(smiling, folded=1)
    before = depth(drawn(pixels, smiling, smiling), smiling)
    assert before > 0.2
    assert abs(depth(drawn(pixels, smiling, calm), calm)) < 0.25 * before


def test_folds_stay_where_the_smile_does():
    smiling = face(0.8)
    pixels = picture(smiling, folded=1)
    itself = torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255
    assert depth(drawn(pixels, smiling, smiling), smiling) == pytest.approx(depth(itself, smiling), rel=0.02)


def test_folds_come_with_the_smile_from_the_targets_picture_alone():
    smiling, calm = face(0.8), face(0.0)
    plain = picture(calm, folded=0)
    wanted = picture(smiling, folded=1)
    assert abs(depth(drawn(plain, calm, smiling), smiling)) < 0.02
    assert depth(drawn(plain, calm, smiling, wanted), smiling) > 0.15
    assert abs(depth(drawn(plain, calm, calm, picture(calm, folded=1)), calm)) < 0.02


def test_a_moustache_is_no_crease():
    smiling, calm = face(0.8), face(0.0)
    pixels = picture(smiling, folded=1, moustache=True)
    image = drawn(pixels, smiling, calm)
    x, y = calm[[92, 322], :2].round().long().unbind(1)
    assert image[0].mean(0)[y, x].mean() < 0.3

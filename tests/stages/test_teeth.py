"""A drawn mouth has single teeth that stay with the skull, and gets dark towards its corners and its depth."""

import torch

from fsgan_core.stages.mouth import plain_mouth
from fsgan_core.stages.pose import load_face_model

SIZE = 512
MODEL = load_face_model()
UNIT = 0.4 * SIZE


def face(**expressions):
    shape = MODEL.mean.clone()
    for name, amount in expressions.items():
        for index, found in enumerate(MODEL.names):
            if found in (name, f"{name}_L", f"{name}_R"):
                shape = shape + amount * MODEL.expression[index]
    return shape * UNIT + torch.tensor([SIZE / 2, SIZE / 2, 0.0])


def light(landmarks):
    return plain_mouth(torch.full((1, 3, SIZE, SIZE), 0.5), landmarks[None], MODEL)[0].mean(0)


def row_of_teeth(landmarks):
    """Light from the middle of a smile to its left, along a row under the upper lip."""
    lip, middle = landmarks[13, 1].item(), SIZE // 2
    return light(landmarks)[int(lip + 0.03 * UNIT), middle : middle + int(0.22 * UNIT)]


def test_there_are_gaps_between_single_teeth():
    row = row_of_teeth(face(mouthSmile=0.8, jawOpen=0.25))
    dips = [x for x in range(3, len(row) - 3) if row[x] < row[x - 3] - 0.03 and row[x] <= row[x + 3] - 0.03]
    assert any(abs(x - 0.093 * UNIT) < 4 for x in dips)
    assert any(abs(x - 0.158 * UNIT) < 4 for x in dips)


def test_teeth_get_darker_towards_the_corners():
    row = row_of_teeth(face(mouthSmile=0.8, jawOpen=0.25))
    assert row[int(0.165 * UNIT) : int(0.195 * UNIT)].max() < 0.9 * row[: int(0.08 * UNIT)].max()


def lowest_bright(landmarks):
    """Where the upper teeth end in the middle of the mouth."""
    column = light(landmarks)[:, SIZE // 2 + 8]
    top = int(landmarks[13, 1]) + 2
    return top + int((column[top : top + int(0.15 * UNIT)] > 0.4).nonzero().amax())


def test_lips_slide_over_teeth_that_stay_with_the_skull():
    calm, shown = face(jawOpen=0.5, mouthUpperUp=0.3), face(jawOpen=0.5, mouthUpperUp=0.9)
    lifted = (calm[13, 1] - shown[13, 1]).item()
    nose = (calm[2, 1] - shown[2, 1]).item()
    assert lifted > 0.04 * UNIT
    assert abs(lowest_bright(calm) - lowest_bright(shown) - nose) < 0.3 * (lifted - nose)


def test_a_wide_mouth_shows_a_tongue_on_its_floor_and_darkness_above():
    wide = face(jawOpen=0.8)
    column = light(wide)[:, SIZE // 2 + 20]
    top, bottom = int(wide[13, 1]), int(wide[14, 1]) - 12
    assert column[top + (bottom - top) // 4] < 0.1 < 0.2 < column[top + int(0.8 * (bottom - top))]

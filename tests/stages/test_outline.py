"""The far outline of a turned nose: what it hides is not seen beside it."""

import cv2
import numpy as np
import pytest
import torch

from fsgan_core.ops.geometry import rotation_matrix
from fsgan_core.ops.head_mesh import place
from fsgan_core.stages.pose import load_face_model
from fsgan_core.stages.reenactment import FlowOptions, FlowReenactor
from fsgan_core.stages.views import prepare
from fsgan_core.stages.warping import warp

MODEL = load_face_model()
SIZE, FIELD = 256, 64
CREASES = {-1: (126, 209, 129), 1: (355, 429, 358)}
"""Where a nose meets the cheek, on the picture's left and right."""
WINGS = {-1: 49, 1: 279}


def face(yaw=0.0, size=SIZE):
    turned = MODEL.mean @ rotation_matrix(torch.tensor([[yaw, 0.0, 0.0]]))[0].T
    return turned * (0.36 * size) + torch.tensor([size / 2, size / 2, 0.0])


def creased():
    """A grey face with a dark line along both sides of its nose."""
    picture = np.full((SIZE, SIZE, 3), 150, np.uint8)
    for crease in CREASES.values():
        cv2.polylines(picture, [face()[list(crease), :2].round().int().numpy()], False, (10, 10, 10), 4)
    return prepare(picture, face(), MODEL)


def darkest(image, yaw, side):
    """The darkest pixel of a drawn face around a crease."""
    points = face(yaw)[list(CREASES[side]), :2]
    (left, top), (right, bottom) = (points.amin(0) - 8).long().tolist(), (points.amax(0) + 8).long().tolist()
    return float(image[..., top:bottom, left:right].min())


@pytest.mark.parametrize("side", [-1, 1])
def test_a_crease_that_a_nose_hides_is_not_drawn_beside_it(side):
    drawn = FlowReenactor(MODEL, FlowOptions(refine=False))([creased()], [1.0], face(side * 30.0)[None], SIZE)
    assert darkest(drawn.image, side * 30.0, -side) < 0.2
    assert darkest(drawn.image, side * 30.0, side) > 0.3


@pytest.mark.parametrize("side", [-1, 1])
def test_a_far_wing_that_is_still_seen_is_drawn(side):
    picture = np.full((SIZE, SIZE, 3), 150, np.uint8)
    cv2.circle(picture, face()[WINGS[side], :2].round().int().tolist(), 3, (10, 10, 10), -1)
    spotted, yaw = prepare(picture, face(), MODEL), side * 20.0
    drawn = FlowReenactor(MODEL, FlowOptions(refine=False))([spotted], [1.0], face(yaw)[None], SIZE).image
    x, y = face(yaw)[WINGS[side], :2].long().tolist()
    assert drawn[..., y - 5 : y + 6, x - 5 : x + 6].min() < 0.2


def outline(yaw):
    target = place(MODEL.mean, face(yaw, FIELD)[None])
    return warp(creased(), target, (FIELD, SIZE), MODEL, None).outline


def test_a_field_is_torn_on_the_far_side_alone_and_not_at_a_small_turn():
    share, x = outline(30.0).share, int(face(30.0, FIELD)[4, 0])
    assert share.max() > 0.9 and share[..., x:].max() > 0.9
    assert share[..., : x - 4].max() < 0.05
    assert outline(6.0) is None and outline(9.0).share.max() < 0.1


@pytest.mark.parametrize("yaw", [-40.0, 30.0, 45.0])
def test_a_nose_goes_on_beyond_its_outline_as_far_as_it_is_drawn_there(yaw):
    torn = outline(yaw)
    for dim in (2, 3):
        jump = torn.nose.diff(dim=dim).norm(dim=1, keepdim=True)
        drawn = (torn.share > 0.02).to(jump.dtype).unfold(dim, 2, 1).amin(-1)
        assert (jump * drawn).max() < 3 * SIZE / FIELD

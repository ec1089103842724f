"""Which glasses of a source are kept over its face."""

import torch

from fsgan_core.ops.flow import identity
from fsgan_core.ops.landmarks import LEFT_EYE
from fsgan_core.stages.eyewear import Eyewear
from fsgan_core.stages.lenses import LensTracer
from fsgan_core.stages.pose import load_face_model

MODEL = load_face_model()
SIZE = 160
POINTS = (MODEL.mean * (0.4 * SIZE) + torch.tensor([SIZE / 2, SIZE / 2, 0.0]))[None]
FACE = torch.ones(1, 1, SIZE, SIZE)
PICTURE = torch.full((1, 3, SIZE, SIZE), 0.6)
EYEWEAR = Eyewear.of(MODEL, POINTS)


def lenses(belief=1.0):
    found = LensTracer(MODEL)(1 - FACE, PICTURE, POINTS)
    return type(found)(torch.ones_like(found.radius), torch.full_like(found.belief, belief), found.centre, found.axes)


RIM, WITHIN = lenses().drawn(identity(SIZE, SIZE, FACE))


def stays(colour, face=FACE, belief=1.0):
    """With rims of a colour, which came off without a trace."""
    return EYEWEAR.stays(torch.lerp(PICTURE, torch.full_like(PICTURE, colour), RIM), PICTURE, face, lenses(belief))


def test_frames_come_off_unless_they_hide_much():
    assert not stays(0.5)
    assert stays(0.0)
    assert not stays(0.0, belief=0.1)


def test_dark_lenses_stay_but_nothing_that_hides_one_side():
    assert stays(0.6, 1 - WITHIN.amax(1, keepdim=True))
    assert not stays(0.6, 1 - WITHIN[:, :1])


def test_dark_lenses_need_no_rims():
    lens = 1 - WITHIN.amax(1, keepdim=True)
    assert stays(0.6, lens, belief=0.0) and EYEWEAR.dark(lens)
    assert not EYEWEAR.dark(1 - WITHIN[:, :1]) and not EYEWEAR.dark(FACE)


def test_eyes_and_all_around_them_are_known():
    size = (SIZE, SIZE)
    eyes, around = EYEWEAR.openings(size), EYEWEAR.around(size)
    x, y = POINTS[0, list(LEFT_EYE), :2].long().T
    assert (eyes[0, 0, y, x] > 0.5).all() and (around[0, 0, y, x] > 0.99).all()
    assert eyes.mean() < 0.02 and (around[(RIM > 0.5) & (around > 0)] > 0.3).float().mean() > 0.95
    assert around[..., int(POINTS[0, 13, 1]), :].amax() == 0

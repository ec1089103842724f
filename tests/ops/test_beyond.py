import math

import torch

from fsgan_core.ops.beyond import continued
from fsgan_core.ops.flow import identity

LIKE = torch.zeros(1)
FLOW = identity(128, 128, LIKE) - 32
"""A result whose middle half is a picture of 64 pixels."""


def ring(x, y, radius):
    turn = torch.arange(36) * (math.tau / 36)
    return torch.stack((x + radius * turn.cos(), y + radius * turn.sin()), 1)[None]


SMALL = ring(64.0, 64.0, 10.0)


def test_beyond_the_border_a_picture_goes_on_without_a_seam_a_streak_or_a_mirror():
    stripes = torch.zeros(1, 3, 64, 64)
    stripes[..., ::8] = 1  # columns that a repeated border would draw out
    stripes[..., 1::8] = 1
    image = continued(stripes, FLOW, SMALL)
    torch.testing.assert_close(image[..., 34:94, 34:94], stripes[..., 2:62, 2:62], atol=0.01, rtol=0)
    assert (image[..., 31, 40:88] - image[..., 32, 40:88]).abs().max() < 0.3
    assert image[..., 10, 40:88].std() < 0.1 * stripes.std()  # neither streaks nor a mirrored picture
    assert 0.1 < image.min(dim=1).values[..., :16, :].mean() < 0.4  # the mean of what is near, not darkness
    flat = torch.full((1, 3, 64, 64), 0.7)
    torch.testing.assert_close(continued(flat, FLOW, SMALL), torch.full((1, 3, 128, 128), 0.7))


def test_what_is_at_a_side_goes_on_there():
    shades = torch.linspace(0, 1, 64).expand(1, 3, 64, 64)
    image = continued(shades, FLOW, SMALL)
    assert image[..., 64, 4].max() < 0.15 and image[..., 64, 123].min() > 0.85


def test_a_head_that_the_border_cuts_ends_at_its_contour():
    picture = torch.ones(1, 3, 64, 64)
    x, y = identity(64, 64, LIKE)[0]
    picture[..., (x - 32) ** 2 + (y - 8) ** 2 < 20**2] = 0.1
    image = continued(picture, FLOW, ring(64.0, 40.0, 20.0))[0, 0]  # the contour's top is 12 pixels above the border
    assert image[27, 64] < 0.3
    assert image[10, 64] > 0.8 and image[2].min() > 0.8


def test_a_picture_that_is_whole_is_only_looked_up():
    picture = torch.rand(1, 3, 64, 64)
    torch.testing.assert_close(continued(picture, identity(64, 64, LIKE), SMALL), picture, atol=1e-5, rtol=0)

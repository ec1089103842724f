"""The bundled segmentation network on a public-domain portrait."""

import numpy as np
import pytest
import torch

from fsgan_core.stages.open_landmarks import load_open_landmarker
from fsgan_core.stages.open_segmentation import FACE, HAIR, OpenSegmenter, mesh_prior
from fsgan_core.stages.pose import load_face_model
from fsgan_core.stages.segmentation import MeshSegmenter

MODEL = load_face_model()
SEGMENT = OpenSegmenter(MODEL)


@pytest.fixture(scope="module")
def portrait(face):
    """Image ``(1, 3, 256, 256)`` and its landmarks ``(1, 478, 3)``."""
    (found,) = load_open_landmarker("cpu")([face], [np.array([[80, 70, 170, 190]], np.float32)])
    image = torch.from_numpy(face).permute(2, 0, 1)[None].float() / 255
    return image, torch.from_numpy(found.points[:1])


def overlap(one, other):
    one, other = one > 0.5, other > 0.5
    return ((one & other).sum() / (one | other).sum()).item()


def at(mask, points, number):
    x, y = points[0, number, :2].long().tolist()
    return mask[0, 0, y, x].item()


def test_the_face_is_found(portrait):
    image, points = portrait
    mask = SEGMENT(image, points)
    assert mask.shape == (1, 1, 256, 256) and mask.min() == 0 and mask.max() == 1
    assert overlap(mask, MeshSegmenter(MODEL, forehead=1.0)(image, points)) > 0.8
    for number in (1, 50, 280, 17, 9):  # nose, cheeks, lip, between the brows
        assert at(mask, points, number) > 0.9
    assert (mask[..., :20] == 0).all() and (mask[..., -20:] == 0).all()


def test_what_is_in_front_of_the_face_is_left_out(portrait):
    image, points = portrait
    bare, covered = SEGMENT(image, points), image.clone()
    x, y = points[0, 13, :2].long().tolist()
    cloth = torch.tensor((0.1, 0.25, 0.6))[:, None, None]
    covered[..., y - 12 :, x - 70 : x + 70] = cloth
    mask = SEGMENT(covered, points)
    assert at(bare, points, 17) > 0.9 and at(mask, points, 17) < 0.3
    assert at(mask, points, 9) > 0.9 and at(mask, points, 6) > 0.9


def test_the_crop_does_not_matter(portrait):
    image, points = portrait
    whole = SEGMENT(image, points)
    shift = torch.tensor([30.0, 24.0, 0.0])
    part = SEGMENT(image[..., 24:, 30:], points - shift)
    assert (whole[..., 24:, 30:] - part).abs().mean() < 0.005
    double = torch.nn.functional.interpolate(image, scale_factor=2.0, mode="bilinear")
    assert overlap(torch.nn.functional.avg_pool2d(SEGMENT(double, points * 2), 2), whole) > 0.97


def test_the_crop_may_be_turned(portrait):
    image, points = portrait
    turned = torch.rot90(image, 1, (2, 3))
    moved = torch.stack((points[..., 1], 256 - points[..., 0], points[..., 2]), -1)
    assert overlap(torch.rot90(SEGMENT(turned, moved), -1, (2, 3)), SEGMENT(image, points)) > 0.95


def test_items_do_not_influence_each_other(portrait):
    image, points = portrait
    both = SEGMENT(torch.cat((image, image.flip(2))), points.expand(2, -1, -1))
    assert (both[:1] - SEGMENT(image, points)).abs().max() < 1e-4


def test_the_shares_add_up(portrait):
    image, points = portrait
    shares = SEGMENT.shares(image, points)
    assert shares.shape == (1, 3, 256, 256)
    middle = shares[..., 100:150, 100:150]
    assert torch.allclose(middle.sum(1), torch.tensor(1.0), atol=1e-4)
    x, y = points[0, 10, :2].long().tolist()
    above = shares[0, :, max(0, y - 26) : y - 12, x - 15 : x + 15].mean((1, 2))
    assert above[HAIR] > above[FACE]


def test_the_mesh_is_drawn_with_places_on_the_mean_face(portrait):
    _, points = portrait
    prior = mesh_prior(points, MODEL, 256)
    for number in (1, 50, 280):
        x, y = points[0, number, :2].long().tolist()
        assert prior[0, 0, y, x] == 1
        assert (prior[0, 1:, y, x] - MODEL.mean[number, :2]).abs().max() < 0.05
    assert (prior[0, :, 0] == 0).all()

"""The bundled completion network on a public-domain portrait with parts of the face cut away."""

import numpy as np
import pytest
import torch

from fsgan_core.stages.completion import SmoothCompleter
from fsgan_core.stages.open_completion import OpenCompleter, framed, unframed
from fsgan_core.stages.open_landmarks import load_open_landmarker
from fsgan_core.stages.pose import load_face_model
from fsgan_core.stages.segmentation import MeshSegmenter

COMPLETE = OpenCompleter()


@pytest.fixture(scope="module")
def half(face):
    """Image, its mask, and the confidence of a face whose right half nothing shows."""
    (found,) = load_open_landmarker("cpu")([face], [np.array([[80, 70, 170, 190]], np.float32)])
    image = torch.from_numpy(face).permute(2, 0, 1)[None].float() / 255
    points = torch.from_numpy(found.points[:1])
    mask = MeshSegmenter(load_face_model(), forehead=1.0)(image, points)
    confidence = torch.ones_like(mask)
    confidence[..., int(points[0, 4, 0]) + 4 :] = 0
    return image, confidence, mask


def test_a_hidden_half_is_drawn_more_like_the_face_than_a_smooth_fill(half):
    image, confidence, mask = half
    known = image * mask * confidence
    hole = mask * (1 - confidence)

    def gap(found):
        return float(((found - image).abs() * hole).sum() / hole.sum())

    assert gap(COMPLETE(known, confidence, mask)) < 0.75 * gap(SmoothCompleter()(known, confidence, mask))


def test_what_is_known_or_not_wanted_stays(half):
    image, confidence, mask = half
    filled = COMPLETE(image, confidence, mask)
    assert filled.min() >= 0 and filled.max() <= 1
    kept = (confidence == 1) | (mask == 0)
    assert torch.equal(torch.where(kept, filled, 0), torch.where(kept, image, 0))
    assert torch.equal(COMPLETE(image, torch.full_like(confidence, 0.4), mask), image)
    assert torch.equal(COMPLETE(image, 0 * confidence, 0 * mask), image)


def test_what_lies_in_the_hole_or_beyond_the_face_plays_no_part(half):
    image, confidence, mask = half
    noisy = torch.where((confidence > 0) & (mask > 0), image, torch.rand_like(image))
    hole = (mask * (1 - confidence)) == 1
    gap = (COMPLETE(image, confidence, mask) - COMPLETE(noisy, confidence, mask)).abs() * hole
    assert gap.max() < 0.03 and gap.mean() < 0.002


def test_items_do_not_influence_each_other(half):
    image, confidence, mask = half
    both = COMPLETE(*(torch.cat((part, part.flip(3))) for part in (image, confidence, mask)))
    assert (both[:1] - COMPLETE(image, confidence, mask)).abs().max() < 1e-4


def test_boxes_are_framed_and_come_back():
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    image = torch.stack((x, y, x * 0))[None] / 64
    boxes = torch.tensor([[10.0, 20.0, 50.0, 44.0]])
    inside = framed(image, boxes, 32)
    assert 64 * inside[0, 0, 5, 0] == pytest.approx(10.1, abs=0.6) and 64 * inside[0, 1, 31, 5] == pytest.approx(
        43.1, abs=0.6
    )
    back = unframed(inside, boxes, 64)
    assert (back - image)[..., 24:40, 14:46].abs().max() < 0.02

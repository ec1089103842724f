"""What covers a source's face, and what is drawn behind it."""

import numpy as np
import torch

from fsgan_core.demo import HOPPER
from fsgan_core.models import Models
from fsgan_core.pipeline import analyze
from fsgan_core.stages.pose import load_face_model
from fsgan_core.stages.segmentation import MeshSegmenter
from fsgan_core.stages.shown import shown
from fsgan_core.streams import Still

MODEL = load_face_model()
SIZE = 240
LANDMARKS = (MODEL.mean * (0.36 * SIZE) + torch.tensor([SIZE / 2, SIZE / 2, 0.0]))[None]
SKIN, HAIR = torch.tensor([0.8, 0.6, 0.5])[:, None, None], torch.tensor([0.1, 0.08, 0.05])[:, None, None]
BROW, NOSE, TOP, CHEEK = 105, 4, 10, 234


class Dark:
    """Whatever is dark is not the face's."""

    occluders = True

    def __call__(self, images, landmarks):
        return MeshSegmenter(MODEL, 1.0)(images, landmarks) * (images.mean(1, keepdim=True) > 0.3)


def covered(rows=slice(0, SIZE), columns=slice(0, SIZE)):
    picture = SKIN.expand(3, SIZE, SIZE)[None].clone()
    picture[..., rows, columns] = HAIR
    return picture


def at(values, number, down=0.0, right=0.0):
    x, y = LANDMARKS[0, number, :2].tolist()
    return values[0, :, int(y + down), int(x + right)]


def test_skin_goes_on_behind_hair_and_does_not_count():
    side = int(LANDMARKS[0, CHEEK, 0]) + 16
    image, found = shown(covered(columns=slice(0, side)), LANDMARKS, Dark(), MODEL)
    assert (at(image, CHEEK, right=3) - SKIN[:, 0, 0]).abs().max() < 0.02
    assert torch.equal(image[..., :4], HAIR.expand(1, 3, SIZE, SIZE)[..., :4])
    places = LANDMARKS[:, [CHEEK, NOSE], :2].mT[..., None] + torch.tensor([[5.0], [0.0]])[None, ..., None]
    left, middle = found.at(places)[0, 0, :, 0].tolist()
    assert left < 0.2 and middle == 1


def test_brows_are_not_spread_over_the_skin():
    row = int(LANDMARKS[0, BROW, 1])
    picture = covered(rows=slice(0, row - 12))
    brow = slice(row - 4, int(LANDMARKS[0, 52, 1]) + 1)
    picture[..., brow, :] *= 0.55
    image, _ = shown(picture, LANDMARKS, Dark(), MODEL)
    assert at(image, BROW, down=-22)[0] > 0.7


def test_of_a_forehead_that_is_mostly_covered_nothing_counts():
    top, brow = int(LANDMARKS[0, TOP, 1]), int(LANDMARKS[0, BROW, 1])
    left = torch.tensor([SIZE / 2, brow - 6.0])[None, :, None, None]
    for share, least, most in ((0.1, 0.95, 1), (0.75, 0, 0.05)):
        rows = slice(0, int(top + share * (brow - 6 - top)))
        _, found = shown(covered(rows=rows), LANDMARKS, Dark(), MODEL)
        assert least <= float(found.at(left)) <= most
        assert float(found.at(LANDMARKS[:, NOSE, :2][..., None, None])) == 1


def test_a_bare_face_is_left_as_it_is():
    picture = torch.rand(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(2)) * 0.3 + 0.5
    image, _ = shown(picture, LANDMARKS, Dark(), MODEL)
    low, high = LANDMARKS[0, :, :2].amin(0), LANDMARKS[0, :, :2].amax(0)
    (left, top), (right, bottom) = (low + 0.2 * (high - low)).long(), (high - 0.2 * (high - low)).long()
    assert torch.equal(image[..., top:bottom, left:right], picture[..., top:bottom, left:right])


def test_glasses_that_the_border_cuts_are_mirrored():
    models, picture = Models.load(), HOPPER.read().frame
    points = analyze(Still(picture), models).faces[0].landmarks[0]
    border = int(points[4, 0] + 0.05 * np.ptp(points[:, 0]))
    half = torch.from_numpy(picture[:, :border]).permute(2, 0, 1)[None] / 255
    _, found = shown(half, torch.from_numpy(points)[None], models.segmentation, models.face_model)
    assert found.glasses is not None
    opacity = found.glasses.layer[:, 3]
    assert (opacity - opacity.flip(2)).abs()[..., 300:].mean() < 0.03 and opacity.mean() < 0.2

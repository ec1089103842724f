"""Shadows around the nose of a face that looks up are no glasses, and glasses stay glasses."""

import os
from pathlib import Path

import pytest
import torch

from fsgan_core.media import read_image
from fsgan_core.models import Models
from fsgan_core.ops.thin import bridged
from fsgan_core.pipeline import analyze
from fsgan_core.stages.open_segmentation import mesh_prior
from fsgan_core.stages.pose import load_face_model
from fsgan_core.stages.upturned import without_shadows
from fsgan_core.streams import Still
from fsgan_core.swapping import Aim, cropped

MEDIA = Path(os.environ.get("FSGAN_MEDIA", Path(__file__).parents[3] / "shared" / "media"))
MODEL = load_face_model()
SIZE = 192
POINTS = MODEL.mean * 78 + torch.tensor([SIZE / 2, SIZE / 2 - 10, 0.0])
PRIOR = mesh_prior(POINTS[None], MODEL, SIZE)
EYES = int(POINTS[[33, 263], 1].mean())
NOSE = slice(EYES + 14, EYES + 20)
UP, AHEAD = torch.tensor([42.0]), torch.tensor([15.0])


def shadow():
    """A line across the nose."""
    hidden = torch.zeros(1, 1, SIZE, SIZE)
    hidden[..., NOSE, 80:112] = 0.9
    return hidden


def test_a_shadow_across_the_nose_is_taken_off_a_face_that_looks_up():
    assert without_shadows(shadow(), PRIOR, UP).max() < 0.05
    same = shadow()
    assert without_shadows(same, PRIOR, AHEAD) is same


def test_glasses_that_are_plainly_worn_stay():
    worn = shadow()
    worn[..., EYES - 14 : EYES - 4, 50:142] = 0.9
    worn[..., EYES + 4 : EYES + 14, 50:142] = 0.9
    assert torch.equal(without_shadows(worn, PRIOR, UP), worn)


@pytest.mark.parametrize(
    "place", [(slice(EYES + 10, EYES + 50), slice(60, 120)), (slice(EYES + 70, None), slice(96, 99))]
)
def test_hands_and_what_lies_elsewhere_stay(place):
    hidden = torch.zeros(1, 1, SIZE, SIZE)
    hidden[..., place[0], place[1]] = 1
    assert (without_shadows(hidden, PRIOR, UP)[..., place[0], place[1]] > 0.99).all()


def test_items_do_not_influence_each_other():
    both = without_shadows(shadow().repeat(2, 1, 1, 1), PRIOR.repeat(2, 1, 1, 1), torch.cat((UP, AHEAD)))
    assert both[0].max() < 0.05 and torch.equal(both[1:], shadow())


@pytest.mark.skipif(not MEDIA.is_dir(), reason="needs the test media (FSGAN_MEDIA)")
def test_the_mask_of_a_portrait_from_below_has_no_lines_in_it():
    models, image = Models.load(), read_image(MEDIA / "portraits" / "man_tilted_up_mouth_open.jpg")
    (face,) = analyze(Still(image.frame), models).faces
    crop = cropped(Aim(image.frame, face.landmarks[0], face.poses[0]), models, 1.6)
    mask = models.segmentation(crop.target, crop.points)
    assert face.poses[0, 1] > 35 and (bridged(mask) - mask).sum() < 0.02 * mask.sum()  # 0.043 with them

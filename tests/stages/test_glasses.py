"""Frames of glasses: believed as a whole where they are seen in part, and nowhere else."""

import numpy as np
import pytest
import torch

from fsgan_core.models import Models
from fsgan_core.pipeline import analyze
from fsgan_core.stages.glasses import kept_whole, worn
from fsgan_core.stages.open_segmentation import mesh_prior
from fsgan_core.stages.pose import load_face_model
from fsgan_core.streams import Still
from fsgan_core.training.crop_occluders import Props, draw
from fsgan_core.training.occluder_drawings import face_place

MODEL = load_face_model()
SIZE = 192
POINTS = MODEL.mean * 78 + torch.tensor([SIZE / 2, SIZE / 2 - 10, 0.0])
PRIOR = mesh_prior(POINTS[None], MODEL, SIZE)
EYES = int(POINTS[[33, 263], 1].mean())
RIM = slice(EYES + 12, EYES + 14)


def answer(bridge=0.9, rim=0.3):
    """A bridge that is surely seen, a rim that is hardly, from it to below one eye, and an iris."""
    hidden = torch.zeros(1, 1, SIZE, SIZE)
    hidden[..., EYES - 2 : EYES + 4, 70:122] = bridge
    hidden[..., EYES + 4 : RIM.stop, 119:121] = rim
    hidden[..., RIM, 119:150] = rim
    hidden[..., EYES : EYES + 3, 137:140] = rim
    return hidden


def test_a_rim_that_is_hardly_seen_is_kept_with_its_bridge():
    found = kept_whole(answer(), PRIOR)
    assert worn(answer(), PRIOR) > 0.9
    assert (found[..., RIM, 122:138] > 0.8).all()
    assert not found[..., EYES - 4 : EYES + 6, 134:144].any()
    assert not found[..., RIM.stop + 8 :, :].any()


def test_without_glasses_nothing_changes():
    bare = answer(bridge=0.2)
    assert kept_whole(bare, PRIOR) is bare
    low = torch.zeros(1, 1, SIZE, SIZE)
    low[..., EYES + 60 : EYES + 90, :] = 1  # a hand at the mouth is none
    assert kept_whole(low, PRIOR) is low


def test_items_do_not_influence_each_other():
    both = torch.cat((answer(), answer(bridge=0.2)))
    found = kept_whole(both, PRIOR.expand(2, -1, -1, -1))
    assert torch.equal(found[1], both[1]) and torch.equal(found[:1], kept_whole(answer(), PRIOR))


@pytest.fixture(scope="module")
def seen(face):
    """The stages, a bare face and its landmarks ``(1, 478, 3)``."""
    models = Models.load()
    return models, face, torch.from_numpy(analyze(Still(face), models).faces[0].landmarks[:1])


def share_hidden(seen, picture):
    models, _, points = seen
    image = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None].float() / 255
    return 1 - models.segmentation(image, points)[0, 0].numpy()


def test_drawn_glasses_are_found_and_a_bare_face_has_none(seen):
    _, face, points = seen
    place, found = face_place(face, points[0, :, :2].numpy()), []
    eyes = slice(*(int(points[0, k, 1]) for k in (105, 4)))
    bare = share_hidden(seen, face)
    oval = np.zeros(bare.shape, bool)
    oval[eyes, int(points[0, 33, 0]) : int(points[0, 263, 0])] = True
    assert bare[oval].mean() < 0.01
    for seed in range(8):
        layer = draw(np.random.default_rng(seed), place, Props(), "glasses")
        worn_face = face + (layer.color.clip(0, 255) - face) * layer.alpha[..., None]
        frame = (layer.hidden > 0.5) & oval
        found.append(share_hidden(seen, worn_face.round().astype(np.uint8))[frame].mean())
    assert np.median(found) > 0.7

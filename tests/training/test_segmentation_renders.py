"""Drawn heads as samples of the segmentation network."""

import numpy as np
import pytest
import torch

from fsgan_core.training.crop_occluders import Props
from fsgan_core.training.face_labels import FACE, REST, UNKNOWN
from fsgan_core.training.pairs import Engine
from fsgan_core.training.segmentation_renders import below_the_brows, rendered
from fsgan_core.training.segmentation_samples import SIDE, SampleOptions, Samples


@pytest.fixture(scope="module")
def drawn(rig, model, heads):
    return rendered(Engine(rig, model, heads, Props()), 3)


def test_heads_come_with_labels_where_their_landmarks_are(drawn):
    assert len(drawn) == 3
    for one in drawn:
        assert one.image.shape == (SIDE, SIDE, 3) and one.image.dtype == np.uint8
        cheek = one.points[[50, 280, 4]].astype(int)
        assert (one.labels[cheek[:, 1], cheek[:, 0]] == FACE).mean() > 0.5
        assert (one.labels[:4] != FACE).all() and (one.prior[..., 0] > 128).any()


def test_they_make_samples(drawn):
    sample = Samples(drawn, Props(), SampleOptions(size=64, covered=0))[0]
    assert sample["image"].shape == (64, 64, 3)
    assert (sample["face"] > 127).any() and (sample["known"] == 0).any()


def test_what_lies_above_the_brows_is_unknown_along_the_face():
    points = torch.zeros(478, 3)
    points[:, 1] = 40.0
    points[10, 1], points[152, 1] = 10.0, 70.0
    labels = torch.full((80, 80), FACE, dtype=torch.uint8)
    labels[:, :8] = REST
    found = below_the_brows(labels, points)
    assert (found[:39, 8:] == UNKNOWN).all() and (found[41:, 8:] == FACE).all() and (found[:, :8] == REST).all()
    assert (below_the_brows(labels.mT, points[:, [1, 0, 2]]) == found.mT).all(), "a head that lies on its side"

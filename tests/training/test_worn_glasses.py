"""Labels of wearers' own glasses, as a network sees them."""

import numpy as np
import pytest
import torch
from torch import nn

from fsgan_core.networks.unet import UNetConfig
from fsgan_core.ops.landmarks import LEFT_EYE
from fsgan_core.stages.open_segmentation import mesh_prior
from fsgan_core.stages.pose import load_face_model
from fsgan_core.training.face_labels import FACE, HAIR, REST, UNKNOWN
from fsgan_core.training.segmentation_samples import SIDE, Labelled, pack
from fsgan_core.training.worn_glasses import taught

MODEL = load_face_model()
POINTS = MODEL.mean * 75 + torch.tensor([SIDE / 2, SIDE / 2, 0.0])
X, Y = POINTS[list(LEFT_EYE), :2].mean(0).int().tolist()


class SeesDark(nn.Module):
    """Takes for a thing in front what is darker than skin, with a certainty of its own."""

    def __init__(self, logit):
        super().__init__()
        self.config, self.logit = UNetConfig(size=192), logit

    def forward(self, x):
        dark = (x[:, :1] < -1).float()
        return torch.cat((self.logit * dark, 4 * (1 - dark), 0 * dark - 9), 1)


def face():
    image = np.full((SIDE, SIDE, 3), 160, np.uint8)
    image[Y - 12 : Y + 12] = 10
    labels = np.full((SIDE, SIDE), FACE, np.uint8)
    labels[:, :40] = HAIR
    return Labelled(image, labels, pack(mesh_prior(POINTS[None], MODEL, SIDE)[0].numpy()), POINTS[:, :2].numpy())


@pytest.mark.parametrize(("logit", "expected"), [(4.0, REST), (-0.7, UNKNOWN), (-4.0, FACE)])
def test_what_the_network_is_sure_of_is_labelled_and_what_it_doubts_is_not_learned(logit, expected):
    found = taught(face(), SeesDark(logit)).labels
    assert found[Y, X] == expected
    assert found[Y + 20, X] == FACE and (found[:, :40] == HAIR).all()

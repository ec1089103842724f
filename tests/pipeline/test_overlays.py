"""What lies over a swapped face: the target's own mouth, thin things, glasses."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from fsgan_core.models import Models
from fsgan_core.stages.blending import PoissonBlender
from fsgan_core.stages.completion import SmoothCompleter
from fsgan_core.stages.pose import load_face_model
from fsgan_core.stages.reenactment import FlowReenactor
from fsgan_core.stages.segmentation import MeshSegmenter
from fsgan_core.swapping import Aim, FaceCrop, blended, reenacted

MODEL = load_face_model()
MODELS = Models(
    face_model=MODEL,
    detection=lambda frames: [],
    landmarks=lambda frames, boxes, previous=None: [],
    reenactment=FlowReenactor(MODEL),
    segmentation=MeshSegmenter(MODEL),
    completion=SmoothCompleter(),
    blending=PoissonBlender(),
    device=torch.device("cpu"),
)


def test_the_target_s_own_mouth_is_not_tinted_with_the_face():
    """They are in its light already: what matches the face must not change them."""
    target = torch.full((1, 3, 64, 64), 0.5)
    face = target * torch.tensor([1.6, 1.0, 0.4])[:, None, None]
    inside = torch.zeros(1, 1, 64, 64)
    inside[..., 30:40, 24:40] = 1
    aim = Aim(np.zeros((64, 64, 3), np.uint8), np.zeros((478, 3), np.float32), np.zeros(3, np.float32))
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 8:56, 8:56] = 1
    one = FaceCrop(aim, (0, 0, 64, 64), target, *[torch.zeros(1, 478, 3)] * 2, mask=mask, face=face, inside=inside)
    pasting = replace(MODELS, blending=lambda source, target, mask, color, skins: source)
    result = blended(one, pasting).blended
    assert torch.equal(result[..., 30:40, 24:40], target[..., 30:40, 24:40])
    assert torch.equal(result[..., 45:50, 24:40], face[..., 45:50, 24:40])


def test_a_thin_thing_lies_over_a_face_that_is_joined_as_if_nothing_were_there():
    target = torch.full((1, 3, 128, 128), 0.6)
    target[..., 60:63, :] = 0.05
    face = torch.full((1, 3, 128, 128), 0.5)
    mask = torch.zeros(1, 1, 128, 128)
    mask[..., 14:114, 14:114] = 1
    rim = mask.clone()
    rim[..., 60:63, :] = 0
    aim = Aim(np.zeros((128, 128, 3), np.uint8), np.zeros((478, 3), np.float32), np.zeros(3, np.float32))
    crop = FaceCrop(aim, (0, 0, 128, 128), target, *[torch.zeros(1, 478, 3)] * 2, mask=rim, face=face)
    result = blended(crop, MODELS).blended
    bare = blended(replace(crop, mask=mask, target=torch.full_like(target, 0.6)), MODELS).blended
    assert torch.equal(result[..., 60:63, 20:108], target[..., 60:63, 20:108])
    beside = (slice(None), slice(None), (*range(52, 58), *range(66, 72)), slice(40, 88))
    assert (result[beside] - bare[beside]).abs().max() < 0.02


def test_the_source_s_glasses_lie_over_the_swapped_face_and_beyond_it():
    aim = Aim(np.zeros((64, 64, 3), np.uint8), np.zeros((478, 3), np.float32), np.zeros(3, np.float32))
    mask, glasses = torch.zeros(1, 1, 64, 64), torch.zeros(1, 4, 64, 64)
    mask[..., 16:48, 16:48] = 1
    glasses[:, 3:, 28:32, 8:56] = 1
    face = torch.full((1, 3, 64, 64), 0.6)
    crop = FaceCrop(aim, (0, 0, 64, 64), face, *[torch.zeros(1, 478, 3)] * 2, mask=mask, face=face, glasses=glasses)
    one = blended(crop, replace(MODELS, blending=lambda source, target, mask, color, skins: source))
    assert one.patch.image[..., 28:32, 8:56].abs().max() < 1e-3 and one.patch.mask[..., 28:32, 8:56].min() == 1
    assert torch.equal(one.patch.image[..., 40, :], face[..., 40, :]) and one.patch.mask[..., 10, :].max() == 0


@pytest.mark.parametrize(("wearing", "opacity"), (((0, 1), 1.0), ((0,), 0.5), ((1,), 0.5), ((), None)))
def test_glasses_fade_as_views_without_them_come_to_count(wearing, opacity):
    class Glasses:
        def drawn(self, landmarks, size):
            return torch.ones(1, 4, size, size)

    worn = [Glasses() if number in wearing else None for number in (0, 1)]
    views = [SimpleNamespace(shown=SimpleNamespace(glasses=one), whites=None) for one in worn]
    source = SimpleNamespace(select=lambda pose, closest: (views, [0.5, 0.5]))
    drawn = replace(MODELS, reenactment=lambda *_, **__: SimpleNamespace(image=torch.zeros(1, 3, 8, 8)))
    aim = Aim(np.zeros((8, 8, 3), np.uint8), np.zeros((478, 3), np.float32), np.zeros(3, np.float32))
    crop = FaceCrop(aim, (0, 0, 8, 8), torch.zeros(1, 3, 8, 8), *[torch.zeros(1, 478, 3)] * 2)
    layer = reenacted(crop, source, drawn).glasses
    assert (layer is None) if opacity is None else (layer[:, 3:] == opacity).all()

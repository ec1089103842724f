"""Things drawn over face crops: what the opacity says is what changed, for every kind."""

import numpy as np
import pytest
import torch

from fsgan_core.stages.pose import load_face_model
from fsgan_core.training import crop_occluders
from fsgan_core.training.crop_occluders import KINDS, Props, draw, occlude
from fsgan_core.training.occluder_drawings import face_place, rounded

SIZE = 96


def face(turn=0.0):
    """Landmarks ``(478, 2)`` of the mean face in the middle of a crop, turned in the picture's plane."""
    c, s = np.cos(turn), np.sin(turn)
    points = load_face_model().mean.numpy()[:, :2] @ np.array([[c, s], [-s, c]])
    return (points * 0.4 * SIZE + SIZE / 2).astype(np.float32)


def props():
    ramp = np.linspace(0, 255, 64).astype(np.uint8)
    texture = np.stack([np.tile(ramp, (64, 1))] * 3, 2)
    worn = np.full((40, 60, 4), 255, np.uint8)
    return Props([worn], [texture])


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_covers_some_of_the_picture_and_stays_in_range(kind):
    place = face_place(np.full((SIZE, SIZE, 3), 130, np.uint8), face())
    covered = []
    for seed in range(6):
        layer = draw(np.random.default_rng(seed), place, props(), kind)
        assert layer.color.shape == (SIZE, SIZE, 3) and layer.alpha.shape == (SIZE, SIZE)
        assert np.isfinite(layer.color).all() and layer.alpha.min() >= 0 and layer.alpha.max() <= 1 + 1e-6
        covered.append(layer.alpha.mean())
    assert max(covered) > 0.004 and min(covered) < 0.8


def test_what_is_not_covered_only_darkens_and_the_rest_follows_the_opacity(monkeypatch):
    monkeypatch.setattr(crop_occluders, "KINDS", {"hand": 0.3, "hair": 0.3, "microphone": 0.2, "cloth": 0.2})
    crops = torch.full((12, 3, SIZE, SIZE), 0.5)
    points = torch.from_numpy(face())[None].expand(12, -1, -1)
    images, alpha = occlude(crops, points, np.random.default_rng(1), props())
    assert images.shape == crops.shape and alpha.shape == (12, 1, SIZE, SIZE)
    assert (images >= 0).all() and (images <= 1).all()
    free = (alpha == 0).expand_as(images)
    assert (images[free] <= 0.5 + 1 / 255).all()
    assert (alpha > 0.5).flatten(1).any(1).all()
    solid = (alpha > 0.99).expand_as(images)
    assert (images[solid] - 0.5).abs().mean() > 0.05


def test_nothing_changes_without_a_share_and_bytes_stay_bytes():
    crops = torch.randint(0, 255, (3, 3, SIZE, SIZE), dtype=torch.uint8)
    points = torch.from_numpy(face())[None].expand(3, -1, -1)
    same, none = occlude(crops, points, np.random.default_rng(0), share=0.0)
    assert torch.equal(same, crops) and not none.any()
    covered, alpha = occlude(crops, points, np.random.default_rng(0))
    assert covered.dtype == torch.uint8 and alpha.any()
    again, _ = occlude(crops, points, np.random.default_rng(0))
    assert torch.equal(covered, again)


def test_the_face_frame_follows_a_tilted_head():
    upright, tilted = (face_place(np.zeros((SIZE, SIZE, 3), np.uint8), face(turn)).to_face for turn in (0, 0.5))
    assert abs(upright[1, 0]) < 0.05 * upright[0, 0] and abs(upright[0, 1]) < 0.05 * upright[1, 1]
    # The axis down the face turns with it: by 0.5 radians towards the left of the picture.
    assert np.arctan2(-tilted[0, 1], tilted[1, 1]) == pytest.approx(0.5, abs=0.03)


def test_a_rounded_shape_is_brightest_towards_the_light():
    rows, columns = np.indices((64, 64)) - 31.5
    disc = ((rows**2 + columns**2) < 25**2).astype(np.float32)
    lit = rounded(disc, np.full(3, 100.0), np.array([0.8, 0.0, 0.6], np.float32))[..., 0]
    assert lit[32, 50] > 1.2 * lit[32, 13]


def test_glasses_surround_the_eyes():
    place = face_place(np.full((SIZE, SIZE, 3), 130, np.uint8), face())
    layers = [draw(np.random.default_rng(seed), place, props(), "glasses") for seed in range(5)]
    rows = np.flatnonzero(np.mean([layer.alpha for layer in layers], 0).sum(1) > 0.2)
    eyes = face()[[33, 263], 1].mean()
    assert rows.min() < eyes < rows.max() and rows.max() < face()[13, 1]


def test_lenses_hide_the_eyes_as_a_whole_or_not_at_all_and_frames_hide_more_than_they_cover():
    place = face_place(np.full((SIZE, SIZE, 3), 130, np.uint8), face())
    layers = [draw(np.random.default_rng(seed), place, props(), "glasses") for seed in range(30)]
    eyes = face()[[468, 473]].astype(int)
    seen = np.array([[layer.hidden[y, x] for x, y in eyes] for layer in layers])
    assert ((seen < 0.05) | (seen > 0.95)).mean() > 0.9 and 0.4 < (seen < 0.05).mean() < 0.95
    clear = [layer for layer, (one, _) in zip(layers, seen, strict=True) if one < 0.05]
    assert all((layer.hidden > 0.5).sum() >= 0.9 * (layer.alpha > 0.9).sum() for layer in clear)
    assert all(layer.alpha[layer.hidden == 0].max() < 0.9 for layer in clear)

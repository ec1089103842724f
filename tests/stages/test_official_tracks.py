"""v2's smoothing along a track, on measurements of known answer."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from fsgan_core.faces import FaceSequence, Track
from fsgan_core.ops.heatmaps import landmark_discs, landmarks_from_heatmaps
from fsgan_core.ops.official_tracking import smooth_landmarks_98, smooth_logits
from fsgan_core.stages.official_tracks import steady_tracks
from fsgan_core.streams import Frames

COUNT, GAP = 30, 21
CPU = torch.device("cpu")


@pytest.fixture
def clip():
    """Frames whose brightness is their number."""
    return Frames([np.full((40, 40, 3), index, np.uint8) for index in range(COUNT)], Fraction(25))


@pytest.fixture
def face():
    """A face that is seen from frame 1 on, but not in one frame."""
    points = np.random.default_rng(0).uniform(10, 30, (478, 3)).astype(np.float32)
    scores = np.ones(COUNT - 1, np.float32)
    scores[GAP - 1] = 0
    landmarks = np.repeat(points[None], COUNT - 1, 0)
    return FaceSequence(Track(1, np.zeros((COUNT - 1, 4), np.float32)), landmarks, np.zeros((COUNT - 1, 3)), scores)


def number(picture):
    return round(float(picture.amax()) * 255)


def points_of(index):
    return torch.rand(1, 98, 2, generator=torch.Generator().manual_seed(index)) * 0.05 + 0.4


def logits_of(index):
    return torch.randn(1, 3, 256, 256, generator=torch.Generator().manual_seed(index))


def heatmaps_of(picture):
    return landmark_discs(points_of(number(picture)), 64)


def test_every_stretch_is_steadied_by_itself(clip, face):
    (track,) = steady_tracks(clip, [face], 1.2, heatmaps_of, lambda picture: logits_of(number(picture)), CPU)
    assert track.points(GAP - 1) is None and track.mask(GAP - 1) is None
    assert track.landmarks.keys() == track.masks.keys() == set(range(COUNT - 1)) - {GAP - 1}
    for first, last in ((1, GAP), (GAP + 1, COUNT)):
        raw = [landmarks_from_heatmaps(landmark_discs(points_of(index), 64))[0].numpy() for index in range(first, last)]
        smooth = smooth_landmarks_98(np.stack(raw))
        masks = smooth_logits(torch.cat([logits_of(index) for index in range(first, last)])).argmax(1) == 1
        for place, index in enumerate(range(first, last)):
            np.testing.assert_allclose(track.points(index - 1)[0], smooth[place], atol=1e-6)
            assert torch.equal(track.mask(index - 1)[0, 0], masks[place].float()), index


def test_what_is_not_measured_is_not_known(clip, face):
    (track,) = steady_tracks(clip, [face], 1.2, heatmaps_of, None, CPU)
    assert track.landmarks and not track.masks and track.mask(0) is None
    assert steady_tracks(clip, [], 1.2, heatmaps_of, None, CPU) == []


@pytest.mark.parametrize("count", [1, 2, 3])
def test_short_tracks(clip, face, count):
    short = FaceSequence(
        Track(0, np.zeros((count, 4), np.float32)), face.landmarks[:count], face.poses[:count], face.scores[:count]
    )
    (track,) = steady_tracks(clip, [short], 1.2, heatmaps_of, lambda picture: logits_of(number(picture)), CPU)
    expected = smooth_logits(torch.cat([logits_of(index) for index in range(count)])).argmax(1) == 1
    assert torch.equal(torch.stack([track.mask(row)[0, 0] for row in range(count)]), expected.float())

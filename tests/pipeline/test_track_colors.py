"""What a clip's faces are matched with: measured on several frames, the same for all of them."""

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest

from fsgan_core import Frames, Models, Still, analyze, build_appearance_map, swap
from fsgan_core.faces import FaceSequence, Track
from fsgan_core.pipeline.track_colors import measured_rows


@pytest.fixture(scope="module")
def models():
    return Models.load()


def test_rows_are_spread_over_the_beginning_of_a_track_and_fewer_in_a_short_one():
    ours, theirs = SimpleNamespace(official=False), SimpleNamespace(official=True)
    assert measured_rows([3], ours) == [3] and measured_rows([], ours) == []
    assert measured_rows(range(8), ours) == [4]
    assert measured_rows(range(24), ours) == [4, 12, 20]
    assert measured_rows(range(100), ours) == [10, 30, 50, 70, 90]
    assert measured_rows(range(7, 5000), ours) == [31, 79, 127, 175, 223]
    assert measured_rows(range(100), theirs) == [50]


def test_a_fade_at_its_start_does_not_take_the_colours_of_a_clip(face, models):
    (found,) = analyze(Still(face), models).faces
    source = build_appearance_map([(Still(np.ascontiguousarray(face[:, ::-1])), _mirrored(face, models))])
    black = [(face * share).astype(np.uint8) for share in (0.0, 0.06)]
    told = [
        list(swap(Frames(frames, Fraction(25)), [_still(found, len(frames))], [source], models))[-1].frame
        for frames in ([*black, *[face] * 16], [face] * 2)
    ]
    assert np.abs(told[0].astype(int) - told[1]).max() <= 1


def _mirrored(face, models):
    return analyze(Still(np.ascontiguousarray(face[:, ::-1])), models).faces[0]


def _still(found, count):
    boxes, landmarks, poses, scores = (
        np.repeat(values, count, 0) for values in (found.track.boxes, found.landmarks, found.poses, found.scores)
    )
    return FaceSequence(Track(0, boxes), landmarks, poses, scores)

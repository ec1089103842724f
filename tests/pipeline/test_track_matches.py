"""What a clip's faces are matched with: measured on several frames, the same for all of them."""

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from fsgan_core import Frames, Models, Still, analyze, build_appearance_map, swap
from fsgan_core.faces import FaceSequence, Track
from fsgan_core.ops.color import ColorMatch
from fsgan_core.pipeline.track_matches import Sketch, difference, measured_rows, track_matches
from fsgan_core.stages.landmarks import Landmarks
from fsgan_core.stages.pose import load_face_model
from fsgan_core.swapping import Aim


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


def landmarks_that_see(look):
    """A landmarker that finds faces where they are, those in drawn frames (white) with another look."""

    def find(frames, boxes, previous):
        pairs = zip(frames, previous, strict=True)
        return [Landmarks(points + (look if frame.any() else 0), np.float32([0.9])) for frame, points in pairs]

    return find


def test_what_is_found_otherwise_in_drawn_faces_is_partly_taken_off_but_never_their_outline_or_far():
    model, dark = load_face_model(), np.zeros((64, 64, 3), np.uint8)
    points = (model.mean.numpy() * 30 + 32).astype(np.float32)
    look = np.zeros((1, 478, 3), np.float32)
    look[:, [61, 152, 105]] = [[[0.3, 0, 0.3], [0, 0.3, 0], [0, 30, 0]]]  # a corner of the mouth, the chin, a brow
    face = FaceSequence(Track(0, np.zeros((20, 4))), points[None].repeat(20, 0), np.zeros((20, 3)), np.ones(20))
    models = SimpleNamespace(official=False, landmarks=landmarks_that_see(look), face_model=model, device="cpu")

    def aims(index, frame):
        return [Aim(frame, points, np.zeros(3, np.float32))]

    draw = [lambda aim: Sketch(_color(), difference(aim, dark + 255, models))]
    (match,) = next(track_matches(Frames([dark] * 20, Fraction(25)), [face], aims, draw, models, 1))
    corner, chin, brow = match.shift[0, [61, 152, 105]]
    assert corner[0] == pytest.approx(-0.25 * 0.01, abs=1e-5) and corner[1:].abs().max() < 1e-5
    assert chin.abs().max() == 0 and brow.norm() == pytest.approx(0.03, abs=1e-4) and brow[1] < 0


class Counted:
    """A long clip whose frames hold their own number."""

    size, rate = (2, 2), Fraction(25)

    def __init__(self, length):
        self.length, self.decoded = length, 0

    def __iter__(self):
        for number in range(self.length):
            self.decoded = max(self.decoded, number + 1)
            yield np.full((2, 2, 3), number, np.int64)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_track_is_measured_when_its_first_frame_is_drawn_and_no_further_ahead(threads):
    clip, ours = Counted(4000), SimpleNamespace(official=False)
    faces = [_track(10, 600), _track(60, 8), _track(100, 400), _track(3000, 900), _track(3950, 1)]

    def aims(index, frame):
        assert frame[0, 0, 0] == index
        return [None if face.row(index) is None else Aim(frame, face.landmarks[0], np.zeros(3)) for face in faces]

    draw = [lambda aim: Sketch(_color(float(aim.frame[0, 0, 0])), None)]
    middles = {10: 130, 60: 64, 100: 220, 3000: 3120}
    for index, matches in zip(range(4000), track_matches(clip, faces, aims, draw, ours, threads), strict=False):
        begun = [face.track.start for face in faces if face.track.start <= index and len(face) > 1]
        assert clip.decoded <= max((start + 240 for start in begun), default=0)
        found = [match.color and float(match.color.gain[0, 0]) for match in matches]
        assert found == [middles[start] if (start := face.track.start) in begun else None for face in faces]


def _track(start, length):
    shape = (length, 478, 3)
    return FaceSequence(Track(start, np.zeros((length, 4))), np.zeros(shape), np.zeros((length, 3)), np.ones(length))


def _color(value=0.5):
    one = torch.full((1, 3), value)
    return ColorMatch(source=one, target=one, gain=one, bounds=one[:, :2], fineness=one)


def _mirrored(face, models):
    return analyze(Still(np.ascontiguousarray(face[:, ::-1])), models).faces[0]


def _still(found, count):
    boxes, landmarks, poses, scores = (
        np.repeat(values, count, 0) for values in (found.track.boxes, found.landmarks, found.poses, found.scores)
    )
    return FaceSequence(Track(0, boxes), landmarks, poses, scores)

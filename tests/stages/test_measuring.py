from fractions import Fraction

import numpy as np

from fsgan_core.faces import Track
from fsgan_core.ops.smoothing import SmoothingOptions
from fsgan_core.stages.landmarks import Landmarks
from fsgan_core.stages.measuring import MeasureOptions, measure
from fsgan_core.stages.pose import load_face_model
from fsgan_core.streams import Frames

MODEL = load_face_model()
FACE = MODEL.mean.numpy() * 40
RAW = MeasureOptions(smoothing=SmoothingOptions(width=0))


def at(x, y=60.0):
    return (FACE + np.float32((x, y, 0))).astype(np.float32)


def box(points):
    return np.concatenate((points[:, :2].min(0), points[:, :2].max(0))).astype(np.float32)


class FakeLandmarker:
    """Finds the face whose place is written into the frame's first pixel, unless that is 0."""

    def __init__(self):
        self.calls = []

    def __call__(self, frames, boxes, previous=None):
        self.calls.append("followed" if previous is not None else "searched")
        results = []
        for frame, rows in zip(frames, boxes, strict=True):
            here = float(frame[0, 0, 0])
            points = np.repeat(at(here)[None], len(rows), 0)
            results.append(Landmarks(points, np.full(len(rows), 0.9 if here else 0.1, np.float32)))
        return results


def clip(places):
    frames = []
    for place in places:
        frame = np.zeros((120, 250, 3), np.uint8)
        frame[0, 0, 0] = place
        frames.append(frame)
    return Frames(frames, Fraction(25))


def track(places, start=0):
    return Track(start, np.stack([box(at(place)) for place in places]))


def test_a_face_is_followed_from_frame_to_frame():
    places = [100, 101, 103, 104]
    landmarker = FakeLandmarker()
    (face,) = measure(clip([9, *places]), [track(places, 1)], landmarker, MODEL, RAW)
    assert landmarker.calls == ["searched", "followed", "followed", "followed"]
    np.testing.assert_allclose(face.landmarks, np.stack([at(p) for p in places]), atol=1e-4)
    assert face.track.start == 1 and (face.scores == np.float32(0.9)).all()
    np.testing.assert_allclose(face.poses, 0, atol=0.5)


def test_a_face_that_jumped_away_from_its_track_is_searched_again():
    landmarker = FakeLandmarker()
    measure(clip([60, 60, 190, 190]), [track([60, 60, 190, 190])], landmarker, MODEL, RAW)
    assert landmarker.calls == ["searched", "followed", "searched", "followed"]


def test_a_face_that_left_is_not_hallucinated_and_a_gap_is_bridged():
    (face,) = measure(clip([0, 100, 0, 104, 0, 0]), [track([100] * 6)], FakeLandmarker(), MODEL, RAW)
    assert face.track.start == 1 and len(face) == 3
    assert face.scores.tolist() == [np.float32(0.9), 0, np.float32(0.9)]
    np.testing.assert_allclose(face.landmarks[1], at(102), atol=1e-3)


def test_a_track_without_a_face_is_dropped():
    assert measure(clip([0, 0, 0]), [track([100] * 3)], FakeLandmarker(), MODEL) == ()
    assert measure(clip([50]), [], FakeLandmarker(), MODEL) == ()


def test_stills_are_not_smoothed_and_clips_are():
    (still,) = measure(clip([100]), [track([100])], FakeLandmarker(), MODEL)
    np.testing.assert_array_equal(still.landmarks[0], at(100))
    rng = np.random.default_rng(0)
    places = (100 + rng.integers(-1, 2, 40)).tolist()
    (raw,) = measure(clip(places), [track(places)], FakeLandmarker(), MODEL, RAW)
    (calm,) = measure(clip(places), [track(places)], FakeLandmarker(), MODEL)
    jitter = [np.abs(np.diff(face.landmarks, n=2, axis=0)).mean() for face in (raw, calm)]
    assert jitter[1] < 0.5 * jitter[0]

from functools import cache

import cv2
import numpy as np
import pytest

from fsgan_core.stages.detection import Detections
from fsgan_core.stages.tracking import TrackOptions, link

SIZE = (60, 80)
PEOPLE = {"ann": (200, 150, 120), "bob": (90, 60, 50), "cid": (120, 140, 200)}


@cache
def person(name):
    """A patch with a face of its own."""
    rng = np.random.default_rng(sorted(PEOPLE).index(name) + 5)
    patch = np.full((SIZE[1], SIZE[0], 3), PEOPLE[name], np.uint8)
    for _ in range(12):
        centre = (int(rng.integers(0, SIZE[0])), int(rng.integers(0, SIZE[1])))
        shade = [int(v) for v in np.clip(np.array(PEOPLE[name]) + rng.integers(-70, 70), 0, 255)]
        cv2.circle(patch, centre, int(rng.integers(4, 14)), shade, -1)
    return patch


@cache
def place(seed=0):
    noise = np.random.default_rng(seed).integers(seed, 200 + seed, (24, 32, 3), np.uint8)
    return cv2.resize(noise, (320, 240), interpolation=cv2.INTER_NEAREST)


def film(frames, seed=0):
    """Frames from lists of (name, left, top, detected), the nearest person last."""
    for index, people in enumerate(frames):
        frame, boxes = place(seed).copy(), []
        for name, left, top, detected in people:
            x0, x1 = max(left, 0), min(left + SIZE[0], 320)
            if x1 > x0:
                frame[top : top + SIZE[1], x0:x1] = person(name)[:, x0 - left : x1 - left]
            if detected:
                boxes.append((left, top, left + SIZE[0], top + SIZE[1]))
        yield index, frame, Detections.of(boxes, [0.9] * len(boxes))


def boxes_of(face):
    return face.track.boxes[:, :2].round().astype(int).tolist()


def test_one_face_is_one_track():
    path = [(20 + 3 * t, 30 + t) for t in range(20)]
    linked = link(film([[("ann", x, y, True)] for x, y in path]))
    assert linked.cuts == () and linked.frame_count == 20
    (face,) = linked.faces
    assert face.track.start == 0 and boxes_of(face) == [list(p) for p in path]
    assert face.seen.all() and (face.scores == np.float32(0.9)).all()


def test_no_faces_no_tracks():
    assert link(film([[]] * 5)).faces == ()
    assert link([]).frame_count == 0


def test_two_faces_are_ordered_left_to_right():
    linked = link(film([[("bob", 200, 50, True), ("ann", 20, 50, True)]] * 8))
    assert [face.track.boxes[0, 0] for face in linked.faces] == [20, 200]


def test_a_missed_face_is_continued_and_flagged():
    linked = link(film([[("ann", 20 + 4 * t, 40, not 6 <= t < 14)] for t in range(25)]))
    (face,) = linked.faces
    assert np.flatnonzero(~face.seen).tolist() == list(range(6, 14))
    assert boxes_of(face) == [[20 + 4 * t, 40] for t in range(25)]
    assert (face.scores[6:14] == 0).all() and (face.scores[14:] > 0).all()


def test_a_gap_too_long_ends_the_track():
    frames = [[("ann", 40, 40, not 6 <= t < 26)] for t in range(36)]
    assert [(face.track.start, face.track.stop) for face in link(film(frames)).faces] == [(0, 6), (26, 36)]
    assert len(link(film(frames), TrackOptions(gap=20)).faces) == 1
    assert len(link(film(frames), TrackOptions(gap=19)).faces) == 2


def test_another_face_at_the_same_place_is_another_track():
    frames = [[("ann", 40, 40, True)]] * 8 + [[]] * 4 + [[("bob", 40, 40, True)]] * 8
    assert [(face.track.start, face.track.stop) for face in link(film(frames)).faces] == [(0, 8), (12, 20)]


def test_a_face_that_has_left_is_not_continued():
    (face,) = link(film([[("ann", 250 + 6 * t, 40, t < 10)] for t in range(20)])).faces
    assert face.track.stop == 10 and face.seen.all()


@pytest.mark.parametrize("hidden_from", [20, 45])
def test_faces_that_cross_keep_their_identity(hidden_from):
    """Bob passes in front of Ann, who is not detected while he hides her."""
    frames = []
    for t in range(41):
        ann, bob = 40 + 4 * t, 200 - 4 * t
        frames.append([("ann", ann, 60, abs(ann - bob) >= hidden_from), ("bob", bob, 70, True)])
    faces = link(film(frames)).faces
    assert [(face.track.start, face.track.stop) for face in faces] == [(0, 41), (0, 41)]
    assert [face.track.boxes[-1, 0] for face in faces] == [200, 40]


def test_a_cut_ends_all_tracks():
    first = list(film([[("ann", 40, 40, True)]] * 8, seed=0))
    second = [(index + 8, *rest) for index, *rest in film([[("ann", 40, 40, True)]] * 8, seed=50)]
    linked = link(first + second)
    assert linked.cuts == (8,)
    assert [(face.track.start, face.track.stop) for face in linked.faces] == [(0, 8), (8, 16)]


def test_short_tracks_go_but_not_in_short_shots():
    flicker = [[("ann", 40, 40, True)] + [("bob", 200, 40, True)] * (3 <= t < 6) for t in range(12)]
    assert len(link(film(flicker)).faces) == 1
    assert len(link(film(flicker), TrackOptions(length=3)).faces) == 2
    assert len(link(film([[("ann", 40, 40, True)]])).faces) == 1


def test_small_faces_go():
    frames = [[("ann", 40, 40, True)]] * 8
    assert len(link(film(frames), TrackOptions(size=80)).faces) == 1
    assert len(link(film(frames), TrackOptions(size=81)).faces) == 0


@pytest.mark.parametrize("leave_out", [False, True])
def test_frames_not_examined_are_interpolated_and_count_as_seen(leave_out):
    frames = film([[("ann", 20 + 4 * t, 40, True)] for t in range(21)])
    sparse = [(index, frame, found if index % 5 == 0 else None) for index, frame, found in frames]
    if leave_out:
        sparse = sparse[::5]
    (face,) = link(sparse).faces
    assert face.seen.all() and boxes_of(face) == [[20 + 4 * t, 40] for t in range(21)]


def test_tracks_reach_to_the_cut_though_its_frames_are_not_examined():
    first = film([[("ann", 40, 40, True)]] * 8, seed=0)
    second = [(index + 8, *rest) for index, *rest in film([[("bob", 40, 40, True)]] * 9, seed=50)]
    sparse = [(index, frame, found if index % 5 == 0 else None) for index, frame, found in [*first, *second]]
    faces = link(sparse).faces
    assert [(face.track.start, face.track.stop) for face in faces] == [(0, 8), (8, 17)]
    assert [np.flatnonzero(face.seen).tolist() for face in faces] == [list(range(6)), list(range(2, 8))]


def test_a_face_that_left_between_examined_frames_is_kept_up_to_the_next():
    frames = film([[("ann", 40, 40, t < 12)] for t in range(40)])
    (face,) = link((index, frame, found if index % 5 == 0 else None) for index, frame, found in frames).faces
    assert face.track.stop == 15 and face.seen.sum() == 11


def test_a_single_false_hit_is_short_also_where_few_frames_are_examined():
    frames = film([[("ann", 40, 40, True), ("bob", 200, 40, t == 10)] for t in range(40)])
    sparse = ((index, frame, found if index % 5 == 0 else None) for index, frame, found in frames)
    assert [face.track.boxes[0, 0] for face in link(sparse).faces] == [40]


def test_a_miss_between_examined_frames_is_no_sighting():
    frames = film([[("ann", 40, 40, t != 10)] for t in range(21)])
    (face,) = link((index, frame, found if index % 5 == 0 else None) for index, frame, found in frames).faces
    assert np.flatnonzero(~face.seen).tolist() == list(range(6, 15))


def test_a_detector_that_trembles_and_errs():
    rng = np.random.default_rng(0)
    noisy = []
    for index, frame, found in film([[("ann", 60 + 2 * t, 60, True)] for t in range(30)]):
        boxes = [*(found.boxes + rng.normal(0, 3, (1, 4))).tolist(), [np.nan] * 4, [50, 50, 50, 90]]
        if index % 7 == 3:
            left, top = rng.integers(0, 250), rng.integers(0, 180)
            boxes.append([left, top, left + 50, top + 60])
        noisy.append((index, frame, Detections.of(boxes, [0.9] * len(boxes))))
    (face,) = link(noisy).faces
    assert len(face.track) == 30 and np.isfinite(face.track.boxes).all()


def test_frames_must_ascend():
    frames = list(film([[("ann", 40, 40, True)]] * 3))
    with pytest.raises(ValueError, match="ascending"):
        link(frames[::-1])


def test_options_are_checked():
    with pytest.raises(ValueError, match="gap is -1, expected 0 or more frames"):
        TrackOptions(gap=-1)

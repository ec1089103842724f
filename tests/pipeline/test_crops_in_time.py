"""Reenacted crops along a clip: they stand still where only the target drifts, and hold a pose where there is none."""

from dataclasses import replace

import cv2
import numpy as np

from fsgan_core import Models, Still, analyze, build_appearance_map, reenact_crops
from fsgan_core.faces import FaceSequence, Track
from fsgan_core.pipeline import ReenactOptions, Rendered
from fsgan_core.stages.cropping import seen_through, window
from fsgan_core.timeline import in_time


def shifts(frames):
    """Pixels from each frame to the next."""
    grays = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32) for frame in frames]
    edge = cv2.createHanningWindow(grays[0].shape[::-1], cv2.CV_32F)
    pairs = zip(grays[:-1], grays[1:], strict=True)
    return np.array([np.hypot(*cv2.phaseCorrelate(one, other, edge)[0]) for one, other in pairs])


def test_crops_of_a_face_that_drifts_stand_still(face):
    """Cut at whole pixels of the target they would jump whenever the drift passes one."""
    models, count = Models.load(), 7
    (person,) = analyze(Still(face), models).faces
    source = build_appearance_map([(Still(face), person)])
    moves = [np.float32(((1, 0, 0.25 * n), (0, 1, 0.25 * n))) for n in range(count)]
    clip = [cv2.warpAffine(face, move, face.shape[1::-1], borderMode=cv2.BORDER_REPLICATE) for move in moves]
    landmarks = np.stack([person.landmarks[0] + (*move[:, 2], 0) for move in moves]).astype(np.float32)
    boxes, poses, scores = (np.repeat(one, count, 0) for one in (person.track.boxes, person.poses, person.scores))
    target = replace(person, track=Track(0, boxes), landmarks=landmarks, poses=poses, scores=scores)
    options = ReenactOptions(size=256)
    smooth, whole = (
        shifts([one.frame for one in reenact_crops(source, target, models, options, clip, whole=whole)])
        for whole in (False, True)
    )
    assert smooth.max() < 0.2 < 0.4 < whole.max()


def test_a_window_moves_with_its_points():
    y, x = np.indices((60, 80))
    frame = np.stack((2 * x, 3 * y, x + y), -1).astype(np.uint8)
    points = np.float32(((20, 20), (40, 30)))
    for shift in (0.0, 0.25, 0.5, 3.75):
        left, top, side = window(points + shift, 1.5)
        assert (left, top, side) == (15 + shift, 10 + shift, 30)
        part = seen_through(frame, (left, top, side))[0] * 255
        assert part.shape == (3, 30, 30)
        np.testing.assert_allclose(part[0, 0], 2 * (left + np.arange(30)), atol=1e-3)
        np.testing.assert_allclose(part[1, :, 0], 3 * (top + np.arange(30)), atol=1e-3)


def test_while_there_is_no_face_a_pose_is_held():
    def from_frame(start, count):
        rows, points, poses = (np.zeros((count, *more), np.float32) for more in ((4,), (478, 3), (3,)))
        return FaceSequence(Track(start, rows), points, poses, np.ones(count, np.float32))

    def draw(face):
        return (Rendered(np.full((2, 2, 3), face.track.start + row, np.uint8), ()) for row in range(len(face)))

    results = list(in_time(draw, [from_frame(6, 2), from_frame(2, 3)], 10))
    assert [int(one.frame[0, 0, 0]) for one in results] == [2, 2, 2, 3, 4, 4, 6, 7, 7, 7]
    assert [index for index, one in enumerate(results) if one.records] == [0, 1, 5, 8, 9]
    assert {record.status for one in results for record in one.records} == {"no_face"}

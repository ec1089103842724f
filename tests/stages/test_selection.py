from fractions import Fraction

import numpy as np
import pytest

from fsgan_core.errors import NoFaceError
from fsgan_core.faces import Analysis, FaceSequence, Track
from fsgan_core.stages.selection import ReferenceOptions, describe_faces, select, select_like


def face(left, size=50, start=0, frames=10, yaw=None, scores=None):
    boxes = np.tile(np.array([left, 20, left + size, 20 + size], np.float32), (frames, 1))
    poses = np.zeros((frames, 3), np.float32)
    poses[:, 0] = 0 if yaw is None else yaw
    seen = np.ones(frames, np.float32) if scores is None else np.array(scores, np.float32)
    return FaceSequence(Track(start, boxes), np.zeros((frames, 478, 3), np.float32), poses, seen)


def analysis(*faces, cuts=()):
    return Analysis((400, 300), Fraction(25), 30, cuts, faces)


SMALL_LEFT, LARGE_RIGHT = face(0), face(200, 90)


def test_the_largest():
    assert select(analysis(SMALL_LEFT, LARGE_RIGHT)) == (LARGE_RIGHT,)


def test_a_large_face_seen_briefly_is_not_the_largest_of_the_clip():
    brief = face(200, 90, frames=2)
    assert select(analysis(SMALL_LEFT, brief)) == (SMALL_LEFT,)
    unseen = face(200, 90, scores=[1] + [0] * 9)
    assert select(analysis(SMALL_LEFT, unseen)) == (SMALL_LEFT,)


def test_the_largest_of_every_shot():
    first, second, other = face(0), face(100, 80, start=10), face(250, 20, start=10)
    assert select(analysis(first, second, other, cuts=(10,))) == (first, second)


def test_ties_keep_the_first():
    one, other = face(0), face(100)
    assert select(analysis(one, other)) == (one,)


def test_all():
    assert select(analysis(SMALL_LEFT, LARGE_RIGHT), "all") == (SMALL_LEFT, LARGE_RIGHT)


@pytest.mark.parametrize("rule", [1, "1"])
def test_by_place_from_the_left(rule):
    middle = face(100)
    assert select(analysis(LARGE_RIGHT, SMALL_LEFT, middle), rule) == (middle,)


def test_by_place_in_every_shot():
    faces = face(0), face(100), face(50, start=10), face(150, start=10), face(70, start=20)
    assert select(analysis(*faces, cuts=(10, 20)), 1) == (faces[1], faces[3])
    assert select(analysis(*faces, cuts=(10, 20)), 0) == (faces[0], faces[2], faces[4])


def test_faces_that_are_not_there():
    with pytest.raises(NoFaceError, match="found no face"):
        select(analysis())
    with pytest.raises(NoFaceError, match="no face number 2; found 2"):
        select(analysis(SMALL_LEFT, LARGE_RIGHT), 2)


@pytest.mark.parametrize("rule", ["biggest", "-1", "", -1])
def test_rules_that_are_not_there(rule):
    with pytest.raises(ValueError, match="expected"):
        select(analysis(SMALL_LEFT), rule)


def unit(*values):
    return np.array(values, np.float32) / np.linalg.norm(values)


def test_by_reference():
    described = [np.stack([unit(1, 0, 0), unit(0, 1, 0)]), np.stack([unit(0, 0, 1)])]
    faces = SMALL_LEFT, LARGE_RIGHT
    assert select_like(faces, described, unit(0, 1, 0.2)) == (SMALL_LEFT,)
    assert select_like(faces, described, unit(0.1, 0, 1)) == (LARGE_RIGHT,)


def test_by_reference_in_several_shots():
    faces = face(0), face(100), face(0, start=10)
    described = [unit(1, 0)[None], unit(0, 1)[None], unit(1, 0.3)[None]]
    assert select_like(faces, described, unit(1, 0)) == (faces[0], faces[2])


def test_an_unsure_reference_selects_nothing():
    faces = SMALL_LEFT, LARGE_RIGHT
    with pytest.raises(NoFaceError, match=r"best similarity is 0\.32, expected 0\.60"):
        select_like(faces, [unit(3, 1)[None], unit(1, 0)[None]], unit(0, 1))
    with pytest.raises(NoFaceError, match="two faces seen together"):
        select_like(faces, [unit(1, 0.1)[None], unit(1, 0)[None]], unit(1, 0))
    assert select_like(faces, [unit(1, 0.1)[None], unit(1, 0)[None]], unit(1, 0), ReferenceOptions(lead=0)) == (
        LARGE_RIGHT,
    )
    with pytest.raises(ValueError, match="one for each"):
        select_like(faces, [], unit(1, 0))


def test_descriptors_come_from_frontal_seen_frames():
    read = []

    def clip():
        for index in range(30):
            read.append(index)
            yield np.full((100, 100, 3), index * 8, np.uint8)

    turning = face(0, start=2, frames=12, yaw=np.arange(12) * 5 - 20, scores=[1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 0, 0])
    described = describe_faces(clip(), [turning, face(50, frames=3, scores=[0, 0, 0])], samples=2)
    assert [len(rows) for rows in described] == [2, 0]
    assert read == list(range(9))

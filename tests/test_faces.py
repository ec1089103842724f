"""Faces as numbers."""

import numpy as np

from fsgan_core import FaceSequence, Track


def test_the_most_frontal_row_is_one_in_which_the_face_is_seen_whatever_its_roll() -> None:
    poses = np.array([(0, 0, 0), (20, 5, 0), (-4, 3, 60), (6, -2, 0)], np.float32)
    face = FaceSequence(
        Track(7, np.zeros((4, 4), np.float32)), np.zeros((4, 478, 3), np.float32), poses, poses[:, 0] != 0
    )
    assert face.frontal == 2

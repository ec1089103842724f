"""A track's frames hand on what they have seen: in order, at the same time, again, and when one of them fails."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from threading import Event

import numpy as np
import pytest
import torch

from fsgan_core.faces import FaceSequence, Track
from fsgan_core.models import Models
from fsgan_core.rendering import ending
from fsgan_core.stages.steady_segmentation import SegmentedTrack
from fsgan_core.streams import Frames


class Counting:
    """A segmenter that sees how many frames were before, and fails where the picture is 0."""

    def __init__(self):
        self.answered = Event()

    def along(self, images, landmarks, before):
        if not images.any():
            raise MemoryError("no room")
        self.answered.set()
        seen = (before() or 0) + 1
        return torch.full_like(images, seen), seen


IMAGE, POINTS = torch.ones(1, 1, 2, 2), torch.zeros(1, 478, 3)


def test_each_frame_is_told_of_the_one_before_and_may_be_segmented_again():
    track = SegmentedTrack(Counting())
    frames = [track.next() for _ in range(3)]
    for _ in range(2):
        assert [float(frame(IMAGE, POINTS).mean()) for frame in frames] == [1, 2, 3]


def test_a_later_frame_waits_when_its_network_has_answered():
    counting = Counting()
    track = SegmentedTrack(counting)
    first, second = track.next(), track.next()
    with ThreadPoolExecutor(1) as pool:
        later = pool.submit(second, IMAGE, POINTS)
        assert counting.answered.wait(10) and not later.done()
        first(IMAGE, POINTS)
        assert float(later.result(10).mean()) == 2


@pytest.mark.parametrize("begun", [True, False])
def test_where_a_frame_fails_later_ones_do_not_wait_for_it(begun):
    """Neither if it could not be segmented, nor if its turn never came."""
    track = SegmentedTrack(Counting())
    stages = replace(Models.load(), segmentation=track.next())
    later = track.next()
    with pytest.raises(MemoryError), ending([stages]):
        if begun:
            stages.segmentation(torch.zeros_like(IMAGE), POINTS)
        raise MemoryError
    assert float(later(IMAGE, POINTS).mean()) == 1


def test_frames_of_a_clip_are_segmented_along_their_track_and_stills_by_themselves():
    models, count = Models.load(), 2
    parts = [np.zeros((count, *shape), np.float32) for shape in ((4,), (478, 3), (3,), ())]
    face = FaceSequence(Track(0, parts[0]), *parts[1:])
    picture = np.zeros((8, 8, 3), np.uint8)
    (along,) = models.along(Frames([picture] * count, Fraction(25)), [face])
    first, second = along(0), along(1)
    assert second.segmentation._before is first.segmentation.seen and not first.segmentation.seen.done()
    assert replace(second, segmentation=models.segmentation) == models
    assert models.along(Frames([picture] * count, Fraction(0)), [face])[0](0) is models

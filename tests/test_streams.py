import gc
import threading
import weakref
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsgan_core.streams import Frames, Still, chunked, prefetched


def frame(level=0, shape=(4, 6, 3)):
    return np.full(shape, level, np.uint8)


@given(st.lists(st.integers()), st.integers(1, 7))
def test_chunks_joined_are_the_items_and_only_the_last_is_short(items, length):
    chunks = list(chunked(items, length))
    assert sum(chunks, []) == items
    assert all(len(chunk) == length for chunk in chunks[:-1])
    assert all(chunks)


def test_chunks_are_taken_one_at_a_time():
    taken = []
    chunks = chunked((taken.append(i) or i for i in range(10)), 3)
    assert next(chunks) == [0, 1, 2]
    assert taken == [0, 1, 2]


@pytest.mark.parametrize("make", [chunked, prefetched])
def test_lengths_below_one_are_refused(make):
    with pytest.raises(ValueError, match="at least"):
        list(make([1], 0))


@given(st.lists(st.integers() | st.none(), max_size=20), st.integers(1, 5))
def test_prefetched_items_come_in_order(items, depth):
    assert list(prefetched(items, depth)) == items


def test_an_exception_comes_where_its_item_would_have():
    def broken():
        yield 1
        yield 2
        raise KeyError("third")

    ahead = prefetched(broken(), 8)
    assert [next(ahead), next(ahead)] == [1, 2]
    with pytest.raises(KeyError, match="third"):
        next(ahead)


def test_stopping_early_ends_the_thread_and_closes_the_producer():
    closed = threading.Event()

    def endless():
        try:
            while True:
                yield 0
        finally:
            closed.set()

    before = threading.active_count()
    ahead = prefetched(endless(), 3)
    next(ahead)
    assert threading.active_count() == before + 1
    ahead.close()
    assert closed.is_set()
    assert threading.active_count() == before


def test_a_failing_consumer_ends_the_thread():
    before = threading.active_count()
    with pytest.raises(RuntimeError, match="consumer"):
        for _ in prefetched(iter(range(100)), 2):
            raise RuntimeError("consumer")
    gc.collect()
    assert threading.active_count() == before


def test_nothing_is_made_before_the_first_item_is_asked_for():
    made = []
    ahead = prefetched((made.append(i) for i in range(3)), 2)
    assert made == []
    ahead.close()


@pytest.mark.parametrize("depth", [1, 4])
def test_frames_alive_are_bounded_by_the_depth(depth):
    alive = weakref.WeakSet()
    highest = 0

    class Marked(np.ndarray):
        # A set compares members, which arrays refuse; identity is what counts.
        __hash__ = object.__hash__
        __eq__ = object.__eq__

    def frames():
        for level in range(60):
            made = frame(level).view(Marked)
            alive.add(made)
            yield made
            del made

    for _ in prefetched(frames(), depth):
        highest = max(highest, len(alive))
    # Those waiting, the one in the consumer's hands, the one being made.
    assert highest <= depth + 2


def test_a_still_is_a_clip_of_one_frame_that_can_be_iterated_again():
    still = Still(frame(7))
    assert still.size == (6, 4)
    assert still.rate == 0
    assert [f[0, 0, 0] for f in still] == [7] == [f[0, 0, 0] for f in still]


def test_frames_keep_order_rate_and_length():
    clip = Frames([frame(1), frame(2)], Fraction(30000, 1001))
    assert [f[0, 0, 0] for f in clip] == [1, 2]
    assert clip.rate == Fraction(30000, 1001)
    assert len(clip) == 2


@pytest.mark.parametrize(
    "wrong", [np.full((4, 6, 3), np.nan), frame(shape=(4, 6)), frame(shape=(4, 6, 4)), frame(shape=(0, 6, 3))]
)
def test_what_is_no_frame_is_refused(wrong):
    with pytest.raises(ValueError, match="uint8"):
        Still(wrong)


def test_frames_of_two_sizes_and_no_frames_are_refused():
    with pytest.raises(ValueError, match="one size"):
        Frames([frame(), frame(shape=(5, 6, 3))], Fraction(1))
    with pytest.raises(ValueError, match="one size"):
        Frames([], Fraction(1))

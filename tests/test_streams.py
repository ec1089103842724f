import gc
import threading
import weakref
from contextvars import ContextVar
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsgan_core.streams import Frames, Still, chunked, mapped


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


def test_lengths_and_workers_below_one_are_refused():
    with pytest.raises(ValueError, match="at least"):
        list(chunked([1], 0))
    with pytest.raises(ValueError, match="at least"):
        mapped(abs, [1], 0)


@given(st.lists(st.integers() | st.none(), max_size=20), st.integers(1, 4))
def test_results_come_in_the_items_order(items, workers):
    assert list(mapped(lambda item: (item, 1), items, workers)) == [(item, 1) for item in items]


def test_so_many_items_as_there_are_workers_are_worked_on_at_the_same_time():
    together = threading.Barrier(3, timeout=30)
    assert sorted(mapped(lambda item: together.wait(), range(6), 3)) == [0, 0, 1, 1, 2, 2]


def test_a_slow_item_holds_up_no_more_than_those_in_flight():
    begun, go_on = [], threading.Event()

    def work(item):
        begun.append(item)
        return item if item else go_on.wait(30)

    results = mapped(work, range(50), 2)
    threading.Timer(0.2, go_on.set).start()
    assert next(results) is True
    assert max(begun) <= 3
    assert list(results) == list(range(1, 50))


def test_an_exception_comes_where_its_result_would_have():
    def broken():
        yield from (1, 2)
        raise KeyError("third")

    ahead = mapped(abs, broken(), 4)
    assert [next(ahead), next(ahead)] == [1, 2]
    with pytest.raises(KeyError, match="third"):
        next(ahead)
    inverses = mapped(lambda item: 1 / item, (1, 2, 0, 4), 2)
    assert [next(inverses), next(inverses)] == [1, 0.5]
    with pytest.raises(ZeroDivisionError):
        next(inverses)
    assert list(inverses) == []


def test_stopping_early_ends_the_threads_and_closes_the_producer():
    closed = threading.Event()

    def endless():
        try:
            while True:
                yield 0
        finally:
            closed.set()

    before = threading.active_count()
    ahead = mapped(abs, endless(), 3)
    next(ahead)
    assert threading.active_count() > before
    ahead.close()
    assert closed.is_set()
    assert threading.active_count() == before


def test_a_failing_consumer_ends_the_threads():
    before = threading.active_count()
    with pytest.raises(RuntimeError, match="consumer"):
        for _ in mapped(abs, iter(range(100)), 2):
            raise RuntimeError("consumer")
    gc.collect()
    assert threading.active_count() == before


def test_nothing_is_made_before_the_first_item_is_asked_for():
    made = []
    ahead = mapped(abs, (made.append(i) for i in range(3)), 2)
    assert made == []
    ahead.close()


def test_items_are_worked_on_in_the_consumer_s_context():
    told = ContextVar("told", default=())
    token = told.set([])
    try:
        assert list(mapped(lambda item: told.get().append(item), range(5), 2)) == [None] * 5
        assert sorted(told.get()) == [0, 1, 2, 3, 4]
    finally:
        told.reset(token)


@pytest.mark.parametrize("workers", [1, 4])
def test_frames_alive_are_bounded_by_the_workers(workers):
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

    for _ in mapped(lambda item: item, frames(), workers):
        highest = max(highest, len(alive))
    # Those in flight, the one in the consumer's hands, and the one before it while the next is waited for.
    assert highest <= workers + 3


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

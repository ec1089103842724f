"""Bounded iteration over frames: clips, batches, and frames that are worked on at the same time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]
"""``(H, W, 3)`` RGB."""

T = TypeVar("T")
R = TypeVar("R")


class Clip(Protocol):
    """Frames that can be iterated more than once: a video, a still, frames in memory."""

    def __iter__(self) -> Iterator[Frame]:
        """Begin again at the first frame."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of every frame in pixels."""
        ...

    @property
    def rate(self) -> Fraction:
        """Frames a second (the mean where it varies); 0 for a still."""
        ...


def checked_frame(frame: NDArray[Any]) -> Frame:
    """Return the frame if it is one.

    Raises:
        ValueError: it is not a non-empty uint8 ``(H, W, 3)`` array.
    """
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or frame.size == 0:
        raise ValueError(f"a frame is uint8 (H, W, 3) RGB, found {frame.dtype} {frame.shape}; convert it first")
    return frame


@dataclass(frozen=True, eq=False)
class Frames:
    """A clip in memory.

    Attributes:
        frames: at least one frame, all of the same size.
        rate: frames a second.
    """

    frames: Sequence[Frame]
    rate: Fraction

    def __post_init__(self) -> None:
        shapes = {checked_frame(frame).shape for frame in self.frames}
        if len(shapes) != 1:
            raise ValueError(f"a clip needs one or more frames of one size, found sizes {sorted(shapes)}")

    def __iter__(self) -> Iterator[Frame]:
        return iter(self.frames)

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        height, width, _ = self.frames[0].shape
        return width, height


class Still(Frames):
    """A picture as a clip of one frame and rate 0."""

    def __init__(self, frame: Frame) -> None:
        super().__init__((frame,), Fraction(0))


@dataclass(frozen=True)
class Part:
    """The first frames of a clip, or each so many-th of them.

    Attributes:
        clip: the whole.
        frames: how many frames at most; None: all.
        stride: frames of the clip from one to the next.
    """

    clip: Clip
    frames: int | None = None
    stride: int = 1

    def __iter__(self) -> Iterator[Frame]:
        stop = None if self.frames is None else self.frames * self.stride
        return islice(iter(self.clip), 0, stop, self.stride)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.clip.size

    @property
    def rate(self) -> Fraction:
        """Frames a second of what is looked at."""
        return self.clip.rate / self.stride


def chunked(items: Iterable[T], length: int) -> Iterator[list[T]]:
    """Group items in order into lists of ``length``; the last may be shorter.

    Args:
        items: anything iterable; taken one list at a time.
        length: items a list, at least 1.
    """
    if length < 1:
        raise ValueError(f"a chunk holds at least 1 item, found {length}")
    iterator = iter(items)
    while chunk := list(islice(iterator, length)):
        yield chunk


def mapped(function: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[R]:
    """What a function makes of items, in their order; several are worked on at the same time.

    Each item is worked on by one of a few threads, in the context (:mod:`contextvars`) of the consumer. Items begin in
    order, and at most ``workers + 1`` are between being taken and being passed on. An exception, of the function or of
    the items, is raised where the result would have come. When the consumer stops early, the threads end after what
    they are at, and an iterator that can be closed is closed.

    Args:
        function: called by several threads at a time.
        items: iterated in one other thread only.
        workers: number of threads that call the function, at least 1.
    """
    if workers < 1:
        raise ValueError(f"mapping needs at least 1 worker, found {workers}")
    return _mapped(function, items, workers)


def _mapped(function: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[R]:
    end: Any = object()
    iterator = iter(items)
    waiting: deque[Future[Any]] = deque()

    def take() -> T:
        return next(iterator, end)

    def make(taken: Future[T]) -> Any:
        item = taken.result()
        return end if item is end else function(item)

    with ThreadPoolExecutor(1, "taking") as taker, ThreadPoolExecutor(workers, "making") as makers:

        def ask() -> None:
            taken = taker.submit(copy_context().run, take)
            waiting.append(makers.submit(copy_context().run, make, taken))

        try:
            for _ in range(workers + 1):
                ask()
            while (result := waiting.popleft().result()) is not end:
                ask()
                yield result
        finally:
            for pool in (taker, makers):
                pool.shutdown(cancel_futures=True)
            if hasattr(iterator, "close"):
                iterator.close()

"""Bounded iteration over frames: clips, batches, and a producer that runs ahead of its consumer."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]
"""``(H, W, 3)`` RGB."""

T = TypeVar("T")


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


def prefetched(items: Iterable[T], depth: int = 4) -> Iterator[T]:
    """Iterate over items that a thread makes ahead of time.

    At most ``depth`` items wait. An exception of the producer is raised where its item would have
    come. When the consumer stops early, the thread ends after the item it is making, and an
    iterator that can be closed is closed.

    Args:
        items: iterated in one other thread only.
        depth: largest number of items made ahead, at least 1.
    """
    if depth < 1:
        raise ValueError(f"prefetching needs a depth of at least 1, found {depth}")
    return _prefetched(items, depth)


def _prefetched(items: Iterable[T], depth: int) -> Iterator[T]:
    end: Any = object()
    iterator = iter(items)
    waiting: deque[Future[T]] = deque()
    with ThreadPoolExecutor(1, thread_name_prefix="prefetched") as pool:
        try:
            waiting.extend(pool.submit(next, iterator, end) for _ in range(depth))
            while (item := waiting.popleft().result()) is not end:
                waiting.append(pool.submit(next, iterator, end))
                yield item
        finally:
            pool.shutdown(cancel_futures=True)
            if hasattr(iterator, "close"):
                iterator.close()

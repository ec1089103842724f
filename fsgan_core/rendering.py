"""Frames of a clip drawn at the same time: how many, and in which threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
import torch

from .faces import FaceSequence
from .models import Models
from .streams import mapped

T = TypeVar("T")
R = TypeVar("R")

_MOST = 4
"""Threads at most; more of them gain little and take memory."""
_PIXELS = 2_700_000
"""Pixels at most in all squares that are drawn at the same time; each takes up to 240 bytes of working memory."""


def at_once(models: Models, frames: int, side: float) -> int:
    """How many frames to draw at the same time: one a thread of torch's, where that pays.

    Args:
        models: the stages; official networks keep a CPU's cores busy themselves, and a GPU takes one frame at a time.
        frames: how many there are.
        side: of the largest square drawn, in pixels; the larger, the fewer at a time.
    """
    if models.official or models.device.type != "cpu":
        return 1
    return max(1, min(torch.get_num_threads(), _MOST, frames, int(_PIXELS / max(side, 1.0) ** 2)))


def span(faces: Sequence[FaceSequence]) -> int:
    """Frames from the first with one of the faces to the last."""
    return max((face.track.stop for face in faces), default=0) - min((face.track.start for face in faces), default=0)


def largest(faces: Sequence[FaceSequence]) -> float:
    """The longer side of the largest face, in pixels."""
    return max((float(np.ptp(face.landmarks[..., :2], axis=1).max(initial=0)) for face in faces), default=0.0)


def rendered(draw: Callable[[T], R], items: Iterable[T], threads: int) -> Iterator[R]:
    """What is drawn of items, in order; closing the iterator ends its threads.

    Several threads draw with one intra-op thread each: the operators of one frame are too small to be worth sharing.
    The result is the same to the last bit as from one such thread. In the caller's thread torch's setting is not
    touched until the end, when it is what it was; threads elsewhere that first use torch meanwhile begin with one.

    Args:
        draw: called by several threads at a time if there are several.
        items: frames or places in a clip.
        threads: see :func:`at_once`.
    """
    return map(draw, items) if threads == 1 else _rendered(draw, items, threads)


def _rendered(draw: Callable[[T], R], items: Iterable[T], threads: int) -> Iterator[R]:
    setting = torch.get_num_threads()

    @torch.inference_mode()
    def alone(item: T) -> R:
        torch.set_num_threads(1)
        return draw(item)

    try:
        yield from mapped(alone, items, threads)
    finally:
        torch.set_num_threads(setting)


@contextmanager
def one_thread() -> Iterator[None]:
    """In the thread that enters, torch works with one intra-op thread meanwhile.

    For what the consumer of :func:`rendered` does with each result: sharing an operator among cores that are busy
    drawing, it would wait for them at every one.
    """
    setting = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(setting)


@contextmanager
def ending(stages: Sequence[Models]) -> Iterator[None]:
    """While a frame of the clip is drawn, for which later ones wait: its stages end with it, even if it fails."""
    try:
        yield
    finally:
        for one in stages:
            one.end()

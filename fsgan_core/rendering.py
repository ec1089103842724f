"""Frames of a clip drawn at the same time: how many, in which threads, and what one has to wait for in another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

import numpy as np
import torch

from .faces import FaceSequence
from .models import Models
from .ops.color import ColorMatch
from .streams import mapped
from .swapping import Aim, DrawnFace

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


class TrackColor:
    """The colours that a track's first frame was matched with, kept for all later ones.

    Frames may be drawn at the same time if they begin in order: later ones wait for the first.
    """

    def __init__(self, face: FaceSequence) -> None:
        self._first = int((face.scores > 0).argmax())
        self._frame = face.track.start + self._first
        self._color: Future[ColorMatch] = Future()

    def kept(self, row: int, aim: Aim, draw: Callable[[Aim], DrawnFace]) -> DrawnFace:
        """Draw the face in a row of its track."""
        if row != self._first:
            return draw(replace(aim, color=self._color.result()))
        face = draw(aim)
        self._color.set_result(face.color)
        return face

    def end(self, index: int) -> None:
        """A frame of the clip is through. If it was to give the colours and has failed, nobody waits forever."""
        if index == self._frame:
            self._color.cancel()  # Colours that are there stay.


@contextmanager
def giving(colors: Sequence[TrackColor], index: int, stages: Sequence[Models] = ()) -> Iterator[None]:
    """While a frame of the clip is drawn, for which later ones wait.

    Args:
        colors: of the tracks, some of which may have their first face in it; see :meth:`TrackColor.end`.
        index: of the frame.
        stages: of the frame's faces; see :meth:`~fsgan_core.models.Models.end`.
    """
    try:
        yield
    finally:
        for color in colors:
            color.end(index)
        for one in stages:
            one.end()

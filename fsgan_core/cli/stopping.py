"""A command that is told to end (TERM, or the terminal is closed) tidies up as one that fails does."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


class Told(SystemExit):
    """A signal to end. Whoever called the command ends with it: a loop around it must not go on."""


@contextmanager
def ending_tidily() -> Iterator[None]:
    """Let signals that would end the process at once raise :class:`Told` instead, so that unfinished files go.

    Signals that the caller handles are left to it, and so are all of them in another thread than the main one.
    """
    try:
        before = {one: signal.signal(one, _raise) for one in _SIGNALS if signal.getsignal(one) is signal.SIG_DFL}
    except ValueError:  # only the main thread may
        before = {}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _raise(number: int, frame: FrameType | None) -> None:
    raise Told(128 + number)

"""What nodes tell their users besides results: missing libraries, and notes of what went otherwise than planned."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

LIBRARIES = {
    "scipy": "scipy",
    "cv2": "opencv-python-headless",
    "safetensors": "safetensors",
    "PIL": "pillow",
    "av": "av",
    "tqdm": "tqdm",
}
"""Packages of requirements.txt by the modules they give."""

_notes: ContextVar[_Notes | None] = ContextVar("notes", default=None)


@dataclass(frozen=True)
class _Notes:
    """What was said while a node is at work, and how its page is told."""

    texts: list[str]
    show: Callable[[str], None]


def note(text: str) -> None:
    """Say something in the console, on the node that is at work and in its report if it has one."""
    logging.warning("FSGAN: %s", text)
    notes = _notes.get()
    if notes is not None:
        notes.texts.append(text)
        notes.show("\n".join(notes.texts))


def missing_libraries() -> list[str]:
    """Warn of packages that are not installed."""
    missing = [package for module, package in LIBRARIES.items() if find_spec(module) is None]
    if missing:
        logging.warning("FSGAN: its nodes cannot run before you type: pip install %s", " ".join(missing))
    return missing


def told(execute: Callable[..., Any], show: Callable[[str], None]) -> Callable[..., Any]:
    """A node's work (a class method's function) with its notes shown, and libraries by package.

    Args:
        execute: the work.
        show: writes text on the node that is at work; the report ends with the notes.
    """

    @functools.wraps(execute)
    def work(cls: Any, *given: Any, **named: Any) -> Any:
        with _noting(show) as notes, _named_packages():
            output = execute(cls, *given, **named)
        if notes:
            told = "\n".join(notes)
            names = [one.display_name for one in cls.define_schema().outputs]
            output.args = tuple(
                f"{value}\n{told}" if name == "report" else value
                for name, value in zip(names, output.args, strict=True)
            )
        return output

    return work


@contextmanager
def _noting(show: Callable[[str], None]) -> Iterator[list[str]]:
    notes = _Notes([], show)
    token = _notes.set(notes)
    try:
        yield notes.texts
    finally:
        _notes.reset(token)


@contextmanager
def _named_packages() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        if module not in LIBRARIES:
            raise
        raise ModuleNotFoundError(
            f"this node needs '{module}', which is not installed; type: pip install {LIBRARIES[module]}"
        ) from error

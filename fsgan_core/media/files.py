"""Files: inputs checked, outputs refused early, written under a temporary name, moved into place on success."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import MediaError


def check_input(path: Path) -> None:
    """Refuse a path that cannot be a picture or video.

    Raises:
        MediaError: the path is missing, a folder, empty, or may not be read.
    """
    try:
        if path.is_dir():
            raise MediaError(f"{path} is a folder; name a picture or video in it")
        with path.open("rb") as file:
            if not file.read(1):
                raise MediaError(f"{path} is empty (0 bytes); name a picture or video")
    except FileNotFoundError as error:
        raise MediaError(f"no file {path}; check the name") from error
    except (OSError, ValueError) as error:
        raise MediaError(f"cannot read {path} ({getattr(error, 'strerror', None) or error})") from error


def check_output(path: Path, *, overwrite: bool = False, inputs: Iterable[Path] = (), role: str = "output") -> None:
    """Refuse an output that cannot or must not be written, before any work is done.

    Args:
        path: file to write.
        overwrite: whether an existing file may be replaced.
        inputs: files that are read; none may be the output, whatever ``overwrite`` says.
        role: what the file is, in words.

    Raises:
        MediaError: the output is a folder, an input or an existing file, or its folder is missing or
            cannot be written to.
    """
    if path.is_dir():
        raise MediaError(f"{role} {path} is a folder; name a file in it")
    for source in inputs:
        if path.exists() and source.exists() and path.samefile(source):
            raise MediaError(f"{role} {path} is also an input; name another file")
    if path.exists() and not overwrite:
        raise MediaError(f"{role} {path} exists; name another file or allow overwriting (--overwrite)")
    if not path.parent.is_dir():
        raise MediaError(f"no folder {path.parent} for {role} {path.name}; make it or name another")
    trial = temporary_name(path)
    try:
        trial.touch(exist_ok=False)
        trial.unlink()
    except OSError as error:
        raise MediaError(f"cannot write into folder {path.parent} ({error.strerror}); name another") from error


def temporary_name(path: Path) -> Path:
    """Name an unused file beside the output, with its suffix."""
    return path.with_name(f".{uuid.uuid4().hex}.partial{path.suffix}")


@contextmanager
def staged(path: Path, *, overwrite: bool = False, inputs: Iterable[Path] = ()) -> Iterator[Path]:
    """Give a temporary file name to write to; move it to ``path`` in one step at the end.

    When the block raises, nothing remains and ``path`` is as it was.

    Args:
        path: file to write.
        overwrite: whether an existing file may be replaced.
        inputs: files that are read.

    Raises:
        MediaError: see :func:`check_output`, or the file cannot be moved into place.
    """
    check_output(path, overwrite=overwrite, inputs=inputs)
    temporary = temporary_name(path)
    try:
        yield temporary
        # It may have come to be while we worked.
        check_output(path, overwrite=overwrite, inputs=inputs)
        _move(temporary, path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def staged_folder(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Give a temporary folder to fill; move its files into ``path``, which is made then, at the end.

    When the block raises, nothing remains and ``path`` is as it was, there or not. Other files in it stay.

    Args:
        path: folder for the files.
        overwrite: whether it may hold files already, and those of the same names are replaced.

    Raises:
        MediaError: ``path`` is a file, holds files and ``overwrite`` is not given, or cannot be written to.
    """
    there = next(place for place in (path, *path.parents) if place.exists())
    if not there.is_dir():
        raise MediaError(f"found the file {there} where output {path} needs a folder; name another")
    if not overwrite and path.is_dir() and any(not entry.name.startswith(".") for entry in path.iterdir()):
        raise MediaError(f"output folder {path} holds files; name another or allow overwriting (--overwrite)")
    try:
        temporary = Path(tempfile.mkdtemp(prefix=".", suffix=".partial", dir=there))
    except OSError as error:
        raise MediaError(f"cannot write into folder {there} ({error.strerror}); name another") from error
    try:
        yield temporary
        for file in sorted(one for one in temporary.rglob("*") if one.is_file()):
            _move_into(file, path / file.relative_to(temporary))
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _move_into(temporary: Path, path: Path) -> None:
    """Move a file to where its folder may still have to be made."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MediaError(f"cannot make folder {path.parent} ({error.strerror or error})") from error
    _move(temporary, path)


def _move(temporary: Path, path: Path) -> None:
    try:
        os.replace(temporary, path)
    except OSError as error:
        raise MediaError(f"cannot write {path} ({error.strerror or error})") from error

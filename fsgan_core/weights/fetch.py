"""Fetching official files that have plain public addresses: only when asked, resumable, the same bytes every time.

The SHA-256 of a file is written down when it is first fetched, beside it in :data:`RECORD`; a later copy with another
is refused. The converter then decides whether it is what it should be.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import NamedTuple
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from ..errors import WeightsError
from .catalog import user_folder
from .convert import convert, sha256
from .known_files import KNOWN, KnownFile
from .unpickling import MAX_BYTES

RECORD = "fetched.json"
"""File with the SHA-256 of everything fetched into a folder, by name."""
_BLOCK = 1 << 18
_TIMEOUT = 30.0


class Progress(NamedTuple):
    """How much of a file is there."""

    done: int
    """bytes"""
    total: int
    """bytes; 0 when the server does not say"""


def fetchable(name: str) -> KnownFile:
    """The known file of that name.

    Raises:
        ValueError: there is none.
        WeightsError: it is of no use here, or it has no plain address.
    """
    usable = [file for file in KNOWN if file.kind and _plain(file)]
    for file in KNOWN:
        if file.name == name:
            if file in usable:
                return file
            raise WeightsError(f"{name} cannot be fetched; get it from {file.source}")
    names = ", ".join(file.name for file in usable)
    raise ValueError(f"found the name '{name}', expected one of {names}")


def fetch(name: str, folder: Path | None = None) -> Iterator[Progress]:
    """Download a known file, go on where an earlier attempt stopped, check its hash, and convert it.

    Args:
        name: of a file with a plain address; see :func:`fetchable`.
        folder: where the ``.pth`` and ``.safetensors`` go, made if need be; default the user's.

    Yields:
        progress of the download; when the generator ends the file is converted.

    Raises:
        WeightsError: no such file, no connection, other bytes than the first time, or not what it should be.
    """
    file, folder = fetchable(name), folder or user_folder()
    path = folder / f"{file.name}.pth"
    if path.with_suffix(".safetensors").exists():
        raise WeightsError(f"{path.with_suffix('.safetensors')} is there already; delete it to fetch it again")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            yield from download(file.source, path)
        known = _compared(path)
        try:
            convert(path, path.with_name(f"{file.name}.safetensors"))
        except WeightsError:
            path.replace(path.with_name(path.name + ".refused"))
            raise
        _record(path, known)
    except OSError as error:
        raise WeightsError(f"cannot write into {folder} ({error}); name another folder") from error


def download(address: str, path: Path) -> Iterator[Progress]:
    """Download to ``path``, by way of ``path.part``, which a later call continues.

    Raises:
        WeightsError: the server cannot be reached, refuses, sends too much or too little.
    """
    part, tag = path.with_name(path.name + ".part"), path.with_name(path.name + ".part.tag")
    start = part.stat().st_size if part.exists() and tag.exists() else 0
    headers = {"Range": f"bytes={start}-", "If-Range": tag.read_text()} if start else {}
    try:
        with urlopen(Request(address, headers=headers), timeout=_TIMEOUT) as answer:
            # 200 instead of 206: the server begins anew, because the file changed or it cannot continue.
            start = start if answer.status == 206 else 0
            total = start + int(answer.headers.get("Content-Length") or 0)
            tag.write_text(answer.headers.get("ETag") or answer.headers.get("Last-Modified") or "")
            yield from _written(answer, part, Progress(start, total if total > start else 0))
    except HTTPError as error:
        if error.code == 416:
            part.unlink(missing_ok=True)
        raise WeightsError(f"{address} answers {error.code} {error.reason}; try again later") from error
    except (URLError, HTTPException, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", error)
        raise WeightsError(f"cannot get {address} ({reason}); what arrived is kept, type the same again") from error
    tag.unlink()
    shutil.move(part, path)


def _written(answer: HTTPResponse, part: Path, begin: Progress) -> Iterator[Progress]:
    done, total = begin
    with part.open("ab" if done else "wb") as file:
        yield begin
        while block := answer.read(_BLOCK):
            done += len(block)
            if max(done, total) > MAX_BYTES:
                raise WeightsError(f"the server sends {max(done, total)} bytes, more than any official file has")
            file.write(block)
            yield Progress(done, total)
    if total and done < total:
        raise ConnectionError(f"{done} of {total} bytes arrived")


def _compared(path: Path) -> dict[str, str]:
    """The record with this file's hash in it, which is the one written down before, if any was."""
    record = path.with_name(RECORD)
    try:
        known: dict[str, str] = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
    except ValueError as error:
        raise WeightsError(f"{record} is damaged ({error}); delete it to begin a new record") from error
    found = sha256(path)
    if known.setdefault(path.name, found) != found:
        path.replace(path.with_name(path.name + ".refused"))
        raise WeightsError(
            f"{path} now has SHA-256 {found}, first it had {known[path.name]}; it was renamed to .refused."
            f" Delete its line from {record} if the change is wanted"
        )
    return known


def _record(path: Path, known: dict[str, str]) -> None:
    partial = path.with_name(RECORD + ".partial")
    partial.write_text(json.dumps(known, indent=1, sort_keys=True), encoding="utf-8")
    partial.replace(path.with_name(RECORD))


def _plain(file: KnownFile) -> bool:
    return file.source.startswith(("https://", "http://"))

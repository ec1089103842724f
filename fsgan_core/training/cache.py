"""Folders of what a training makes once and reads again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory


def written_once(folder: Path, write: Callable[[Path], None]) -> Path:
    """A folder with its contents; one that has any is left alone.

    It appears whole or not at all. Of several processes, such as those of ``torchrun``, each writes a copy; that of the
    first one to finish stays, and all go on with it.

    Args:
        folder: made when missing.
        write: fills the folder that it is given.
    """
    if not _filled(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder.parent, prefix=f"{folder.name}-") as around:
            copy = Path(around) / folder.name
            copy.mkdir()
            write(copy)
            try:
                copy.replace(folder)
            except OSError:
                if not _filled(folder):
                    raise
    return folder


def _filled(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())

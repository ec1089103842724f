"""Recipes: how a task is trained, as small JSON files beside this one or anywhere.

``TASK.json`` is the default of a task, ``TASK-NAME.json`` the recipe NAME; with an architecture ``TASK-ARCH.json`` and
``TASK-ARCH-NAME.json``. A file has up to four entries::

    {"about": "words", "arguments": {...}, "options": {...}, "phases": [{"name": "128", ...}, {"name": "256", ...}]}

``arguments`` go to the task's function, ``options`` to ``TrainOptions``. Phases have both as well, over those of the
whole, run one after the other in folders of their names, and start from the network of the phase before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import FSGANError

FOLDER = Path(__file__).parent
SUFFIX = ".json"
_ENTRIES = ("about", "arguments", "options", "phases")


@dataclass(frozen=True)
class Phase:
    """One run of the loop.

    Attributes:
        name: of its folder inside that of the training; empty: that folder itself.
        arguments: of the task.
        options: fields of ``TrainOptions``.
    """

    name: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


def names(stem: str) -> list[str]:
    """Names of the recipes of a task that come with this package.

    Args:
        stem: task, or task and architecture, as ``blending`` or ``blending-msrunet-v2``.
    """
    return sorted(path.stem.removeprefix(f"{stem}-") for path in FOLDER.glob(f"{stem}-*{SUFFIX}"))


def read_recipe(stem: str, name: str = "") -> tuple[Phase, ...]:
    """The phases of a recipe, one at least.

    Args:
        stem: task, or task and architecture.
        name: of a recipe of this package, or a path that ends in ``.json``; empty: the task's default, if it has one.

    Raises:
        ValueError: there is none of this name.
        FSGANError: it is not one.
    """
    path = Path(name) if name.endswith(SUFFIX) else FOLDER / f"{stem}{'-' * bool(name)}{name}{SUFFIX}"
    if not name and not path.is_file():
        return (Phase(),)
    if not path.is_file():
        known = ", ".join(names(stem)) or "none"
        raise ValueError(f"no recipe '{name}' of {stem}; known: {known}, or name a {SUFFIX} file")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FSGANError(f"{path} is not readable JSON ({error}); mend it") from error
    whole = _phase(path, content, _ENTRIES)
    phases = [_phase(path, part, ("name", "arguments", "options")) for part in content.get("phases", [{}])]
    return tuple(
        Phase(part.name, {**whole.arguments, **part.arguments}, {**whole.options, **part.options}) for part in phases
    )


def check_arguments(known: Sequence[str], arguments: Mapping[str, Any]) -> None:
    """See that a task takes these arguments.

    Args:
        known: names of the task's arguments.
        arguments: what is given.

    Raises:
        ValueError: it does not know one.
    """
    unknown = sorted(set(arguments) - set(known))
    if unknown:
        raise ValueError(f"the task knows no '{unknown[0]}'; it takes {', '.join(known) or 'none'}")


def _phase(path: Path, content: Any, entries: tuple[str, ...]) -> Phase:
    if not isinstance(content, dict) or not content.keys() <= set(entries):
        raise FSGANError(f"{path} has {content!r:.80}, expected an object with {', '.join(entries)}")
    arguments, options = content.get("arguments", {}), content.get("options", {})
    if not isinstance(arguments, dict) or not isinstance(options, dict):
        raise FSGANError(f"{path}: expected 'arguments' and 'options' to be objects of names and values")
    return Phase(str(content.get("name", "")), arguments, options)

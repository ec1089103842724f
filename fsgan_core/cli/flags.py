"""Flags that several commands share, and flags made from the fields of option classes."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from ..errors import FSGANError
from ..options import Option, build, describe

T = TypeVar("T")
DEVICES = ("auto", "cpu", "cuda", "mps")


def add_action(actions: Any, name: str, text: str) -> argparse.ArgumentParser:
    """A command's action: its parser, with the flags of every one.

    Args:
        actions: of ``add_subparsers``.
        name: of the action.
        text: what it does.
    """
    action: argparse.ArgumentParser = actions.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    add_debug(action)
    return action


def add_debug(parser: argparse.ArgumentParser) -> None:
    """Add ``--debug``; it may be given to a command or to its action, whose parser then tells of usage errors."""
    text = "show where an error came from"
    parser.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=text)
    parser.set_defaults(parser=parser)


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add ``--device``."""
    text = "where to compute; auto takes cuda where there is one, else cpu (default: auto)"
    parser.add_argument("--device", choices=DEVICES, default="auto", help=text)


def add_output(parser: argparse.ArgumentParser, text: str) -> None:
    """Add ``--output`` and ``--overwrite``."""
    parser.add_argument("--output", "-o", type=file_path, required=True, metavar="FILE", help=text)
    parser.add_argument("--overwrite", action="store_true", help="replace the output if it exists")


def some_name(word: str, kind: str = "a name") -> str:
    """A word that is not empty, as one is that stands for a variable without a value."""
    if not word:
        raise argparse.ArgumentTypeError(f"found an empty name, expected {kind}")
    return word


def file_path(word: str) -> Path:
    """A file's or folder's name, as the flags that take one read it."""
    return Path(some_name(word, "a file or folder"))


@contextmanager
def naming(flag: str) -> Iterator[None]:
    """Tell a value that is refused meanwhile as a usage error of a flag."""
    try:
        yield
    except ValueError as error:
        raise argparse.ArgumentError(None, f"argument {flag}: {error}") from error


def add_options(
    parser: argparse.ArgumentParser, kind: type, title: str, leave: tuple[str, ...] = (), prefix: str = ""
) -> None:
    """Add a flag for each field of an options class.

    Args:
        parser: of the command.
        kind: dataclass of options.
        title: heading of the group in the help.
        leave: fields that get no flag here.
        prefix: what the flags' names begin with.
    """
    group = parser.add_argument_group(title)
    for option in describe(kind):
        if option.name not in leave:
            # Of an option inside options the inner class's field gives the context: --tracking-gap.
            flag = f"--{prefix}{'-'.join(option.path[-2:]).replace('_', '-')}"
            group.add_argument(flag, dest=_place(kind, option), **_settings(option))


def read_options(args: argparse.Namespace, kind: type[T], defaults: Mapping[str, Any] | None = None, **fixed: Any) -> T:
    """Options of a class as the flags of :func:`add_options` gave them, with some fields fixed.

    Args:
        args: parsed flags.
        kind: the class.
        defaults: fields that differ from the class's defaults where no flag was given.
        fixed: fields whatever the flags say.

    Raises:
        argparse.ArgumentError: the class refuses a value.
        FSGANError: a default is of no field.
    """
    given: dict[tuple[str, ...], Any] = {(name,): value for name, value in (defaults or {}).items()}
    unknown = sorted(name for (name,) in given if name not in get_type_hints(kind))
    if unknown:
        raise FSGANError(f"found the option '{unknown[0]}', expected one of {', '.join(get_type_hints(kind))}")
    given |= given_options(args, kind)
    given |= {(name,): value for name, value in fixed.items()}
    try:
        return build(kind, given)
    except ValueError as error:
        raise argparse.ArgumentError(None, str(error)) from error


def given_options(args: argparse.Namespace, kind: type) -> dict[tuple[str, ...], Any]:
    """The values of those flags of :func:`add_options` that were given, by the path of their option."""
    values = {option.path: getattr(args, _place(kind, option), None) for option in describe(kind)}
    return {path: value for path, value in values.items() if value is not None}


def chosen_device(name: str) -> str:
    """The device to use.

    Raises:
        FSGANError: it is not there.
    """
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there[name]:
        raise FSGANError(f"found no '{name}' device; use --device cpu")
    return name


def _place(kind: type, option: Option) -> str:
    return f"{kind.__name__}.{'.'.join(option.path)}"


def _settings(option: Option) -> dict[str, Any]:
    text = option.help.replace("%", "%%")
    notes = [str(option.range)] if option.range else []
    if (usual := _shown(option.default)) and "default" not in text:
        notes.append(f"default: {usual}")
    if notes:
        text += f" ({'; '.join(notes)})"
    if option.type is bool:
        return {"action": argparse.BooleanOptionalAction, "default": None, "help": text}
    if option.choices:
        return {"choices": option.choices, "help": text, "type": option.type}
    return {"type": _reader(option), "help": text, "metavar": {int: "N", float: "X", str: "NAME"}[option.type]}


def _shown(default: Any) -> str:
    """A default in the help; empty where none has to be told."""
    if isinstance(default, bool):
        return "yes" if default else "no"
    if isinstance(default, float):
        return f"{default:g}" if isfinite(default) else ""
    return str(default)


def _reader(option: Option) -> Callable[[str], Any]:
    """Read a word as an option's value; ``auto`` takes the default."""

    def read(word: str) -> Any:
        if word == "auto":
            return option.default
        if option.type is str:
            return some_name(word)
        with suppress(ValueError):
            value = option.type(word)
            if option.range is None or value in option.range:
                return value
        wanted = {int: "a whole number", float: "a number"}[option.type]
        span = f", {option.range}" if option.range else ""
        raise argparse.ArgumentTypeError(f"found '{word}', expected {wanted}{span}")

    return read

"""Options described once: name, type, default, choices and help of a dataclass's fields, for flags and widgets.

The help of a field is the string below it in its class, so that the sentence is written, and read, in one place.
"""

from __future__ import annotations

import ast
import inspect
import math
import textwrap
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


@dataclass(frozen=True)
class Range:
    """Least and greatest value of a numeric field, written ``Annotated[float, Range(0, 1)]``.

    Attributes:
        low: least value.
        high: greatest value; infinite where there is none.
        unit: what it is counted in, in words; empty for a share.
    """

    low: float
    high: float
    unit: str = ""

    def __str__(self) -> str:
        span = f"{self.low:g} or more" if math.isinf(self.high) else f"{self.low:g} to {self.high:g}"
        return f"{span} {self.unit}".rstrip()

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True, kw_only=True)
class Option:
    """One field of an options class.

    Attributes:
        name: of the field.
        type: ``int``, ``float``, ``bool`` or ``str``.
        default: its value when not given.
        choices: the values allowed; empty where the type alone decides.
        help: the sentence below the field: meaning, default, unit.
        range: the values allowed, of a number whose type says so.
        path: names that lead from the outermost options to the field, this one last.
    """

    name: str
    type: type
    default: Any
    choices: tuple[Any, ...] = ()
    help: str = ""
    range: Range | None = None
    path: tuple[str, ...] = field(default=())


def describe(kind: type, path: tuple[str, ...] = ()) -> tuple[Option, ...]:
    """Options of a dataclass, in its order; options within options follow in place.

    Fields of other types (a device, a callable) are left out: no flag can give them.

    Args:
        kind: a dataclass whose every field has a default.
        path: where the class sits in an outer one.

    Raises:
        ValueError: not a dataclass, or a field without a default.
    """
    if not is_dataclass(kind):
        raise ValueError(f"found {kind!r}, expected a dataclass of options")
    return tuple(_described(kind, path))


def build(kind: type[T], values: dict[tuple[str, ...], Any], path: tuple[str, ...] = ()) -> T:
    """Make options from values by path, as :func:`describe` names them; what is missing keeps its default.

    Raises:
        ValueError: a value that the class refuses.
    """
    given: dict[str, Any] = {}
    for name, hint in get_type_hints(kind).items():
        inner = (*path, name)
        if is_dataclass(hint) and isinstance(hint, type):
            given[name] = build(hint, values, inner)
        elif inner in values:
            given[name] = values[inner]
    return kind(**given)


def check_ranges(values: Any) -> None:
    """Refuse options outside their ranges and menus.

    Args:
        values: an options instance, as its ``__post_init__`` has it.

    Raises:
        ValueError: a number lies outside its range, or a word is not on its menu.
    """
    for option in describe(type(values)):
        if len(option.path) > 1:  # options within options look after themselves
            continue
        value: Any = getattr(values, option.name)
        if option.range and value not in option.range:
            raise ValueError(f"{option.name} is {value:g}, expected {option.range}")
        if option.choices and value not in option.choices:
            raise ValueError(f"{option.name} is '{value}', expected one of {', '.join(map(str, option.choices))}")


def _described(kind: type, path: tuple[str, ...]) -> Iterator[Option]:
    hints, helps = get_type_hints(kind, include_extras=True), _helps(kind)
    for item in fields(kind):
        hint, span = _plain(hints[item.name])
        inner = (*path, item.name)
        default = item.default_factory() if item.default_factory is not MISSING else item.default
        if default is MISSING:
            raise ValueError(f"{kind.__name__}.{item.name} has no default; options need one each")
        if isinstance(hint, type) and is_dataclass(hint):
            yield from _described(hint, inner)
            continue
        scalar, choices = _scalar(hint)
        if scalar is not None:
            about: dict[str, Any] = {"choices": choices, "help": helps.get(item.name, ""), "range": span, "path": inner}
            yield Option(name=item.name, type=scalar, default=default, **about)


def _plain(hint: Any) -> tuple[Any, Range | None]:
    """A hint without its annotation, and the range that says."""
    if get_origin(hint) is not Annotated:
        return hint, None
    inner, *notes = get_args(hint)
    return inner, next((note for note in notes if isinstance(note, Range)), None)


def _scalar(hint: Any) -> tuple[type | None, tuple[Any, ...]]:
    """The type and choices a hint stands for; of an optional one, those of what it may hold."""
    if get_origin(hint) is Literal:
        return type(get_args(hint)[0]), get_args(hint)
    if get_origin(hint) in (Union, UnionType):
        inner = [part for part in get_args(hint) if part is not type(None)]
        return _scalar(inner[0]) if len(inner) == 1 else (None, ())
    return (hint, ()) if hint in (int, float, bool, str) else (None, ())


@cache
def _helps(kind: type) -> dict[str, str]:
    """The string below each field."""
    body = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    texts: dict[str, str] = {}
    statements = body.body if isinstance(body, ast.ClassDef) else []
    for before, after in zip(statements, statements[1:], strict=False):
        named = isinstance(before, ast.AnnAssign) and isinstance(before.target, ast.Name)
        if named and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            texts[before.target.id] = " ".join(str(after.value.value).split())  # type: ignore[attr-defined]
    return texts

"""Configurations of our networks, which travel with the weights as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

C = TypeVar("C", bound="Config")


class Config:
    """What the frozen dataclasses share whose every field has a default."""

    @classmethod
    def of(cls: type[C], values: Mapping[str, Any]) -> C:
        """From JSON, where lists stand for tuples; a field that an older file lacks has its default.

        Raises:
            TypeError: a field is unknown, or its value is not of its default's type.
        """
        usual = {field.name: field.default for field in fields(cls)}  # type: ignore[arg-type]  # subclasses are
        given = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
        for name, value in given.items():
            if name not in usual:
                raise TypeError(f"found the field '{name}', expected some of {', '.join(usual)}")
            if not _alike(value, usual[name]):
                raise TypeError(f"found {name} = {value!r}, expected the like of {usual[name]!r}")
        return cls(**given)


def _alike(value: object, usual: object) -> bool:
    """Whether a value is of the type of a usual one; a whole number may stand for a float, and tuples may be longer."""
    if isinstance(value, tuple) and isinstance(usual, tuple):
        return bool(value) and all(_alike(part, usual[0]) for part in value)
    return type(value) is type(usual) or (isinstance(usual, float) and type(value) is int)

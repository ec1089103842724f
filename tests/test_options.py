from dataclasses import dataclass, field
from typing import Annotated, Literal

import pytest

from fsgan_core.options import Range, build, check_ranges, describe


@dataclass(frozen=True, kw_only=True)
class Inner:
    radius: float = 2.0
    """how far,
    in pixels"""


@dataclass(frozen=True, kw_only=True)
class Outer:
    mode: Literal["fast", "good"] = "good"
    """how to work"""
    name: str | None = None
    inner: Inner = field(default_factory=Inner)
    """not an option of its own"""
    sharp: bool = True
    """whether edges stay"""

    def __post_init__(self) -> None:
        if self.name == "":
            raise ValueError("name is empty")


def test_fields_become_options_in_order() -> None:
    options = describe(Outer)
    assert [option.path for option in options] == [("mode",), ("name",), ("inner", "radius"), ("sharp",)]
    assert [option.type for option in options] == [str, str, float, bool]
    assert [option.default for option in options] == ["good", None, 2.0, True]
    assert options[0].choices == ("fast", "good")


def test_help_is_the_string_below_the_field() -> None:
    assert [option.help for option in describe(Outer)] == [
        "how to work",
        "",
        "how far, in pixels",
        "whether edges stay",
    ]


def test_build_puts_values_where_describe_found_them() -> None:
    built = build(Outer, {("mode",): "fast", ("inner", "radius"): 5.0})
    assert built == Outer(mode="fast", inner=Inner(radius=5.0))
    assert build(Outer, {}) == Outer()


def test_the_class_may_refuse() -> None:
    with pytest.raises(ValueError, match="empty"):
        build(Outer, {("name",): ""})


def test_every_option_needs_a_default() -> None:
    @dataclass
    class Bare:
        size: int

    with pytest.raises(ValueError, match=r"Bare\.size"):
        describe(Bare)
    with pytest.raises(ValueError, match="dataclass"):
        describe(int)


@dataclass(frozen=True, kw_only=True)
class Bounded:
    turn: Annotated[float, Range(-60, 60, "degrees")] = 0.0
    """how far"""
    inner: Inner = field(default_factory=Inner)

    def __post_init__(self) -> None:
        check_ranges(self)


def test_a_range_is_read_from_the_type_and_kept_to() -> None:
    turn, radius = describe(Bounded)
    assert (turn.type, turn.range, str(turn.range)) == (float, Range(-60, 60, "degrees"), "-60 to 60 degrees")
    assert radius.range is None
    assert Bounded(turn=-60).turn == -60
    with pytest.raises(ValueError, match=r"turn is 60.5, expected -60 to 60 degrees"):
        Bounded(turn=60.5)

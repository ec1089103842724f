import math
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import pytest

from fsgan_core import AnalyzeOptions, Controls, ReenactOptions, SwapOptions
from fsgan_core.media import EncodeOptions
from fsgan_core.ops.smoothing import SmoothingOptions
from fsgan_core.options import Range, build, check_ranges, describe
from fsgan_core.stages.blending import BlendOptions
from fsgan_core.stages.candidates import MapOptions
from fsgan_core.stages.cuts import CutOptions
from fsgan_core.stages.measuring import MeasureOptions
from fsgan_core.stages.reenactment import FlowOptions
from fsgan_core.stages.tracking import TrackOptions
from fsgan_core.training.adaptation import AdaptOptions
from fsgan_core.training.dataset_choice import DatasetOptions
from fsgan_core.training.loop import TrainOptions


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


def test_words_are_those_of_the_menu() -> None:
    with pytest.raises(ValueError, match="parts is 'nose', expected one of all, expression, mouth, pose"):
        ReenactOptions(parts="nose")  # type: ignore[arg-type]


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
    assert str(Range(1, math.inf, "frames")) == "1 or more frames"


MEASURING = (AnalyzeOptions, TrackOptions, CutOptions, MeasureOptions, SmoothingOptions)
DRAWING = (Controls, FlowOptions, ReenactOptions, SwapOptions, BlendOptions, MapOptions)


@pytest.mark.parametrize("kind", [*MEASURING, *DRAWING, EncodeOptions, AdaptOptions, DatasetOptions, TrainOptions])
def test_every_range_of_the_core_is_kept_to(kind: Any) -> None:
    ranged = [option for option in describe(kind) if option.range and len(option.path) == 1]
    assert ranged
    for option in ranged:
        assert option.default in option.range
        with pytest.raises(ValueError, match=f"{option.name} is .*, expected {option.range}"):
            kind(**{option.name: option.range.low - 1})

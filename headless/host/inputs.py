"""Inputs and outputs of nodes, as ComfyUI's schemas are written with them."""

from __future__ import annotations

from typing import Any


def _pruned(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


class Input:
    """An input of any type."""

    kind = ""

    def __init__(
        self,
        id: str,
        display_name: str | None = None,
        optional: bool = False,
        tooltip: str | None = None,
        advanced: bool | None = None,
    ) -> None:
        self.id, self.optional = id, optional
        self.values = _pruned(display_name=display_name, tooltip=tooltip, advanced=advanced)


class Output:
    """An output of any type."""

    kind = ""

    def __init__(self, id: str | None = None, display_name: str | None = None, tooltip: str | None = None) -> None:
        self.id, self.display_name, self.tooltip = id, display_name or id, tooltip


class Number(Input):
    """An input with a number's widget."""

    def __init__(
        self,
        id: str,
        optional: bool = False,
        tooltip: str | None = None,
        default: float | None = None,
        min: float | None = None,
        max: float | None = None,
        step: float | None = None,
        display_mode: str | None = None,
        advanced: bool | None = None,
    ) -> None:
        super().__init__(id, None, optional, tooltip, advanced)
        self.values |= _pruned(default=default, min=min, max=max, step=step, display=display_mode)


class Switch(Input):
    """An input with a switch."""

    def __init__(
        self,
        id: str,
        optional: bool = False,
        tooltip: str | None = None,
        default: bool | None = None,
        advanced: bool | None = None,
    ) -> None:
        super().__init__(id, None, optional, tooltip, advanced)
        self.values |= _pruned(default=default)


class Words(Input):
    """An input with a line of text."""

    def __init__(
        self,
        id: str,
        optional: bool = False,
        tooltip: str | None = None,
        multiline: bool = False,
        default: str | None = None,
        advanced: bool | None = None,
    ) -> None:
        super().__init__(id, None, optional, tooltip, advanced)
        self.values |= _pruned(default=default, multiline=multiline)


class Menu(Input):
    """An input with a menu."""

    def __init__(
        self,
        id: str,
        options: list[str] | None = None,
        optional: bool = False,
        tooltip: str | None = None,
        default: str | None = None,
        upload: Any = None,
        advanced: bool | None = None,
    ) -> None:
        super().__init__(id, None, optional, tooltip, advanced)
        self.values |= _pruned(default=default, multiselect=False, options=options)
        if upload:
            self.values[upload] = True


class Several(Input):
    """An input of more than one type."""

    def __init__(self, id: str, types: list[Any], optional: bool = False, tooltip: str | None = None) -> None:
        super().__init__(id, None, optional, tooltip)
        self.kind = ",".join(one.io_type for one in types)


def custom(name: str, base: type[Input] = Input) -> Any:
    """A type with its input and output."""
    given, made = type("Input", (base,), {"kind": name}), type("Output", (Output,), {"kind": name})
    return type(name, (), {"io_type": name, "Input": given, "Output": made})

"""Values of inputs: typed words, and what a node accepts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .graph import Graph, Node, find, link, name, named, nearest, replaced

if TYPE_CHECKING:
    from .host import Folders

_SWITCH = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_LOADERS = {"IMAGE": ("LoadImage", "image"), "VIDEO": ("LoadVideo", "file")}
_TYPED = {"INT": int, "FLOAT": float, "STRING": str, "BOOLEAN": bool}
_WORDS = {"INT": "a whole number", "FLOAT": "a number", "BOOLEAN": "true or false"}


def assigned(graph: Graph, assignments: Sequence[str], catalogue: Mapping[str, Any], folders: Folders) -> Graph:
    """The graph with values that the user has typed.

    Args:
        graph: what is changed.
        assignments: ``node.input=value`` each, or ``node=file``, which puts a loader in the place of a node.
        catalogue: node classes by id.
        folders: learn which files may be read because the user has named them.

    Raises:
        ValueError: no such node or input, or a value of another kind.
    """
    for words in assignments:
        target, equals, text = words.partition("=")
        if not equals:
            raise ValueError(f"found '{words}', expected NODE.INPUT=VALUE or NODE=FILE")
        whole = named(graph, target)
        number, given = (whole, "") if whole is not None else find(graph, target)
        node = graph[number]
        if node.kind not in catalogue:
            raise ValueError(f"{name(number, node)} is a '{node.kind}', which only ComfyUI has")
        schema, where = catalogue[node.kind].define_schema(), name(number, node)
        if whole is not None:
            graph = {**graph, number: _loader(schema, text, where, folders)}
            continue
        inputs = {one.id: one for one in schema.inputs}
        if given not in inputs:
            raise ValueError(f"{where} has no input '{given}'{nearest(given, list(inputs))}")
        graph = replaced(graph, number, given, _typed(inputs[given], text, where, folders))
    return graph


def _loader(schema: Any, text: str, where: str, folders: Folders) -> Node:
    """What loads a file in the place of a node that gives the same."""
    kind = schema.outputs[0].kind if schema.outputs else "nothing"
    if kind not in _LOADERS:
        raise ValueError(f"{where} gives {kind}, for which no file can stand; use NODE.INPUT=VALUE")
    if not Path(text).is_file():
        raise ValueError(f"no file {text} to stand for {where}; check the name")
    loader, given = _LOADERS[kind]
    return Node(loader, Path(text).name, {given: folders.allow(Path(text))})


def _typed(one: Any, text: str, where: str, folders: Folders) -> Any:
    """A typed word as the input's kind of value; a file for a menu of files becomes readable."""
    if one.kind == "COMBO":
        listed = text in one.values.get("options", ())
        return folders.allow(Path(text)) if not listed and Path(text).is_file() else text
    if one.kind not in _TYPED:
        raise ValueError(f"'{one.id}' of {where} takes a wire, not a value; name an input with a widget")
    try:
        return _SWITCH[text.lower()] if one.kind == "BOOLEAN" else _TYPED[one.kind](text)
    except (KeyError, ValueError) as error:
        raise ValueError(f"'{one.id}' of {where} is '{text}', expected {_WORDS[one.kind]}") from error


def check(graph: Graph, numbers: Sequence[str], catalogue: Mapping[str, Any]) -> None:
    """Refuse what a node would not accept, before anything runs.

    Raises:
        ValueError: an input is missing, out of range, not in its menu, or wired to another kind of output.
    """
    for number in numbers:
        node = graph[number]
        for one in catalogue[node.kind].define_schema().inputs:
            where = f"'{one.id}' of {name(number, node)}"
            if one.id not in node.inputs:
                if not one.optional:
                    raise ValueError(f"{where} is missing; wire it, or --set {number}.{one.id}=VALUE")
                continue
            value = node.inputs[one.id]
            wire = link(value)
            if wire:
                _check_wire(wire, graph, catalogue, one.kind, where)
            else:
                _check_value(one, value, where)


def _check_wire(wire: tuple[str, int], graph: Graph, catalogue: Mapping[str, Any], kind: str, where: str) -> None:
    outputs = catalogue[graph[wire[0]].kind].define_schema().outputs
    source = name(wire[0], graph[wire[0]])
    if not 0 <= wire[1] < len(outputs):
        raise ValueError(f"{where} is wired to output {wire[1]} of {source}, which has {len(outputs)}")
    found = outputs[wire[1]].kind
    if kind != "*" and found != "*" and found not in kind.split(","):
        raise ValueError(f"{where} is wired to {found} of {source}, expected {kind}")


def _check_value(one: Any, value: Any, where: str) -> None:
    try:
        converted = value_of(one, value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where} is {value!r}, expected {_WORDS.get(one.kind, 'text')}") from error
    if one.kind not in (*_TYPED, "COMBO"):
        raise ValueError(f"{where} takes a wire, found the value {value!r}")
    low, high = one.values.get("min"), one.values.get("max")
    if (low is not None and converted < low) or (high is not None and converted > high):
        raise ValueError(f"{where} is {converted}, expected {low} to {high}")
    options = one.values.get("options")
    # A menu of files may be empty, and the user may have named another file.
    if options and converted not in options and not Path(str(converted)).is_absolute():
        raise ValueError(f"{where} is '{converted}', expected one of {', '.join(map(str, options))}")


def value_of(one: Any, value: Any) -> Any:
    """A plain value as the host hands it to a node."""
    return _TYPED[one.kind](value) if one.kind in _TYPED else value


def arguments(node: Node, schema: Any, results: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """What a node is called with: the inputs that it knows and was given."""
    given = {}
    for one in schema.inputs:
        if one.id in node.inputs:
            wire = link(node.inputs[one.id])
            given[one.id] = results[wire[0]][wire[1]] if wire else value_of(one, node.inputs[one.id])
    return given

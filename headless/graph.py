"""Graphs in ComfyUI's API format: read, changed, checked, put in order."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Node:
    """One node of a graph.

    Attributes:
        kind: id of its class.
        title: what it is called on the page.
        inputs: by name a value, or ``[number of a node, number of its output]``.
    """

    kind: str
    title: str
    inputs: Mapping[str, Any]


Graph = Mapping[str, Node]
"""Nodes by number, which is text."""


def read_graph(path: Path) -> Graph:
    """Read a graph.

    Raises:
        ValueError: no file, no JSON, or not in the API format.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ValueError(f"no file {path}; check the name") from error
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise ValueError(f"{path} cannot be read as a graph ({why}); name a workflow in API format") from error
    if isinstance(content, dict) and isinstance(content.get("nodes"), list):
        raise ValueError(f"{path} is a workflow of the graph page; export it for the API there, or see workflows/api")
    if not isinstance(content, dict) or not content:
        raise ValueError(f"{path} holds no nodes; name a workflow in API format")
    graph = {}
    for number, found in content.items():
        kind, inputs = (found.get("class_type"), found.get("inputs", {})) if isinstance(found, dict) else (None, None)
        if not isinstance(kind, str) or not isinstance(inputs, dict):
            raise ValueError(f"node {number} in {path} has no class_type and inputs; name a workflow in API format")
        meta = found.get("_meta")
        title = meta.get("title") if isinstance(meta, dict) else None
        graph[number] = Node(kind, str(title or kind), inputs)
    return graph


def link(value: Any) -> tuple[str, int] | None:
    """Node and output that a value is wired to; None for a plain value."""
    if isinstance(value, list) and len(value) == 2 and isinstance(value[1], int):
        return str(value[0]), value[1]
    return None


def name(number: str, node: Node) -> str:
    """A node in a message."""
    return f"node {number} ({node.title})"


def replaced(graph: Graph, number: str, given: str, value: Any) -> Graph:
    """The graph with another value in one input."""
    node = graph[number]
    return {**graph, number: replace(node, inputs={**node.inputs, given: value})}


def named(graph: Graph, words: str) -> str | None:
    """The node that is called so: by its number, its title or its class.

    Raises:
        ValueError: several are.
    """
    if words in graph:
        return words
    found = [number for number, node in graph.items() if words in (node.title, node.kind)]
    if len(found) > 1:
        raise ValueError(f"'{words}' means the nodes {', '.join(found)}; name one by its number")
    return found[0] if found else None


def find(graph: Graph, words: str) -> tuple[str, str]:
    """The node and input that ``node.input`` means.

    Raises:
        ValueError: no node, or several, are called that.
    """
    places = [place for place, letter in enumerate(words) if letter == "."]
    for place in places:
        number = named(graph, words[:place])
        if number is not None:
            return number, words[place + 1 :]
    known = [word for number, node in graph.items() for word in (number, node.title, node.kind)]
    near = nearest(words[: places[0]] if places else words, known)
    raise ValueError(f"found '{words}', expected NODE.INPUT with a node of the graph{near}")


def nearest(word: str, known: Sequence[str]) -> str:
    """The names that a mistyped one may have meant, as the end of a sentence."""
    close = get_close_matches(word, dict.fromkeys(known), 3, 0.5) or list(dict.fromkeys(known))[:8]
    return f": {', '.join(close)}" if close else ""


def order(graph: Graph, catalogue: Mapping[str, Any]) -> list[str]:
    """The nodes that outputs need, each after what it needs.

    Raises:
        ValueError: there is no output, a class is unknown, a wire leads nowhere, or wires form a circle.
    """
    ends = [
        number
        for number, node in graph.items()
        if node.kind in catalogue and catalogue[node.kind].define_schema().is_output_node
    ]
    if not ends:
        raise ValueError("the graph has no node that saves or shows something; add Save Image or Preview Image")
    done: list[str] = []
    for end in ends:
        _visit(end, graph, catalogue, done, [])
    return done


def _visit(number: str, graph: Graph, catalogue: Mapping[str, Any], done: list[str], path: list[str]) -> None:
    if number in done:
        return
    if number in path:
        circle = " -> ".join((*path[path.index(number) :], number))
        raise ValueError(f"the wires form a circle, {circle}; cut one of them")
    node = graph[number]
    if node.kind not in catalogue:
        near = nearest(node.kind, list(catalogue))
        raise ValueError(f"{name(number, node)} is a '{node.kind}', which only ComfyUI has; here are{near}")
    for given, value in node.inputs.items():
        wire = link(value)
        if wire and wire[0] not in graph:
            raise ValueError(f"'{given}' of {name(number, node)} is wired to node {wire[0]}, which is not there")
        if wire:
            _visit(wire[0], graph, catalogue, done, [*path, number])
    done.append(number)

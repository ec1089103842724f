"""Running a graph, one node after the other, as ComfyUI does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from . import core_nodes, host
from .graph import Graph, link, name
from .values import arguments

_OURS = "FSGAN_"


@dataclass(frozen=True)
class Ran:
    """What a node told the user.

    Attributes:
        number: of the node.
        title: of the node.
        files: written, below the output folder.
        words: shown.
    """

    number: str
    title: str
    files: tuple[str, ...]
    words: tuple[str, ...]


def execute(graph: Graph, numbers: Sequence[str], catalogue: Mapping[str, Any]) -> Iterator[Ran]:
    """Run the nodes of a checked graph; results are kept only as long as a later node needs them.

    Args:
        graph: what is run.
        numbers: the nodes in order.
        catalogue: node classes by id.

    Yields:
        what each node told, as soon as it has run.

    Raises:
        ValueError: a node failed; the message names it.
    """
    waiting = Counter(source for number in numbers for source in _sources(graph, number))
    results: dict[str, Sequence[Any]] = {}
    lineage: dict[str, tuple[str, ...]] = {}
    for number in numbers:
        node, kind = graph[number], catalogue[graph[number].kind]
        before = dict.fromkeys(word for source in _sources(graph, number) for word in lineage[source])
        schema = kind.define_schema()
        lineage[number] = (*before, *((schema.display_name,) if node.kind.startswith(_OURS) else ()))
        hidden = {"unique_id": number, "lineage": tuple(before)}
        given = arguments(node, schema, results)
        given |= {one: hidden[one] for one in getattr(kind, "hidden", ())}
        try:
            with torch.inference_mode():
                output = kind.execute(**given)
        except Exception as error:
            raise ValueError(f"{name(number, node)}: {error}") from error
        results[number] = output.args
        for source in _sources(graph, number):
            waiting[source] -= 1
        for source in [one for one in results if not waiting[one]]:
            del results[source]
        yield Ran(number, node.title, *_told(output.ui, number, lineage[number]))


def _sources(graph: Graph, number: str) -> list[str]:
    """The nodes that a node is wired to, as often as it is."""
    return [wire[0] for value in graph[number].inputs.values() if (wire := link(value))]


def _told(ui: Any, number: str, lineage: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Files and words of what a node tells its page; pictures that it only shows become files."""
    if isinstance(ui, host.PreviewImage):
        ui = {"images": core_nodes.previewed(ui.image, number, lineage)}
    told = ui if isinstance(ui, dict) else {}
    files = ["/".join(part for part in (one["subfolder"], one["filename"]) if part) for one in told.get("images", ())]
    return tuple(files), tuple(told.get("text", ()))

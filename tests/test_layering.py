"""A core module imports only from modules to its left in the order below, and never the host or the nodes."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

CORE = Path(__file__).parents[1] / "fsgan_core"
ORDER = [
    *("errors", "words", "options", "provenance", "streams", "ops", "faces", "networks", "weights", "stages", "models"),
    *("media", "swapping", "heads", "reshaping", "rendering", "pipeline", "timeline", "official", "report", "gallery"),
    *("training", "evaluation", "demo", "cli"),
]
OUTSIDE = {"nodes", "headless", "comfy", "comfy_api", "comfy_extras", "folder_paths", "fsgan_core"}
FILES = sorted(CORE.rglob("*.py"))


def layer(parts: tuple[str, ...]) -> str | None:
    """Name of the layer of a module path inside the core; None for the package itself and its entry."""
    return None if parts in ((), ("__init__",), ("__main__",)) else parts[0]


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and first name below the core of every relative import, ``!name`` of an absolute one."""
    package = path.relative_to(CORE).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1] + tuple(
                (node.module or "").split(".") if node.module else ()
            )
            for alias in node.names:
                yield node.lineno, (*base, alias.name)[0]
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "!" + (node.module or "").split(".")[0]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, "!" + alias.name.split(".")[0]


def test_every_layer_is_known() -> None:
    found = {layer(path.relative_to(CORE).with_suffix("").parts) for path in FILES} - {None}
    assert found <= set(ORDER), f"name the place of {sorted(found - set(ORDER))} in the order"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CORE)))
def test_imports_point_left(path: Path) -> None:
    own = layer(path.relative_to(CORE).with_suffix("").parts)
    for line, name in imports(path):
        if name.startswith("!"):
            assert name[1:] not in OUTSIDE, f"{path.name}:{line} imports {name[1:]} absolutely"
        elif own is not None and name in ORDER:
            assert ORDER.index(name) <= ORDER.index(own), f"{path.name}:{line}: {own} must not import {name}"

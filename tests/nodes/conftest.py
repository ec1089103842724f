"""The pack, loaded as ComfyUI loads it, on a stand-in for ComfyUI."""

import asyncio
import sys
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

ROOT = Path(__file__).parents[2]


def _loaded(name: str, path: Path, **more: Any) -> ModuleType:
    spec = spec_from_file_location(name, path, **more)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The stand-in."""
    stub = _loaded("host_stub", Path(__file__).with_name("host_stub.py"))
    return stub.install(tmp_path_factory.mktemp("comfyui"))


@pytest.fixture(scope="session")
def nodes(host: Any) -> dict[str, Any]:
    """Every node class by its id."""
    pack = _loaded("fsgan_pack", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])

    async def given() -> list[Any]:
        extension = await pack.comfy_entrypoint()
        await extension.on_load()
        return list(await extension.get_node_list())

    return {one.define_schema().node_id: one for one in asyncio.run(given())}


@pytest.fixture(scope="session")
def run(nodes: dict[str, Any]) -> Callable[..., tuple[Any, ...]]:
    """Run a node by its id with its defaults and what is given, as ComfyUI does: under inference mode."""

    def execute(name: str, /, **given: Any) -> tuple[Any, ...]:
        schema = nodes[name].define_schema()
        defaults = {one.id: one.values["default"] for one in schema.inputs if "default" in one.values}
        with torch.inference_mode():
            return nodes[name].execute(**defaults | given).args

    return execute


@pytest.fixture(scope="session")
def picture(face: NDArray[np.uint8]) -> torch.Tensor:
    """The face as an IMAGE ``(1, 256, 256, 3)``."""
    return torch.from_numpy(face)[None].float() / 255


@pytest.fixture(scope="session")
def plain() -> torch.Tensor:
    """A picture without a face, of the same size."""
    slope = torch.linspace(0.2, 0.8, 256)
    return torch.stack([slope.expand(256, 256)] * 3, -1)[None]

"""A small stand-in for ComfyUI: as much of its node API, folders and devices as the pack uses.

:func:`install` puts it where the pack's ``nodes/host.py`` imports the host from. ``fsgan run`` and the tests use it.
"""

from __future__ import annotations

import asyncio
import sys
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import torch

from .folders import Folders
from .media import PreviewImage, ProgressBar, VideoFile
from .schema import io

__all__ = ["Folders", "Interrupted", "PreviewImage", "install", "node_classes"]


class Interrupted(BaseException):
    """The user has pressed cancel."""


class ModelPatcher:
    """What moves a network."""

    def __init__(self, model: Any, load_device: Any, offload_device: Any) -> None:
        self.model, self.load_device, self.offload_device = model, load_device, offload_device

    def load(self) -> None:
        """Move it to the device."""
        self.model.to(self.load_device)


def install(folders: Folders, device: str = "cpu") -> SimpleNamespace:
    """Put the stand-in where the host's modules would be.

    Args:
        folders: that stand for ComfyUI's.
        device: where models run.

    Returns:
        its parts: ``folders``, ``bar``, ``management`` (set ``management.cancelled`` to press cancel).
    """
    management = SimpleNamespace(
        cancelled=False,
        get_torch_device=lambda: torch.device(device),
        intermediate_device=lambda: torch.device("cpu"),
        unet_offload_device=lambda: torch.device("cpu"),
        should_use_fp16=lambda device: False,
        soft_empty_cache=lambda: None,
        load_models_gpu=lambda models, memory_required=0, force_full_load=False: [one.load() for one in models],
        OOM_EXCEPTION=torch.OutOfMemoryError,
    )

    def check() -> None:
        if management.cancelled:
            raise Interrupted

    management.throw_exception_if_processing_interrupted = check
    latest = _module(
        "comfy_api.latest",
        ComfyExtension=type("ComfyExtension", (), {}),
        InputImpl=SimpleNamespace(VideoFromFile=VideoFile),
        io=io,
        ui=SimpleNamespace(PreviewImage=PreviewImage, SavedResult=dict, SavedImages=list),
    )
    _module("comfy_api", latest=latest)
    _module("folder_paths", **{name: getattr(folders, name) for name in dir(folders) if name[0] != "_"})
    _module("comfy.cli_args", args=SimpleNamespace(disable_metadata=False))
    bar = _module("comfy.utils", ProgressBar=ProgressBar)
    patching = _module("comfy.model_patcher", ModelPatcher=ModelPatcher)
    managing = _module("comfy.model_management", **vars(management))
    _module("comfy", utils=bar, model_management=managing, model_patcher=patching)
    return SimpleNamespace(folders=folders, bar=ProgressBar, management=management)


def node_classes(root: Path) -> dict[str, Any]:
    """Every node class of a pack by its id, loaded as ComfyUI loads it.

    Args:
        root: folder of the pack.
    """
    pack = loaded("fsgan_pack", root / "__init__.py", submodule_search_locations=[str(root)])

    async def given() -> list[Any]:
        extension = await pack.comfy_entrypoint()
        return list(await extension.get_node_list())

    return {one.define_schema().node_id: one for one in asyncio.run(given())}


def loaded(name: str, path: Path, **more: Any) -> ModuleType:
    """A module from its file."""
    spec = spec_from_file_location(name, path, **more)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no module")
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _module(name: str, **values: Any) -> ModuleType:
    # The one that is there, if any: the pack has imported it.
    module = sys.modules.get(name, ModuleType(name))
    module.__spec__ = ModuleSpec(name, None)
    module.__dict__.update(values)
    sys.modules[name] = module
    return module

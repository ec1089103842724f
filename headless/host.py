"""A small stand-in for ComfyUI: as much of its node API, folders and devices as the pack uses.

:func:`install` puts it where the pack's ``nodes/host.py`` imports the host from. ``fsgan run`` and the tests use it.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import av
import torch
from tqdm import tqdm

_MEDIA = {
    "image": (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"),
    "video": (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v"),
}


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


@dataclass
class Schema:
    """What a node is."""

    node_id: str
    display_name: str = ""
    category: str = ""
    inputs: list[Input] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    description: str = ""
    search_aliases: list[str] = field(default_factory=list)
    is_output_node: bool = False
    is_deprecated: bool = False

    def info(self) -> dict[str, Any]:
        """As ComfyUI tells its pages."""
        groups: dict[str, dict[str, Any]] = {"required": {}}
        for one in self.inputs:
            group = groups.setdefault("optional" if one.optional else "required", {})
            group[one.id] = [one.kind, one.values]
        if self.is_output_node:
            groups["hidden"] = {"prompt": ["PROMPT"], "extra_pnginfo": ["EXTRA_PNGINFO"]}
        return {
            "name": self.node_id,
            "display_name": self.display_name,
            "category": self.category,
            "description": self.description,
            "input": groups,
            "input_order": {name: list(group) for name, group in groups.items()},
            "output": [one.kind for one in self.outputs],
            "output_name": [one.display_name for one in self.outputs],
            "output_tooltips": [one.tooltip for one in self.outputs],
            "output_node": self.is_output_node,
            "search_aliases": self.search_aliases or None,
        }


class NodeOutput:
    """What a node gives."""

    def __init__(self, *args: Any, ui: Any = None) -> None:
        self.args, self.ui = args, ui


class PreviewImage:
    """Pictures on a node."""

    def __init__(self, image: Any, cls: Any = None) -> None:
        self.image = image

    def as_dict(self) -> dict[str, Any]:
        """What the page is told."""
        return {"images": [{} for _ in self.image]}


class VideoFile:
    """A VIDEO that is a file, perhaps a window of it."""

    def __init__(self, file: Any, *, start_time: float = 0, duration: float = 0) -> None:
        self.file, self.window = file, (start_time, duration)

    def get_stream_source(self) -> Any:
        """The file, or its bytes."""
        return self.file

    def get_dimensions(self) -> tuple[int, int]:
        """Width and height."""
        with av.open(self.file) as source:
            return source.streams.video[0].width, source.streams.video[0].height

    def save_to(self, path: str, metadata: Any = None) -> None:
        """Copy the file, to the bit."""
        shutil.copyfile(self.file, path)

    def get_active_trim_window(self) -> tuple[float, float]:
        """Start and duration in seconds; 0 is to the end."""
        return self.window


class ProgressBar:
    """A bar on the terminal, where there is one; pictures are not shown."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._bar = tqdm(total=total, leave=False, unit=" steps", disable=not sys.stderr.isatty())

    def update_absolute(self, value: int, total: int | None = None, preview: Any = None) -> None:
        """Move to a step."""
        self._bar.update(value - self._bar.n)


class Interrupted(BaseException):
    """The user has pressed cancel."""


class ModelPatcher:
    """What moves a network."""

    def __init__(self, model: Any, load_device: Any, offload_device: Any) -> None:
        self.model, self.load_device, self.offload_device = model, load_device, offload_device

    def load(self) -> None:
        """Move it to the device."""
        self.model.to(self.load_device)


class Folders:
    """ComfyUI's folders."""

    def __init__(self, inputs: Path, output: Path, temp: Path, models: Path) -> None:
        self.inputs, self.output, self.temp, self.models_dir = inputs, output, temp, str(models)
        self.folder_names_and_paths: dict[str, tuple[list[str], set[str]]] = {}
        self._given: set[str] = set()

    @classmethod
    def under(cls, root: Path) -> Folders:
        """All under one, as ComfyUI has them."""
        return cls(root / "input", root / "output", root / "temp", root / "models")

    def add_model_folder_path(self, name: str, path: str) -> None:
        """Add a folder of models."""
        paths = self.folder_names_and_paths.setdefault(name, ([], set()))[0]
        paths += [] if path in paths else [path]

    def get_folder_paths(self, name: str) -> list[str]:
        """Folders of a kind of models."""
        return self.folder_names_and_paths[name][0]

    def get_filename_list(self, name: str) -> list[str]:
        """Models of a kind."""
        paths, suffixes = self.folder_names_and_paths.get(name, ([], set()))
        files = [file for path in paths if Path(path).is_dir() for file in Path(path).iterdir()]
        return sorted(file.name for file in files if file.suffix in suffixes)

    def get_full_path_or_raise(self, name: str, file: str) -> str:
        """The file of a model."""
        for path in self.get_folder_paths(name):
            if (Path(path) / file).is_file():
                return str(Path(path) / file)
        raise FileNotFoundError(file)

    def get_temp_directory(self) -> str:
        """Folder of temporary files."""
        return _made(self.temp)

    def get_output_directory(self) -> str:
        """Folder of results."""
        return _made(self.output)

    def get_input_directory(self) -> str:
        """Folder of inputs."""
        return str(self.inputs)

    def allow(self, path: Path) -> str:
        """Let a file that the user has named be read, wherever it lies; the name to read it by."""
        self._given.add(str(path.resolve()))
        return str(path.resolve())

    def get_annotated_filepath(self, name: str) -> str:
        """A file among the inputs, or one that the user has named.

        Raises:
            ValueError: the name, which may come from a stranger's graph, leads out of the folder.
        """
        path = (self.inputs / name).resolve()
        if str(path) not in self._given and not path.is_relative_to(self.inputs.resolve()):
            raise ValueError(f"'{name}' leads out of {self.inputs}; give such a file with --set")
        return str(path)

    def filter_files_content_types(self, files: list[str], kinds: list[str]) -> list[str]:
        """Files of kinds of media, by suffix."""
        return [file for file in files if any(file.lower().endswith(_MEDIA[kind]) for kind in kinds)]

    def get_save_image_path(self, prefix: str, folder: str, width: int, height: int) -> tuple[str, str, int, str, str]:
        """Where a result goes: folder, stem, the first number that is free, folder within ``folder``, prefix.

        Raises:
            ValueError: the prefix leads out of the folder.
        """
        stem = prefix.replace("%width%", str(width)).replace("%height%", str(height))
        path = Path(os.path.normpath(Path(folder) / stem))
        if not path.is_relative_to(folder) or path == Path(folder):
            raise ValueError(f"the prefix '{prefix}' leads out of {folder}; give one that stays in it")
        path.parent.mkdir(parents=True, exist_ok=True)
        pattern = re.compile(re.escape(path.name) + r"_(\d+)_", re.IGNORECASE)
        numbers = [int(found[1]) for file in path.parent.iterdir() if (found := pattern.match(file.name))]
        within = str(path.parent.relative_to(folder))
        return str(path.parent), path.name, max(numbers, default=0) + 1, "" if within == "." else within, prefix


def _made(folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    return str(folder)


io = SimpleNamespace(
    Schema=Schema,
    NodeOutput=NodeOutput,
    ComfyNode=type("ComfyNode", (), {}),
    Custom=custom,
    Input=Input,
    Output=Output,
    AnyType=custom("*"),
    Image=custom("IMAGE"),
    Mask=custom("MASK"),
    Video=custom("VIDEO"),
    String=custom("STRING", Words),
    Int=custom("INT", Number),
    Float=custom("FLOAT", Number),
    Boolean=custom("BOOLEAN", Switch),
    Combo=custom("COMBO", Menu),
    MultiType=SimpleNamespace(Input=Several),
    NumberDisplay=SimpleNamespace(slider="slider"),
    UploadType=SimpleNamespace(image="image_upload", video="video_upload"),
)
"""What ComfyUI calls ``comfy_api.latest.io``."""


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

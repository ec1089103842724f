"""The only door to ComfyUI: its node API, folders, devices, progress and video type.

Nothing else in the pack imports a module of the host. What older hosts lack is left out here.
"""

from __future__ import annotations

import inspect
import json
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import comfy.model_management as management
import comfy.utils
import folder_paths
from comfy_api.latest import ComfyExtension, InputImpl, io, ui

from .telling import told

__all__ = ["ComfyExtension", "io", "ui"]

T = TypeVar("T")
OUT_OF_MEMORY: type[BaseException] = management.OOM_EXCEPTION
"""Raised when a device has no memory left."""
MODELS, FACE_SETS = "fsgan", "fsgan_faces"
"""Names under which ComfyUI knows our folders; both can be given other places in extra_model_paths.yaml."""
_SUFFIX = ".safetensors"
_PREVIEW_SIDE, _PREVIEW_PAUSE = 512, 0.3


class Node(io.ComfyNode):
    """A node that names the package of a missing library, and whose report ends with the notes taken meanwhile."""

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        execute = getattr(vars(cls).get("execute"), "__func__", None)
        # ComfyUI runs locked copies of the classes, which have it wrapped already.
        if execute is not None and not hasattr(execute, "__wrapped__"):
            cls.execute = classmethod(told(execute, show_on_node))


def show_on_node(text: str) -> None:
    """Write text on the node that is at work; nothing where no page of the host is served."""
    page = getattr(getattr(sys.modules.get("server"), "PromptServer", None), "instance", None)
    executing = getattr(sys.modules.get("comfy_execution.utils"), "get_executing_context", lambda: None)()
    if hasattr(page, "send_progress_text") and executing is not None:
        page.send_progress_text(text, executing.node_id)


def accepted(kind: Callable[..., T], **values: Any) -> T:
    """Call a constructor of the host with those named values that its version knows."""
    known = inspect.signature(kind).parameters
    return kind(**{name: value for name, value in values.items() if name in known})


def register_folders() -> None:
    """Tell ComfyUI of our folders under its models."""
    for name, folder in ((MODELS, MODELS), (FACE_SETS, f"{MODELS}/faces")):
        folder_paths.add_model_folder_path(name, str(Path(folder_paths.models_dir) / folder))
        paths, _ = folder_paths.folder_names_and_paths[name]
        folder_paths.folder_names_and_paths[name] = (paths, {_SUFFIX})


def model_folders() -> tuple[Path, ...]:
    """Folders of our networks."""
    return tuple(Path(path) for path in folder_paths.get_folder_paths(MODELS))


def model_files() -> list[str]:
    """Names of the files in them, the face sets left out."""
    return [name for name in folder_paths.get_filename_list(MODELS) if Path(name).parent == Path()]


def models_stamp() -> str:
    """Another one as soon as a file in our folders has changed."""
    found = [model_file(name) for name in model_files()]
    return " ".join(f"{path}:{path.stat().st_mtime_ns}" for path in found)


def model_file(name: str) -> Path:
    """The file of a network."""
    return Path(folder_paths.get_full_path_or_raise(MODELS, name))


def face_sets() -> list[str]:
    """Names of the saved face sets."""
    return list(folder_paths.get_filename_list(FACE_SETS))


def face_set(name: str) -> Path:
    """The file of a saved face set."""
    return Path(folder_paths.get_full_path_or_raise(FACE_SETS, name))


def new_face_set(name: str) -> Path:
    """A file to save a face set to, in the first of its folders; the name may hold no path.

    Raises:
        ValueError: the name is empty or leads out of the folder.
    """
    stem = name.strip().removesuffix(_SUFFIX)
    if not stem or Path(stem).name != stem or stem.startswith("."):
        raise ValueError(f"found the name '{name}', expected a plain name such as 'anna'")
    folder = Path(folder_paths.get_folder_paths(FACE_SETS)[0])
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{stem}{_SUFFIX}"


def input_files(kinds: tuple[str, ...] = ("image", "video")) -> list[str]:
    """Names of the pictures and videos in ComfyUI's input folder."""
    folder = Path(folder_paths.get_input_directory())
    names = [entry.name for entry in folder.iterdir() if entry.is_file()] if folder.is_dir() else []
    return sorted(folder_paths.filter_files_content_types(names, list(kinds)))


def input_file(name: str) -> Path:
    """The file a name of :func:`input_files` means."""
    return Path(folder_paths.get_annotated_filepath(name))


def output_file(prefix: str, suffix: str, size: tuple[int, int]) -> tuple[Path, str]:
    """A new file in ComfyUI's output folder, and its folder's name for the page; existing files are counted past."""
    found = folder_paths.get_save_image_path(prefix, folder_paths.get_output_directory(), *size)
    folder, stem, counter, subfolder, _ = found
    path = Path(folder) / f"{stem}_{counter:05}_{suffix}"
    while path.exists():
        counter += 1
        path = Path(folder) / f"{stem}_{counter:05}_{suffix}"
    return path, subfolder


def graph_of(node: Any) -> dict[str, str]:
    """The graph that an output node runs in, as JSON by keyword, unless ComfyUI was told to write none into files."""
    from comfy.cli_args import args

    hidden = getattr(node, "hidden", None)
    if hidden is None or getattr(args, "disable_metadata", False):
        return {}
    given = {"prompt": hidden.prompt, **(hidden.extra_pnginfo or {})}
    return {name: json.dumps(value) for name, value in given.items() if value is not None}


def device() -> Any:
    """Where ComfyUI wants models to run."""
    return management.get_torch_device()


def results_device() -> Any:
    """Where ComfyUI wants pictures that travel between nodes."""
    return management.intermediate_device()


def half_precision() -> Any:
    """The half precision that ComfyUI wants on its device; None where it wants float32."""
    import torch

    wanted = management.should_use_fp16(device())
    return torch.float16 if wanted else None


def patcher(network: Any) -> Any:
    """A network by which ComfyUI moves it between its device and main memory; it is moved off the device first."""
    import comfy.model_patcher as patchers

    offload = management.unet_offload_device()
    # Hosts of 2026 have a kind of their own for whole networks.
    kind = getattr(patchers, "CoreModelPatcher", patchers.ModelPatcher)
    return kind(network.to(offload), load_device=device(), offload_device=offload)


def load(networks: list[Any], room: int) -> None:
    """Bring networks to the device, with room for so many bytes of work; ComfyUI unloads other models for it."""
    management.load_models_gpu(networks, memory_required=room, force_full_load=True)


def tidy() -> None:
    """Give memory that is no longer used back to the device."""
    management.soft_empty_cache()


def stop_if_asked() -> None:
    """Raise the host's own exception when the user has pressed cancel."""
    management.throw_exception_if_processing_interrupted()


def heeded(items: Iterable[T]) -> Iterator[T]:
    """Pass items on; cancelling is noticed at every one."""
    for item in items:
        stop_if_asked()
        yield item


@contextmanager
def temporary(suffix: str) -> Iterator[Path]:
    """A new name in ComfyUI's temporary folder; the file is deleted if the block raises."""
    folder = Path(folder_paths.get_temp_directory())
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"fsgan_{uuid.uuid4().hex}{suffix}"
    try:
        yield path
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def video(path: Path) -> Any:
    """A video file as the host's VIDEO."""
    return InputImpl.VideoFromFile(str(path))


def is_file(video: Any) -> bool:
    """Whether a VIDEO is a file or a part of one, and not pictures in memory."""
    return isinstance(video, InputImpl.VideoFromFile)


class Progress:
    """The bar on a node, with a small live picture now and then; cancelling is noticed at every step."""

    def __init__(self, total: int) -> None:
        self.total, self.done = max(total, 1), 0
        self._bar = comfy.utils.ProgressBar(self.total)
        self._shown = 0.0

    def watch(self, items: Iterable[T], picture: Callable[[T], Any] | None = None) -> Iterator[T]:
        """Pass items on, one step each.

        Args:
            items: what is worked on, or made.
            picture: gives the frame ``(H, W, 3)`` to show for an item.
        """
        stop_if_asked()
        for item in heeded(items):
            yield item
            self.done = min(self.done + 1, self.total)
            self._bar.update_absolute(self.done, self.total, self._preview(item, picture))

    def _preview(self, item: T, picture: Callable[[T], Any] | None) -> Any:
        if picture is None or time.monotonic() - self._shown < _PREVIEW_PAUSE:
            return None
        from PIL import Image

        self._shown = time.monotonic()
        return ("JPEG", Image.fromarray(picture(item)), _PREVIEW_SIDE)

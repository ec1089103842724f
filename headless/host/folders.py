"""ComfyUI's folders: inputs, results, temporary files, models."""

from __future__ import annotations

import os
import re
from pathlib import Path

_MEDIA = {
    "image": (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"),
    "video": (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v"),
}


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

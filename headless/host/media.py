"""Pictures and videos on their way through a graph, and what a running node shows."""

from __future__ import annotations

import shutil
import sys
from typing import Any

import av
from tqdm import tqdm


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

"""The pack, loaded as ComfyUI loads it, on a stand-in for ComfyUI."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, ClassVar
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import av
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

ROOT = Path(__file__).parents[2]
COMFYUI = os.environ.get("FSGAN_COMFYUI", "")
FRONTEND = os.environ.get("FSGAN_COMFYUI_FRONTEND", "")
"""Where a ComfyUI lies for the tests marked ``host``, and the page that fits it if another one is installed."""


class Bar:
    """Notes steps and pictures."""

    seen: ClassVar[list[tuple[int, int, Any]]] = []

    def __init__(self, total: int) -> None:
        self.total = total

    def update_absolute(self, value: int, total: int | None = None, preview: Any = None) -> None:
        self.seen.append((value, total or self.total, preview))


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The stand-in."""
    spec = spec_from_file_location("host_stub", ROOT / "headless" / "host" / "__init__.py")
    assert spec is not None
    assert spec.loader is not None
    stand_in = module_from_spec(spec)
    sys.modules["host_stub"] = stand_in
    spec.loader.exec_module(stand_in)
    folders = stand_in.Folders.under(tmp_path_factory.mktemp("comfyui"))
    folders.inputs.mkdir()
    parts = stand_in.install(folders)
    # With a memory of what was shown.
    sys.modules["comfy.utils"].ProgressBar = parts.bar = Bar
    return parts


@pytest.fixture(scope="session")
def nodes(host: Any) -> dict[str, Any]:
    """Every node class by its id."""
    return dict(sys.modules["host_stub"].node_classes(ROOT))


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


@pytest.fixture(scope="session")
def film(face: NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One second of the face moving sideways, with a tone."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    with av.open(str(path), "w") as output:
        pictures = output.add_stream("libx264", rate=8, options={"crf": "10", "bf": "0"})
        pictures.width, pictures.height, pictures.pix_fmt = 224, 256, "yuv420p"
        tone = output.add_stream("aac", rate=16_000, layout="mono")
        for number in range(8):
            shown = np.ascontiguousarray(face[:, 2 * number : 2 * number + 224])
            picture = av.VideoFrame.from_ndarray(shown, format="rgb24")
            picture.pts, picture.time_base = number, Fraction(1, 8)
            output.mux(pictures.encode(picture))
        wave = np.sin(np.arange(16_000) * 2 * np.pi * 440 / 16_000).astype(np.float32)[None] / 4
        for start in range(0, 16_000, 1000):
            part = av.AudioFrame.from_ndarray(wave[:, start : start + 1000], format="fltp", layout="mono")
            part.sample_rate, part.pts, part.time_base = 16_000, start, Fraction(1, 16_000)
            output.mux(tone.encode(part))
        output.mux(pictures.encode(None))
        output.mux(tone.encode(None))
    return path


class Server:
    """A ComfyUI on this machine."""

    def __init__(self, base: Path, port: int, python: str) -> None:
        self.base, self.port, self.address = base, port, f"http://127.0.0.1:{port}"
        self.python = python
        self.pid = 0

    def ask(self, path: str, data: Any = None) -> Any:
        """Get, or post JSON."""
        body = None if data is None else json.dumps(data).encode()
        with urlopen(Request(self.address + path, body, {"Content-Type": "application/json"}), timeout=60) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def queue(self, graph: dict[str, Any]) -> str:
        """Begin to run a graph."""
        try:
            return str(self.ask("/prompt", {"prompt": graph})["prompt_id"])
        except HTTPError as error:
            raise AssertionError(error.read().decode()) from error

    def result(self, number: str, seconds: float = 900) -> dict[str, Any]:
        """Wait for a graph's end."""
        for _ in range(int(seconds / 0.2)):
            history = self.ask(f"/history/{number}")
            if number in history:
                return dict(history[number])
            time.sleep(0.2)
        raise AssertionError("the graph did not end")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    base = tmp_path_factory.mktemp("base")
    for name in ("custom_nodes", "models", "input", "output", "temp", "user"):
        (base / name).mkdir()
    (base / "custom_nodes" / "fsgan").symlink_to(ROOT)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    python = os.environ.get("FSGAN_COMFYUI_PYTHON", sys.executable)
    words = ["main.py", "--cpu", "--port", str(port), "--base-directory", str(base)]
    words += ["--database-url", "sqlite:///:memory:", "--disable-api-nodes"]
    words += ["--front-end-root", FRONTEND] if FRONTEND else []
    with (base / "server.log").open("wb") as log:
        process = subprocess.Popen([python, *words], cwd=COMFYUI, stdout=log, stderr=log)
    found = Server(base, port, python)
    try:
        _wait(found, process)
        found.pid = process.pid
        yield found
    finally:
        process.terminate()
        process.wait(30)


def _wait(server: Server, process: Any) -> None:
    for _ in range(600):
        assert process.poll() is None, (server.base / "server.log").read_text()[-2000:]
        try:
            server.ask("/system_stats")
            return
        except (URLError, ConnectionError):
            time.sleep(0.5)
    raise AssertionError("ComfyUI did not start")

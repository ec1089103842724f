"""The pack in a real ComfyUI: ``FSGAN_COMFYUI=folder`` (and ``FSGAN_COMFYUI_PYTHON``) runs these."""

import hashlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import numpy as np
import pytest
from numpy.typing import NDArray

from fsgan_core.media import Image, Video, read_image, write_image

ROOT = Path(__file__).parents[2]
COMFYUI = os.environ.get("FSGAN_COMFYUI", "")
pytestmark = [pytest.mark.host, pytest.mark.skipif(not COMFYUI, reason="FSGAN_COMFYUI names no ComfyUI")]
API = sorted((ROOT / "workflows" / "api").glob("*.json"))


class Server:
    """A ComfyUI on this machine."""

    def __init__(self, base: Path, port: int) -> None:
        self.base, self.address = base, f"http://127.0.0.1:{port}"

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

    def result(self, number: str, seconds: float = 300) -> dict[str, Any]:
        """Wait for a graph's end."""
        for _ in range(int(seconds / 0.2)):
            history = self.ask(f"/history/{number}")
            if number in history:
                return dict(history[number])
            time.sleep(0.2)
        raise AssertionError("the graph did not end")


@pytest.fixture(scope="session")
def server(face: NDArray[np.uint8], film: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    base = tmp_path_factory.mktemp("base")
    for name in ("custom_nodes", "models", "input", "output", "temp", "user"):
        (base / name).mkdir()
    (base / "custom_nodes" / "fsgan").symlink_to(ROOT)
    write_image(base / "input" / "source.png", Image(face), marking=None)
    write_image(base / "input" / "source-2.png", Image(np.ascontiguousarray(face[:, ::-1])), marking=None)
    write_image(base / "input" / "target.png", Image(np.ascontiguousarray(face[:, ::-1])), marking=None)
    (base / "input" / "target.mp4").write_bytes(film.read_bytes())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    python = os.environ.get("FSGAN_COMFYUI_PYTHON", sys.executable)
    words = ["main.py", "--cpu", "--port", str(port), "--base-directory", str(base)]
    words += ["--database-url", "sqlite:///:memory:", "--disable-api-nodes"]
    with (base / "server.log").open("wb") as log:
        process = subprocess.Popen([python, *words], cwd=COMFYUI, stdout=log, stderr=log)
    found = Server(base, port)
    try:
        _wait(found, process)
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


def test_the_pack_loads_quickly_and_without_a_word(server: Server) -> None:
    log = (server.base / "server.log").read_text()
    lines = [line for line in log.splitlines() if "fsgan" in line.lower()]
    times = [float(line.split("seconds")[0].split()[-1]) for line in lines if "seconds:" in line]
    assert len(times) == 1
    assert times[0] < 1.5
    assert not [line for line in lines if "warn" in line.lower() or "error" in line.lower() or "failed" in line.lower()]


def test_what_the_host_tells_is_what_the_stand_in_tells(server: Server, nodes: dict[str, Any]) -> None:
    told = server.ask("/object_info")
    assert {name for name in told if name.startswith("FSGAN_")} == set(nodes)
    for name, node in nodes.items():
        wanted = json.loads(json.dumps(node.define_schema().info()), object_hook=_known(told))
        for key, value in wanted.items():
            if name == "FSGAN_InspectProvenance" and key == "input":
                continue  # It lists the files of the input folder.
            assert told[name].get(key) == value, (name, key)


def _known(told: dict[str, Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """What is left of a description on a host that does not know the newer words."""
    ours = json.dumps({name: about for name, about in told.items() if name.startswith("FSGAN_")})
    new = [word for word in ("advanced", "search_aliases") if f'"{word}": ' not in ours]
    return lambda values: {key: value for key, value in values.items() if key not in new}


def test_words_and_help_pages_are_served(server: Server) -> None:
    words = server.ask("/i18n")
    assert words["ko"]["nodeDefs"]["FSGAN_SwapImage"]["display_name"] == "얼굴 교체 (이미지)"
    for page in ("FSGAN_SwapImage.md", "FSGAN_SwapImage/ko.md"):
        with urlopen(f"{server.address}/extensions/fsgan/docs/{page}", timeout=60) as answer:
            assert answer.read().startswith(b"# ")


def test_templates_are_offered(server: Server) -> None:
    offered = server.ask("/workflow_templates")
    assert set(offered["fsgan"]) == {path.stem for path in API}


@pytest.mark.parametrize("path", API, ids=lambda path: path.stem)
def test_api_workflows_run(server: Server, path: Path) -> None:
    graph = json.loads(path.read_text(encoding="utf-8"))
    result = server.result(server.queue(graph))
    assert result["status"]["status_str"] == "success", result["status"]
    shown = [name for output in result["outputs"].values() for name in output]
    assert shown.count("images") >= 1


@pytest.mark.parametrize("path", API, ids=lambda path: path.stem)
def test_the_command_line_gives_the_same_to_the_last_bit(server: Server, tmp_path: Path, path: Path) -> None:
    result = server.result(server.queue(json.loads(path.read_text(encoding="utf-8"))))
    assert result["status"]["status_str"] == "success", result["status"]
    words = ["run", path, "--input-dir", server.base / "input", "--output-dir", tmp_path / "out"]
    # A process of its own: in this one the pack stands on the stand-in of the other tests.
    subprocess.run([sys.executable, "-m", "fsgan_core", *map(str, words)], cwd=ROOT, check=True)
    ours = sorted((tmp_path / "out").rglob("*.*"), key=lambda file: file.name)
    theirs = [shown for output in result["outputs"].values() for shown in output.get("images", ())]
    assert len(ours) == len(theirs)
    assert sorted(map(_pixels, ours)) == sorted(
        _pixels(server.base / one["type"] / one["subfolder"] / one["filename"]) for one in theirs
    )


def _pixels(path: Path) -> str:
    """What stands for every pixel of a picture or video."""
    frames = Video(path) if path.suffix == ".mp4" else [read_image(path).frame]
    return hashlib.sha256(b"".join(frame.tobytes() for frame in frames)).hexdigest()


def test_cancelling_leaves_nothing_behind(server: Server) -> None:
    graph = json.loads((ROOT / "workflows" / "api" / "swap-video.json").read_text(encoding="utf-8"))
    swap = next(item for item in graph.values() if item["class_type"] == "FSGAN_SwapVideo")
    # Another value than before, or the result is taken from the host's cache.
    swap["inputs"]["margin"] = 1.7
    before = set((server.base / "temp").iterdir())
    number = server.queue(graph)
    for _ in range(100):
        time.sleep(0.02)
        if server.ask("/queue")["queue_running"]:
            break
    time.sleep(0.3)
    server.ask("/interrupt", {})
    result = server.result(number)
    assert any(name == "execution_interrupted" for name, _ in result["status"]["messages"]), result["status"]
    assert set((server.base / "temp").iterdir()) == before

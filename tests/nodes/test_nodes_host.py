"""The pack in a real ComfyUI: ``FSGAN_COMFYUI=folder`` runs these.

``FSGAN_COMFYUI_PYTHON`` names its Python if it is another one, ``FSGAN_COMFYUI_FRONTEND`` the page to be served.
"""

import hashlib
import json
import os
import subprocess
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
import pytest
from numpy.typing import NDArray

from fsgan_core.media import EncodeOptions, Video, VideoWriter, read_image

ROOT = Path(__file__).parents[2]
COMFYUI = os.environ.get("FSGAN_COMFYUI", "")
pytestmark = [pytest.mark.host, pytest.mark.skipif(not COMFYUI, reason="FSGAN_COMFYUI names no ComfyUI")]
API = sorted((ROOT / "workflows" / "api").glob("*.json"))


def test_the_pack_loads_quickly_and_without_a_word(server: Any) -> None:
    log = (server.base / "server.log").read_text()
    lines = [line for line in log.splitlines() if "fsgan" in line.lower()]
    times = [float(line.split("seconds")[0].split()[-1]) for line in lines if "seconds:" in line]
    assert len(times) == 1
    assert times[0] < 1.5
    assert not [line for line in lines if "warn" in line.lower() or "error" in line.lower() or "failed" in line.lower()]


def test_what_the_host_tells_is_what_the_stand_in_tells(server: Any, nodes: dict[str, Any]) -> None:
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


def test_words_and_help_pages_are_served(server: Any) -> None:
    words = server.ask("/i18n")
    assert words["ko"]["nodeDefs"]["FSGAN_SwapImage"]["display_name"] == "얼굴 교체 (이미지)"
    for page in ("FSGAN_SwapImage.md", "FSGAN_SwapImage/ko.md"):
        with urlopen(f"{server.address}/extensions/fsgan/docs/{page}", timeout=60) as answer:
            assert answer.read().startswith(b"# ")


def test_templates_are_offered(server: Any) -> None:
    offered = server.ask("/workflow_templates")
    assert set(offered["fsgan"]) == {path.stem for path in API}


def _graph(server: Any, path: Path) -> dict[str, Any]:
    """A workflow that the host's packages are enough for; what cannot be measured without others is left out there."""
    graph: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if any(item["class_type"] == "FSGAN_PlotReport" for item in graph.values()):
        search = "import importlib.util, sys; sys.exit(importlib.util.find_spec('matplotlib') is None)"
        if subprocess.run([server.python, "-c", search], check=False).returncode:
            pytest.skip("the host's Python lacks matplotlib, which draws plots; install fsgan[eval] there")
    return graph


@pytest.mark.parametrize("path", API, ids=lambda path: path.stem)
def test_api_workflows_run(server: Any, path: Path) -> None:
    graph = _graph(server, path)
    result = server.result(server.queue(graph))
    assert result["status"]["status_str"] == "success", result["status"]
    shown = [name for output in result["outputs"].values() for name in output]
    assert shown.count("images") >= 1


@pytest.mark.parametrize("path", API, ids=lambda path: path.stem)
def test_the_command_line_gives_the_same_to_the_last_bit(server: Any, tmp_path: Path, path: Path) -> None:
    result = server.result(server.queue(_graph(server, path)))
    assert result["status"]["status_str"] == "success", result["status"]
    words = ["run", path, "--input-dir", server.base / "input", "--output-dir", tmp_path / "out"]
    # A process of its own, since in this one the pack stands on the stand-in of the other tests; by the host's Python,
    # since without the packages of [eval] less is measured and a plot has fewer panels.
    subprocess.run([server.python, "-m", "fsgan_core", *map(str, words)], cwd=ROOT, check=True)
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


def test_cancelling_leaves_nothing_behind(server: Any) -> None:
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


def test_memory_does_not_grow_with_the_length(server: Any, face: NDArray[np.uint8]) -> None:
    # 400 frames of 720p are 4.4 GB as the host's own pictures.
    name, frame = "long.mp4", np.zeros((720, 1280, 3), np.uint8)
    frame[200:456, 500:756] = face
    with VideoWriter(server.base / "input" / name, rate=Fraction(25), options=EncodeOptions(preset="fast")) as writer:
        for number in range(400):
            writer.write(np.roll(frame, 2 * number, 1) if number < 12 else np.zeros_like(frame))
    graph = json.loads((ROOT / "workflows" / "api" / "swap-video.json").read_text(encoding="utf-8"))
    target = next(key for key, item in graph.items() if item["class_type"] == "FSGAN_ExampleVideo")
    graph[target] = {"class_type": "LoadVideo", "inputs": {"file": name}}
    server.ask("/free", {"unload_models": True, "free_memory": True})
    idle = _memory(server.pid, "VmRSS")
    result = server.result(server.queue(graph))
    assert result["status"]["status_str"] == "success", result["status"]
    assert _memory(server.pid, "VmHWM") - idle < 2e9


def _memory(process: int, what: str) -> float:
    """Bytes that a process has (VmRSS), or had at most (VmHWM)."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(1024.0 * int(line.split()[1]) for line in lines if line.startswith(what))

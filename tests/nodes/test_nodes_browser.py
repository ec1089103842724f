"""The workflows in ComfyUI's own page: ``FSGAN_COMFYUI`` and ``FSGAN_BROWSER`` run these.

``FSGAN_BROWSER`` names a folder in which ``npm install playwright-core`` was typed; Chromium is ``/usr/bin/chromium``
or ``$CHROMIUM``. ``FSGAN_SHOTS`` names a folder for the screenshots.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
BROWSER = os.environ.get("FSGAN_BROWSER", "")
pytestmark = [
    pytest.mark.host,
    pytest.mark.skipif(
        not (BROWSER and os.environ.get("FSGAN_COMFYUI")), reason="FSGAN_BROWSER or FSGAN_COMFYUI names none"
    ),
]
PAGES = {path.stem: path for path in sorted((ROOT / "workflows").glob("*.json"))}


def opened(server: Any, shots: Path, names: list[str], **more: str) -> list[dict[str, Any]]:
    """What the page tells of workflows; a name with an exclamation mark is run."""
    shots.mkdir(parents=True, exist_ok=True)
    words = ["node", str(Path(__file__).with_name("browser.mjs")), server.address, str(shots), *names]
    told = subprocess.run(words, cwd=BROWSER, env=os.environ | more, check=True, stdout=subprocess.PIPE, timeout=1800)
    return [json.loads(line) for line in told.stdout.splitlines()]


@pytest.mark.parametrize("kind", ["canvas", "vue"])
def test_every_workflow_opens_and_one_runs_to_its_picture(server: Any, tmp_path: Path, kind: str) -> None:
    shots = Path(os.environ.get("FSGAN_SHOTS", tmp_path)) / kind
    names = [f"{name}!" if name == "swap-image" else name for name in PAGES]
    for told in opened(server, shots, names, **({"VUE": "1"} if kind == "vue" else {})):
        wanted = json.loads(PAGES[told["name"]].read_text(encoding="utf-8"))
        assert sorted(told["nodes"]) == sorted(node["type"] for node in wanted["nodes"])
        assert not told["unknown"], told["name"]
        assert not told["errors"], told["name"]
        assert (shots / f"{told['name']}.png").stat().st_size > 10_000
        if told["name"] == "swap-image":
            assert told["result"] == "execution_success"
            assert "FSGAN_SaveMarkedImage" in told["pictures"]

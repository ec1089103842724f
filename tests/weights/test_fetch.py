"""Fetching from a server on this machine: whole, resumed, changed, cut off."""

import json
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch

from fsgan_core.cli import main
from fsgan_core.errors import WeightsError
from fsgan_core.networks import build
from fsgan_core.weights import fetch as module
from fsgan_core.weights.catalog import KNOWN, verify
from fsgan_core.weights.fetch import RECORD, Progress, download, fetch, fetchable

NAME = "celeba_unet_256_1_2_segmentation_v2"


class Server(ThreadingHTTPServer):
    """Serves one file; ``cut`` is after how many bytes a connection breaks off, ``asked`` the ranges requested."""

    content, tag, cut = b"", '"1"', 1 << 40

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked = []
        self.address = f"http://127.0.0.1:{self.server_port}/file.pth"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server, begin = self.server, 0
        server.asked.append(self.headers.get("Range"))
        if self.path != "/file.pth":
            self.send_error(404)
            return
        if self.headers.get("Range") and self.headers.get("If-Range") == server.tag:
            begin = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(server.content) - begin))
        self.send_header("ETag", server.tag)
        self.end_headers()
        self.wfile.write(server.content[begin : begin + server.cut])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    served = Server()
    thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield served
    served.shutdown()
    thread.join()
    served.server_close()


@pytest.fixture
def checkpoint(server, tmp_path, monkeypatch):
    """A small segmentation network behind an address that the catalogue knows."""
    torch.manual_seed(0)
    torch.save({"state_dict": build("seg_unet", {"width": 4}).state_dict()}, tmp_path / "made.pth")
    server.content = (tmp_path / "made.pth").read_bytes()
    known = tuple(replace(file, source=server.address) if file.name == NAME else file for file in KNOWN)
    monkeypatch.setattr(module, "KNOWN", known)
    return tmp_path / "models"


def test_fetch_converts_and_records(server, checkpoint):
    steps = list(fetch(NAME, checkpoint))
    assert steps[0] == Progress(0, len(server.content))
    assert steps[-1] == Progress(len(server.content), len(server.content))
    assert verify(checkpoint / f"{NAME}.safetensors").startswith("seg_unet for segmentation")
    assert len(json.loads((checkpoint / RECORD).read_text())[f"{NAME}.pth"]) == 64
    assert {p.name for p in checkpoint.iterdir()} == {RECORD, f"{NAME}.pth", f"{NAME}.safetensors"}
    with pytest.raises(WeightsError, match="is there already"):
        list(fetch(NAME, checkpoint))
    assert len(server.asked) == 1


def test_a_broken_download_is_continued(server, checkpoint):
    server.cut = 1000
    with pytest.raises(WeightsError, match="type the same again"):
        list(fetch(NAME, checkpoint))
    assert not (checkpoint / f"{NAME}.pth").exists()
    server.cut = 1 << 40
    assert next(iter(list(fetch(NAME, checkpoint)))).done == 1000
    assert server.asked == [None, "bytes=1000-"]
    assert (checkpoint / f"{NAME}.pth").read_bytes() == server.content


def test_a_file_that_changed_meanwhile_begins_anew(server, tmp_path):
    server.content, server.cut = b"a" * 5000, 1000
    with pytest.raises(WeightsError):
        list(download(server.address, tmp_path / "f"))
    server.content, server.cut, server.tag = b"b" * 4000, 1 << 40, '"2"'
    list(download(server.address, tmp_path / "f"))
    assert (tmp_path / "f").read_bytes() == server.content


def test_other_bytes_than_the_first_time_are_refused(server, checkpoint):
    list(fetch(NAME, checkpoint))
    for suffix in ("pth", "safetensors"):
        (checkpoint / f"{NAME}.{suffix}").unlink()
    server.content = server.content[:-1] + bytes([server.content[-1] ^ 1])
    with pytest.raises(WeightsError, match="first it had"):
        list(fetch(NAME, checkpoint))
    assert not (checkpoint / f"{NAME}.safetensors").exists()


def test_what_is_no_checkpoint_is_not_converted(server, checkpoint):
    server.content = b"<html>sign in</html>" * 100
    with pytest.raises(WeightsError, match="begins with"):
        list(fetch(NAME, checkpoint))
    assert {p.name for p in checkpoint.iterdir()} == {f"{NAME}.pth.refused"}


def test_unreachable(server, tmp_path):
    with pytest.raises(WeightsError, match="404"):
        list(download(server.address.replace("file", "other"), tmp_path / "f"))
    with pytest.raises(WeightsError, match="cannot get"):
        list(download("http://127.0.0.1:9/x", tmp_path / "f"))


def test_too_much(server, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 100)
    server.content = b"a" * 200
    with pytest.raises(WeightsError, match="more than any official file"):
        list(download(server.address, tmp_path / "f"))


def test_only_known_files_with_an_address():
    with pytest.raises(ValueError, match="expected one of hr18"):
        fetchable("nonsense")
    for name in (NAME, "WIDERFace_DSFD_RES152"):
        with pytest.raises(WeightsError, match="get it from"):
            fetchable(name)
    assert fetchable("hopenet_robust_alpha1").kind == "hopenet"


def test_command(server, checkpoint, capsys):
    assert main(["weights", "fetch", NAME, "--folder", str(checkpoint)]) == 0
    out = capsys.readouterr().out
    assert "terms: " in out and f"{NAME}.safetensors" in out
    assert main(["weights", "where", "--folder", str(checkpoint)]) == 0
    assert str(checkpoint / f"{NAME}.safetensors") in capsys.readouterr().out

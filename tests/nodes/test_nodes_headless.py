"""``fsgan run``: graphs without ComfyUI. Whether it gives what ComfyUI gives is in test_nodes_host."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image as Pillow

from fsgan_core.cli import main
from fsgan_core.cli import run as command
from fsgan_core.media import Image, Video, read_marking, write_image

ROOT = Path(__file__).parents[2]
API = sorted((ROOT / "workflows" / "api").glob("*.json"))
HOST = {"comfy", "comfy_api", "folder_paths", command.PACK}


@pytest.fixture(scope="module", autouse=True)
def fresh() -> Iterator[None]:
    """The pack on the command's own stand-in, not on that of the other tests."""

    def taken() -> dict[str, Any]:
        return {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] in HOST}

    kept = taken()
    yield
    taken()
    sys.modules.update(kept)


@pytest.fixture(scope="module")
def inputs(face: NDArray[np.uint8], film: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the shipped graphs name."""
    folder = tmp_path_factory.mktemp("inputs")
    mirrored = np.ascontiguousarray(face[:, ::-1])
    for name, frame in (("source", face), ("source-2", mirrored), ("target", mirrored)):
        write_image(folder / f"{name}.png", Image(frame), marking=None)
    (folder / "target.mp4").write_bytes(film.read_bytes())
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def ran(inputs: Path, out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., list[str]]:
    """Run a graph, or a file of one; the lines printed, of which an error has one and a usage error two."""

    def execute(graph: Any, *words: str) -> list[str]:
        path = graph if isinstance(graph, Path) else tmp_path / "graph.json"
        if path is not graph:
            path.write_text(json.dumps(graph))
        given = ["run", str(path), "--input-dir", str(inputs), "--output-dir", str(out), "--models-dir", str(tmp_path)]
        try:
            status = main([*given, *words])
        except SystemExit as stop:
            status = int(stop.code or 0)
        printed = capsys.readouterr()
        assert len(printed.err.splitlines()) == status, printed.err
        return (printed.err if status else printed.out).splitlines()

    return execute


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def shown(name: str = "target.png", **more: Any) -> dict[str, Any]:
    """A graph that shows a picture."""
    return {"1": node("LoadImage", image=name), "2": node("PreviewImage", images=["1", 0])} | more


def pixels(path: Path) -> NDArray[np.uint8]:
    return np.asarray(Pillow.open(path))


@pytest.mark.parametrize("path", API, ids=lambda path: path.stem)
def test_shipped_graphs_run(ran: Callable[..., list[str]], out: Path, inputs: Path, path: Path) -> None:
    graph = json.loads(path.read_text())
    stand_ins = {"FSGAN_ExamplePicture": "source.png", "FSGAN_ExampleVideo": "target.mp4"}
    files = {number: stand_ins.get(one["class_type"]) for number, one in graph.items()}
    lines = ran(path, *(f"--set={number}={inputs / file}" for number, file in files.items() if file))
    written = [Path(line.removeprefix("wrote ")) for line in lines if line.startswith("wrote ")]
    ends = [
        one["class_type"] for one in graph.values() if "Save" in one["class_type"] or "Preview" in one["class_type"]
    ]
    assert len(written) >= len(ends) - ends.count("PreviewAny")
    assert len([line for line in lines if ": " in line and not line.startswith("wrote ")]) >= ends.count("PreviewAny")
    assert {file for file in out.rglob("*") if file.is_file()} == set(written)
    for file in written:
        if file.suffix == ".mp4":
            assert len(list(Video(file))) == len(list(Video(inputs / "target.mp4")))
        else:
            assert pixels(file).std() > 0
        mark = read_marking(file)
        # What only went through nodes of the core is no swap.
        assert (mark is not None and mark.operation) or "preview" in file.name


def test_a_swap_equals_the_command_s_own(ran: Callable[..., list[str]], out: Path, inputs: Path) -> None:
    files = ("--set", f"1={inputs / 'target.png'}", "--set", f"2={inputs / 'source.png'}")
    ran(ROOT / "workflows" / "api" / "swap-image.json", *files)
    (file,) = out.rglob("*.png")
    words = ("-s", inputs / "source.png", "-t", inputs / "target.png", "-o", out / "own.png")
    assert main(["swap", *map(str, words)]) == 0
    assert np.array_equal(pixels(file), pixels(out / "own.png"))


def test_crops_equal_the_command_s_own(ran: Callable[..., list[str]], out: Path, inputs: Path) -> None:
    wired: dict[str, Any] = {"source": ["3", 0], "target": ["1", 0], "face": "largest", "face_number": 0}
    wired |= {"parts": "all", "travel": 0.5, "batch": "clip"}
    # As a workflow that was saved before there was a framing; the command line sets it.
    graph = shown() | {"3": node("LoadImage", image="source.png"), "4": node("FSGAN_ReenactImage", **wired)}
    graph["2"] = node("PreviewImage", images=["4", 0])
    assert ran(graph) == [f"wrote {out / 'preview_2_00001_.png'}"]
    assert pixels(out / "preview_2_00001_.png").shape == pixels(inputs / "source.png").shape
    ran(graph, "--set", "4.framing=crop", "--set", "4.crop_size=128")
    words = ("-s", inputs / "source.png", "-t", inputs / "target.png", "-o", out / "own.png", "--crop", "--size", "128")
    assert main(["reenact", *map(str, words)]) == 0
    assert np.array_equal(pixels(out / "preview_2_00002_.png"), pixels(out / "own.png"))


def test_files_are_numbered_and_never_overwritten(ran: Callable[..., list[str]], out: Path, inputs: Path) -> None:
    graph = shown()
    graph["2"] = node("SaveImage", images=["1", 0], filename_prefix="a/b")
    for number in (1, 2):
        assert ran(graph) == [f"wrote {out / 'a' / f'b_0000{number}_.png'}"]
    assert np.array_equal(pixels(out / "a" / "b_00001_.png"), pixels(inputs / "target.png"))
    assert read_marking(out / "a" / "b_00001_.png") is None, "no node of ours has touched it"
    graph["2"]["inputs"]["filename_prefix"] = "../b"
    assert "leads out of" in ran(graph)[0]
    assert not (out.parent / "b_00001_.png").exists()


def test_transparency_becomes_a_mask(ran: Callable[..., list[str]], out: Path, inputs: Path) -> None:
    values = np.random.default_rng(0).integers(0, 256, (5, 7, 4)).astype(np.uint8)
    Pillow.fromarray(values).save(inputs / "clear.png")
    mask = {"3": node("MaskToImage", mask=["1", 1]), "4": node("PreviewImage", images=["3", 0])}
    ran(shown("clear.png", **mask))
    assert np.array_equal(pixels(out / "preview_2_00001_.png"), values[..., :3])
    opacity = torch.from_numpy(values[..., 3]).float() / 255
    expected = (255.0 * (1.0 - opacity).numpy()).astype(np.uint8)
    assert np.array_equal(pixels(out / "preview_4_00001_.png")[..., 0], expected)
    ran(shown(**mask))
    assert pixels(out / "preview_4_00002_.png").shape == (64, 64, 3)
    assert not pixels(out / "preview_4_00002_.png").any()


@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (3, 2), (6, 3), (8, 1)])
def test_pictures_stand_upright(
    ran: Callable[..., list[str]], out: Path, inputs: Path, orientation: int, turns: int
) -> None:
    values = np.kron(np.array([[0, 80], [160, 240]], np.uint8), np.ones((16, 24), np.uint8))
    picture = Pillow.fromarray(values).convert("RGB")
    notes = picture.getexif()
    notes[0x112] = orientation
    picture.save(inputs / "turned.jpg", exif=notes, quality=95)
    ran(shown("turned.jpg"))
    found = pixels(out / "preview_2_00001_.png")[..., 0].astype(int)
    assert np.abs(found - np.rot90(values, turns)).max() < 12


def test_values_are_set_by_number_title_and_class(ran: Callable[..., list[str]], out: Path, inputs: Path) -> None:
    graph: dict[str, Any] = {
        "1": node("SolidMask", value=1.0, width=8, height=8) | {"_meta": {"title": "All. White"}},
        "2": node("FeatherMask", mask=["1", 0], left=0, top=0, right=0, bottom=0),
        "3": node("MaskToImage", mask=["2", 0]),
        "4": node("PreviewImage", images=["3", 0]),
    }
    words = ("1.value=0.5", "All. White.width=4", "FeatherMask.left=2")
    ran(graph, *(word for value in words for word in ("--set", value)))
    assert pixels(out / "preview_4_00001_.png")[:, :, 0].tolist() == [[63, 127, 127, 127]] * 8
    folder = out.parent / "elsewhere"
    folder.mkdir()
    (folder / "mine.png").write_bytes((inputs / "source.png").read_bytes())
    ran(shown("none.png"), "--set", f"1.image={folder / 'mine.png'}")
    assert np.array_equal(pixels(out / "preview_2_00001_.png"), pixels(inputs / "source.png"))


CIRCLE = {a: node("ImageBatch", image1=[b, 0], image2=[b, 0]) for a, b in ("13", "31")}
SWAP = {"5": node("FSGAN_SwapImage", target=["1", 0], source=["1", 0]), "2": node("PreviewImage", images=["5", 0])}


@pytest.mark.parametrize(
    ("graph", "words", "message"),
    [
        (shown(), "3.image=x", "expected NODE.INPUT with a node of the graph: 1, LoadImage"),
        (shown(), "1.imag=x", "node 1 (LoadImage) has no input 'imag': image"),
        (shown(), "1.image", "expected NODE.INPUT=VALUE or NODE=FILE"),
        (shown(), "1=nothing.png", "no file nothing.png to stand for node 1 (LoadImage)"),
        (shown(), "2=README.md", "node 2 (PreviewImage) gives nothing, for which no file can stand"),
        (shown(), "2.images=x", "'images' of node 2 (PreviewImage) takes a wire"),
        (shown(), "1.image=nothing.png", "node 1 (LoadImage): no file"),
        (shown("../target.png"), "", "'../target.png' leads out of"),
        (shown("/etc/hostname"), "", "'/etc/hostname' leads out of"),
        (shown() | {"1": node("LoadImag")}, "", "is a 'LoadImag', which only ComfyUI has; here are: LoadImage"),
        (shown() | {"3": node("LoadImage")}, "LoadImage.image=x", "'LoadImage' means the nodes 1, 3; name one by"),
        (shown() | {"2": node("PreviewImage", images=["9", 0])}, "", "wired to node 9, which is not there"),
        (shown() | {"2": node("PreviewImage", images=["1", 2])}, "", "output 2 of node 1 (LoadImage), which has 2"),
        (shown() | {"2": node("PreviewImage", images=["1", 1])}, "", "to MASK of node 1 (LoadImage), expected IMAGE"),
        (shown() | {"2": node("PreviewImage")}, "", "'images' of node 2 (PreviewImage) is missing; wire it"),
        ({"1": node("LoadImage", image="target.png")}, "", "no node that saves or shows"),
        (shown() | SWAP, "", "'face' of node 5 (FSGAN_SwapImage) is missing"),
        (shown() | CIRCLE, "", "a circle, 1 -> 3 -> 1"),
        ({"nodes": [], "links": []}, "", "a workflow of the graph page; export it for the API"),
        ([], "", "holds no nodes"),
        ({"1": {"inputs": {}}}, "", "node 1 in"),
        (Path("nothing.json"), "", "no file nothing.json; check the name"),
    ],
)  # fmt: skip
def test_mistakes_are_said_before_anything_runs(
    ran: Callable[..., list[str]], out: Path, graph: Any, words: str, message: str
) -> None:
    assert message in ran(graph, *(("--set", words) if words else ()))[0]
    assert not list(out.rglob("*.png"))


def test_numbers_have_their_range_and_switches_their_words(ran: Callable[..., list[str]]) -> None:
    path = ROOT / "workflows" / "api" / "swap-image.json"
    for words, message in (
        ("margin=9", "is 9.0, expected 1.2 to 3.0"),
        ("margin=wide", "is 'wide', expected a number"),
        ("face_number=1.5", "is '1.5', expected a whole number"),
        ("match_color=perhaps", "is 'perhaps', expected true or false"),
        ("views=all", "is 'all', expected one of interpolate, closest"),
    ):
        assert message in ran(path, "--set", f"FSGAN_SwapImage.{words}")[0]


def test_stopped_in_the_middle_says_what_is_there(
    ran: Callable[..., list[str]], out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = shown(**{"4": node("PreviewImage", images=["1", 0])})
    assert len(ran(graph)) == 2
    nodes = sys.modules[f"{command.PACK}.headless.core_nodes"]
    preview = nodes.previewed

    def stopped(images: Any, number: str, lineage: Any) -> Any:
        if number == "4":
            raise KeyboardInterrupt
        return preview(images, number, lineage)

    monkeypatch.setattr(nodes, "previewed", stopped)
    assert ran(graph) == [f"fsgan run: stopped; what was written before stays in {out}"]
    assert (out / "preview_2_00002_.png").is_file()
    assert not (out / "preview_4_00002_.png").exists()
    assert ran({number: graph[number] for number in "14"}) == ["fsgan run: stopped; nothing was written"]


def test_only_what_outputs_need_is_run(ran: Callable[..., list[str]]) -> None:
    idle = {"7": node("LoadImage", image="nothing.png"), "8": node("KSampler", seed=1)}
    assert len(ran(shown(**idle))) == 1


def test_batches_take_the_first_size_and_alpha(ran: Callable[..., list[str]]) -> None:
    nodes = sys.modules[f"{command.PACK}.headless.core_nodes"]
    first, second = torch.rand(1, 8, 8, 4), torch.rand(2, 4, 8, 3)
    (both,) = nodes.ImageBatch.execute(first, second).args
    assert both.shape == (3, 8, 8, 4)
    assert torch.equal(both[:1], first)
    assert (both[1:, ..., 3] == 1).all()
    (scaled,) = nodes.ImageScale.execute(second, "nearest-exact", 16, 0, "disabled").args
    assert torch.equal(scaled, second.repeat_interleave(2, 1).repeat_interleave(2, 2))
    (grey,) = nodes.ImageScale.execute(second[..., :1], "lanczos", 4, 4, "center").args
    assert torch.equal(grey, (255 * second[:, :, 2:6, :1]).byte().float() / 255)


def test_words_are_shown_as_they_are(ran: Callable[..., list[str]]) -> None:
    show = sys.modules[f"{command.PACK}.headless.core_nodes"].PreviewAny.execute
    assert [show(one).args[0] for one in ("a", 1.5, True, None, {"a": 1})] == [
        "a",
        "1.5",
        "True",
        "None",
        '{\n    "a": 1\n}',
    ]
    assert show({1, 2}).args[0] == "{1, 2}"


def test_a_video_is_saved_as_it_is_or_not_at_all(ran: Callable[..., list[str]], out: Path, inputs: Path) -> None:
    graph = {
        "1": node("LoadVideo", file="target.mp4"),
        "2": node("SaveVideo", video=["1", 0], filename_prefix="v", format="mp4"),
    }
    ran(graph)
    assert (out / "v_00001_.mp4").read_bytes() == (inputs / "target.mp4").read_bytes()
    assert "set both to auto" in ran(graph, "--set", "2.format=webm")[0]
    assert [path.name for path in out.iterdir()] == ["v_00001_.mp4"]


def test_a_package_without_nodes_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ran: Callable[..., list[str]]
) -> None:
    monkeypatch.delitem(sys.modules, command.PACK, raising=False)
    monkeypatch.setattr(command, "__file__", str(tmp_path / "site" / "fsgan_core" / "cli" / "run.py"))
    assert "found no nodes beside" in ran(shown())[0]

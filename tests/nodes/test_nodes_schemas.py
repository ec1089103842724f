"""What the nodes look like to ComfyUI and its users."""

import json
import re
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
COMMAND = "type: python tests/nodes/words.py"


def _words() -> Any:
    spec = spec_from_file_location("words", Path(__file__).with_name("words.py"))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


WORDS = _words()


def test_ids_are_ours_and_every_word_is_there(nodes: dict[str, Any]) -> None:
    for name, node in nodes.items():
        schema = node.define_schema()
        assert name.startswith("FSGAN_")
        assert schema.display_name
        assert schema.description.endswith(".")
        assert schema.category.startswith("FSGAN")
        for one in schema.inputs:
            assert one.values.get("tooltip", "").strip(), f"{name}.{one.id}"
        for one in schema.outputs:
            assert one.tooltip, f"{name}.{one.id}"


@pytest.mark.parametrize("name", ["FSGAN_SwapImage", "FSGAN_SwapVideo", "FSGAN_ReenactImage", "FSGAN_ReenactVideo"])
def test_two_wires_are_enough(nodes: dict[str, Any], name: str) -> None:
    inputs = nodes[name].define_schema().inputs
    assert {one.id for one in inputs if not one.optional and "default" not in one.values} == {"source", "target"}


def test_a_missing_library_is_named_and_hides_no_node(
    nodes: dict[str, Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    telling, widgets = sys.modules["fsgan_pack.nodes.telling"], sys.modules["fsgan_pack.nodes.widgets"]
    monkeypatch.setitem(telling.LIBRARIES, "no_such_module", "some-package")
    assert telling.missing_libraries() == ["some-package"]
    assert "pip install some-package" in caplog.text
    monkeypatch.setitem(sys.modules, "fsgan_pack.fsgan_core.models", None)
    assert widgets.backends("landmarks") == ()
    assert len([node.define_schema() for node in nodes.values()]) == len(nodes)


def test_a_node_says_what_to_install(host: Any, nodes: dict[str, Any]) -> None:
    node = sys.modules["fsgan_pack.nodes.host"].Node

    class Needy(node):
        @classmethod
        def execute(cls, module: str) -> None:
            raise ModuleNotFoundError(f"No module named '{module}'", name=module)

    with pytest.raises(ModuleNotFoundError, match="needs 'cv2', .*type: pip install opencv-python-headless"):
        Needy.execute("cv2.dnn")
    with pytest.raises(ModuleNotFoundError, match="No module named 'our_own'"):
        Needy.execute("our_own")
    copy = type("Copy", (Needy,), dict(vars(Needy)))
    assert copy.execute.__func__ is Needy.execute.__func__, "ComfyUI's locked copies must stay as they are"


@pytest.mark.parametrize("stage", ["detection", "landmarks", "reenactment", "segmentation", "completion", "blending"])
def test_menus_list_what_the_core_has_with_its_default_first(nodes: dict[str, Any], stage: str) -> None:
    from fsgan_core.models import MENUS

    inputs = {one.id: one.values for one in nodes["FSGAN_LoadModels"].define_schema().inputs}
    assert inputs[stage]["default"] == "automatic"
    assert inputs[stage]["options"] == ["automatic", *MENUS[stage]]
    assert inputs["weights"]["options"] == ["open"]


def _sockets(info: dict[str, Any]) -> dict[str, list[Any]]:
    return dict(WORDS.sockets(info))


@pytest.fixture(scope="module")
def infos(nodes: dict[str, Any]) -> dict[str, Any]:
    return {name: node.define_schema().info() for name, node in nodes.items()}


def test_ids_inputs_defaults_and_outputs_never_change(infos: dict[str, Any]) -> None:
    kept = json.loads(Path(__file__).with_name("schemas.json").read_text(encoding="utf-8"))
    found = WORDS.snapshot(infos)
    assert found == kept, f"workflows people have saved depend on these; add, never change, then {COMMAND}"


def test_defaults_are_the_core_s(nodes: dict[str, Any]) -> None:
    from fsgan_core import AnalyzeOptions, ReenactOptions, SwapOptions
    from fsgan_core.media import EncodeOptions
    from fsgan_core.stages.blending import BlendOptions
    from fsgan_core.stages.candidates import MapOptions
    from fsgan_core.stages.reenactment import FlowOptions
    from fsgan_core.stages.selection import ReferenceOptions

    def default(node: str, name: str) -> Any:
        return _sockets(nodes[node].define_schema().info())[name][1]["default"]

    swap, blend, still = SwapOptions(), BlendOptions(), "FSGAN_SwapImage"
    assert (default(still, "margin"), default(still, "inside")) == (swap.margin, swap.inside)
    assert default(still, "views") == ("closest" if swap.closest else "interpolate")
    assert (default(still, "gradients"), default(still, "match_color")) == (blend.mode, blend.color)
    assert (default(still, "match_light"), default(still, "feather")) == (blend.light, blend.feather)
    assert default(still, "match_fineness") == blend.fineness
    moved, pictured = ReenactOptions(), MapOptions()
    assert (default("FSGAN_ReenactImage", "parts"), default("FSGAN_ReenactImage", "travel")) == (
        moved.parts,
        moved.travel,
    )
    assert default("FSGAN_ReenactImage", "crop_size") == moved.size
    assert default("FSGAN_BuildAppearanceMap", "radius") == pictured.radius
    assert default("FSGAN_BuildAppearanceMap", "limit") == pictured.limit
    assert default("FSGAN_AnalyzeVideo", "every") == default("FSGAN_SwapVideo", "every") == AnalyzeOptions().every
    assert default("FSGAN_SwapVideo", "quality") == EncodeOptions().quality
    assert default("FSGAN_LoadModels", "steps") == FlowOptions().steps
    assert default("FSGAN_LoadModels", "refine") is FlowOptions().refine
    assert default("FSGAN_SelectFaces", "likeness") == ReferenceOptions().threshold


def test_the_core_takes_all_that_the_widgets_give(infos: dict[str, Any]) -> None:
    from fsgan_core import AnalyzeOptions, ReenactOptions, SwapOptions
    from fsgan_core.options import describe
    from fsgan_core.stages.blending import BlendOptions
    from fsgan_core.stages.candidates import MapOptions
    from fsgan_core.stages.reenactment import FlowOptions

    kinds = (AnalyzeOptions, ReenactOptions, BlendOptions, MapOptions, FlowOptions, SwapOptions)
    spans = {option.name: option.range for kind in kinds for option in describe(kind) if option.range}
    same = {"match_light": "light", "match_fineness": "fineness", "crop_size": "size"}
    same |= {name: name for name in ("every", "feather", "limit", "margin", "radius", "steps", "travel")}
    found = 0
    for info in infos.values():
        for name, (_, settings) in _sockets(info).items():
            if name in same:
                assert settings["min"] in spans[same[name]] and settings["max"] in spans[same[name]], name
                found += 1
    assert found > 10


def test_every_word_is_there_in_both_languages(infos: dict[str, Any]) -> None:
    words = {
        language: json.loads((ROOT / "locales" / language / "nodeDefs.json").read_text(encoding="utf-8"))
        for language in ("en", "ko")
    }
    assert words["en"] == WORDS.english(infos), COMMAND
    same, missing = WORDS.ordered(words["ko"], words["en"])
    assert (same, missing) == (words["ko"], []), COMMAND
    used = {part for info in infos.values() for part in info["category"].split("/")}
    types = {kind for info in infos.values() for kind in info["output"] if kind.startswith("FSGAN_")}
    for language in ("en", "ko"):
        main = json.loads((ROOT / "locales" / language / "main.json").read_text(encoding="utf-8"))
        assert used == set(main["nodeCategories"])
        assert types == set(main["dataTypes"])


def test_every_node_has_a_help_page_with_a_picture_in_both_languages(infos: dict[str, Any]) -> None:
    words = {
        language: json.loads((ROOT / "locales" / language / "nodeDefs.json").read_text(encoding="utf-8"))
        for language in ("en", "ko")
    }
    wanted = WORDS.pages(infos, words)
    assert len(wanted) == 2 * len(infos)
    for path, text in wanted.items():
        assert path.read_text(encoding="utf-8") == text, COMMAND
        pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", text)
        assert pictures, f"{path} shows no picture"
        # The page looks for them beside the English ones, whatever the language.
        assert all((ROOT / "web" / "docs" / name).is_file() for name in pictures), path
    assert set((ROOT / "web" / "docs").rglob("*.md")) == set(wanted)
    size = sum(file.stat().st_size for file in (ROOT / "web").rglob("*") if file.is_file())
    assert size < 2_500_000


@pytest.mark.parametrize("path", sorted((ROOT / "workflows" / "api").glob("*.json")), ids=lambda path: path.stem)
def test_api_workflows_fit_the_nodes(nodes: dict[str, Any], path: Path) -> None:
    graph = json.loads(path.read_text(encoding="utf-8"))
    infos = {name: node.define_schema().info() for name, node in nodes.items()}
    for item in graph.values():
        if item["class_type"] not in infos:
            assert not item["class_type"].startswith("FSGAN_")
            continue
        sockets = _sockets(infos[item["class_type"]])
        assert set(item["inputs"]) <= set(sockets)
        assert set(infos[item["class_type"]]["input"]["required"]) <= set(item["inputs"])
        for key, value in item["inputs"].items():
            kind, given = sockets[key]
            if isinstance(value, list):
                before = graph[value[0]]["class_type"]
                assert before not in infos or infos[before]["output"][value[1]] in kind.split(",")
            elif kind == "COMBO":
                assert value in given["options"]
            elif kind in ("INT", "FLOAT"):
                assert given["min"] <= value <= given["max"]


@pytest.mark.parametrize("path", sorted((ROOT / "workflows").glob("*.json")), ids=lambda path: path.stem)
def test_page_workflows_fit_the_nodes_and_their_api_twins(nodes: dict[str, Any], path: Path) -> None:
    page = json.loads(path.read_text(encoding="utf-8"))
    twin = json.loads((path.parent / "api" / path.name).read_text(encoding="utf-8"))
    assert page["version"] == 0.4
    assert sum(item["type"] == "MarkdownNote" for item in page["nodes"]) == 1
    links = {link[0]: link for link in page["links"]}
    ours = {str(item["id"]): item for item in page["nodes"] if item["type"].startswith("FSGAN_")}
    assert {key: item["type"] for key, item in ours.items()} == {
        key: item["class_type"] for key, item in twin.items() if item["class_type"].startswith("FSGAN_")
    }
    for key, item in ours.items():
        info = nodes[item["type"]].define_schema().info()
        assert [one["type"] for one in item.get("outputs", [])] == info["output"]
        for name, value in item.get("widgets_values_named", {}).items():
            assert twin[key]["inputs"][name] == value
        for one in item["inputs"]:
            if one.get("link") is not None:
                _, source, slot, target, _, _ = links[one["link"]]
                assert target == item["id"]
                assert twin[key]["inputs"][one["name"]] == [str(source), slot]


@pytest.mark.parametrize("path", sorted((ROOT / "subgraphs").glob("*.json")), ids=lambda path: path.stem)
def test_blueprints_are_one_node_of_ours(infos: dict[str, Any], path: Path) -> None:
    page = json.loads(path.read_text(encoding="utf-8"))
    (node,), (inner,) = page["nodes"], page["definitions"]["subgraphs"]
    assert (page["version"], page["links"], node["type"]) == (0.4, [], inner["id"])
    assert inner["name"] == node["title"] == path.stem
    assert inner["description"].endswith(".")
    found = {str(item["id"]): item for item in inner["nodes"]}
    assert {item["type"] for item in found.values()} <= set(infos)
    ends = {("-10", slot): given["type"] for slot, given in enumerate(inner["inputs"])}
    ends |= {
        (key, slot): kind for key, item in found.items() for slot, kind in enumerate(infos[item["type"]]["output"])
    }
    for link in inner["links"]:
        assert ends[str(link["origin_id"]), link["origin_slot"]] == link["type"]
        if link["target_id"] != -20:
            target = found[str(link["target_id"])]
            name = target["inputs"][link["target_slot"]]["name"]
            assert link["type"] in _sockets(infos[target["type"]])[name][0].split(",")
    for key, widget in node["properties"]["proxyWidgets"]:
        assert widget in _sockets(infos[found[key]["type"]])


def test_the_registry_finds_what_it_needs() -> None:
    about = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    comfy = about.partition("[tool.comfy]")[2].partition("\n[")[0]
    values = dict(line.split(" = ", 1) for line in comfy.strip().splitlines())
    assert {"PublisherId", "DisplayName", "Icon", "requires-comfyui"} <= set(values)
    assert (ROOT / json.loads(values["Icon"])).is_file()
    needed = (ROOT / "requirements.txt").read_text(encoding="utf-8").split()
    assert "torch" not in needed, "a host has its own"
    assert not any(sign in line for line in needed for sign in "=<>~@"), "pins fight with the host's"
    assert not (ROOT / "install.py").exists()

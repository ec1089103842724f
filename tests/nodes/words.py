"""Everything that is written down about the nodes a second time, made from the nodes themselves.

After a node, an input or a tooltip was added or changed type ``python tests/nodes/words.py``. It writes

* ``tests/nodes/schemas.json``, the ids, inputs, defaults and outputs on which saved workflows depend,
* ``locales/en/nodeDefs.json``,
* the tables of the help pages in ``web/docs``; what stands above the tables is kept,

brings ``locales/ko/nodeDefs.json`` into the same order, and lists the words that are still missing there.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
HEADS = {"en": ("Inputs", "Outputs", "Name", "What it is", "default"), "ko": ("입력", "출력", "이름", "설명", "기본값")}
Info = dict[str, Any]
Words = dict[str, Any]


def sockets(info: Info) -> dict[str, list[Any]]:
    """Inputs of a node by id: type and values, the required ones first."""
    groups = info["input"]
    return {name: given for group in ("required", "optional") for name, given in groups.get(group, {}).items()}


def snapshot(infos: dict[str, Info]) -> dict[str, Any]:
    """What must not change."""
    return {
        name: {
            "inputs": {key: [given[0], given[1].get("default")] for key, given in sockets(info).items()},
            "optional": sorted(info["input"].get("optional", {})),
            "outputs": dict(zip(info["output_name"], info["output"], strict=True)),
        }
        for name, info in sorted(infos.items())
    }


def english(infos: dict[str, Info]) -> Words:
    """The words of the nodes as ComfyUI's pages read them."""
    return {name: _words(info) for name, info in sorted(infos.items())}


def _words(info: Info) -> Words:
    inputs = {key: {"name": key, "tooltip": given[1]["tooltip"]} for key, given in sockets(info).items()}
    told = zip(info["output_name"], info["output_tooltips"], strict=True)
    outputs = {str(slot): {"name": name, "tooltip": text} for slot, (name, text) in enumerate(told)}
    found = {"display_name": info["display_name"], "description": info["description"], "inputs": inputs}
    return found | ({"outputs": outputs} if outputs else {})


def ordered(words: Words, like: Words) -> tuple[Words, list[str]]:
    """Words of another language in the order of the English ones, and the places of those that are missing."""
    result, missing = {}, []
    for key, value in like.items():
        if key not in words:
            missing.append(key)
        elif isinstance(value, dict):
            result[key], deeper = ordered(words[key], value)
            missing += [f"{key}.{place}" for place in deeper]
        else:
            result[key] = words[key]
    return result, missing


def page(text: str, info: Info, words: Words, language: str) -> str:
    """A help page with its tables made anew.

    Args:
        text: the page as it is; empty for a new one.
        info: of the node.
        words: of the node in the language.
        language: key of :data:`HEADS`.
    """
    inputs, outputs, name, what, default = HEADS[language]
    above = text.partition(f"\n## {inputs}\n")[0].strip() or f"# {words['display_name']}\n\n{words['description']}"
    rows = []
    for key, given in sockets(info).items():
        told, value = words["inputs"][key], given[1].get("default")
        more = "" if value is None or value == "" else f" ({default}: `{json.dumps(value).strip(chr(34))}`)"
        rows.append((key, told["name"], told["tooltip"] + more))
    given = zip(info["output_name"], words.get("outputs", {}).values(), strict=True)
    parts = [above, f"## {inputs}", _table(rows, name, what)]
    made = [(key, told["name"], told["tooltip"]) for key, told in given]
    return "\n\n".join(parts + ([f"## {outputs}", _table(made, name, what)] if made else [])) + "\n"


def _table(rows: list[tuple[str, str, str]], *head: str) -> str:
    lines = [f"| {' | '.join(head)} |", "| --- | --- |"]
    lines += [f"| {'' if name == key else name + ' '}`{key}` | {' '.join(text.split())} |" for key, name, text in rows]
    return "\n".join(lines)


def pages(infos: dict[str, Info], words: dict[str, Words]) -> dict[Path, str]:
    """Every help page as it should be, by its file; those without words are left out."""
    found = {}
    for name, info in infos.items():
        for language, place in (("en", f"{name}.md"), ("ko", f"{name}/ko.md")):
            path = ROOT / "web" / "docs" / place
            if name in words[language]:
                text = path.read_text(encoding="utf-8") if path.is_file() else ""
                found[path] = page(text, info, words[language][name], language)
    return found


def dumped(values: Any) -> str:
    """JSON as our files have it."""
    return json.dumps(values, ensure_ascii=False, indent=1) + "\n"


def main() -> None:
    """Write everything."""
    # By its path: of all of the pack the nodes alone are to be imported.
    sys.path.insert(0, str(ROOT / "headless"))
    import host as stand_in

    with tempfile.TemporaryDirectory() as folder:
        stand_in.install(stand_in.Folders.under(Path(folder)))
        infos = {name: node.define_schema().info() for name, node in stand_in.node_classes(ROOT).items()}
    there = ROOT / "locales" / "ko" / "nodeDefs.json"
    told = english(infos)
    korean, missing = ordered(json.loads(there.read_text(encoding="utf-8")), told)
    files = {
        Path(__file__).with_name("schemas.json"): dumped(snapshot(infos)),
        ROOT / "locales" / "en" / "nodeDefs.json": dumped(told),
        there: dumped(korean),
    }
    whole = {name: words for name, words in korean.items() if not any(m.startswith(name) for m in missing)}
    for path, text in (files | pages(infos, {"en": told, "ko": whole})).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    sys.stdout.write("".join(f"missing in locales/ko/nodeDefs.json: {place}\n" for place in missing))


if __name__ == "__main__":
    main()

"""What a node is and what it gives, and ComfyUI's names for all of that."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from .inputs import Input, Menu, Number, Output, Several, Switch, Words, custom


@dataclass
class Schema:
    """What a node is."""

    node_id: str
    display_name: str = ""
    category: str = ""
    inputs: list[Input] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    description: str = ""
    search_aliases: list[str] = field(default_factory=list)
    is_output_node: bool = False
    is_deprecated: bool = False

    def info(self) -> dict[str, Any]:
        """As ComfyUI tells its pages."""
        groups: dict[str, dict[str, Any]] = {"required": {}}
        for one in self.inputs:
            group = groups.setdefault("optional" if one.optional else "required", {})
            group[one.id] = [one.kind, one.values]
        if self.is_output_node:
            groups["hidden"] = {"prompt": ["PROMPT"], "extra_pnginfo": ["EXTRA_PNGINFO"]}
        return {
            "name": self.node_id,
            "display_name": self.display_name,
            "category": self.category,
            "description": self.description,
            "input": groups,
            "input_order": {name: list(group) for name, group in groups.items()},
            "output": [one.kind for one in self.outputs],
            "output_name": [one.display_name for one in self.outputs],
            "output_tooltips": [one.tooltip for one in self.outputs],
            "output_node": self.is_output_node,
            "search_aliases": self.search_aliases or None,
        }


class NodeOutput:
    """What a node gives."""

    def __init__(self, *args: Any, ui: Any = None) -> None:
        self.args, self.ui = args, ui


io = SimpleNamespace(
    Schema=Schema,
    NodeOutput=NodeOutput,
    ComfyNode=type("ComfyNode", (), {}),
    Custom=custom,
    Input=Input,
    Output=Output,
    AnyType=custom("*"),
    Image=custom("IMAGE"),
    Mask=custom("MASK"),
    Video=custom("VIDEO"),
    String=custom("STRING", Words),
    Int=custom("INT", Number),
    Float=custom("FLOAT", Number),
    Boolean=custom("BOOLEAN", Switch),
    Combo=custom("COMBO", Menu),
    MultiType=SimpleNamespace(Input=Several),
    NumberDisplay=SimpleNamespace(slider="slider"),
    UploadType=SimpleNamespace(image="image_upload", video="video_upload"),
)
"""What ComfyUI calls ``comfy_api.latest.io``."""

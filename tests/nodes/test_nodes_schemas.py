"""What the nodes look like to ComfyUI and its users."""

from typing import Any

import pytest


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


@pytest.mark.parametrize("stage", ["detection", "landmarks", "reenactment", "segmentation", "completion"])
def test_menus_list_what_the_core_has_with_its_default_first(nodes: dict[str, Any], stage: str) -> None:
    from fsgan_core.models import MENUS, Backends

    inputs = {one.id: one.values for one in nodes["FSGAN_LoadModels"].define_schema().inputs}
    assert sorted(inputs[stage]["options"]) == sorted(MENUS[stage])
    assert inputs[stage]["default"] == getattr(Backends(), stage)

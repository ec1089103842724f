"""The converter refuses what is no official network with one line, and leaves nothing behind."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fsgan_core.errors import WeightsError
from fsgan_core.networks import build
from fsgan_core.weights.convert import convert
from fsgan_core.weights.infer import infer


def test_other_files(tmp_path, out, state_of, save, refused):
    path = tmp_path / "a.pth"
    path.write_text("<!DOCTYPE html><title>Download warning</title>")
    refused(path, out, "begins with b'<!DOCTYPE html>.*a page may have been saved")
    convert(save(tmp_path / "b.pth", state_of("segmentation")), tmp_path / "b.safetensors")
    refused(tmp_path / "b.safetensors", out, "safetensors already")
    refused(tmp_path / "none.pth", out, "no file at")
    refused(tmp_path, out, "is not a file; name")
    for content in ([1, 2], {}, {"state_dict": {}}, {"state_dict": {"a": 1}}, {"state_dict": None}, torch.zeros(3)):
        refused(save(path, content), out, "no mapping of names to tensors")
    refused(save(path, {1: torch.zeros(1)}), out, "names are not text")


def test_wrong_networks(tmp_path, out, state_of, save, refused):
    path, state = tmp_path / "a.pth", state_of("reenactment v2")
    refused(save(path, {"weight": torch.zeros(2, 2)}), out, "expected the tensors of an official FSGAN network")
    coarse = {name.removeprefix("base."): t for name, t in state.items() if name.startswith("base.")}
    refused(save(path, coarse), out, "coarse half of a generator")
    refused(save(path, {"conf.5.conv4.weight": torch.zeros(1)}), out, "DSFD")
    refused(save(path, {**state, "extra": torch.zeros(1)}), out, "'extra' is .1,., expected no such tensor")
    name = "base.inner.flat_block.model.0.model.1.weight"
    refused(save(path, {**state, name: torch.zeros(4, 4, 5, 5)}), out, "expected .4, 4, 3, 3.")
    missing = {key: tensor for key, tensor in state.items() if key != name}
    refused(save(path, missing), out, f"'{name}' is missing")
    refused(save(path, {"fc_yaw.weight": torch.zeros(66, 2048)}), out, "the file is incomplete")
    other = {**build("ms_res_unet", {"in_channels": 5, "width": 2}).state_dict()}
    refused(save(path, other), out, "5 input channels")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_not_finite(tmp_path, out, value, state_of, save, refused):
    state = state_of("segmentation")
    state["final.bias"][1] = value
    refused(save(tmp_path / "a.pth", state), out, "'final.bias' that are not finite")


shapes = st.lists(st.integers(0, 9), max_size=4).map(tuple)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_shapes_are_recognised_or_refused(networks, data):
    """Whatever the shapes are, the answer is a network or a WeightsError."""
    name = data.draw(st.sampled_from(sorted(networks)))
    with torch.device("meta"):
        known = {n: tuple(t.shape) for n, t in build(*networks[name]).state_dict().items()}
    changed = data.draw(st.dictionaries(st.sampled_from(sorted(known)), shapes, max_size=5))
    dropped = data.draw(st.sets(st.sampled_from(sorted(known)), max_size=5))
    given_shapes = {n: changed.get(n, shape) for n, shape in known.items() if n not in dropped}
    try:
        found = infer(given_shapes)
    except WeightsError as error:
        assert "\n" not in str(error)
    else:
        assert found.kind == networks[name][0]

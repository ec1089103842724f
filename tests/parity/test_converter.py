"""A checkpoint as the original saves it becomes exactly the recorded tensors."""

import json

import torch
from safetensors.torch import load_file

from fsgan_core.weights.checkpoint import load_network, read_header
from fsgan_core.weights.convert import convert, sha256


def test_official_checkpoint(parity_folder, tmp_path):
    path = parity_folder / "official_style_reenactment.pth"
    out = convert(path, tmp_path / "a.safetensors")
    found, expected = load_file(out), load_file(parity_folder / "official_style_reenactment_converted.safetensors")
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype and torch.equal(found[name], tensor), name
    header = read_header(out)
    assert header["source_sha256"] == sha256(path)
    assert json.loads(header["fsgan_config"])["in_channels"] == found["enhancer1.in_conv.1.weight"].shape[1]
    assert header["fsgan_stage"] == "reenactment"
    load_network(out, header["fsgan_kind"])

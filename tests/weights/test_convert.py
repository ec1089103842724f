"""The converter accepts official checkpoints, however they were saved."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from fsgan_core.weights.checkpoint import load_network, read_header
from fsgan_core.weights.convert import convert, sha256


@pytest.mark.parametrize("zipped", [True, False])
def test_every_network_survives(tmp_path, out, network_name, zipped, networks, state_of, save):
    state = state_of(network_name)
    path = save(tmp_path / "a.pth", {"state_dict": state}, _use_new_zipfile_serialization=zipped)
    assert convert(path, out) == out
    kind, values = networks[network_name]
    net = load_network(out, kind)
    for field, value in values.items():
        assert getattr(net.config, field) == (tuple(value) if isinstance(value, list) else value), field
    for key, tensor in net.state_dict().items():
        assert torch.equal(tensor, state[key])
    header = read_header(out)
    assert header["fsgan_kind"] == kind and header["fsgan_stage"] == network_name.split()[0]
    assert header["source_name"] == "a.pth" and header["source_sha256"] == sha256(path)


def test_layouts_of_official_files(tmp_path, out, state_of, save):
    state = state_of("segmentation")
    optimizer = {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 1e-4, "betas": (0.5, 0.999)}]}
    training = {"resolution": 256, "epoch": 50, "state_dict": state, "optimizer": optimizer, "arch": None}
    prefixed = {f"module.{name}": tensor for name, tensor in state.items()}
    without_counters = {name: tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")}
    layouts = {
        "bare": state,
        "parallel": {"state_dict": prefixed},
        "number": {**training, "best_loss": np.float64(0.5)},
        "number32": {**training, "best_loss": np.float32(0.5)},
        "tensor": {**training, "best_loss_256": torch.tensor(0.5)},
        "old": {"state_dict": without_counters},
        "half": {"state_dict": {n: t.half() if t.is_floating_point() else t for n, t in state.items()}},
        "strided": {
            "state_dict": {n: t.flip(0).flip(0).T.contiguous().T if t.ndim == 2 else t for n, t in state.items()}
        },
    }
    for name, content in layouts.items():
        convert(save(tmp_path / f"{name}.pth", content), out, overwrite=True)
        found = load_file(out)
        assert found.keys() == state.keys(), name
        tolerance = 1e-3 if name == "half" else 0
        for key, tensor in found.items():
            assert tensor.dtype == (torch.int64 if key.endswith("num_batches_tracked") else torch.float32)
            torch.testing.assert_close(tensor, state[key], rtol=0, atol=tolerance)


def test_classifiers_are_dropped_and_shared_memory_is_copied(tmp_path, out, state_of, save):
    state = state_of("perceptual")
    state["features.4.bias"] = state["features.1.bias"]
    extra = {f"classifier.{i}.{kind}": torch.zeros(2, 2) for i in (0, 3, 6) for kind in ("weight", "bias")}
    convert(save(tmp_path / "a.pth", {"state_dict": {**state, **extra}}), out)
    assert load_file(out).keys() == state.keys()


def test_arch_is_never_evaluated(tmp_path, out, state_of, save):
    mark = tmp_path / "executed"
    arch = f"__import__('pathlib').Path({str(mark)!r}).touch()"
    convert(save(tmp_path / "a.pth", {"state_dict": state_of("segmentation"), "arch": arch}), out)
    assert out.is_file() and not mark.exists()


def test_numbers_pickled_by_old_numpy(tmp_path, out, state_of, save):
    content = {"state_dict": state_of("segmentation"), "best_loss": np.float64(0.5)}
    path = save(tmp_path / "a.pth", content, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes().replace(b"numpy._core.multiarray\n", b"numpy.core.multiarray\n"))
    assert b"numpy.core.multiarray" in path.read_bytes()
    assert convert(path, out) == out


def test_nested_references_do_not_explode(tmp_path, out, state_of, save):
    nested = []
    for _ in range(60):
        nested = [nested, nested]
    loop = []
    loop.append(loop)
    content = {"state_dict": state_of("segmentation"), "nested": nested, "loop": loop}
    assert convert(save(tmp_path / "a.pth", content), out) == out

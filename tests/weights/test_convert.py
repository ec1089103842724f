"""The converter accepts official checkpoints and refuses everything else with one line and nothing left behind."""

import collections
import os
import pickle
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from fsgan_core.cli import main
from fsgan_core.errors import WeightsError
from fsgan_core.networks import build
from fsgan_core.weights import convert as convert_module
from fsgan_core.weights.checkpoint import load_network, read_header
from fsgan_core.weights.convert import convert, sha256
from fsgan_core.weights.infer import infer

NETWORKS = {
    "reenactment v2": ("ms_res_unet", {"width": 2}),
    "reenactment v2 narrow": ("ms_res_unet", {"width": 4, "max_width": 12, "flat_layers": [1, 0, 2, 1]}),
    "reenactment v1": (
        "ms_res_unet",
        {"in_channels": 71, "out_channels": [3, 3], "flat_layers": [2, 0, 2, 3], "version": "v1", "width": 2},
    ),
    "blending msba": ("ms_res_unet", {"in_channels": 7, "image_channels": 6, "bins": 64, "width": 2}),
    "completion shallow": ("ms_res_unet", {"in_channels": 4, "flat_layers": [0, 1, 0], "width": 2}),
    "segmentation": ("seg_unet", {"width": 2}),
    "pose": ("hopenet", {"width": 2, "blocks": [1, 2, 1, 1]}),
    "landmarks": ("hrnet", {"widths": [2, 4, 6, 8], "modules": [1, 2, 1], "blocks": 1}),
    "perceptual": ("vgg", {"widths": [2, 2, 4, 4, 4]}),
    "discriminator": ("discriminator", {"width": 2}),
}


def state_of(name):
    torch.manual_seed(0)
    return build(*NETWORKS[name]).state_dict()


def save(path, content, **options):
    torch.save(content, path, **options)
    return path


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out.safetensors"


def refused(path, out, words):
    """The message has the words, one line; nothing is written."""
    before = sorted(p.name for p in out.parent.iterdir())
    with pytest.raises(WeightsError, match=words) as caught:
        convert(path, out)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 600
    assert sorted(p.name for p in out.parent.iterdir()) == before


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("zipped", [True, False])
def test_every_network_survives(tmp_path, out, name, zipped):
    state = state_of(name)
    path = save(tmp_path / "a.pth", {"state_dict": state}, _use_new_zipfile_serialization=zipped)
    assert convert(path, out) == out
    kind, values = NETWORKS[name]
    net = load_network(out, kind)
    for field, value in values.items():
        assert getattr(net.config, field) == (tuple(value) if isinstance(value, list) else value), field
    for key, tensor in net.state_dict().items():
        assert torch.equal(tensor, state[key])
    header = read_header(out)
    assert header["fsgan_kind"] == kind and header["fsgan_stage"] == name.split()[0]
    assert header["source_name"] == "a.pth" and header["source_sha256"] == sha256(path)


def test_layouts_of_official_files(tmp_path, out):
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


def test_classifiers_are_dropped_and_shared_memory_is_copied(tmp_path, out):
    state = state_of("perceptual")
    state["features.4.bias"] = state["features.1.bias"]
    extra = {f"classifier.{i}.{kind}": torch.zeros(2, 2) for i in (0, 3, 6) for kind in ("weight", "bias")}
    convert(save(tmp_path / "a.pth", {"state_dict": {**state, **extra}}), out)
    assert load_file(out).keys() == state.keys()


def test_arch_is_never_evaluated(tmp_path, out):
    mark = tmp_path / "executed"
    arch = f"__import__('pathlib').Path({str(mark)!r}).touch()"
    convert(save(tmp_path / "a.pth", {"state_dict": state_of("segmentation"), "arch": arch}), out)
    assert out.is_file() and not mark.exists()


def test_numbers_pickled_by_old_numpy(tmp_path, out):
    content = {"state_dict": state_of("segmentation"), "best_loss": np.float64(0.5)}
    path = save(tmp_path / "a.pth", content, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes().replace(b"numpy._core.multiarray\n", b"numpy.core.multiarray\n"))
    assert b"numpy.core.multiarray" in path.read_bytes()
    assert convert(path, out) == out


class Call:
    """Pickles as a call of a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def test_hostile_pickles_are_not_executed(tmp_path, out):
    mark = tmp_path / "executed"
    for number, call in enumerate([Call(os.system, f"touch {mark}"), Call(eval, "1"), Call(os.mkdir, str(mark))]):
        for zipped in (True, False):
            content = {"state_dict": state_of("segmentation"), "best_loss": call}
            path = save(tmp_path / f"{number}{zipped}.pth", content, _use_new_zipfile_serialization=zipped)
            refused(path, out, "read safely .it asks for '")
        path = tmp_path / f"{number}.pth"
        path.write_bytes(pickle.dumps(call))
        refused(path, out, "read safely")
    assert not mark.exists()


def test_declared_sizes_are_checked_before_memory_is_taken(tmp_path, out):
    storage = torch.UntypedStorage(4)
    typed = torch.storage.TypedStorage(wrap_storage=storage, dtype=torch.float32, _internal=True)
    for shape, stride in [((10**6, 10**6), (10**6, 1)), ((10**6, 10**6), (0, 0))]:
        bomb = Call(torch._utils._rebuild_tensor_v2, typed, 0, shape, stride, False, collections.OrderedDict())
        for content in ({"state_dict": {"a": bomb}}, {"state_dict": state_of("segmentation"), "optimizer": [bomb]}):
            refused(save(tmp_path / "a.pth", content), out, "declares 40000[0-9]* bytes of tensors in")


def test_names_that_are_safe_but_take_any_memory(tmp_path, out):
    for call in (Call(bytearray, 1 << 50), Call(torch.Tensor, 1 << 40), Call(complex, 1)):
        for zipped in (True, False):
            content = {"state_dict": state_of("segmentation"), "best_loss": call}
            path = save(tmp_path / "a.pth", content, _use_new_zipfile_serialization=zipped)
            refused(path, out, f"it asks for '[a-z_]*.{call.call[0].__name__}'")


def test_tensors_that_are_no_plain_numbers(tmp_path, out):
    state = state_of("segmentation")
    state["final.weight"] = state["final.weight"].to(torch.complex64)
    refused(save(tmp_path / "a.pth", {"state_dict": state}), out, "'final.weight' as torch.complex64")
    state["final.weight"] = state["final.weight"].real.to_sparse()
    refused(save(tmp_path / "a.pth", {"state_dict": state}), out, "asks for 'torch._utils._rebuild_sparse_tensor'")


def test_zip_bombs(tmp_path, out):
    path = tmp_path / "a.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * 10**7)
    refused(path, out, "unpacks to 10000000 bytes")


def test_nested_references_do_not_explode(tmp_path, out):
    nested = []
    for _ in range(60):
        nested = [nested, nested]
    loop = []
    loop.append(loop)
    content = {"state_dict": state_of("segmentation"), "nested": nested, "loop": loop}
    assert convert(save(tmp_path / "a.pth", content), out) == out


def test_damaged_files(tmp_path, out):
    for zipped in (True, False):
        whole = save(
            tmp_path / "whole.pth", {"state_dict": state_of("segmentation")}, _use_new_zipfile_serialization=zipped
        ).read_bytes()
        path = tmp_path / "cut.pth"
        for size in (0, 1, 2, 4, 30, 1000, len(whole) // 2, len(whole) - 1):
            path.write_bytes(whole[:size])
            refused(path, out, "cut.pth")


def test_other_files(tmp_path, out):
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


def test_wrong_networks(tmp_path, out):
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
def test_values_that_are_not_finite(tmp_path, out, value):
    state = state_of("segmentation")
    state["final.bias"][1] = value
    refused(save(tmp_path / "a.pth", state), out, "'final.bias' that are not finite")


def test_output(tmp_path):
    path = save(tmp_path / "ijbc_v2.1.pth", state_of("segmentation"))
    assert convert(path) == tmp_path / "ijbc_v2.1.safetensors"
    first = load_file(tmp_path / "ijbc_v2.1.safetensors")
    with pytest.raises(WeightsError, match="exists; choose another name"):
        convert(path)
    again = load_file(convert(path, overwrite=True))
    assert all(torch.equal(again[name], tensor) for name, tensor in first.items())
    with pytest.raises(WeightsError, match="ends in .safetensors"):
        convert(path, path, overwrite=True)
    with pytest.raises(WeightsError, match="no folder"):
        convert(path, tmp_path / "none" / "a.safetensors")
    (tmp_path / "folder.safetensors").mkdir()
    with pytest.raises(WeightsError, match="exists"):
        convert(path, tmp_path / "folder.safetensors", overwrite=True)
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".pth", ".safetensors", ".safetensors"]


def test_a_failed_conversion_leaves_an_existing_output_alone(tmp_path, out):
    out.write_bytes(b"precious")
    state = state_of("segmentation")
    state["final.bias"][0] = float("nan")
    with pytest.raises(WeightsError):
        convert(save(tmp_path / "a.pth", state), out, overwrite=True)
    assert out.read_bytes() == b"precious"


def test_a_full_disk_and_a_bad_disk_leave_nothing(tmp_path, out, monkeypatch):
    path = save(tmp_path / "a.pth", state_of("segmentation"))
    written = convert_module.save_weights

    def full(target, *arguments, **options):
        target.with_name(target.name + ".partial").write_bytes(b"half")
        raise OSError("No space left on device")

    def bad(target, tensors, *arguments, **options):
        written(target, {name: tensor + 1 for name, tensor in tensors.items()}, *arguments, **options)

    for broken, words in ((full, "No space left"), (bad, "does not read back")):
        monkeypatch.setattr(convert_module, "save_weights", broken)
        refused(path, out, words)


@pytest.mark.parametrize("hostile", ["call", "cut", "bomb", "other", "nan"])
def test_the_command_line_says_it_in_one_line(tmp_path, fails, hostile):
    path, state = tmp_path / f"{hostile}.pth", state_of("segmentation")
    if hostile == "nan":
        state["final.bias"][0] = float("nan")
    contents = {"call": {"state_dict": state, "arch": Call(os.getcwd)}, "other": {"weight": torch.zeros(2)}}
    save(path, contents.get(hostile, {"state_dict": state}))
    if hostile == "cut":
        path.write_bytes(path.read_bytes()[:-1000])
    if hostile == "bomb":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("archive/data.pkl", bytes(10**7))
    assert path.name in fails("convert", path)
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


def test_the_command_line_writes_beside_the_checkpoint(tmp_path, capsys):
    path = save(tmp_path / "a.pth", {"state_dict": state_of("segmentation")})
    assert main(["convert", str(path)]) == 0
    assert str(tmp_path / "a.safetensors") in capsys.readouterr().out
    assert main(["weights", "verify", str(tmp_path / "a.safetensors")]) == 0
    assert "seg_unet for segmentation" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("{", "has the configuration '{', expected a JSON object"),
        ("[1]", "expected a JSON object"),
        ('{"evil": 1}', "does not fit the network in its header"),
        ('{"width": 1000000}', "does not fit the network in its header .Error.s. in loading state_dict"),
    ],
)  # fmt: skip
def test_headers_that_lie(out, config, words):
    save_file(state_of("segmentation"), out, metadata={"fsgan_kind": "seg_unet", "fsgan_config": config})
    with pytest.raises(WeightsError, match=words):
        load_network(out, "seg_unet")


def test_verify_takes_every_official_file_there_is(tmp_path, capsys, fails, monkeypatch):
    monkeypatch.setattr("fsgan_core.weights.catalog.user_folder", lambda: tmp_path / "none")
    monkeypatch.setenv("FSGAN_MODELS", str(tmp_path))
    assert "found no converted official file" in fails("weights", "verify")
    name = "celeba_unet_256_1_2_segmentation_v2"
    convert(save(tmp_path / f"{name}.pth", {"state_dict": state_of("segmentation")}))
    assert main(["weights", "verify"]) == 0
    assert f"{name}.safetensors: seg_unet for segmentation" in capsys.readouterr().out
    (tmp_path / f"{name}.safetensors").write_bytes(b"damaged")
    assert f"{name}.safetensors is not a readable" in fails("weights", "verify")


shapes = st.lists(st.integers(0, 9), max_size=4).map(tuple)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_shapes_are_recognised_or_refused(data):
    """Whatever the shapes are, the answer is a network or a WeightsError."""
    name = data.draw(st.sampled_from(sorted(NETWORKS)))
    with torch.device("meta"):
        known = {n: tuple(t.shape) for n, t in build(*NETWORKS[name]).state_dict().items()}
    changed = data.draw(st.dictionaries(st.sampled_from(sorted(known)), shapes, max_size=5))
    dropped = data.draw(st.sets(st.sampled_from(sorted(known)), max_size=5))
    given_shapes = {n: changed.get(n, shape) for n, shape in known.items() if n not in dropped}
    try:
        found = infer(given_shapes)
    except WeightsError as error:
        assert "\n" not in str(error)
    else:
        assert found.kind == NETWORKS[name][0]


@settings(max_examples=20, deadline=None)
@given(position=st.floats(0, 1), values=st.binary(min_size=1, max_size=40))
def test_flipped_bytes_never_crash(tmp_path_factory, position, values):
    """A damaged copy converts (when padding was hit) or is refused in one line."""
    folder = tmp_path_factory.mktemp("flip")
    path = save(folder / "a.pth", {"state_dict": state_of("segmentation")})
    content = bytearray(path.read_bytes())
    start = int(position * (len(content) - len(values)))
    content[start : start + len(values)] = values
    path.write_bytes(bytes(content))
    try:
        convert(path)
    except WeightsError as error:
        assert "\n" not in str(error)

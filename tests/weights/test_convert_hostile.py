"""The converter refuses hostile and damaged files with one line, and leaves nothing behind."""

import collections
import os
import pickle
import zipfile

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fsgan_core.errors import WeightsError
from fsgan_core.weights.convert import convert


class Call:
    """Pickles as a call of a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def test_hostile_pickles_are_not_executed(tmp_path, out, state_of, save, refused):
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


def test_declared_sizes_are_checked_before_memory_is_taken(tmp_path, out, state_of, save, refused):
    storage = torch.UntypedStorage(4)
    typed = torch.storage.TypedStorage(wrap_storage=storage, dtype=torch.float32, _internal=True)
    for shape, stride in [((10**6, 10**6), (10**6, 1)), ((10**6, 10**6), (0, 0))]:
        bomb = Call(torch._utils._rebuild_tensor_v2, typed, 0, shape, stride, False, collections.OrderedDict())
        for content in ({"state_dict": {"a": bomb}}, {"state_dict": state_of("segmentation"), "optimizer": [bomb]}):
            refused(save(tmp_path / "a.pth", content), out, "declares 40000[0-9]* bytes of tensors in")


def test_names_that_are_safe_but_take_any_memory(tmp_path, out, state_of, save, refused):
    for call in (Call(bytearray, 1 << 50), Call(torch.Tensor, 1 << 40), Call(complex, 1)):
        for zipped in (True, False):
            content = {"state_dict": state_of("segmentation"), "best_loss": call}
            path = save(tmp_path / "a.pth", content, _use_new_zipfile_serialization=zipped)
            refused(path, out, f"it asks for '[a-z_]*.{call.call[0].__name__}'")


def test_tensors_that_are_no_plain_numbers(tmp_path, out, state_of, save, refused):
    state = state_of("segmentation")
    state["final.weight"] = state["final.weight"].to(torch.complex64)
    refused(save(tmp_path / "a.pth", {"state_dict": state}), out, "'final.weight' as torch.complex64")
    state["final.weight"] = state["final.weight"].real.to_sparse()
    refused(save(tmp_path / "a.pth", {"state_dict": state}), out, "asks for 'torch._utils._rebuild_sparse_tensor'")


def test_zip_bombs(tmp_path, out, refused):
    path = tmp_path / "a.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * 10**7)
    refused(path, out, "unpacks to 10000000 bytes")


def test_damaged_files(tmp_path, out, state_of, save, refused):
    for zipped in (True, False):
        whole = save(
            tmp_path / "whole.pth", {"state_dict": state_of("segmentation")}, _use_new_zipfile_serialization=zipped
        ).read_bytes()
        path = tmp_path / "cut.pth"
        for size in (0, 1, 2, 4, 30, 1000, len(whole) // 2, len(whole) - 1):
            path.write_bytes(whole[:size])
            refused(path, out, "cut.pth")


@settings(max_examples=20, deadline=None)
@given(position=st.floats(0, 1), values=st.binary(min_size=1, max_size=40))
def test_flipped_bytes_never_crash(tmp_path_factory, position, values, state_of, save):
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


@pytest.mark.parametrize("hostile", ["call", "cut", "bomb", "other", "nan"])
def test_the_command_line_says_it_in_one_line(tmp_path, fails, hostile, state_of, save):
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

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from fsgan_core.errors import MediaError
from fsgan_core.stages.appearance_file import load, save
from fsgan_core.stages.appearance_map import AppearanceMap

NOTES = {"consent": "given by the person, 2026", "source": "sha256:1234 é"}
HEADER = {"fsgan_kind": "appearance_map", "fsgan_version": "1"}


def make():
    rng = np.random.default_rng(0)
    views = tuple(rng.integers(0, 255, (20 + number, 30, 3), np.uint8) for number in range(12))
    numbers = (rng.normal(size=shape).astype(np.float32) for shape in ((12, 3), (12, 478, 3), (12, 4)))
    return AppearanceMap(views, *numbers, NOTES)


@pytest.fixture
def path(tmp_path):
    save(make(), tmp_path / "face é.safetensors")
    return tmp_path / "face é.safetensors"


def refused(path, match):
    with pytest.raises(MediaError, match=match) as error:
        load(path)
    assert "\n" not in str(error.value)


def test_what_is_saved_is_loaded(path):
    found, expected = load(path), make()
    assert found.notes == NOTES and len(found) == 12
    for one, other in zip(found.views, expected.views, strict=True):
        np.testing.assert_array_equal(one, other)
    for name in ("poses", "landmarks", "boxes"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_views_that_are_not_contiguous_survive(tmp_path):
    whole = make()
    turned = AppearanceMap(tuple(view[::-1, ::2] for view in whole.views), whole.poses, whole.landmarks, whole.boxes)
    save(turned, tmp_path / "map")
    np.testing.assert_array_equal(load(tmp_path / "map").views[3], whole.views[3][::-1, ::2])


def test_saving_replaces_in_one_step(path):
    save(make(), path)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_folder_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(MediaError, match="cannot write"):
        save(make(), tmp_path / "nowhere" / "map")


def test_reserved_notes_are_refused(tmp_path):
    whole = make()
    with pytest.raises(ValueError, match="reserved"):
        save(AppearanceMap(whole.views, whole.poses, whole.landmarks, whole.boxes, {"fsgan_kind": "x"}), tmp_path / "m")


def test_a_missing_file_or_a_folder(tmp_path):
    refused(tmp_path / "nothing", "no appearance map")
    refused(tmp_path, "no appearance map")


@pytest.mark.parametrize("size", [0, 7, 8, 100, 20_000])
def test_a_truncated_file(path, size):
    path.write_bytes(path.read_bytes()[:size])
    refused(path, "not a readable")


def test_a_header_of_absurd_length(path):
    path.write_bytes(b"\xff" * 8 + path.read_bytes()[8:])
    refused(path, "not a readable")


def test_offsets_beyond_the_file(path):
    header = json.dumps({"poses": {"dtype": "F32", "shape": [1, 3], "data_offsets": [0, 10**12]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    refused(path, "not a readable")


def test_another_kind_or_version(tmp_path):
    save_file({"poses": np.zeros(3, np.float32)}, tmp_path / "net", metadata={"fsgan_kind": "landmarks"})
    refused(tmp_path / "net", "holds 'landmarks', expected 'appearance_map'")
    save_file({"poses": np.zeros(3, np.float32)}, tmp_path / "bare")
    refused(tmp_path / "bare", "holds 'None'")
    save_file({"poses": np.zeros(3, np.float32)}, tmp_path / "new", metadata={**HEADER, "fsgan_version": "9"})
    refused(tmp_path / "new", "version 9")


@pytest.mark.parametrize(
    "change",
    [
        {"poses": np.zeros((3, 3), np.float32)},
        {"poses": np.full((12, 3), np.nan, np.float32)},
        {"landmarks": np.zeros((12, 68, 2), np.float32)},
        {"boxes": None},
        {"view_0003": np.zeros((4, 4, 3), np.float32)},
        {"view_0003": np.zeros((0, 4, 3), np.uint8)},
        {"view_0012": np.zeros((4, 4, 3), np.uint8)},
        {f"view_{number:04d}": None for number in range(12)},
    ],
)
def test_contents_that_do_not_fit_together(path, change):
    tensors = load_file(path)
    for name, value in change.items():
        tensors.pop(name, None)
        if value is not None:
            tensors[name] = value
    save_file(tensors, path, metadata=HEADER)
    refused(path, "not a readable")

"""Every loader of a stage meets files that are not what it wants: each is refused in one line that says what to do."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from fsgan_core.errors import WeightsError
from fsgan_core.stages.alignment import load_aligner
from fsgan_core.stages.analysis import load_analysis
from fsgan_core.stages.open_blending import load_membrane_net
from fsgan_core.stages.open_completion import load_face_space
from fsgan_core.stages.open_detector import load_open_detector
from fsgan_core.stages.open_landmarks import load_open_landmarker
from fsgan_core.stages.open_networks import load_unet
from fsgan_core.stages.pose import load_face_model
from fsgan_core.stages.refinement import load_refiner
from fsgan_core.weights.checkpoint import OPEN

LOADERS = {
    "alignment": load_aligner,
    "blending": load_membrane_net,
    "completion": load_face_space,
    "detection": lambda path: load_open_detector("cpu", path),
    "face_model": load_face_model,
    "fitting": load_aligner,
    "irises": lambda path: load_open_landmarker("cpu", irises=path),
    "landmarks": lambda path: load_open_landmarker("cpu", path, None),
    "local_landmarks": lambda path: load_open_landmarker("cpu", local=path),
    "motion": load_analysis,
    "reenactment": load_refiner,
    "segmentation": lambda path: load_unet("segmentation", path),
}
FAULTS = {
    "is empty": lambda tensors, config: ({}, config),
    "lacks a tensor": lambda tensors, config: (dict(list(tensors.items())[1:]), config),
    "has other shapes": lambda tensors, config: (
        {name: value.new_zeros(3, 2) for name, value in tensors.items()},
        config,
    ),
    "has an unknown field": lambda tensors, config: (tensors, {"depth_of_sea": 1}),
    "has fields of other types": lambda tensors, config: (tensors, dict.fromkeys(config, "many")),
    "has fields that are null": lambda tensors, config: (tensors, dict.fromkeys(config)),
    "has a field that is no list": lambda tensors, config: (tensors, config | {next(iter(config)): 3.5}),
}


@pytest.fixture
def write(tmp_path):
    def written(name, fault):
        with safe_open(OPEN / f"{name}.safetensors", framework="pt") as file:
            header, tensors = file.metadata(), {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        tensors, config = fault(tensors, json.loads(header["fsgan_config"]))
        path = tmp_path / "some.safetensors"
        save_file(tensors, path, metadata=header | {"fsgan_config": json.dumps(config)})
        return path

    return written


def refusal(load, path):
    with pytest.raises(WeightsError) as caught:
        load(path)
    line = str(caught.value)
    assert str(path) in line and "; " in line and "\n" not in line
    return line


@pytest.mark.parametrize("name", LOADERS)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_that_does_not_fit_itself(name, fault, write):
    refusal(LOADERS[name], write(name, FAULTS[fault]))


@pytest.mark.parametrize("name", LOADERS)
def test_a_file_of_another_kind(name, tmp_path):
    other = OPEN / ("detection.safetensors" if name == "completion" else "completion.safetensors")
    assert "expected '" in refusal(LOADERS[name], other)
    save_file({"a": torch.zeros(1)}, tmp_path / "plain.safetensors")
    assert "expected '" in refusal(LOADERS[name], tmp_path / "plain.safetensors")


@pytest.mark.parametrize("name", LOADERS)
def test_no_weights_at_all(name, tmp_path):
    (tmp_path / "text.safetensors").write_text("not weights")
    for path in (tmp_path, tmp_path / "missing.safetensors", tmp_path / "text.safetensors"):
        refusal(LOADERS[name], path)


def test_a_header_that_asks_for_more_memory_than_there_is(write):
    path = write("segmentation", lambda tensors, config: (tensors, config | {"channels": [10**6] * 5}))
    assert "size mismatch" in refusal(LOADERS["segmentation"], path)

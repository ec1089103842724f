"""What the converter writes, and where."""

import pytest
import torch
from safetensors.torch import load_file

from fsgan_core.cli import main
from fsgan_core.errors import WeightsError
from fsgan_core.weights import convert as convert_module
from fsgan_core.weights.convert import convert


def test_output(tmp_path, state_of, save):
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


def test_a_failed_conversion_leaves_an_existing_output_alone(tmp_path, out, state_of, save):
    out.write_bytes(b"precious")
    state = state_of("segmentation")
    state["final.bias"][0] = float("nan")
    with pytest.raises(WeightsError):
        convert(save(tmp_path / "a.pth", state), out, overwrite=True)
    assert out.read_bytes() == b"precious"


def test_a_full_disk_and_a_bad_disk_leave_nothing(tmp_path, out, monkeypatch, state_of, save, refused):
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


def test_the_command_line_writes_beside_the_checkpoint(tmp_path, capsys, state_of, save):
    path = save(tmp_path / "a.pth", {"state_dict": state_of("segmentation")})
    assert main(["convert", str(path)]) == 0
    assert str(tmp_path / "a.safetensors") in capsys.readouterr().out
    assert main(["weights", "verify", str(tmp_path / "a.safetensors")]) == 0
    assert "seg_unet for segmentation" in capsys.readouterr().out


def test_verify_takes_every_official_file_there_is(tmp_path, capsys, fails, monkeypatch, state_of, save):
    monkeypatch.setattr("fsgan_core.weights.catalog.user_folder", lambda: tmp_path / "none")
    monkeypatch.setenv("FSGAN_MODELS", str(tmp_path))
    assert "found no converted official file" in fails("weights", "verify")
    name = "celeba_unet_256_1_2_segmentation_v2"
    convert(save(tmp_path / f"{name}.pth", {"state_dict": state_of("segmentation")}))
    assert main(["weights", "verify"]) == 0
    assert f"{name}.safetensors: seg_unet for segmentation" in capsys.readouterr().out
    (tmp_path / f"{name}.safetensors").write_bytes(b"damaged")
    assert f"{name}.safetensors is not a readable" in fails("weights", "verify")

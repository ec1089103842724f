import os

import pytest
import torch

from fsgan_core.errors import WeightsError
from fsgan_core.networks import ARCHITECTURES, build
from fsgan_core.weights import catalog
from fsgan_core.weights.checkpoint import OPEN, save_weights
from fsgan_core.weights.convert import sha256

REENACTMENT = "nfv_msrunet_256_1_2_reenactment_v2.1"
STAGES = {"reenactment", "completion", "blending", "segmentation", "pose"}


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """Three folders: the environment's, the host's, the user's."""
    named, host, user = (tmp_path / name for name in ("named", "host", "data"))
    monkeypatch.setenv("FSGAN_MODELS", str(named))
    monkeypatch.setattr(catalog, "user_folder", lambda: user)
    for folder in (named, host, user):
        folder.mkdir()
    return named, host, user


def test_every_bundled_file_has_a_card_with_its_hash():
    cards = "".join(path.read_text() for path in OPEN.glob("*.md"))
    files = sorted(OPEN.glob("*.safetensors"))
    assert len(files) > 5
    for path in files:
        assert f"`{path.name}`" in cards and sha256(path) in cards, path.name


def test_known_files_are_complete_and_distinct():
    names = [file.name for file in catalog.KNOWN]
    assert len(set(names)) == len(names) == 15
    for weight_set in ("v1", "v2"):
        needed = [f for f in catalog.KNOWN if weight_set in f.sets and not f.optional]
        assert {f.stage for f in needed} >= STAGES
        assert len({f.stage for f in needed}) == len(needed), "one file a stage"
    for file in catalog.KNOWN:
        assert file.kind in ARCHITECTURES or not file.kind
        assert file.licence and file.content and file.source and "\n" not in file.licence


def test_folders_are_searched_in_order(places):
    named, host, user = places
    assert catalog.find("x", [host]) is None
    for folder in (user, host, named):
        (folder / "x.safetensors").touch()
        assert catalog.find("x", [host]) == folder / "x.safetensors"


def test_comfyui_s_folder_is_known_to_a_pack_in_it(tmp_path):
    package = tmp_path / "custom_nodes" / "fsgan" / "fsgan_core"
    assert catalog.host_folder(package) == tmp_path / "models" / "fsgan"
    assert catalog.host_folder(tmp_path / "site-packages" / "fsgan_core") is None


def test_several_folders_in_the_environment(tmp_path, monkeypatch):
    first, second = tmp_path / "a b", tmp_path / "ä"
    monkeypatch.setenv("FSGAN_MODELS", f"{first}{os.pathsep}{second}")
    assert catalog.folders()[:2] == [first, second]
    monkeypatch.delenv("FSGAN_MODELS")
    assert catalog.folders([first]) == [first, catalog.user_folder()]


def test_listing_says_what_to_do(places):
    _, host, _ = places
    (host / f"{REENACTMENT}.pth").touch()
    (host / "hr18_wflw_landmarks.safetensors").touch()
    listed = {entry.file.name: entry for entry in catalog.listing([host])}
    assert listed[REENACTMENT].state == "convert"
    assert listed[REENACTMENT].advice == f"fsgan convert {host / REENACTMENT}.pth"
    assert listed["hr18_wflw_landmarks"].state == "ready" and not listed["hr18_wflw_landmarks"].advice
    assert listed["hopenet_robust_alpha1"].state == "missing"
    assert "hopenet_robust_alpha1.pth" in listed["hopenet_robust_alpha1"].advice


def test_locate(places):
    _, host, _ = places
    with pytest.raises(WeightsError, match="get nfv_.*pth from"):
        catalog.locate("v2", "reenactment", [host])
    (host / f"{REENACTMENT}.pth").touch()
    with pytest.raises(WeightsError, match="fsgan convert"):
        catalog.locate("v2", "reenactment", [host])
    (host / f"{REENACTMENT}.safetensors").touch()
    assert catalog.locate("v2", "reenactment", [host]) == host / f"{REENACTMENT}.safetensors"
    stepwise = host / "ijbc_msrunet_256_1_2_reenactment_stepwise_v1.safetensors"
    stepwise.touch()
    assert catalog.locate("v1", "reenactment", [host], "stepwise") == stepwise
    for stage in ("detection", "nonsense"):
        with pytest.raises(ValueError, match="has no stage"):
            catalog.locate("v2", stage)


def weights(path, **values):
    config = {"width": 4, **values}
    net = build("seg_unet", config)
    save_weights(path, net.state_dict(), "seg_unet", config, fsgan_stage="segmentation", source_name="a.pth")
    return path


def test_verify(tmp_path):
    assert catalog.verify(weights(tmp_path / "a.safetensors")).startswith("seg_unet for segmentation, ")
    with pytest.raises(WeightsError, match="no weights at"):
        catalog.verify(tmp_path / "none.safetensors")
    (tmp_path / "b.safetensors").write_bytes(b"x" * 100)
    with pytest.raises(WeightsError, match="not a readable safetensors"):
        catalog.verify(tmp_path / "b.safetensors")
    save_weights(tmp_path / "c.safetensors", {"a": torch.zeros(1)}, "mesh")
    with pytest.raises(WeightsError, match="holds 'mesh' weights"):
        catalog.verify(tmp_path / "c.safetensors")
    save_weights(tmp_path / "d.safetensors", {"a": torch.zeros(1)}, "seg_unet", {"width": 4})
    with pytest.raises(WeightsError, match="does not fit"):
        catalog.verify(tmp_path / "d.safetensors")
    net = build("seg_unet", {"width": 4})
    net.final.bias.data[0] = float("nan")
    save_weights(tmp_path / "e.safetensors", net.state_dict(), "seg_unet", {"width": 4})
    with pytest.raises(WeightsError, match="'final.bias' that are not finite"):
        catalog.verify(tmp_path / "e.safetensors")

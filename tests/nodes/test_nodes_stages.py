"""The stages by hand are the one-node form; the smaller nodes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

Run = Callable[..., tuple[Any, ...]]


def by_hand(run: Run, target: torch.Tensor, source: Any, **given: Any) -> tuple[torch.Tensor, str]:
    """A swap, stage by stage; options go to the stage that knows them."""
    known = ("mask", "mask_mode", "batch", "margin", "faces", "models")
    cut = {name: value for name, value in given.items() if name in known}
    of_blending = ("blending", "gradients", "match_light", "match_fineness")
    blend = {name: value for name, value in given.items() if name in of_blending}
    crops, _ = run("FSGAN_CropFaces", target=target, **cut)
    drawn = {"views": "interpolate", **{name: given[name] for name in ("views", "delight") if name in given}}
    crops, _ = run("FSGAN_ReenactFaces", crops=crops, source=source, **drawn)
    crops, _ = run("FSGAN_SegmentFaces", crops=crops)
    crops, _ = run("FSGAN_CompleteFaces", crops=crops, inside=given.get("inside", "auto"))
    crops, _ = run("FSGAN_BlendFaces", crops=crops, **blend)
    return run("FSGAN_CompositeFaces", target=target, crops=crops)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"blending": "multiband", "inside": "target", "views": "closest", "margin": 2.0, "delight": 0.0},
        {"mask": torch.eye(64)[None], "mask_mode": "add", "gradients": "mixed", "match_light": 0.5},
    ],
    ids=["defaults", "other options", "a mask"],
)
def test_by_hand_is_the_one_node_form(
    run: Run, picture: torch.Tensor, plain: torch.Tensor, given: dict[str, Any]
) -> None:
    target = torch.cat((picture, plain, picture.roll(3, 2) * 0.95))
    source = picture.flip(2)
    one, _ = run("FSGAN_SwapImage", target=target, source=source, batch="pictures", **given)
    stages, report = by_hand(run, target, source, batch="pictures", **given)
    assert torch.equal(stages, one)
    assert not torch.equal(one[2], target[2])
    assert report == "2 faces in 2 of 3 frames\nno face, kept: frame 1"


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"blending": "multiband", "match_light": 0.0, "match_fineness": 0.0},
        {"inside": "target", "views": "closest", "blending": "feather"},
        {"inside": "source", "gradients": "mixed"},
    ],
    ids=["defaults", "multiband", "inside target", "inside source"],
)
def test_a_clip_by_hand_keeps_what_its_tracks_keep_like_the_one_node_form(
    run: Run, picture: torch.Tensor, given: dict[str, Any]
) -> None:
    target = torch.cat([picture.roll(2 * n, 2) * (1 - 0.02 * n) for n in range(9)])
    source = picture.flip(2)
    faces, _, report = run("FSGAN_AnalyzeImages", image=target)
    assert report.startswith("1 face in 9 frames")
    one, _ = run("FSGAN_SwapImage", target=target, source=source, faces=faces, **given)
    stages, _ = by_hand(run, target, source, faces=faces, **given)
    assert torch.equal(stages, one)


def test_heads_reshaped_first_are_the_one_node_form(run: Run, picture: torch.Tensor) -> None:
    source = torch.nn.functional.interpolate(picture.movedim(-1, 1), size=(256, 300))[..., 22:278].movedim(1, -1)
    one, _ = run("FSGAN_SwapImage", target=picture, source=source, face_shape=0.7)
    plain, _ = run("FSGAN_SwapImage", target=picture, source=source)
    faces, _, _ = run("FSGAN_AnalyzeImages", image=picture)
    bent, moved = run("FSGAN_ReshapeFaces", target=picture, source=source, faces=faces, face_shape=0.7)
    stages, _ = by_hand(run, bent, source, faces=moved)
    assert torch.equal(stages, one)
    assert not torch.equal(plain, one)


def test_a_source_lit_from_one_side_keeps_its_light_where_that_is_asked(run: Run, picture: torch.Tensor) -> None:
    source = picture * torch.linspace(0.3, 1.0, picture.shape[2])[:, None]
    hard, soft = (run("FSGAN_SwapImage", target=picture, source=source, delight=part)[0] for part in (0.0, 1.0))
    usual, _ = run("FSGAN_SwapImage", target=picture, source=source)
    assert torch.equal(soft, usual) and not torch.equal(hard, usual)


def test_a_stage_left_out_is_told(run: Run, picture: torch.Tensor) -> None:
    crops, _ = run("FSGAN_CropFaces", target=picture)
    with pytest.raises(ValueError, match="have not been through Reenact Faces; connect that node before"):
        run("FSGAN_SegmentFaces", crops=crops)


def test_no_face_goes_through_every_stage(run: Run, picture: torch.Tensor, plain: torch.Tensor) -> None:
    image, report = by_hand(run, plain, picture)
    assert torch.equal(image, plain)
    assert report == "0 faces in 0 of 1 frame\nno face, kept: frame 0"


def test_poisson_blend_of_a_shifted_picture_gives_the_picture_back(run: Run, picture: torch.Tensor) -> None:
    target = picture * 0.7 + 0.1
    mask = torch.zeros(1, 256, 256)
    mask[:, 60:150, 80:170] = 1
    (image,) = run("FSGAN_PoissonBlend", target=target, source=target + 0.15, mask=mask)
    assert float((image - target).abs().max()) < 0.01
    (same,) = run("FSGAN_PoissonBlend", target=target.half(), source=picture, mask=torch.zeros(1, 64, 64))
    assert torch.equal(same, target.half().float())
    (many,) = run("FSGAN_PoissonBlend", target=target.expand(2, -1, -1, -1), source=picture, mask=mask)
    assert many.shape == (2, 256, 256, 3)
    with pytest.raises(ValueError, match="scale the source to the target's size"):
        run("FSGAN_PoissonBlend", target=target, source=picture[:, :100], mask=mask)


def test_a_face_set_comes_back_from_its_file(run: Run, host: Any, picture: torch.Tensor) -> None:
    appearance, _, _ = run("FSGAN_BuildAppearanceMap", image=picture)
    given = {"appearance_map": appearance, "name": "eileen", "consent": "public domain"}
    run("FSGAN_SaveFaceSet", **given)
    loaded, report = run("FSGAN_LoadFaceSet", name="eileen.safetensors")
    np.testing.assert_array_equal(loaded.views[0], appearance.views[0])
    assert report.endswith("consent: public domain")
    with pytest.raises(ValueError, match="already; name it otherwise or allow overwriting"):
        run("FSGAN_SaveFaceSet", **given)
    with pytest.raises(ValueError, match="expected a plain name such as 'anna'"):
        run("FSGAN_SaveFaceSet", **given | {"name": "../eileen"})
    chart, _ = run("FSGAN_PreviewCoverage", appearance_map=loaded)
    assert chart.shape[-1] == 3


def test_a_marked_picture_says_so(run: Run, host: Any, picture: torch.Tensor) -> None:
    run("FSGAN_SaveMarkedImage", image=picture, filename_prefix="marked/one", operation="poisson blend")
    written = sorted(Path(host.folders.get_output_directory(), "marked").iterdir())
    assert [path.name for path in written] == ["one_00001_.png"]
    kept = Path(host.folders.get_input_directory()) / "kept.png"
    kept.write_bytes(written[0].read_bytes())
    (report,) = run("FSGAN_InspectProvenance", file="kept.png")
    assert "operation: poisson blend" in report
    assert report.endswith("compositeWithTrainedAlgorithmicMedia")


def test_landmarks_of_the_host_are_faces(run: Run, picture: torch.Tensor) -> None:
    faces, _, _ = run("FSGAN_AnalyzeImages", image=picture)
    points = faces.analysis.faces[0].landmarks[0]
    # The host gives depth in the pixels of its own crop.
    found = {"landmarks_xy": points[:, :2], "landmarks_3d": points * 0.7 + 5, "score": 0.9}
    landmarks = {"frames": [[found]], "image_size": (256, 256), "connection_sets": {}}
    adapted, report = run("FSGAN_FacesFromHostLandmarks", face_landmarks=landmarks, image=picture)
    np.testing.assert_allclose(adapted.analysis.faces[0].landmarks[0, :, :2], points[:, :2])
    spread = np.ptp(adapted.analysis.faces[0].landmarks[0, :, 2])
    assert spread == pytest.approx(float(np.ptp(points[:, 2])), rel=1e-3)
    np.testing.assert_allclose(adapted.analysis.faces[0].poses, faces.analysis.faces[0].poses, atol=0.1)
    assert report.startswith("1 face in 1 frame")
    swapped, _ = run("FSGAN_SwapImage", target=picture, source=picture.flip(2), faces=adapted)
    assert not torch.equal(swapped, picture)


def test_landmarks_become_masks_of_each_part(run: Run, picture: torch.Tensor, plain: torch.Tensor) -> None:
    both = torch.cat((picture, plain))
    faces, _, _ = run("FSGAN_AnalyzeImages", image=both, batch="pictures")
    parts = {}
    for region in ("face", "skin", "mouth", "eyes"):
        mask, shown = run("FSGAN_LandmarksToMask", faces=faces, image=both, region=region)
        assert mask.shape == both.shape[:3]
        assert not mask[1].any(), "no face, no mask"
        torch.testing.assert_close(shown[1], plain[0], atol=0.003, rtol=0)
        parts[region] = mask[0] > 0.5
    assert 0.1 < parts["face"].float().mean() < 0.5
    assert not (parts["skin"] & (parts["mouth"] | parts["eyes"])).any()
    assert (parts["face"] | parts["eyes"]).sum() <= parts["face"].sum() * 1.01
    rows = {name: float(torch.nonzero(part)[:, 0].float().mean()) for name, part in parts.items() if part.any()}
    assert rows["eyes"] < rows["face"] < rows["mouth"]
    low, _ = run("FSGAN_LandmarksToMask", faces=faces, image=both, forehead=0.0)
    assert low.sum() < 0.9 * parts["face"].sum()


def test_examples_are_faces(run: Run, nodes: dict[str, Any]) -> None:
    menu = nodes["FSGAN_ExamplePicture"].define_schema().inputs[0].values["options"]
    shapes = [run("FSGAN_ExamplePicture", picture=name)[0].shape for name in menu]
    assert shapes == [*[(1, 474, 474, 3)] * 2, (4, 474, 474, 3)]
    (clip,) = run("FSGAN_ExampleVideo")
    assert Path(clip.file).stat().st_size < 200_000


SMALL = {"flat_layers": [1, 1, 1], "width": 4, "max_width": 16}
OFFICIAL = {
    "reenactment": ("nfv_msrunet_256_1_2_reenactment_v2.1", "ms_res_unet", {"in_channels": 101, **SMALL}),
    "completion": ("ijbc_msrunet_256_1_2_inpainting_v2", "ms_res_unet", {"in_channels": 4, **SMALL}),
    "blending": ("ijbc_msrunet_256_1_2_blending_v2", "ms_res_unet", {"in_channels": 7, "image_channels": 6, **SMALL}),
    "segmentation": ("celeba_unet_256_1_2_segmentation_v2", "seg_unet", {"width": 4}),
}


@pytest.fixture
def folder(host: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """ComfyUI's folder of ours, empty."""
    monkeypatch.delenv("FSGAN_MODELS", raising=False)
    folder = tmp_path / "fsgan"
    folder.mkdir()
    monkeypatch.setitem(host.folders.folder_names_and_paths, "fsgan", ([str(folder)], {".safetensors"}))
    return folder


@pytest.fixture
def official(folder: Path) -> Path:
    """The folder with random networks of few channels, converted."""
    from fsgan_core.networks import build
    from fsgan_core.weights.checkpoint import save_weights

    for stage, (name, kind, config) in OFFICIAL.items():
        torch.manual_seed(len(name))
        network = build(kind, config)
        save_weights(folder / f"{name}.safetensors", network.state_dict(), kind, config, fsgan_stage=stage)
    return folder


def test_converted_networks_are_listed_loaded_and_the_same_by_hand(
    run: Run, nodes: dict[str, Any], official: Path, picture: torch.Tensor
) -> None:
    inputs = nodes["FSGAN_LoadModels"].define_schema().inputs
    menus = {one.id: one.values["options"] for one in inputs if "options" in one.values}
    assert menus["weights"] == ["open", "v2"]
    assert menus["completion"][-1] == "v2"
    (models,) = run("FSGAN_LoadModels", weights="v2")
    assert dict(models.chosen.__dict__)["reenactment"] == "v2"
    target = torch.cat([picture.roll(2 * n, 2) for n in range(3)])
    source = picture.flip(2)
    faces, _, _ = run("FSGAN_AnalyzeImages", image=target)
    one, _ = run("FSGAN_SwapImage", target=target, source=source, faces=faces, models=models)
    ours, _ = run("FSGAN_SwapImage", target=target, source=source, faces=faces)
    assert not torch.equal(one, ours)
    stages, _ = by_hand(run, target, source, faces=faces, models=models)
    assert torch.equal(stages, one)


def test_a_file_of_no_known_set_is_listed_for_its_stage_and_a_changed_one_is_loaded_again(
    run: Run, nodes: dict[str, Any], official: Path
) -> None:
    node, name = nodes["FSGAN_LoadModels"], OFFICIAL["completion"][0]
    before = node.fingerprint_inputs()
    (official / "my-own.safetensors").write_bytes((official / f"{name}.safetensors").read_bytes())
    (official / "broken.safetensors").write_bytes(b"no weights")
    assert node.fingerprint_inputs() != before
    inputs = node.define_schema().inputs
    menus = {one.id: one.values["options"] for one in inputs if "options" in one.values}
    assert menus["completion"][-1] == "my-own.safetensors"
    assert "my-own.safetensors" not in menus["segmentation"]
    (models,) = run("FSGAN_LoadModels", completion="my-own.safetensors")
    assert models.chosen.completion == str(official / "my-own.safetensors")
    assert models.chosen.weights == "open, my-own"


def test_an_adapter_in_the_folder_is_listed_and_fits_the_models(run: Run, nodes: dict[str, Any], folder: Path) -> None:
    from fsgan_core.networks.flow_net import FlowNet, FlowNetConfig
    from fsgan_core.networks.low_rank import fresh
    from fsgan_core.stages.refinement import bundled_refiner
    from fsgan_core.training.adaptation import Adaptation

    small = FlowNet(FlowNetConfig(widths=(4, 4, 4, 4), judge=4))
    for name, network in (("my-adapter", bundled_refiner().network), ("other-adapter", small)):
        Adaptation(fresh(network, 2), 1.0, 0.5, 1).save(folder / f"{name}.safetensors")
    inputs = {one.id: one for one in nodes["FSGAN_LoadModels"].define_schema().inputs}
    assert inputs["adapter"].values["options"] == ["none", "my-adapter.safetensors", "other-adapter.safetensors"]
    (fitted,), (usual,) = (run("FSGAN_LoadModels", adapter=name) for name in ("my-adapter.safetensors", "none"))
    assert fitted.load().reenactment.options.adapter == str(folder / "my-adapter.safetensors")
    assert usual.load().reenactment.options.adapter == ""
    with pytest.raises(Exception, match="other-adapter.safetensors was made for another network"):
        run("FSGAN_LoadModels", adapter="other-adapter.safetensors")

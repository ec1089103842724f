"""The nodes at work on small pictures."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

Run = Callable[..., tuple[Any, ...]]


@pytest.fixture(scope="session")
def mirrored(picture: torch.Tensor) -> torch.Tensor:
    """The same face the other way round, a little darker: another picture that shows one."""
    return (picture.flip(2) * 0.9).contiguous()


def test_analyzing_finds_the_face_and_names_it(run: Run, picture: torch.Tensor) -> None:
    faces, preview, report = run("FSGAN_AnalyzeImages", image=picture)
    assert len(faces.analysis.faces) == len(faces.descriptors) == 1
    assert preview.shape == picture.shape
    assert not torch.equal(preview, picture)
    assert report.startswith("1 face in 1 frame of 256x256\nface 0: frame 0, ")


def test_a_swap_changes_the_face_alone_and_keeps_the_rest_to_the_bit(
    run: Run, picture: torch.Tensor, mirrored: torch.Tensor
) -> None:
    target = picture + 1e-4
    before = target.clone()
    image, report = run("FSGAN_SwapImage", target=target, source=mirrored)
    changed = (image != target).any(-1)[0]
    assert torch.equal(target, before)
    assert 0.05 < changed.float().mean() < 0.4
    rows, columns = torch.nonzero(changed, as_tuple=True)
    assert 60 < float(rows.float().mean()) < 200
    assert 60 < float(columns.float().mean()) < 200
    first, *measured = report.splitlines()
    assert first == "1 face swapped, in 1 of 1 frame"
    assert any(line.startswith("sharpness → 1") for line in measured)
    assert not any("flicker" in line for line in measured)


def test_half_precision_and_alpha_are_taken_as_they_come(
    run: Run, picture: torch.Tensor, mirrored: torch.Tensor
) -> None:
    seen = torch.cat((picture, torch.zeros_like(picture[..., :1])), -1)
    exact, _ = run("FSGAN_SwapImage", target=seen, source=mirrored)
    half, _ = run("FSGAN_SwapImage", target=seen.half(), source=mirrored.half())
    assert exact.shape == picture.shape
    assert half.dtype == torch.float32
    assert float((exact - half).abs().mean()) < 1e-3


def test_frames_without_a_face_stay_and_are_named(
    run: Run, picture: torch.Tensor, plain: torch.Tensor, mirrored: torch.Tensor
) -> None:
    target = torch.cat((plain, picture, plain))
    image, report = run("FSGAN_SwapImage", target=target, source=mirrored, batch="pictures", measure=False)
    assert torch.equal(image[::2], target[::2])
    assert not torch.equal(image[1], target[1])
    assert report == "1 face swapped, in 1 of 3 frames\nno face, kept as they were: frames 0, 2"
    image, report = run("FSGAN_SwapImage", target=plain, source=mirrored)
    assert torch.equal(image, plain)
    assert report.startswith("0 faces swapped, in 0 of 1 frame\nno face, kept as it was: frame 0\n")
    assert "note: no face was drawn in 1 of 1 frame" in report


def test_masks_of_any_size_keep_what_they_cover(run: Run, picture: torch.Tensor, mirrored: torch.Tensor) -> None:
    free, _ = run("FSGAN_SwapImage", target=picture, source=mirrored)
    empty, _ = run("FSGAN_SwapImage", target=picture, source=mirrored, mask=torch.zeros(1, 64, 64))
    full, _ = run("FSGAN_SwapImage", target=picture, source=mirrored, mask=torch.ones(1, 64, 64))
    assert torch.equal(free, empty)
    assert torch.equal(full, picture)
    target = picture.expand(2, -1, -1, -1)
    both = torch.stack((torch.zeros(256, 256), torch.ones(256, 256)))
    image, _ = run("FSGAN_SwapImage", target=target, source=mirrored, mask=both, batch="pictures")
    assert torch.equal(image[0], free[0])
    assert torch.equal(image[1], picture[0])


def test_a_wrong_number_of_masks_or_pictures_is_told(run: Run, picture: torch.Tensor) -> None:
    target = picture.expand(2, -1, -1, -1)
    with pytest.raises(ValueError, match="found 3 masks for 2 pictures; give one, or one for each"):
        run("FSGAN_SwapImage", target=target, source=picture, mask=torch.ones(3, 64, 64), batch="pictures")
    with pytest.raises(ValueError, match="found 2 pictures as the source, expected one portrait"):
        run("FSGAN_ReenactImage", source=target, target=picture)
    faces, _, _ = run("FSGAN_AnalyzeImages", image=picture)
    with pytest.raises(ValueError, match="measured in 1 frame of 256x256, the target is 1 frame of 200x256"):
        run("FSGAN_SwapImage", target=picture[:, :, :200], source=picture, faces=faces)


def test_a_source_without_a_face_is_told(run: Run, picture: torch.Tensor, plain: torch.Tensor) -> None:
    with pytest.raises(Exception, match="found no face in the source; connect a picture that shows one"):
        run("FSGAN_SwapImage", target=picture, source=plain)


def test_a_map_of_pictures_is_the_same_source_as_the_pictures(
    run: Run, picture: torch.Tensor, mirrored: torch.Tensor, plain: torch.Tensor
) -> None:
    appearance, coverage, report = run("FSGAN_BuildAppearanceMap", image=torch.cat((mirrored, plain)))
    assert coverage.shape[0] == 1
    assert coverage.shape[-1] == 3
    assert report.startswith("1 view\nNo view looks ")
    assert report.endswith("no face found in source picture 1")
    by_map, _ = run("FSGAN_SwapImage", target=picture, source=appearance)
    by_picture, _ = run("FSGAN_SwapImage", target=picture, source=mirrored)
    assert torch.equal(by_map, by_picture)


def test_faces_connected_are_the_faces_found(run: Run, picture: torch.Tensor, mirrored: torch.Tensor) -> None:
    faces, _, _ = run("FSGAN_AnalyzeImages", image=picture)
    selected, report = run("FSGAN_SelectFaces", faces=faces, face="by number", face_number=0)
    liked, _ = run("FSGAN_SelectFaces", faces=faces, reference=picture)
    assert report.startswith("1 face in 1 frame")
    assert liked.analysis.faces == selected.analysis.faces
    given, _ = run("FSGAN_SwapImage", target=picture, source=mirrored, faces=selected)
    alone, _ = run("FSGAN_SwapImage", target=picture, source=mirrored)
    assert torch.equal(given, alone)


def test_reenacting_with_itself_moves_little(run: Run, picture: torch.Tensor, plain: torch.Tensor) -> None:
    target = torch.cat((picture, plain))
    image, report = run("FSGAN_ReenactImage", source=picture, target=target, batch="pictures")
    assert image.shape == target.shape
    assert float((image[0] - picture[0]).abs().mean()) < 0.02
    assert torch.equal(image[1], image[0])
    assert report.startswith("1 face reenacted, in 1 of 2 frames\nno face, pose held: frame 1\n")
    assert "note: no face was drawn in 1 of 2 frames" in report


def test_a_crop_is_the_headless_one_and_held_without_a_face(
    run: Run, picture: torch.Tensor, mirrored: torch.Tensor, plain: torch.Tensor, face: Any
) -> None:
    from fsgan_core import AnalyzeOptions, Models, ReenactOptions, Still, analyze, build_appearance_map, reenact_crops

    appearance, _, _ = run("FSGAN_BuildAppearanceMap", image=torch.cat((mirrored, mirrored)))
    target, crop = torch.cat((plain, picture)), {"framing": "crop", "crop_size": 128, "batch": "pictures"}
    image, report = run("FSGAN_ReenactImage", source=mirrored, target=target, **crop)
    by_map, _ = run("FSGAN_ReenactImage", source=appearance, target=target, measure=False, **crop)
    assert image.shape == (2, 128, 128, 3)
    assert torch.equal(image, by_map)
    assert torch.equal(image[0], image[1])
    assert report.startswith("1 face reenacted, in 1 of 2 frames\nno face, pose held: frame 0\n")
    other = (mirrored[0] * 255).round().byte().numpy()
    models, options = Models.load(), AnalyzeOptions(every=1)
    source = build_appearance_map([(Still(other), analyze(Still(other), models, options).faces[0])])
    (person,) = analyze(Still(face), models, options).faces
    aligned = next(reenact_crops(source, person, models, ReenactOptions(size=128), [face])).frame
    np.testing.assert_array_equal((image[1] * 255).round().byte().numpy(), aligned)


def test_a_full_picture_wants_one_portrait(run: Run, picture: torch.Tensor, mirrored: torch.Tensor) -> None:
    appearance, _, _ = run("FSGAN_BuildAppearanceMap", image=mirrored)
    for source, found in ((appearance, "an appearance map"), (torch.cat((picture, mirrored)), "2 pictures")):
        with pytest.raises(ValueError, match=f"found {found} as the source, .* or set framing to 'crop'"):
            run("FSGAN_ReenactImage", source=source, target=picture)


def test_the_swap_is_the_headless_one(run: Run, picture: torch.Tensor, mirrored: torch.Tensor, face: Any) -> None:
    from fsgan_core import AnalyzeOptions, Models, Still, analyze, build_appearance_map, swap

    other = (mirrored[0] * 255).round().byte().numpy()
    models, options = Models.load(), AnalyzeOptions(every=1)
    source = build_appearance_map([(Still(other), analyze(Still(other), models, options).faces[0])])
    expected = next(swap(Still(face), analyze(Still(face), models, options).faces, [source], models)).frame
    image, _ = run("FSGAN_SwapImage", target=picture, source=mirrored)
    np.testing.assert_array_equal((image[0] * 255).round().byte().numpy(), expected)


@pytest.mark.parametrize("name", ["FSGAN_SwapImage", "FSGAN_BuildAppearanceMap"])
def test_a_source_picture_that_seems_to_show_somebody_else_is_named(
    run: Run,
    picture: torch.Tensor,
    plain: torch.Tensor,
    mirrored: torch.Tensor,
    name: str,
    caplog: Any,
    monkeypatch: Any,
) -> None:
    monkeypatch.setattr("fsgan_pack.fsgan_core.evaluation.strangers.strangers", lambda pictures, _: [len(pictures) - 1])
    several = torch.cat((picture, plain, mirrored))
    if name == "FSGAN_SwapImage":
        run(name, target=picture, source=several, measure=False)
    else:
        run(name, image=several)
    assert "source picture 2 seems to show another person than source picture 0: " in caplog.text

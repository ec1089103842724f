"""Results measured frame by frame: the right things are seen, and nothing else."""

from dataclasses import replace
from importlib.util import find_spec

import cv2
import numpy as np
import pytest
import torch

from fsgan_core.evaluation import inspection
from fsgan_core.evaluation.crops import box_of, changed, cut
from fsgan_core.evaluation.identity import SAME_PERSON, load_if_installed
from fsgan_core.evaluation.inspection import Inspector, beside
from fsgan_core.evaluation.material import Subject
from fsgan_core.evaluation.measures import MEASURES, Row, means
from fsgan_core.evaluation.reference import Reference, single_view
from fsgan_core.models import Models
from fsgan_core.pipeline import Rendered
from fsgan_core.stages.appearance_map import AppearanceMap
from fsgan_core.streams import Frame


def measured(results: list[Rendered], source: AppearanceMap, models: Models, identity: bool = False) -> list[Row]:
    embedder = load_if_installed() if identity else None
    inspector = Inspector([Reference.of(source, models, embedder)], models, embedder)
    return [inspector.look(result)[0] for result in results]


def worsened(results: list[Rendered], how: object) -> list[Rendered]:
    return [replace(one, frame=how(one.frame)) for one in results]  # type: ignore[operator]


def test_the_target_itself_is_perfect(target: Subject, source: AppearanceMap, models: Models) -> None:
    rows = measured(list(beside(target.clip, target.clip, [target.face])), source, models)
    found = means(rows)
    assert found["ssim"] == 1
    assert found["sharpness"] == 1
    for name in ("pose_error", "landmark_error", "expression", "mouth", "eyes", "seam", "border_color"):
        assert found[name] == pytest.approx(0, abs=1e-4), name
    assert found["jitter_ratio"] == found["flicker_ratio"] == 1


def test_a_swap_takes_the_identity_and_keeps_pose_and_expression(
    swapped: list[Rendered], source: AppearanceMap, models: Models
) -> None:
    found = means(measured(swapped, source, models, identity=bool(find_spec("face_recognition_models"))))
    assert set(found) <= {*MEASURES, "jitter_ratio", "flicker_ratio"}
    if "identity" in found:
        assert found["identity"] < SAME_PERSON < found["identity_before"]
        assert found["identity"] < found["identity_target"]
    assert found["pose_error"] < 6
    assert found["expression"] < 4
    assert 0 < found["seam"] < 3
    assert 0.5 < found["sharpness"] < 2
    assert found["face_size"] == pytest.approx(120, abs=15)


def test_faults_are_seen_by_their_measure(swapped: list[Rendered], source: AppearanceMap, models: Models) -> None:
    results = swapped[:3]
    clean = means(measured(results, source, models))
    inside = [(one.frame != one.target).any(-1, keepdims=True) for one in results]

    def soft(frame: Frame) -> Frame:
        return cv2.GaussianBlur(frame, (0, 0), 2.5).astype(np.uint8)

    def red(frame: Frame) -> Frame:
        return (frame * np.array((1.0, 0.75, 0.75))).astype(np.uint8)

    def shaken(frame: Frame) -> Frame:
        return np.roll(frame, 5, 1)

    for how, name, sign in (
        (soft, "sharpness", -1),
        (red, "border_color", 1),
        (red, "seam", 1),
        (shaken, "landmark_error", 1),
    ):
        pairs = zip(results, inside, strict=True)
        bad = [replace(one, frame=np.where(mask, how(one.frame), one.target)) for one, mask in pairs]
        changed_by = means(measured(bad, source, models))[name] - clean[name]
        assert sign * changed_by > 0.1 * clean[name], (name, clean[name], changed_by)


def test_a_flicker_is_seen_against_the_target_s_own(
    swapped: list[Rendered], source: AppearanceMap, models: Models
) -> None:
    dark = [replace(one, frame=(one.frame * (0.9 if n % 2 else 1.0)).astype(np.uint8)) for n, one in enumerate(swapped)]
    before, after = (means(measured(results, source, models))["flicker_ratio"] for results in (swapped, dark))
    assert after > 2 * before


def test_frames_without_the_face_are_empty_and_break_the_motion(
    swapped: list[Rendered], source: AppearanceMap, models: Models
) -> None:
    gone = replace(swapped[2], records=(replace(swapped[2].records[0], status="no_face"),), wanted=(None,))
    rows = measured([*swapped[:2], gone, *swapped[3:]], source, models)
    assert rows[2] == {}
    assert not any("flicker" in row for row in rows)


def test_a_result_without_target_is_measured_against_what_was_wanted(
    swapped: list[Rendered], source: AppearanceMap, models: Models
) -> None:
    rows = measured([replace(one, target=None) for one in swapped[:3]], source, models)
    assert "ssim" not in rows[0]
    assert rows[0]["pose_error"] is not None
    assert {"jitter", "flicker", "jitter_target"} <= set(rows[2])


def test_without_extras_the_rest_works(
    swapped: list[Rendered], source: AppearanceMap, models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection, "find_spec", lambda name: None)
    inspector = Inspector([Reference.of(source, models, None)], models, None)
    row = inspector.look(swapped[0])[0]
    assert row["identity"] is None
    assert "ssim" not in row
    assert row["sharpness"] is not None
    assert [words.split(":")[0] for words in inspector.missing] == ["identity", "SSIM, seam, border color"]


def test_crops_repeat_the_edge_and_keep_the_scale(face: Frame) -> None:
    crop = cut(face, (-64, -64, 192, 192))
    assert (crop[64:, 64:] == face[:192, :192]).all()
    assert (crop[:64, 64:] == face[:1, :192]).all()
    assert cut(face, (300, 300, 400, 400)).std(axis=(0, 1)).max() == 0


def test_what_a_swap_changed_is_one_filled_shape(swapped: list[Rendered]) -> None:
    one = swapped[0]
    assert one.target is not None
    assert one.wanted[0] is not None
    box = box_of(one.wanted[0])
    mask = changed(cut(one.frame, box), cut(one.target, box))
    assert mask is not None
    assert 0.1 < float(mask.mean()) < 0.4
    assert changed(one.target, one.target) is None
    noisy = (one.target.astype(int) + np.random.default_rng(0).integers(0, 3, one.target.shape)).clip(0, 255)
    assert changed(noisy.astype(np.uint8), one.target) is None


def test_a_source_of_one_picture(face: Frame, target: Subject, models: Models) -> None:
    view = single_view(face, target.face.landmarks[0], models)
    assert len(view) == 1
    reference = Reference.of(view, models, None)
    np.testing.assert_allclose(view.poses[0], target.face.poses[0], atol=0.1)
    assert reference.gap(view.poses[0] + np.array((30, 40, 99), np.float32)) == pytest.approx(50, abs=0.01)
    assert isinstance(reference.sharpness, float)
    assert torch.is_tensor(inspection.image_of(face))

"""The protocols, small: what they tabulate is what was measured, and the files say the same."""

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fsgan_core.cli import main
from fsgan_core.demo import HOPPER
from fsgan_core.evaluation import self_reenactment
from fsgan_core.evaluation.material import Library, Pair, Subject
from fsgan_core.evaluation.outcome import Outcome, Result, comma_separated, markdown
from fsgan_core.evaluation.protocols import Bench, ablation_protocol
from fsgan_core.evaluation.self_reenactment import farthest, limits, self_protocol, starts, thinned
from fsgan_core.evaluation.variants import only, variant
from fsgan_core.media import VideoWriter, write_image
from fsgan_core.models import Models
from fsgan_core.ops.face_model import FaceModel
from fsgan_core.streams import Frames, Part

WRITTEN = {"index.html", "results.md", "results.csv", "results.json"}


@pytest.fixture(scope="module")
def media(clip: Frames, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The layout of FaceForensics++ in small: two originals, and the target itself as a method's result."""
    folder = tmp_path_factory.mktemp("media")
    for name in ("original_sequences/youtube/c23/videos/000", "manipulated_sequences/Copy/c23/videos/000_003"):
        path = folder / f"{name}.mp4"
        path.parent.mkdir(parents=True)
        with VideoWriter(path, rate=clip.rate, marking=None) as writer:
            for frame in clip:
                writer.write(frame)
    with VideoWriter(folder / "original_sequences/youtube/c23/videos/003.mp4", rate=clip.rate, marking=None) as writer:
        writer.write(HOPPER.read().frame[:512, :512])
    return folder


def test_faceforensics_measures_methods_beside_ours(media: Path, tmp_path: Path) -> None:
    words = ["evaluate", "faceforensics", str(media), "-o", str(tmp_path / "out"), "--frames", "3"]
    assert main([*words, "--variant", "default"]) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == WRITTEN | {"swap-003-on-000.jpg", "swap-bars.png"}
    values = json.loads((tmp_path / "out" / "results.json").read_text())
    found = {one["variant"]: one["measures"] for one in values["protocols"]["swap"]["clips"]}
    assert set(found) == {"default", "Copy"}
    assert found["Copy"]["ssim"] > 0.97 > found["default"]["ssim"]
    assert found["Copy"]["pose_error"] < found["default"]["pose_error"]
    assert found["Copy"].get("identity", 1) > found["default"].get("identity", 0)
    assert found["Copy"]["coverage"] == found["default"]["coverage"] == 1
    lines = list(csv.DictReader((tmp_path / "out" / "results.csv").read_text().splitlines()))
    assert [line["variant"] for line in lines] == ["default", "Copy"]
    assert float(lines[1]["ssim"]) == pytest.approx(found["Copy"]["ssim"], rel=1e-3)
    text = (tmp_path / "out" / "results.md").read_text()
    assert "| Copy | " in text
    assert "weights: open" in text


def test_a_second_run_does_not_overwrite(media: Path, tmp_path: Path, fails: Callable[..., str]) -> None:
    (tmp_path / "results.md").write_text("mine")
    assert "--overwrite" in fails("evaluate", "faceforensics", media, "-o", tmp_path, "--frames", "2")
    assert (tmp_path / "results.md").read_text() == "mine"


def test_a_folder_without_faces_is_said(tmp_path: Path, fails: Callable[..., str]) -> None:
    from fsgan_core.media import Image

    for name in ("a", "b"):
        write_image(tmp_path / f"{name}.png", Image(np.full((64, 64, 3), 90, np.uint8)), marking=None)
    assert "found no face in" in fails("evaluate", "swap", tmp_path, "-o", tmp_path / "out" / "today")
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", "b.png"}


@pytest.fixture(scope="module")
def bench(models: Models) -> Bench:
    return Bench(Library(models, frames=5), [variant("default")], None)


def turning(target: Subject) -> Subject:
    """The clip as if the head turned by 10 degrees a frame."""
    poses = target.face.poses.copy()
    poses[:, 0] += np.array((0, 10, 20, 30, 40), np.float32)
    return replace(target, face=replace(target.face, poses=poses))


def test_sources_are_the_frontal_and_the_turned_frames(target: Subject) -> None:
    assert starts(turning(target).face) == [0, 4]
    assert [farthest(turning(target).face, row) for row in (0, 4)] == [4, 0]


def test_self_reenactment_is_binned_by_pose_gap(bench: Bench, target: Subject) -> None:
    found, curve = self_protocol(bench, [target], bins=((0, 30), (30, 60)))
    assert curve.lines()["default"]
    frames = sum(one.measures["frames"] or 0 for one in found.results)
    assert frames == len(starts(target.face)) * 4
    assert {one.condition for one in found.results} <= {"0 to 30°", "30 to 60°"}
    best = found.results[0].measures
    assert best["ssim"] is not None
    assert best["ssim"] > 0.8
    assert best["pose_error"] is not None
    assert best["pose_error"] < 4
    head, rows = found.table()
    assert head[:2] == ("condition", "variant")
    assert rows[0][:2] == ("0 to 30°", "default")
    assert found.sheets


def test_limits_are_curves(bench: Bench, target: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, values in (("STEPS", (1, 3)), ("SIZES", (48,)), ("DENSITIES", (68, 478))):
        monkeypatch.setattr(self_reenactment, name, values)
    clip = Part(target.clip, 3)
    found = {one.name: one for one in limits(bench, [Subject(target.path, clip, only(target.face, range(3)))])}
    assert list(found) == ["limit-steps", "limit-size", "limit-density"]
    lines = {name: one.lines()["default"] for name, one in found.items()}
    assert [place for place, _ in lines["limit-steps"]] == [1, 3]
    assert [place for place, _ in lines["limit-size"]] == [48]
    assert [place for place, _ in lines["limit-density"]] == [68, 478]
    assert lines["limit-size"][0][1]["sharpness"] < 0.8


def test_the_ablation_has_the_paper_s_rows(bench: Bench, target: Subject, tmp_path: Path) -> None:
    for name, image in (("source", HOPPER.read()), ("target", HOPPER.read())):
        frame = image.frame if name == "source" else next(iter(target.clip))
        write_image(tmp_path / f"{name}.png", replace(image, frame=frame), marking=None)
    found = ablation_protocol(bench, [Pair(tmp_path / "source.png", tmp_path / "target.png")])
    measures = {one.variant: one.measures for one in found.results}
    assert list(measures) == ["Gr", "Gr+Gc", "Gr+Gb", "Gr+Gc+Gb"]
    pasted, blended = measures["Gr"]["border_color"], measures["Gr+Gc+Gb"]["border_color"]
    assert pasted is not None
    assert blended is not None
    assert pasted > blended


def test_thinned_landmarks_are_nearer_the_more_are_kept(models: Models, target: Subject) -> None:
    model: FaceModel = models.face_model
    dense = torch.from_numpy(target.face.landmarks[:1])
    errors = [
        float((thinned(model, dense, count) - dense)[..., :2].norm(dim=-1).mean()) for count in (16, 68, 240, 478)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] == 0
    assert errors[0] < 0.05 * float(np.ptp(target.face.landmarks[0, :, 0]))


def outcome() -> Outcome:
    rows = [("a", "x", 0.5), ("b", "x", 0.7), ("a", "y", 0.1)]
    results = [Result(clip, name, "", {"ssim": value, "identity": None}) for clip, name, value in rows]
    return Outcome("swap", "Swap", "About.", ("identity", "ssim"), results)


def test_tables_are_means_and_deviations_over_clips() -> None:
    head, rows = outcome().table()
    assert head == ("variant", "SSIM ↑", "clips")
    assert rows == [("x", "0.600 ± 0.100", "2"), ("y", "0.100", "1")]
    assert outcome().spreads() == {"ssim": {"x": (pytest.approx(0.6), pytest.approx(0.1)), "y": (0.1, 0.0)}}
    assert "| x | 0.600 ± 0.100 | 2 |" in markdown(outcome())
    assert "swap,b,x,,,,,0.7," in comma_separated([outcome()])

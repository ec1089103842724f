"""Measuring in nodes: of pictures and of videos, whatever made them."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from fsgan_core.demo import HOPPER

Run = Callable[..., tuple[Any, ...]]


@pytest.fixture(scope="module")
def other() -> torch.Tensor:
    """Another person."""
    return torch.from_numpy(HOPPER.read().frame[:512, :512].copy())[None].float() / 255


@pytest.fixture(scope="module")
def swapped(run: Run, picture: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    return run("FSGAN_SwapImage", target=picture, source=other)[0]


def test_a_swap_is_measured_and_the_unchanged_target_has_its_own_identity(
    run: Run, picture: torch.Tensor, other: torch.Tensor, swapped: torch.Tensor
) -> None:
    both = torch.cat((picture, picture))
    quality, report, worst, values = run(
        "FSGAN_EvaluateSwap", result=torch.cat((swapped, picture)), target=both, source=other, batch="pictures"
    )
    first, second = json.loads(values)["frames"]
    assert first["identity"] < 0.6 < second["identity"]
    assert second["ssim"] == 1
    assert first["ssim"] < 1
    assert "identity ↓: " in report
    assert worst.shape[0] == 1
    assert worst.shape[2] > 2 * 256
    plot = run("FSGAN_PlotReport", quality=quality)[0]
    assert plot.shape[1] > 300
    assert plot.std() > 0.01


def test_without_a_target_the_source_alone_is_compared(run: Run, other: torch.Tensor, swapped: torch.Tensor) -> None:
    _, report, worst, values = run("FSGAN_EvaluateSwap", result=swapped, source=other)
    (row,) = json.loads(values)["frames"]
    assert row["identity"] < 0.6
    assert row["sharpness_source"] > 0
    assert row["identity_before"] is None
    assert "ssim" not in row
    assert "SSIM" not in report
    assert worst.shape[2] < 2 * 256 + 40


def test_a_picture_without_a_face_is_said(run: Run, plain: torch.Tensor, other: torch.Tensor) -> None:
    _, report, worst, values = run("FSGAN_EvaluateSwap", result=plain, target=plain, source=other)
    assert "note: no face was drawn in 1 of 1 frame" in report
    assert json.loads(values)["frames"] == []
    assert worst.shape == (1, 64, 64, 3)


def test_other_numbers_of_pictures_are_refused(run: Run, picture: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="found 2 pictures after and 1 before"):
        run("FSGAN_EvaluateSwap", result=torch.cat((picture, picture)), target=picture, source=picture)


def test_videos_are_measured_frame_by_frame(run: Run, film: Path, other: torch.Tensor) -> None:
    video = SimpleNamespace(get_stream_source=lambda: str(film))
    _, report, _, values = run("FSGAN_EvaluateSwap", result=video, target=video, source=other)
    found = json.loads(values)
    assert len(found["frames"]) == 8
    assert found["summary"]["measures"]["flicker_ratio"] == 1
    assert found["summary"]["measures"]["coverage"] == 1
    assert "flicker ratio" in report


def test_a_sheet_shows_pairs_and_the_source(nodes: dict[str, Any], run: Run, picture: torch.Tensor) -> None:
    batch = torch.cat([picture * shade for shade in (1.0, 0.9, 0.8, 0.7, 0.6)])
    sheet = run("FSGAN_CompareSheet", before=batch, after=1 - batch, pairs=2, height=128, source=picture)[0]
    assert sheet.shape[0] == 1
    assert sheet.shape[2] > 5 * 128
    tile = torch.nn.functional.interpolate(picture.movedim(-1, 1), (128, 128), mode="bicubic", antialias=True)
    assert (sheet[0, 16:144, 16:144].movedim(-1, 0) - tile[0]).abs().mean() < 0.02
    output = nodes["FSGAN_CompareSheet"].execute(picture, picture, 4, 64, "a")
    assert torch.equal(output.ui.image, output.args[0])


def test_pairs_are_spread_over_a_batch(nodes: dict[str, Any]) -> None:
    spread = sys.modules["fsgan_pack.nodes.evaluation"].spread
    assert [spread(5, wanted) for wanted in (1, 2, 3, 9)] == [[2], [0, 4], [0, 2, 4], [0, 1, 2, 3, 4]]

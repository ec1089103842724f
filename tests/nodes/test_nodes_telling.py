"""What a node cannot do is told in the console, on the node and in its report, before it is drawn."""

import logging
import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

Run = Callable[..., tuple[Any, ...]]


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What the host's page shows: text and the node it is on."""
    shown: list[tuple[str, str]] = []
    server, utils = ModuleType("server"), ModuleType("comfy_execution.utils")
    sender = SimpleNamespace(send_progress_text=lambda text, node: shown.append((text, node)))
    vars(server)["PromptServer"] = SimpleNamespace(instance=sender)
    vars(utils)["get_executing_context"] = lambda: SimpleNamespace(node_id="7")
    monkeypatch.setitem(sys.modules, "server", server)
    monkeypatch.setitem(sys.modules, "comfy_execution.utils", utils)
    return shown


def test_a_turn_too_far_is_told_on_the_node(
    run: Run, picture: torch.Tensor, page: list[tuple[str, str]], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        _, report = run("FSGAN_FaceControls", image=picture, yaw=48.0, pitch=10.0)
    words = "the face turns by 49 degrees, so that half of it is guessed; ask for less yaw and pitch"
    assert page == [(words, "7")] and words in caplog.text and report.splitlines()[1:] == [words]


def test_ordinary_turns_and_targets_are_not(run: Run, picture: torch.Tensor, page: list[tuple[str, str]]) -> None:
    turned, report = run("FSGAN_FaceControls", image=picture, yaw=19.0)
    assert len(report.splitlines()) == 1
    _, report = run("FSGAN_ReenactImage", source=picture, target=turned, measure=False)
    assert len(report.splitlines()) == 1 and not page


@pytest.mark.parametrize(
    ("node", "more", "told"),
    [
        ("FSGAN_SwapImage", {"measure": False}, True),
        ("FSGAN_ReenactImage", {"measure": True}, True),
        ("FSGAN_ReenactImage", {"measure": False, "parts": "mouth"}, False),
    ],
)
def test_a_target_that_looks_elsewhere_is_told(
    run: Run, picture: torch.Tensor, page: list[tuple[str, str]], node: str, more: dict[str, Any], told: bool
) -> None:
    target, _ = run("FSGAN_FaceControls", image=picture, yaw=60.0, pitch=8.0)
    page.clear()
    _, report = run(node, source=picture, target=target, **more)
    assert report.count("away from the nearest source picture") == told
    assert [node for _, node in page] == ["7"] * told


def test_measures_of_a_result_come_with_what_parts_it_from_the_source(
    run: Run, picture: torch.Tensor, page: list[tuple[str, str]]
) -> None:
    turned, _ = run("FSGAN_FaceControls", image=picture, yaw=60.0, pitch=8.0)
    page.clear()
    _, report, *_ = run("FSGAN_EvaluateSwap", result=turned, source=picture)
    assert report.count("away from the nearest source picture") == len(page) == 1


def test_what_of_the_source_will_hurt_is_told_before_a_swap(
    run: Run, picture: torch.Tensor, page: list[tuple[str, str]], caplog: pytest.LogCaptureFixture
) -> None:
    dark = picture.clone()
    dark[:, :, : dark.shape[2] // 2] /= 3
    with caplog.at_level(logging.WARNING):
        _, report = run("FSGAN_SwapImage", target=picture, source=dark, measure=False)
    (said,) = report.splitlines()[1:]
    assert said.startswith("the source is in hard light from one side: ")
    assert page == [(said, "7")] and said in caplog.text

"""Networks under ComfyUI's memory management: halved batches, half precision, and what is asked of the host."""

import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

Run = Callable[..., tuple[Any, ...]]


@pytest.fixture
def devices(nodes: dict[str, Any]) -> Any:
    import importlib

    return importlib.import_module("fsgan_pack.nodes.devices")


class Small(nn.Module):
    """Takes so many at a time, as a device with little memory does."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most, self.seen, self.scale = most, [], nn.Parameter(torch.tensor(2.0))

    def forward(self, images: torch.Tensor, extra: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        self.seen.append(len(images))
        if len(images) > self.most:
            raise torch.OutOfMemoryError("no memory left")
        return images * self.scale + extra[0], images.sum(1)


def test_without_memory_the_batch_is_halved_and_that_is_said(devices: Any, caplog: pytest.LogCaptureFixture) -> None:
    network = Small(2)
    cared, images, extra = devices.Managed(network), torch.rand(7, 3), [torch.rand(7, 3)]
    result, sums = cared(images, extra)
    torch.testing.assert_close(result, images * 2 + extra[0])
    torch.testing.assert_close(sums, images.sum(1))
    assert network.seen == [7, 3, 1, 1, 1, 1, 1, 1, 1]
    assert "Small takes 3 instead of 7 at a time" in caplog.text
    network.seen.clear()
    cared(images[:3], [extra[0][:3]])
    assert network.seen == [1, 1, 1], "once is enough to learn how much fits"


def test_one_item_that_does_not_fit_is_the_host_s_own_error(devices: Any) -> None:
    with pytest.raises(torch.OutOfMemoryError, match="no memory left"):
        devices.Managed(Small(0))(torch.rand(4, 3), [torch.rand(4, 3)])


class Large(nn.Module):
    """Its results are beyond half precision when the input is."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 1, bias=False)
        self.conv.weight.data.fill_(1.0)
        self.types: list[torch.dtype] = []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        result = self.conv(images)
        self.types.append(result.dtype)
        return result


def test_half_precision_is_tried_and_left_where_it_overflows(devices: Any, caplog: pytest.LogCaptureFixture) -> None:
    network = Large()
    cared = devices.Managed(network, torch.float16)
    with torch.inference_mode():
        fine = cared(torch.full((1, 1, 2, 2), 3.0))
        assert (fine.dtype, network.types) == (torch.float32, [torch.float16])
        huge = cared(torch.full((1, 1, 2, 2), 1e6))
        cared(torch.full((1, 1, 2, 2), 3.0))
    assert huge.unique().tolist() == [1e6]
    assert network.types == [torch.float16, torch.float16, torch.float32, torch.float32]
    assert caplog.text.count("overflowed in half precision") == 1


def test_every_network_of_a_set_is_the_host_s_to_move(
    run: Run, host: Any, picture: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[list[str], int]] = []

    def load(models: list[Any], memory_required: int = 0, force_full_load: bool = False) -> None:
        asked.append(([type(one.model).__name__ for one in models], memory_required))

    monkeypatch.setattr(sys.modules["comfy.model_management"], "load_models_gpu", load)
    run("FSGAN_SwapImage", target=picture, source=picture.flip(2))
    names, room = asked[0]
    assert {"Detector", "LandmarkNet", "LocalLandmarkNet"} <= set(names)
    assert room >= 500 << 20
    devices = sys.modules["fsgan_pack.nodes.devices"]
    assert devices.room((3840, 2160)) > 4 * room, "a larger picture needs more"


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("FSGAN_SwapImage", {"face_shape": 0.5}),
        ("FSGAN_FaceControls", {"yaw": 5.0}),
        ("FSGAN_ReenactImage", {}),
        ("FSGAN_ReshapeFaces", {}),
    ],
)
def test_a_head_that_moves_is_given_more_room_than_a_face(
    run: Run, picture: torch.Tensor, name: str, given: dict[str, Any], monkeypatch: pytest.MonkeyPatch, devices: Any
) -> None:
    class AskedError(Exception):
        """So far, no farther."""

    def asked(size: tuple[int, int], head: bool = False) -> int:
        raise AskedError(size, head)

    (faces, *_) = run("FSGAN_AnalyzeImages", image=picture)
    monkeypatch.setattr(devices, "room", asked)
    pictures = {"image": picture} if name == "FSGAN_FaceControls" else {"target": picture, "source": picture}
    with pytest.raises(AskedError) as stop:
        run(name, **pictures, **({"faces": faces} if name == "FSGAN_ReshapeFaces" else {}), **given)
    assert stop.value.args == ((256, 256), True)
    monkeypatch.undo()
    assert devices.room((2160, 3840), head=True) > 1.3 * devices.room((3840, 2160))


def test_networks_that_find_places_keep_their_precision(nodes: dict[str, Any], devices: Any, monkeypatch: Any) -> None:
    from fsgan_pack.fsgan_core.models import Models

    monkeypatch.setattr(devices.host, "half_precision", lambda: torch.float16)
    models, _ = devices.managed(Models.load())
    assert models.alignment.network.half is None and models.fitting.network.half is None
    assert models.reenactment.refiner.network.half is torch.float16


def test_a_swap_survives_a_device_with_little_memory(
    run: Run, picture: torch.Tensor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, devices: Any
) -> None:
    target = torch.cat([picture.roll(2 * n, 2) for n in range(4)])
    plenty, usual = run("FSGAN_SwapImage", target=target, source=picture.flip(2), batch="clip", measure=False)
    careful = devices.Managed._careful

    def short(self: Any, inputs: Any) -> Any:
        monkeypatch.setattr(self, "limit", self.limit)  # taken back afterwards: the networks are everybody's
        if len(inputs[0]) > 1:
            raise torch.OutOfMemoryError("no memory left")
        return careful(self, inputs)

    monkeypatch.setattr(devices.Managed, "_careful", short)
    little, report = run("FSGAN_SwapImage", target=target, source=picture.flip(2), batch="clip", measure=False)
    assert "out of memory; Detector takes" in caplog.text
    first, *notes = report.splitlines()
    assert first == usual, "what was done stays the first line"
    assert notes and all("at a time from here on" in one for one in notes)
    assert float((little - plenty).abs().max()) < 0.02

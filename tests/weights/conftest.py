"""Small networks of every official kind, as checkpoints."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from fsgan_core.errors import WeightsError
from fsgan_core.networks import build
from fsgan_core.weights.convert import convert

NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "reenactment v2": ("ms_res_unet", {"width": 2}),
    "reenactment v2 narrow": ("ms_res_unet", {"width": 4, "max_width": 12, "flat_layers": [1, 0, 2, 1]}),
    "reenactment v1": (
        "ms_res_unet",
        {"in_channels": 71, "out_channels": [3, 3], "flat_layers": [2, 0, 2, 3], "version": "v1", "width": 2},
    ),
    "blending msba": ("ms_res_unet", {"in_channels": 7, "image_channels": 6, "bins": 64, "width": 2}),
    "completion shallow": ("ms_res_unet", {"in_channels": 4, "flat_layers": [0, 1, 0], "width": 2}),
    "segmentation": ("seg_unet", {"width": 2}),
    "pose": ("hopenet", {"width": 2, "blocks": [1, 2, 1, 1]}),
    "landmarks": ("hrnet", {"widths": [2, 4, 6, 8], "modules": [1, 2, 1], "blocks": 1}),
    "perceptual": ("vgg", {"widths": [2, 2, 4, 4, 4]}),
    "discriminator": ("discriminator", {"width": 2}),
}


Save = Callable[..., Path]


@pytest.fixture(scope="session")
def networks() -> dict[str, tuple[str, dict[str, Any]]]:
    """Kind and configuration of each, by a name that begins with its stage."""
    return NETWORKS


@pytest.fixture(params=NETWORKS)
def network_name(request: pytest.FixtureRequest) -> str:
    """Each of them in turn."""
    return str(request.param)


@pytest.fixture(scope="session")
def state_of() -> Callable[[str], dict[str, torch.Tensor]]:
    """The untrained tensors of a network, by its name."""

    def state(name: str) -> dict[str, torch.Tensor]:
        torch.manual_seed(0)
        return dict(build(*NETWORKS[name]).state_dict())

    return state


@pytest.fixture(scope="session")
def save() -> Save:
    """Write a checkpoint, and name it."""

    def saved(path: Path, content: Any, **options: Any) -> Path:
        torch.save(content, path, **options)
        return path

    return saved


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Where to convert to."""
    return tmp_path / "out.safetensors"


@pytest.fixture(scope="session")
def refused() -> Callable[[Path, Path, str], None]:
    """See that a file is refused: the message has the words, in one line; nothing is written."""

    def check(path: Path, out: Path, words: str) -> None:
        before = sorted(found.name for found in out.parent.iterdir())
        with pytest.raises(WeightsError, match=words) as caught:
            convert(path, out)
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 600
        assert sorted(found.name for found in out.parent.iterdir()) == before

    return check

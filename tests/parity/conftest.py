"""Recorded outputs of the original code: one safetensors and one JSON file a case, in the folder FSGAN_PARITY."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file


class Case:
    """Inputs, expected outputs, weights and tolerance of one recording."""

    def __init__(self, folder: Path, name: str) -> None:
        self.meta = json.loads((folder / f"{name}.json").read_text())
        self.tensors = load_file(folder / f"{name}.safetensors")

    def __getitem__(self, name: str) -> torch.Tensor:
        return self.tensors[name].clone()

    def array(self, name: str) -> np.ndarray:
        return self.tensors[name].numpy().copy()

    def names(self, prefix: str) -> list[str]:
        """The rest of every name that begins with ``prefix``."""
        return [name.removeprefix(prefix) for name in self.tensors if name.startswith(prefix)]

    def load(self, network: torch.nn.Module, prefix: str = "state_dict/") -> torch.nn.Module:
        network.load_state_dict({name: self.tensors[prefix + name] for name in self.names(prefix)}, strict=True)
        return network.eval()

    def check(self, found: torch.Tensor | np.ndarray, name: str) -> None:
        """The recordings' rule: largest difference at most atol + rtol * largest magnitude.

        Where the original divided by zero ours must be a number, whichever.
        """
        expected = self.tensors[name].double()
        found = torch.as_tensor(found).detach().double()
        assert found.shape == expected.shape, f"{name}: {tuple(found.shape)}, expected {tuple(expected.shape)}"
        assert found.isfinite().all(), f"{name}: not finite"
        known = expected.isfinite()
        if known.any():
            allowed = self.meta.get("atol", 1e-6) + self.meta.get("rtol", 0.0) * float(expected[known].abs().max())
            worst = float((found - expected)[known].abs().max())
            assert worst <= allowed, f"{name}: off by {worst:g}, allowed {allowed:g}"


@pytest.fixture(scope="session")
def parity_folder() -> Path:
    default = Path(__file__).parents[2].parent / "shared" / "parity"
    folder = Path(os.environ.get("FSGAN_PARITY", default))
    if not folder.is_dir():
        pytest.skip(f"no folder of recordings at {folder}; set FSGAN_PARITY")
    return folder


@pytest.fixture(scope="session")
def parity(parity_folder: Path) -> Callable[[str], Case]:
    """Opens a recording by name."""
    return lambda name: Case(parity_folder, name)

"""What tests everywhere may use: a real face from an installed package, and the command line's manners."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fsgan_core.cli import main
from fsgan_core.demo import COLLINS
from fsgan_core.media import Image, write_image


@pytest.fixture(scope="session")
def face() -> NDArray[np.uint8]:
    """A picture ``(256, 256, 3)`` of one woman, public domain; her face is 110 px high."""
    return np.ascontiguousarray(COLLINS.read().frame[:256, 96:352])


@pytest.fixture(scope="session")
def portrait(face: NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The face as a file."""
    path = tmp_path_factory.mktemp("portrait") / "face.png"
    write_image(path, Image(face), marking=None)
    return path


@pytest.fixture
def fails(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run the command line, see that it fails as it should, and return its one line."""

    def run(*words: str | Path) -> str:
        assert main([str(word) for word in words]) == 1
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1, lines
        assert "defect" not in lines[0], lines[0]
        return lines[0]

    return run


@pytest.fixture
def misused(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run the command line, see that it tells a usage error in two lines, and return the first."""

    def run(*words: str | Path) -> str:
        with pytest.raises(SystemExit) as stop:
            main([str(word) for word in words])
        said, advice = capsys.readouterr().err.splitlines()
        assert stop.value.code == 2
        assert advice.endswith("--help' lists what it takes")
        return said

    return run

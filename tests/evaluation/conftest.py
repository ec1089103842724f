"""A short clip of a real face that moves by known amounts, and its swap."""

from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from fsgan_core.demo import HOPPER
from fsgan_core.evaluation.material import Subject, subject
from fsgan_core.models import Models
from fsgan_core.pipeline import Rendered, analyze, build_appearance_map, swap
from fsgan_core.stages.appearance_map import AppearanceMap
from fsgan_core.streams import Frames, Still


@pytest.fixture(scope="session")
def models() -> Models:
    return Models.load()


@pytest.fixture(scope="session")
def clip(face: NDArray[np.uint8]) -> Frames:
    """Five frames of the face moving to the left."""
    return Frames([np.ascontiguousarray(face[:, 4 * n : 4 * n + 224]) for n in range(5)], Fraction(25))


@pytest.fixture(scope="session")
def target(clip: Frames, models: Models, tmp_path_factory: pytest.TempPathFactory) -> Subject:
    return subject(tmp_path_factory.mktemp("clip") / "clip.mp4", clip, models)


@pytest.fixture(scope="session")
def source(models: Models) -> AppearanceMap:
    """Another person."""
    still = Still(HOPPER.read().frame)
    return build_appearance_map([(still, analyze(still, models).faces[0])])


@pytest.fixture(scope="session")
def swapped(target: Subject, source: AppearanceMap, models: Models) -> list[Rendered]:
    return list(swap(target.clip, [target.face], [source], models))

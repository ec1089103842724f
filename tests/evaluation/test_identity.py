"""dlib's descriptor: the same numbers as dlib's own, and it tells people apart."""

import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from fsgan_core.demo import HOPPER
from fsgan_core.errors import FSGANError, WeightsError
from fsgan_core.evaluation import identity
from fsgan_core.evaluation.identity import SAME_PERSON, chip, load_dlib, weights_file
from fsgan_core.evaluation.metrics import identity_distance
from fsgan_core.media import read_image
from fsgan_core.models import Models
from fsgan_core.pipeline import analyze
from fsgan_core.streams import Frame, Still

FAMILY = Path(os.environ.get("FSGAN_MEDIA", Path(__file__).parents[3] / "shared" / "media")) / "identity"
pytestmark = pytest.mark.skipif(not find_spec("face_recognition_models"), reason="identity needs fsgan[eval]")


@pytest.fixture(scope="module")
def models() -> Models:
    return Models.load()


def points(frame: Frame, models: Models) -> NDArray[np.float32]:
    faces = analyze(Still(frame), models).faces
    return max(faces, key=lambda one: float(np.ptp(one.landmarks[0, :, 0]))).landmarks[0]


def test_descriptors_are_dlibs(face: Frame, models: Models) -> None:
    dlib = pytest.importorskip("dlib", reason="the comparison needs dlib-bin")
    landmarks, net = points(face, models), dlib.face_recognition_model_v1(str(weights_file()))
    ours = load_dlib()([face], [landmarks])[0]
    same = torch.tensor(list(net.compute_face_descriptor(chip(face, landmarks))))
    torch.testing.assert_close(ours, same, atol=2e-6, rtol=0)
    five = identity.to_ibug68(landmarks)[[45, 42, 36, 39, 33], :2] - 0.5
    shape = dlib.full_object_detection(
        dlib.rectangle(0, 0, 9, 9), [dlib.point(*map(round, spot)) for spot in five.tolist()]
    )
    theirs = torch.tensor(list(net.compute_face_descriptor(dlib.get_face_chip(face, shape, size=150, padding=0.25))))
    assert float(identity_distance(ours, theirs)) < 0.12


def test_people_are_told_apart_whatever_the_size_of_the_picture(face: Frame, models: Models) -> None:
    import cv2

    hopper, embed = HOPPER.read().frame, load_dlib()
    large = cv2.resize(face, None, fx=3.4, fy=3.4, interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    frames = [face, large, np.ascontiguousarray((face * 0.7).astype(np.uint8)), hopper]
    landmarks = [points(frame, models) for frame in frames]
    first, others = embed(frames, landmarks)[0], embed(frames, landmarks)[1:]
    same, darker, other = identity_distance(first, others).tolist()
    assert same < 0.2
    assert darker < 0.35
    assert other > SAME_PERSON


@pytest.mark.skipif(not FAMILY.is_dir(), reason="needs the test media (FSGAN_MEDIA)")
def test_a_family_is_told_apart(models: Models) -> None:
    names = sorted(path for path in FAMILY.glob("Family1-*.jpg"))
    frames = [read_image(path).frame for path in names]
    found = load_dlib()(frames, [points(frame, models) for frame in frames])
    for row, one in enumerate(names):
        for column, other in enumerate(names[:row]):
            alike = one.stem[:-1] == other.stem[:-1]
            assert (float(identity_distance(found[row], found[column])) < SAME_PERSON) == alike, (one, other)


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "find_spec", lambda name: None)
    with pytest.raises(FSGANError, match=r"pip install face_recognition_models"):
        weights_file()


def test_another_file_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.dat"
    wrong.write_bytes(weights_file().read_bytes()[:100_000])
    monkeypatch.setattr(identity, "weights_file", lambda: wrong)
    identity._loaded.cache_clear()
    with pytest.raises(WeightsError, match="reinstall"):
        load_dlib()
    identity._loaded.cache_clear()

"""Landmarkers of other libraries: their conventions, their absence."""

import logging
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from fsgan_core.errors import WeightsError
from fsgan_core.ops.landmarks import to_ibug68
from fsgan_core.stages.landmarks import LANDMARKERS
from fsgan_core.stages.pose import load_face_model

MEAN = load_face_model().mean.numpy()
FACE = ((MEAN - MEAN.mean(0)) * 60 + (150, 140, 0)).astype(np.float32)
BOX = np.concatenate([FACE[:, :2].min(0), FACE[:, :2].max(0)])[None]
FRAME = np.full((300, 320, 3), 70, np.uint8)


class FakeFAN:
    """Answers iBUG points around the boxes given."""

    created = []

    def __init__(self, kind, device, face_detector, compile, max_batch_size):
        assert face_detector == "folder" and not compile, "no weights of a detector, no compiler"
        self.kind, self.boxes = kind, None
        self.created.append(self)

    def get_landmarks_from_image(self, frame, boxes, return_landmark_score):
        self.boxes = np.stack(boxes)
        dims = 3 if self.kind == 3 else 2
        points = [to_ibug68(FACE)[:, :dims] + np.float32([1, 0, 0][:dims]) * i for i in range(len(boxes))]
        return points, [np.full(68, 0.8 - 0.3 * i, np.float32) for i in range(len(boxes))], None


@pytest.fixture
def fan(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    urls = {name: f"https://example.org/{name}.pth" for name in ("2DFAN-4", "3DFAN-4", "depth")}
    library = SimpleNamespace(
        FaceAlignment=FakeFAN,
        LandmarksType=SimpleNamespace(TWO_D=1, THREE_D=3),
        api=SimpleNamespace(models_urls=urls),
    )
    monkeypatch.setitem(sys.modules, "face_alignment", library)
    FakeFAN.created.clear()
    return FakeFAN


@pytest.mark.parametrize("name", ["face-alignment", "face-alignment-3d"])
def test_fan_points_become_dense(fan, name):
    landmarker = LANDMARKERS[name]("cpu")
    found, none = landmarker([FRAME, FRAME], [np.repeat(BOX, 2, 0), BOX[:0]])
    np.testing.assert_allclose(found.scores, (0.8, 0.5), atol=1e-6)
    assert found.points.shape == (2, 478, 3) and found.points.dtype == np.float32
    assert np.abs(to_ibug68(found.points[0])[17:, :2] - to_ibug68(FACE)[17:, :2]).max() < 1.5
    assert len(none) == 0 and none.points.shape == (0, 478, 3)
    np.testing.assert_array_equal(fan.created[0].boxes, np.repeat(BOX, 2, 0))


def test_fan_follows_previous_landmarks(fan):
    LANDMARKERS["face-alignment"]("cpu")([FRAME], [BOX + 90], [FACE[None]])
    np.testing.assert_allclose(fan.created[0].boxes, BOX, atol=1e-3)


def test_fetching_is_announced_with_its_address(fan, caplog):
    with caplog.at_level(logging.WARNING):
        LANDMARKERS["face-alignment-3d"]("cpu")
    assert "https://example.org/3DFAN-4.pth" in caplog.text and "https://example.org/depth.pth" in caplog.text


def test_files_in_the_hub_cache_are_used_without_the_internet(monkeypatch, tmp_path, caplog):
    # Compiling the library's heatmap readout would take ten seconds.
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    library = pytest.importorskip("face_alignment")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.manual_seed(0)
    # One hourglass instead of four: the same path in a quarter of the time.
    monkeypatch.setattr(library.api, "FAN", lambda _count: library.models.FAN(1))
    torch.save(library.models.FAN(1).state_dict(), folder / "2DFAN4-11f355bf06.pth.tar")
    with caplog.at_level(logging.WARNING):
        (found,) = LANDMARKERS["face-alignment"]("cpu")([FRAME], [BOX])
    assert "fetched" not in caplog.text
    assert found.points.shape == (1, 478, 3) and np.isfinite(found.points).all()
    assert 0 <= found.scores[0] <= 1


def test_files_that_cannot_be_had_are_one_clear_line(fan, monkeypatch):
    def offline(*args, **kwargs):
        raise OSError("no route\nto host")

    monkeypatch.setattr(sys.modules["face_alignment"], "FaceAlignment", offline)
    with pytest.raises(WeightsError, match=r"no route to host.*put https://example.org/2DFAN-4.pth into") as caught:
        LANDMARKERS["face-alignment"]("cpu")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["face_alignment", "mediapipe"])
def test_a_missing_library_is_named(monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(WeightsError, match=f"pip install {name.replace('_', '-')}"):
        LANDMARKERS[name.replace("_", "-")]("cpu")


class FakeMesh:
    """Finds the brightest spot of a crop and puts the mean face around it; nothing in a dark crop."""

    def __init__(self, static_image_mode, refine_landmarks, max_num_faces, min_detection_confidence):
        assert static_image_mode and refine_landmarks and max_num_faces == 1
        assert min_detection_confidence < 0.5

    def process(self, crop):
        side = crop.shape[0]
        if crop.max() < 128:
            return SimpleNamespace(multi_face_landmarks=None)
        rows, columns = np.nonzero(crop[..., 0] >= 128)
        place = np.array([columns.mean() + 0.5, rows.mean() + 0.5, 0]) / side
        shape = (MEAN - MEAN.mean(0)) * 0.2 + place
        points = [SimpleNamespace(x=x, y=y, z=z) for x, y, z in shape]
        return SimpleNamespace(multi_face_landmarks=[SimpleNamespace(landmark=points)])


@pytest.fixture
def mesh(monkeypatch):
    solutions = SimpleNamespace(face_mesh=SimpleNamespace(FaceMesh=FakeMesh))
    monkeypatch.setitem(sys.modules, "mediapipe", SimpleNamespace(solutions=solutions))


@pytest.mark.parametrize("followed", [False, True])
def test_mediapipe_points_come_back_to_the_frame(mesh, followed):
    frame = FRAME.copy()
    frame[141:145, 158:162] = 255
    previous = [np.stack([FACE, FACE + np.float32((900, 0, 0))])] if followed else None
    boxes = np.concatenate([BOX, BOX + np.float32([900, 0, 900, 0])])
    (found,) = LANDMARKERS["mediapipe"]("cpu")([frame], [boxes], previous)
    np.testing.assert_array_equal(found.scores, (1, 0))
    np.testing.assert_allclose(found.points[0].mean(0)[:2], (160, 143), atol=0.3)
    assert np.isfinite(found.points[1]).all()


def test_a_mediapipe_without_solutions_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "mediapipe", SimpleNamespace(__version__="1.2.2"))
    with pytest.raises(WeightsError, match="1.2.2 has no 'solutions'"):
        LANDMARKERS["mediapipe"]("cpu")

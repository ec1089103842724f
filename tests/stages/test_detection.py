"""Detection backends: the bundled detector and the doors to others."""

import os
import sys
import types
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fsgan_core.errors import WeightsError
from fsgan_core.networks.detector import Detector, DetectorConfig
from fsgan_core.stages.detection import DETECTORS, Detections
from fsgan_core.stages.open_detector import DetectionOptions, OpenDetector, load_open_detector, pyramid
from fsgan_core.weights.checkpoint import save_weights

MEDIA = Path(os.environ.get("FSGAN_MEDIA", Path(__file__).parents[3] / "shared" / "media"))
needs_media = pytest.mark.skipif(not MEDIA.is_dir(), reason="no FSGAN_MEDIA folder")


@pytest.fixture(scope="module")
def detector():
    return load_open_detector("cpu")


def picture(name: str) -> np.ndarray:
    return np.asarray(Image.open(MEDIA / name).convert("RGB"))


def test_a_plain_picture_has_no_face(detector):
    gray, one = np.full((90, 160, 3), 128, np.uint8), np.zeros((1, 1, 3), np.uint8)
    found = detector([gray, gray, one])
    assert [len(value) for value in found] == [0, 0, 0]
    assert found[0].boxes.shape == (0, 4) and found[0].scores.dtype == np.float32


def test_no_frames_give_no_answers(detector):
    assert detector([]) == []


@pytest.mark.parametrize("shape", [(3, 20000), (20000, 3), (700, 20)])
def test_extreme_shapes_are_survived(detector, shape):
    assert len(detector([np.zeros((*shape, 3), np.uint8)])) == 1


@pytest.mark.parametrize(
    "frame", [np.zeros((4, 4, 3), np.float32), np.zeros((4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8)]
)
def test_what_is_no_frame_is_refused(detector, frame):
    with pytest.raises(ValueError, match="expected uint8"):
        detector([frame])


def test_frames_are_searched_at_two_sizes():
    options = DetectionOptions()
    assert pyramid((360, 640), options) == [(360, 640), (540, 960)]
    assert pyramid((360, 640), DetectionOptions(enlarge=0)) == [(360, 640)]
    assert pyramid((720, 1280), options) == [(360, 640), (720, 1280)]
    assert pyramid((20000, 10000), options) == [(640, 320), (1280, 640)]
    assert pyramid((1, 20000), options) == [(1, 640), (1, 1280)]


def test_boxes_return_to_the_frame_in_its_own_pixels():
    class Fixed(Detector):
        """Sees one box over the middle half of whatever it is shown."""

        def forward(self, image):
            h, w = image.shape[-2:]
            box = torch.tensor([[[w / 4, h / 4, 3 * w / 4, 3 * h / 4]]]).expand(len(image), 1, 4)
            return torch.full((len(image), 1), 3.0), box

    found = OpenDetector(Fixed(DetectorConfig()).eval())([np.zeros((1000, 2000, 3), np.uint8)] * 2)
    assert [len(value) for value in found] == [1, 1]
    np.testing.assert_allclose(found[0].boxes, [[500, 250, 1500, 750]], rtol=1e-5)


@needs_media
def test_a_portrait_is_found_and_does_not_depend_on_its_neighbours(detector):
    one, other = picture("portraits/woman_smile_teeth.jpg"), picture("portraits/man_angry.jpg")
    alone, grid = detector([one])[0], picture("multi/grid6_faces.jpg")
    together = detector([one, other, grid, one])
    assert len(alone) == 1 and len(together[2]) >= 5
    for found in (together[0], together[3]):
        np.testing.assert_allclose(found.boxes, alone.boxes, atol=0.1)
    left, top, right, bottom = alone.boxes[0]
    assert abs(left - 113) < 25 and abs(top - 102) < 30 and abs(right - 342) < 25 and abs(bottom - 365) < 25


@needs_media
@pytest.mark.parametrize("name", ["edge/noface_grass.jpg", "edge/noface_cat.jpg"])
def test_grass_and_cats_have_no_face(detector, name):
    assert len(detector([picture(name)])[0]) == 0


def test_weights_survive_writing_and_reading(tmp_path):
    config = DetectorConfig(stem=(4, 4), widths=(4, 4), head=4)
    network = Detector(config).eval()
    save_weights(tmp_path / "d.safetensors", network.state_dict(), "detector", config)
    image = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        before = network(image)
        after = load_open_detector("cpu", tmp_path / "d.safetensors").network(image)
    torch.testing.assert_close(before, after, rtol=1e-4, atol=1e-4)


def test_missing_weights_are_named(tmp_path):
    with pytest.raises(WeightsError, match="no weights at"):
        load_open_detector("cpu", tmp_path / "absent.safetensors")


def test_numbers_are_sorted_by_confidence():
    found = Detections.of([[0, 0, 1, 1], [2, 2, 3, 3]], [0.1, 0.9])
    assert found.boxes[0].tolist() == [2, 2, 3, 3] and len(Detections.of([], [])) == 0


@pytest.fixture
def face_alignment(monkeypatch, tmp_path):
    """A stand-in for the library whose detector sees one box, with an empty weight cache."""
    name = "face_alignment.detection.sfd.sfd_detector"
    library = types.ModuleType(name)
    library.models_urls = {"s3fd": "https://example.org/s3fd-0123456789.pth"}
    library.loaded = []

    class SFDDetector:
        def __init__(self, device, path_to_detector):
            library.loaded.append(path_to_detector)

        def detect_from_image(self, frame):
            warnings.warn("theirs, not ours", UserWarning, stacklevel=1)
            return [np.array([1.0, 2, 11, 22, 0.9]), np.array([5.0, 6, 7, 8, 0.95])]

    library.SFDDetector = SFDDetector
    monkeypatch.setitem(sys.modules, name, library)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    return library


def test_face_alignment_uses_its_cached_weights(face_alignment, tmp_path):
    path = tmp_path / "checkpoints" / "s3fd-0123456789.pth"
    path.parent.mkdir()
    path.write_bytes(b"")
    found = DETECTORS["face-alignment"]("cpu")([np.zeros((1280, 1280, 3), np.uint8)])[0]
    np.testing.assert_allclose(found.boxes, [[10, 12, 14, 16], [2, 4, 22, 44]])
    assert face_alignment.loaded == [str(path)]


def test_face_alignment_fetches_once_and_says_so(face_alignment, monkeypatch, tmp_path, caplog):
    def fetch(address, path, prefix, progress):
        assert prefix == "0123456789"
        Path(path).write_bytes(b"")

    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    DETECTORS["face-alignment"]("cpu")
    DETECTORS["face-alignment"]("cpu")
    assert [address in caplog.text for address in face_alignment.models_urls.values()] == [True]
    assert len(caplog.records) == 1


def test_face_alignment_without_a_network_is_one_clear_line(face_alignment, monkeypatch):
    def fetch(*args, **kwargs):
        raise OSError("no route\nto host")

    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    with pytest.raises(WeightsError, match=r"no route to host.*example\.org.*choose 'open'") as caught:
        DETECTORS["face-alignment"]("cpu")
    assert "\n" not in str(caught.value)


def test_damaged_weights_of_face_alignment_are_one_clear_line(monkeypatch, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        library = pytest.importorskip("face_alignment.detection.sfd.sfd_detector")
    path = tmp_path / "checkpoints" / library.models_urls["s3fd"].rsplit("/", 1)[-1]
    path.parent.mkdir()
    path.write_bytes(b"garbage")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(WeightsError, match="cannot be loaded") as caught:
        DETECTORS["face-alignment"]("cpu")
    assert "\n" not in str(caught.value)


def test_missing_libraries_are_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    with pytest.raises(WeightsError, match="pip install mediapipe"):
        DETECTORS["mediapipe"]("cpu")


def test_mediapipe_boxes_become_pixels(monkeypatch):
    box = types.SimpleNamespace(xmin=0.1, ymin=0.2, width=0.5, height=0.25)
    seen = types.SimpleNamespace(location_data=types.SimpleNamespace(relative_bounding_box=box), score=[0.75])
    network = types.SimpleNamespace(process=lambda frame: types.SimpleNamespace(detections=[seen]))
    library = types.ModuleType("mediapipe")
    solutions = types.SimpleNamespace(face_detection=types.SimpleNamespace(FaceDetection=lambda **_: network))
    library.solutions = solutions
    monkeypatch.setitem(sys.modules, "mediapipe", library)
    found = DETECTORS["mediapipe"]("cpu")([np.zeros((100, 200, 3), np.uint8)])[0]
    np.testing.assert_allclose(found.boxes, [[28, 20, 112, 45]], rtol=1e-6)


def test_a_mediapipe_without_solutions_is_refused(monkeypatch):
    library = types.ModuleType("mediapipe")
    library.__version__ = "9.9"
    monkeypatch.setitem(sys.modules, "mediapipe", library)
    with pytest.raises(WeightsError, match=r"9\.9.*0\.10\.21"):
        DETECTORS["mediapipe"]("cpu")

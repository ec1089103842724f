"""The landmark stage with our own network."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from fsgan_core.errors import WeightsError
from fsgan_core.media import read_image
from fsgan_core.networks.landmark_net import LandmarkNet, LandmarkNetConfig
from fsgan_core.networks.local_landmark_net import LocalLandmarkNetConfig
from fsgan_core.stages.landmark_crops import cut, moved, placement, shape_placement
from fsgan_core.stages.landmarks import LANDMARKERS
from fsgan_core.stages.open_landmarks import LandmarkOptions, OpenLandmarker, load_open_landmarker
from fsgan_core.stages.pose import load_face_model
from fsgan_core.weights.checkpoint import OPEN, save_weights

MEAN = load_face_model().mean.numpy()
SMALL = LandmarkNetConfig(size=32, stem=4, channels=(4, 8), blocks=(1, 1), reduced=2, rank=4)


class Spot(nn.Module):
    """Puts the mean face on the bright spot it sees; counts the crops."""

    def __init__(self):
        super().__init__()
        self.config = LandmarkNetConfig()
        self.register_buffer("mean", torch.zeros(1))
        self.shape = torch.from_numpy(moved(MEAN, shape_placement(MEAN, 128)) / 128).float()
        self.calls = []

    def forward(self, image):
        self.calls.append(len(image))
        weight = image.mean(1) + 1e-9
        cells = (torch.arange(128) + 0.5) / 128
        total = weight.sum((1, 2))
        x, y = (weight.sum(1) * cells).sum(1) / total, (weight.sum(2) * cells).sum(1) / total
        place = torch.stack((x, y, torch.zeros_like(x)), 1)
        return self.shape + (place - self.shape.mean(0))[:, None], total.log()


def frame(spots, size=300):
    image = np.zeros((size, size, 3), np.uint8)
    for x, y in spots:
        image[y - 2 : y + 2, x - 2 : x + 2] = 255
    return image


def boxes(*centres, side=100):
    return np.array([(x - side / 2, y - side / 2, x + side / 2, y + side / 2) for x, y in centres], np.float32)


def test_faces_are_found_where_they_are_in_every_frame():
    network = Spot()
    frames = [frame([(100, 120), (220, 60)]), frame([]), frame([(200, 200)])]
    around = [boxes((110, 112), (212, 66)), np.zeros((0, 4), np.float32), boxes((190, 205))]
    found = OpenLandmarker(network)(frames, around)
    assert [len(faces) for faces in found] == [2, 0, 1]
    assert found[0].points.shape == (2, 478, 3) and found[1].points.shape == (0, 478, 3)
    assert found[0].points.dtype == found[0].scores.dtype == np.float32
    np.testing.assert_allclose(found[0].points.mean(1)[:, :2], [(100, 120), (220, 60)], atol=0.1)
    np.testing.assert_allclose(found[2].points.mean(1)[:, :2], [(200, 200)], atol=0.1)
    assert network.calls == [3, 3], "two passes, all faces together"


def test_previous_landmarks_save_a_pass_and_decide_the_crop():
    network = Spot()
    before = (MEAN - MEAN.mean(0)) * 50 + np.float32((100, 120, 0))
    (found,) = OpenLandmarker(network)([frame([(104, 118)])], [boxes((250, 250))], [before[None].astype(np.float32)])
    np.testing.assert_allclose(found.points.mean(1)[0, :2], (104, 118), atol=0.1)
    assert network.calls == [1]


def test_the_size_of_the_batch_changes_nothing():
    frames = [frame([(100, 100 + 10 * i)]) for i in range(5)]
    around = [boxes((100, 100)) for _ in frames]
    one = OpenLandmarker(Spot())(frames, around)
    network = Spot()
    other = OpenLandmarker(network, LandmarkOptions(batch=2))(frames, around)
    assert network.calls == [2, 2, 1] * 2
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a.points, b.points, atol=1e-4)


def test_nothing_to_do():
    landmarker = OpenLandmarker(Spot())
    assert landmarker([], []) == []
    assert len(landmarker([frame([])], [np.zeros((0, 4), np.float32)])[0]) == 0


@pytest.mark.parametrize(
    ("frames", "around", "before"),
    [
        ([frame([])], [], None),
        ([frame([])], [np.zeros(4, np.float32)], None),
        ([frame([])], [boxes((9, 9))], [np.zeros((2, 478, 3), np.float32)]),
        ([frame([]).astype(np.float32)], [boxes((9, 9))], None),
    ],
)
def test_what_does_not_fit_together_is_refused(frames, around, before):
    with pytest.raises(ValueError, match="expected|give one a frame"):
        OpenLandmarker(Spot())(frames, around, before)


def test_weights_are_read_back(tmp_path):
    torch.manual_seed(1)
    network = LandmarkNet(SMALL).eval()
    save_weights(tmp_path / "net.safetensors", network.state_dict(), "landmarks", SMALL)
    landmarker = load_open_landmarker("cpu", tmp_path / "net.safetensors", None, None)
    image = torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(landmarker.network(image)[0], network(image)[0], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("values", [{"depth": 1}, {"size": 64}])
def test_weights_of_another_network_are_refused(tmp_path, values):
    save_weights(tmp_path / "net.safetensors", LandmarkNet(SMALL).state_dict(), "landmarks", values)
    with pytest.raises(WeightsError, match="does not fit the network"):
        load_open_landmarker("cpu", tmp_path / "net.safetensors")


def test_weights_of_the_closer_look_are_checked_too(tmp_path):
    save_weights(tmp_path / "net.safetensors", {"a": torch.zeros(1)}, "local_landmarks", {"size": 32})
    with pytest.raises(WeightsError, match="does not fit the network"):
        load_open_landmarker("cpu", local=tmp_path / "net.safetensors")


class Nudge(nn.Module):
    """Moves points a hundredth of its crop to the right; counts the crops."""

    def __init__(self):
        super().__init__()
        self.config, self.bias, self.calls = LocalLandmarkNetConfig(), torch.zeros(1), []

    def forward(self, image, points):
        self.calls.append(tuple(image.shape))
        return points + torch.tensor((0.01, 0.0, 0.0))


def test_the_closer_look_moves_points_in_the_frame():
    frames, around = [frame([(100, 120)]), frame([(200, 200)])], [boxes((110, 112)), boxes((190, 205))]
    plain = OpenLandmarker(Spot())(frames, around)
    nudge = Nudge()
    closer = OpenLandmarker(Spot(), local=nudge)(frames, around)
    assert nudge.calls == [(2, 3, 192, 192)], "one crop a face, larger than the first network's"
    for before, after in zip(plain, closer, strict=True):
        side = 192 / np.sqrt(np.linalg.det(shape_placement(before.points[0], 192)[:, :2]))
        expected = before.points[0] + np.float32((0.01 * side, 0, 0))
        np.testing.assert_allclose(after.points[0], expected, atol=0.02)
        assert after.scores == before.scores


def test_the_bundled_closer_look_agrees_with_a_moved_picture(face):
    """A picture shifted by half a pixel moves the points by half a pixel, more exactly than the first network alone."""
    box = np.array([[80, 70, 170, 190]], np.float32)
    moved_face = cv2.warpAffine(face, np.array([[1, 0, 2.5], [0, 1, 1.5]]), (256, 256), borderMode=cv2.BORDER_REPLICATE)
    errors = []
    for local in (None, OPEN / "local_landmarks.safetensors"):
        landmarker = load_open_landmarker("cpu", local=local)
        one, other = (landmarker([image], [box])[0].points[0, :, :2] for image in (face, moved_face))
        errors.append(np.linalg.norm(other - one - (2.5, 1.5), axis=1).mean())
    assert errors[1] < errors[0] and errors[1] < 0.6


def test_the_bundled_network_scores_what_is_no_face_low():
    landmarker = LANDMARKERS["open"]("cpu")
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)
    flat = np.full((200, 200, 3), 90, np.uint8)
    for found in landmarker([noise, flat], [boxes((100, 100)), boxes((100, 100))]):
        assert np.isfinite(found.points).all() and found.scores[0] < 0.5


class Doubter(Spot):
    """Believes in the second crop only."""

    def forward(self, image):
        points, logits = super().forward(image)
        return points, torch.full_like(logits, 3.0 if len(self.calls) > 1 else -3.0)


def test_a_face_has_to_be_one_in_both_crops():
    doubter = OpenLandmarker(Doubter())
    (searched,) = doubter([frame([(100, 120)])], [boxes((110, 112))])
    assert searched.scores[0] < 0.1
    (followed,) = doubter([frame([(100, 120)])], [boxes((110, 112))], [searched.points])
    assert followed.scores[0] > 0.9


MEDIA = Path(os.environ.get("FSGAN_MEDIA", Path(__file__).parents[3] / "shared" / "media"))
PICTURES = {"portraits/man_evening.jpg": (150, 105, 330, 330), "portraits/woman_front_dark.jpg": (150, 105, 330, 330)}


@pytest.mark.skipif(not MEDIA.is_dir(), reason="needs the folder FSGAN_MEDIA")
@pytest.mark.parametrize("name", PICTURES)
def test_the_bundled_network_sees_the_same_face_mirrored_turned_and_enlarged(name):
    landmarker = LANDMARKERS["open"]("cpu")
    frame = read_image(MEDIA / name).frame
    box = np.array(PICTURES[name], np.float32)[None]
    (coarse,) = landmarker([frame], [box])
    (plain,) = landmarker([frame], [box], [coarse.points])
    points = plain.points[0]
    assert plain.scores[0] > 0.9
    eyes = np.linalg.norm(points[33] - points[263])
    width = frame.shape[1]
    mirror = load_face_model().mirror.numpy()
    flipped = points[mirror] * np.float32([-1, 1, 1]) + np.float32([width, 0, 0])
    changes = {
        "mirrored": (np.array([[-1.0, 0, width], [0, 1, 0]]), flipped),
        "turned": (placement(points[:, :2].mean(0), 400, 0.6, 400), None),
        "enlarged": (placement(points[:, :2].mean(0), 200, 0.0, 400), None),
    }
    for change, (matrix, expected) in changes.items():
        image = cut(frame, matrix, max(400, width))
        wanted = moved(points, matrix).astype(np.float32) if expected is None else expected
        around = np.concatenate([wanted[:, :2].min(0), wanted[:, :2].max(0)])[None]
        (found,) = landmarker([image], [around])
        scale = np.linalg.norm(wanted[33] - wanted[263]) / eyes
        gap = np.linalg.norm(found.points[0] - wanted, axis=1)[:, None].mean() / (eyes * scale)
        assert found.scores[0] > 0.8 and gap < 0.05, (change, gap)

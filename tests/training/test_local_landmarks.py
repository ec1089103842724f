"""Training of the local landmark network: labels follow the pixels, errors are like real ones, two faces are learnt."""

from itertools import islice

import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

from fsgan_core.errors import FSGANError
from fsgan_core.networks.local_landmark_net import LocalLandmarkNet, LocalLandmarkNetConfig
from fsgan_core.ops.motion import RIGHT_LIDS
from fsgan_core.stages.landmark_crops import shape_placement
from fsgan_core.stages.landmarks import Landmarks
from fsgan_core.stages.pose import load_face_model
from fsgan_core.training.blinks import NARROW, apertures
from fsgan_core.training.labelled import Face
from fsgan_core.training.local_faces import SIDE, drawn, elastic, kept, made, measured, mixed, packed
from fsgan_core.training.local_landmarks import LocalLandmarkTask, Samples, mistaken

MODEL = load_face_model()
MIRROR = MODEL.mirror.numpy()
EYES = (468, 473)
NONE = np.zeros((1, 478, 3), np.float32)


def dotted(shift=0.0):
    """A face whose irises are white dots on black."""
    points = ((MODEL.mean.numpy() - MODEL.mean.numpy().mean(0)) * 70 + (150 + shift, 150, 0)).astype(np.float32)
    rows, columns = np.indices((300, 300)) + 0.5
    image = np.zeros((300, 300))
    for x, y in points[list(EYES), :2]:
        image += 255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 4**2))
    return Face(f"dots {shift}", np.repeat(image[..., None], 3, 2).clip(0, 255).astype(np.uint8), points)


def centroids(image, points):
    """Where the brightness around the irises lies."""
    level = image.astype(np.float64).mean(2)
    rows, columns = np.indices(level.shape) + 0.5
    found = []
    for x, y in points[list(EYES), :2]:
        near = level * (np.hypot(columns - x, rows - y) < 14)
        found.append(((near * columns).sum() / near.sum(), (near * rows).sum() / near.sum()))
    return np.array(found)


@pytest.mark.parametrize("seed", range(4))
def test_bent_faces_carry_their_landmarks(seed):
    made = elastic(dotted(), np.random.default_rng(seed))
    np.testing.assert_allclose(centroids(made.image, made.landmarks), made.landmarks[list(EYES), :2], atol=1.0)


def test_two_faces_are_mixed_in_one_geometry():
    made = mixed(dotted(), dotted(20.0), MODEL, np.random.default_rng(3))
    np.testing.assert_allclose(centroids(made.image, made.landmarks), made.landmarks[list(EYES), :2], atol=2.0)


class Teacher:
    """Finds the face a given way off."""

    def __init__(self, shift, score=1.0):
        self.shift, self.score = shift, score

    def __call__(self, frames, boxes, previous):
        points = previous[0] + np.float32((self.shift, 0, 0))
        return [Landmarks(points, np.array([self.score], np.float32))]


def test_the_teacher_decides_and_is_doubted():
    face = dotted()
    kept = measured(face, Teacher(1.0))
    carried = measured(face, None)
    assert kept.image.shape == (SIDE, SIDE, 3)
    # Both crops are placed by their own landmarks: what moves is the picture below them.
    np.testing.assert_allclose(kept.landmarks, carried.landmarks, atol=1e-3)
    ways = centroids(kept.image, kept.landmarks) - centroids(carried.image, carried.landmarks)
    assert np.abs(ways)[:, 0].min() > 0.5
    assert measured(face, Teacher(40.0)) is None
    assert measured(face, Teacher(0.0, 0.1)) is None


def test_eyes_that_may_be_half_shut_are_no_example():
    face = dotted()
    shut = RIGHT_LIDS.closed(MODEL, torch.from_numpy(face.landmarks)[None], torch.from_numpy(face.landmarks)[None], 0.6)
    narrow = Face("narrow", face.image, shut[0].numpy())
    assert measured(narrow, Teacher(0.0)) is None and measured(narrow, None) is not None


def test_drawn_faces_are_kept_in_a_folder(face, landmarks, tmp_path, monkeypatch):
    monkeypatch.setattr("fsgan_core.training.local_faces.BLINKS", 0.0)
    faces = [Face("one", face, landmarks)]
    monkeypatch.setattr("fsgan_core.training.local_faces.expression", lambda model, rng: torch.zeros(len(model.names)))
    first = kept(tmp_path / "kept", made(faces, (MODEL, None), 0), 3)
    assert len({one.picture for one in first}) == 3
    monkeypatch.setattr("fsgan_core.training.local_faces.BLINKS", 1.0)
    blinking = list(islice(made(faces, (MODEL, None), 0), 3))
    assert min(map(min, (apertures(one.points) for one in first))) > NARROW
    assert min(map(min, (apertures(one.points) for one in blinking))) < NARROW
    again_read = kept(tmp_path / "kept", iter(()), 3)
    assert [one.picture for one in again_read] == [one.picture for one in first], "a finished folder is only read"
    with pytest.raises(FSGANError, match="found 3 crops .* expected 4; delete it"):
        kept(tmp_path / "kept", iter(()), 4)
    (tmp_path / "kept" / "000001.jpg").write_bytes(b"no picture")
    with pytest.raises(FSGANError, match="no JPEG"):
        _ = kept(tmp_path / "kept", iter(()), 3)[1].image


def again(faces, count):
    rng = np.random.default_rng(0)
    return [drawn(faces, MODEL, rng) for _ in range(count)]


def test_errors_move_points_by_as_much_as_they_say():
    points = dotted().landmarks
    errors = np.full((1, 478, 3), 0.02, np.float32)
    side = 1 / np.sqrt(np.linalg.det(shape_placement(points, 1)[:, :2]))
    gaps = [np.abs(mistaken(points, errors, np.random.default_rng(seed)) - points)[:, :2].mean() for seed in range(50)]
    assert 0.3 < np.median(gaps) / (0.02 * side) < 2


@pytest.mark.parametrize("index", range(6))
def test_labels_follow_the_pixels(index, monkeypatch):
    monkeypatch.setattr("fsgan_core.training.local_landmarks.augment.photometric", lambda image, rng: image)
    monkeypatch.setattr("fsgan_core.training.local_landmarks.hidden", lambda image, points, rng: image)
    sample = Samples([packed(measured(dotted(), None))], NONE, MIRROR, 192)[index]
    points = 192 * sample["points"].numpy()
    np.testing.assert_allclose(centroids(sample["image"].numpy(), points), points[list(EYES), :2], atol=0.8)
    again = Samples([packed(measured(dotted(), None))], NONE, MIRROR, 192)[index]
    assert all(torch.equal(sample[name], again[name]) for name in sample)


def test_a_batch_is_learnt_and_measured(face, landmarks):
    faces = [packed(measured(made, None)) for made in again([Face("one", face, landmarks)], 2)]
    config = LocalLandmarkNetConfig(size=64, channels=(8, 16, 16), width=32, rank=16, mixers=1)
    errors = np.random.default_rng(0).normal(0, 0.02, (4, 1, 3)).repeat(478, 1).astype(np.float32)
    samples = Samples(faces, errors, MIRROR, config.size)
    torch.manual_seed(0)
    task = LocalLandmarkTask(LocalLandmarkNet(config), samples, samples, batch=4, workers=0, trials=4)
    untrained = task.evaluate(task.model)
    assert untrained["error"] == pytest.approx(untrained["start"], rel=1e-5)
    batch = default_collate([samples[row] for row in range(4)])
    optimizer = torch.optim.Adam(task.model.parameters(), 3e-3)
    for _ in range(60):
        optimizer.zero_grad()
        sum(task.losses(task.model, batch).values()).backward()
        optimizer.step()
    assert task.evaluate(task.model)["error"] < 0.5 * untrained["error"]
    assert task.sheet(task.model).ndim == 3

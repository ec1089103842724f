"""Datasets from users' files: what is kept and why, duplicates, resuming, bounded memory, reading."""

import gc
import json
import weakref
from fractions import Fraction

import cv2
import numpy as np
import pytest

from fsgan_core.cli import main
from fsgan_core.errors import FSGANError
from fsgan_core.faces import FaceSequence, Track
from fsgan_core.media import Image, VideoWriter, write_image
from fsgan_core.models import Models
from fsgan_core.stages.pose import load_face_model
from fsgan_core.training import dataset_build
from fsgan_core.training.dataset import read_dataset
from fsgan_core.training.dataset_build import build_file
from fsgan_core.training.dataset_choice import DatasetOptions, different, fingerprint, originals, refusals

MEAN = load_face_model().mean.numpy()


@pytest.fixture(scope="module")
def folder(face, tmp_path_factory):
    """Photos of one woman, good and bad, a short clip of her, and a file that is neither."""
    root = tmp_path_factory.mktemp("own")
    large = cv2.resize(face, (512, 512), interpolation=cv2.INTER_CUBIC)
    pictures = {
        "a.png": large,
        "copy.jpg": cv2.resize(large[8:, 8:], (420, 420), interpolation=cv2.INTER_AREA),
        "tiny.png": cv2.resize(face, (128, 128), interpolation=cv2.INTER_AREA),
        "soft.png": cv2.GaussianBlur(large, (0, 0), 5),
        "sub/mirror.png": np.ascontiguousarray(large[:, ::-1]),
        "wall.png": np.full((200, 200, 3), 128, np.uint8),
    }
    (root / "sub").mkdir()
    for name, picture in pictures.items():
        write_image(root / name, Image(picture), marking=None)
    (root / "notes.txt").write_text("no picture")
    (root / ".hidden").write_text("not looked at")
    with VideoWriter(root / "clip.mp4", rate=Fraction(10)) as writer:
        for index in range(8):
            # Brighter, and in the second half turned upside up again from a tilt: two different poses.
            turn = cv2.getRotationMatrix2D((256, 256), 0 if index < 4 else 25, 1)
            frame = cv2.warpAffine(large, turn, (512, 512), borderMode=cv2.BORDER_REPLICATE)
            writer.write(np.clip(frame.astype(int) + index, 0, 255).astype(np.uint8))
    return root


@pytest.fixture(scope="module")
def built(folder, tmp_path_factory):
    output = tmp_path_factory.mktemp("dataset") / "faces"
    words = ("dataset", "build", folder, "--output", output, "--size", 100, "--rate", 0, "--device", "cpu")
    assert main([str(word) for word in words]) == 0
    return output


def test_what_is_kept_and_why_the_rest_is_not(built):
    report = json.loads((built / "report.json").read_text())
    assert report["files"] == 8
    assert list(report["unreadable"]) == ["notes.txt"] and "notes.txt" in report["unreadable"]["notes.txt"]
    assert report["without a face"] == ["wall.png"]
    assert report["refused"] == {"small": 1, "blurred": 1, "alike": 6, "duplicate": 2}
    for duplicate, name in zip(report["duplicates"], ("clip-", "copy-"), strict=True):
        assert duplicate["of"] == "a.png" and name in duplicate["file"]
    names = {track.name for track in read_dataset(built)}
    assert {"a.png#0", "sub/mirror.png#0"} <= names and not {"copy.jpg#0", "tiny.png#0", "soft.png#0"} & names
    assert report["kept"] == sum(len(track) for track in read_dataset(built)) == 3
    page = (built / "report.html").read_text()
    assert "kept.jpg" in page and "refused.jpg" in page and "no face found" in page
    for name in ("kept.jpg", "refused.jpg"):
        assert cv2.imread(str(built / name)).shape[0] > 128


def test_crops_carry_landmarks_that_fit(built, face):
    track = next(track for track in read_dataset(built) if track.name == "a.png#0")
    picture, points = track.crop(0, 256, 1.2)
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    assert picture.shape == (256, 256, 3)
    assert (high - low).max() == pytest.approx(256 / 1.2, rel=0.01)
    np.testing.assert_allclose((low + high) / 2, 128, atol=1)
    # Irises are dark (but for the light reflected in them), the nose's tip is not.
    grey = cv2.medianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), 9)
    value = [float(grey[int(y), int(x)]) for x, y, _ in points[[468, 473, 4]]]
    assert max(value[:2]) < 0.6 * value[2]
    mirrored, moved = track.crop(0, 256, 1.2, mirror=True)
    assert np.abs(mirrored[:, ::-1].astype(int) - picture).mean() < 2
    np.testing.assert_allclose(moved[:, 0], 256 - points[:, 0], atol=1e-3)
    assert np.abs(track.poses).max() < 40


def test_a_build_that_was_stopped_goes_on_with_the_next_file(folder, built, tmp_path, monkeypatch, capsys):
    words = [str(w) for w in ("dataset", "build", folder, "-o", tmp_path / "d", "--size", 100, "--rate", 0,
                              "--device", "cpu")]  # fmt: skip
    analyze, seen = dataset_build.analyze, []

    def few(clip, *others):
        seen.append(clip)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return analyze(clip, *others)

    monkeypatch.setattr(dataset_build, "analyze", few)
    assert main(words) == 1 and not (tmp_path / "d" / "index.json").exists()
    assert "stopped; the same command goes on with the next file" in capsys.readouterr().err
    assert main(words) == 0
    assert len(seen) == 3 + 5, "two of seven readable files were done before"
    assert main(words) == 0 and len(seen) == 8
    assert (tmp_path / "d" / "index.json").read_text() == (built / "index.json").read_text()
    assert main([*words, "--people"]) == 0 and len(seen) == 8, "who is who is decided anew without looking again"
    people = {track.name: track.person for track in read_dataset(tmp_path / "d")}
    assert people["a.png#0"] == people["clip.mp4#0"] != people["sub/mirror.png#0"]
    signatures = [dataset_build._signature(folder / "a.png", DatasetOptions(margin=margin)) for margin in (2, 1.8)]
    assert signatures[0] != signatures[1], "other crops are cut anew"


class Live:
    """A clip that counts how many of its frames exist at once."""

    size, rate = (512, 512), Fraction(10)

    def __init__(self, frame, length):
        self.frame, self.length, self.alive, self.most = frame, length, 0, 0

    def __iter__(self):
        for index in range(self.length):
            frame = np.roll(self.frame, index, 1)
            self.alive += 1
            self.most = max(self.most, self.alive)
            weakref.finalize(frame, self._gone)
            yield frame

    def _gone(self):
        self.alive -= 1


def test_frames_do_not_pile_up(folder, tmp_path, monkeypatch):
    picture = cv2.imread(str(folder / "a.png"))[..., ::-1].copy()
    models = Models.load()
    peaks = []
    for length in (5, 15):
        clip = Live(picture, length)
        monkeypatch.setattr(dataset_build, "_video", lambda path, rate, clip=clip: clip)
        entry = build_file(folder / "clip.mp4", folder, tmp_path / str(length), models, DatasetOptions(size=100))
        assert entry["faces"]
        gc.collect()
        peaks.append(clip.most)
    assert peaks[0] == peaks[1] <= 4


def sequence(points, poses=None, scores=None):
    count = len(points)
    boxes = np.concatenate([points[:, :, :2].min(1), points[:, :, :2].max(1)], 1)
    poses = np.zeros((count, 3), np.float32) if poses is None else np.array(poses, np.float32)
    scores = np.ones(count, np.float32) if scores is None else np.array(scores, np.float32)
    return FaceSequence(Track(0, boxes), points.astype(np.float32), poses, scores)


def test_reasons_come_in_order():
    face = (MEAN - MEAN.mean(0)) * 100 + (200, 200, 0)
    small, outside = face * 0.4, face - (230, 0, 0)
    points = np.stack([face, face, small, face, face, outside])
    found = sequence(points, [[0, 0, 0], [0, 0, 0], [80, 0, 0], [80, 0, 0], [0, -50, 9], [0, 0, 0]], [1, 0, 1, 1, 1, 1])
    options = DatasetOptions(size=100, yaw=60)
    assert refusals(found, (400, 400), options) == ["", "not seen", "small", "turned", "turned", "cut off"]


def test_the_most_different_are_chosen():
    opened = MEAN.copy()
    opened[:, 1] *= 1.2
    turned = MEAN * (0.5, 1, 1)
    shapes = np.stack([MEAN, MEAN * 3 + 50, opened, turned, MEAN + 0.001]).astype(np.float32)
    assert different(shapes, 9, 0.03) == [0, 3, 2]
    assert different(shapes, 2, 0.03) == [0, 3]
    assert different(shapes[:0], 9, 0.03) == []


def test_prints_tell_copies_from_other_pictures(face):
    other = np.ascontiguousarray(face[:, ::-1])
    copy = cv2.resize(cv2.resize(face, (90, 90), interpolation=cv2.INTER_AREA), (256, 256)) // 2 + 20
    prints = [fingerprint(picture) for picture in (face, other, copy.astype(np.uint8), face)]
    assert originals(prints, ["a", "b", "c", "a"], 20) == [-1, -1, 0, -1], "frames of one file are compared elsewhere"
    assert originals([], [], 20) == []


def test_what_is_no_dataset_is_refused(fails, folder, tmp_path):
    with pytest.raises(FSGANError, match="is no dataset"):
        read_dataset(tmp_path)
    (tmp_path / "index.json").write_text("{}")
    with pytest.raises(FSGANError, match="is damaged"):
        read_dataset(tmp_path)
    (tmp_path / "index.json").write_text('{"tracks": []}')
    with pytest.raises(FSGANError, match="holds no face"):
        read_dataset(tmp_path)
    assert "holds other files" in fails("dataset", "build", folder, "--output", tmp_path)
    assert "no folder" in fails("dataset", "build", folder / "none", "--output", tmp_path / "new")
    assert "size is 3, expected 16 or more pixels" in str(pytest.raises(ValueError, DatasetOptions, size=3).value)


def test_splits_hold_people_out(built, tmp_path):
    index = json.loads((built / "index.json").read_text())
    one = index["tracks"][0]
    files = [str((built / file).resolve()) for file in one["files"]]
    arrays = str((built / one["arrays"]).resolve())
    index["tracks"] = [one | {"name": f"p{n}", "person": f"p{n}", "files": files, "arrays": arrays} for n in range(60)]
    (tmp_path / "index.json").write_text(json.dumps(index))
    parts = {split: {track.person for track in read_dataset(tmp_path, split)} for split in ("train", "val", "all")}
    assert parts["train"] | parts["val"] == parts["all"] and not parts["train"] & parts["val"]
    assert 1 <= len(parts["val"]) <= 15

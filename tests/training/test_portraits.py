"""Reading labelled portraits."""

import csv

import cv2
import numpy as np
import pytest

from fsgan_core.errors import MediaError
from fsgan_core.training.portraits import BY_HAND, halvings, inscribed, read_portraits

HAND = next(iter(BY_HAND))


@pytest.fixture
def data(tmp_path):
    """Two sets: one with a labelled face, an unlabelled one, one labelled by hand and one of another split."""
    rows = [("a.jpg", "train", 50, "dark"), ("b.jpg", "train", 0, "light"), (HAND, "train", "", "light")]
    rows.append(("c.jpg", "test", 0, "light"))
    for name in ("faces_ai", "faces_faker"):
        folder = tmp_path / name
        folder.mkdir()
        chosen = rows if name == "faces_ai" else [("d.jpg", "train", 0, "light")]
        with (folder / "index.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["file", "split", "yaw_deg_approx", "skin"])
            writer.writerows(chosen)
        landmarks = np.full((len(chosen), 478, 3), np.nan, np.float16)
        for number, (file_name, *_) in enumerate(chosen):
            cv2.imwrite(str(folder / file_name), np.full((100, 200, 3), (255, 0, 0), np.uint8))
            if file_name not in ("b.jpg", HAND):
                landmarks[number, :, :2] = inscribed((20, 30, 60, 90), sides=478)
        np.savez(folder / "mp478.npz", files=np.array([row[0] for row in chosen]), lmk=landmarks)
    return tmp_path


def test_a_split_is_read_without_its_unlabelled_faces(data):
    first, second, third = read_portraits(data, "train")
    np.testing.assert_allclose(first.box, [20, 30, 60, 90], atol=0.1)
    assert first.size == (200, 100) and tuple(first.levels[0][0, 0] > 128) == (False, False, True)
    np.testing.assert_allclose(second.box, np.array(BY_HAND[HAND]) * [200, 100, 200, 100], rtol=1e-3)
    assert first.share > third.share and second.share > third.share
    assert len(read_portraits(data, "test")) == 1


def test_an_unreadable_picture_is_named(data):
    (data / "faces_ai" / "a.jpg").write_bytes(b"no picture")
    with pytest.raises(MediaError, match=r"a\.jpg is not a readable picture"):
        read_portraits(data, "train")


def test_halvings_stop_before_they_are_too_small():
    sizes = [level.shape[:2] for level in halvings(np.zeros((240, 300, 3), np.uint8))]
    assert sizes == [(240, 300), (120, 150), (60, 75)]

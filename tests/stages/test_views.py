"""Views of a source: what is taken off its picture."""

import numpy as np
import torch

from fsgan_core.stages.eyewear import Eyewear
from fsgan_core.stages.open_segmentation import OpenSegmenter
from fsgan_core.stages.pose import load_face_model
from fsgan_core.stages.segmentation import MeshSegmenter
from fsgan_core.stages.views import prepare

MODEL = load_face_model()
SIZE = 160
RIM = (slice(66, 69), slice(40, 120))


class Worn:
    """The face's outline with a rim across it."""

    occluders = True

    def __call__(self, images, landmarks):
        mask = MeshSegmenter(MODEL, 1.0)(images, landmarks)
        return torch.where(images[:, :1] < 0.2, 0.0, mask)


def worn():
    picture = np.full((SIZE, SIZE, 3), 150, np.uint8)
    picture[RIM] = 10
    return picture, MODEL.mean * (0.4 * SIZE) + torch.tensor([SIZE / 2, SIZE / 2, 0.0])


def test_a_rim_is_taken_off_the_source():
    picture, landmarks = worn()
    view = prepare(picture, landmarks, MODEL, Worn())
    (image,), rows = view.levels[:1], slice(55, 106)
    assert (image[..., RIM[0], rows] - 150 / 255).abs().max() < 0.06
    assert view.shown is not None and view.shown.at(torch.full((1, 2, 1, 1), 67.5)) > 0.9
    torch.testing.assert_close(
        image[..., 100:, :], torch.from_numpy(picture).permute(2, 0, 1)[None, ..., 100:, :] / 255
    )


def test_a_covered_forehead_is_looked_up_where_it_is_and_not_at_the_brows():
    picture, landmarks = worn()
    top, brow = int(landmarks[10, 1]), int(landmarks[105, 1])
    picture[RIM], picture[: brow - 8] = 150, 10
    view = prepare(picture, landmarks, MODEL, Worn())
    assert view.visibility[0, 10] < 0.2 and view.trust[0, 10] < 0.7
    assert abs(view.safe[0, 10, 1] - top) < 0.5 * (brow - top)


def test_where_nobody_looks_a_picture_keeps_its_glasses():
    picture, landmarks = worn()
    whole = torch.from_numpy(picture).permute(2, 0, 1)[None] / 255
    assert torch.equal(prepare(picture, landmarks, MODEL).levels[0], whole)


def traced(monkeypatch, stay):
    """A rim right across the eyes, seen by a segmenter that knows lenses."""
    picture, landmarks = worn()
    picture[RIM] = 150
    picture[77:81, 30:130] = 10
    segmenter = OpenSegmenter(MODEL)
    monkeypatch.setattr(OpenSegmenter, "__call__", Worn.__call__)
    monkeypatch.setattr(Eyewear, "stays", lambda *_: stay)
    view = prepare(picture, landmarks, MODEL, segmenter)
    return torch.from_numpy(picture).permute(2, 0, 1)[None] / 255, landmarks.long(), view


def test_what_comes_off_spares_the_eyes(monkeypatch):
    whole, landmarks, view = traced(monkeypatch, False)
    (x, y), between = landmarks[468, :2], landmarks[168, 0]
    assert (whole[..., 77:81, between] < 0.1).all() and (view.levels[0][..., 77:81, between] > 0.5).all()
    torch.testing.assert_close(view.levels[0][..., y - 1 : y + 2, x], whole[..., y - 1 : y + 2, x])


def test_glasses_that_stay_are_a_layer_over_a_face_without_them(monkeypatch):
    _, landmarks, view = traced(monkeypatch, True)
    between = int(landmarks[168, 0])
    assert (view.levels[0][..., 77:81, between] > 0.5).all()
    assert view.shown is not None and view.shown.at(torch.full((1, 2, 1, 1), 79.5)) > 0.99
    assert view.shown.glasses is not None
    layer = view.shown.glasses.drawn(view.landmarks, SIZE)
    assert (layer[0, 3, 78:80, between] > 0.9).all() and (layer[0, :3, 78:80, between] < 0.1).all()


def test_what_comes_off_leaves_no_layer(monkeypatch):
    _, _, view = traced(monkeypatch, False)
    assert view.shown is not None and view.shown.glasses is None

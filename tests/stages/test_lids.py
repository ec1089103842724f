"""Lids that come together: a thin line of lashes in smooth skin, nothing of the eye, no change where none closes."""

import cv2
import numpy as np
import pytest
import torch

from fsgan_core.ops.head_mesh import place, points
from fsgan_core.ops.landmarks import opposite
from fsgan_core.ops.motion import LEFT_LIDS, RIGHT_LIDS
from fsgan_core.stages.features import feature_layer
from fsgan_core.stages.lids import _BESIDE
from fsgan_core.stages.openings import LEFT, RIGHT, RINGS
from fsgan_core.stages.pose import load_face_model
from fsgan_core.stages.views import prepare

SIZE = 384
MODEL = load_face_model()
OPEN = MODEL.mean * (0.4 * SIZE) + torch.tensor([SIZE / 2, SIZE / 2, 0.0])
LASHES = 3


def picture(landmarks):
    """Skin with white eyes, black irises, and lashes of some thickness along the upper lids."""
    pixels = np.full((SIZE, SIZE, 3), 150.0)
    pixels += np.random.default_rng(3).normal(0, 4, (SIZE, SIZE, 1))
    columns = np.arange(SIZE) + 0.5
    for ring in (RINGS[RIGHT], RINGS[LEFT]):
        edges = [landmarks[[ring[0], *edge, ring[8]], :2].numpy() for edge in opposite(ring)]
        upper, lower = (np.interp(columns, *edge[edge[:, 0].argsort()].T, left=np.nan, right=np.nan) for edge in edges)
        rows = (np.arange(SIZE) + 0.5)[:, None]
        pixels[(rows > upper) & (rows < lower)] = 240
        pixels[(rows > upper - LASHES) & (rows < upper + 1)] = 20
    return np.clip(pixels, 0, 255).astype(np.uint8)


def closed(part, lids=(RIGHT_LIDS, LEFT_LIDS), landmarks=OPEN):
    face = place(MODEL.mean, landmarks[None])
    shape = face.shape
    for one in lids:
        shape = one.closed(MODEL, face.shape, shape, part)
    return points(type(face)(shape, face.scale, face.rotation, face.translation))


def drawn(target, landmarks=OPEN, pixels=None):
    pixels = picture(landmarks) if pixels is None else pixels
    image = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    colours, cover = feature_layer(SIZE, prepare(pixels, landmarks, MODEL), target, MODEL)
    return image * (1 - cover) + colours


def column(image, target, number):
    """The brightness from the brow down to the cheek through a landmark of the lower lid."""
    x, y = target[0, number, :2].int().tolist()
    return image.mean(1)[0, y - 36 : y + 20, x]


@pytest.mark.parametrize("number", [144, 145, 153, 373, 374, 380])
def test_a_shut_eye_is_skin_with_one_thin_line(number):
    target = closed(1.0)
    light = column(drawn(target), target, number)
    dark = (light < 0.4).nonzero()[:, 0]
    assert LASHES - 1 <= len(dark) <= 2 * LASHES + 2, "the lashes are neither stretched nor lost"
    assert dark.max() - dark.min() + 1 == len(dark), "one line"
    assert light.max() < 0.7, "nothing of the white"
    skin = light[: dark.min() - 6]
    assert skin.mean() == pytest.approx(150 / 255, abs=0.03)


def test_the_fold_of_an_open_lid_is_seen_above_it_when_it_is_shut():
    pixels, target = picture(OPEN), closed(1.0)
    upper, beside = list(opposite(RINGS[RIGHT])[0]), list(_BESIDE[RIGHT][0][1:-1])
    fold = torch.lerp(OPEN[upper, :2], OPEN[beside, :2], 0.7).round().int().numpy()
    cv2.polylines(pixels, [fold[fold[:, 0].argsort()]], False, (80, 80, 80), 2)
    without, folded = (column(drawn(target, pixels=each), target, 145) for each in (picture(OPEN), pixels))
    lashes = int((without < 0.4).nonzero()[0, 0])
    assert (without - folded)[: lashes - 4].max() > 0.04
    assert (without - folded).abs()[lashes:].max() < 0.03


def test_a_white_brow_over_an_eye_makes_no_white_lid():
    pixels, target = picture(OPEN), closed(1.0)
    beside = OPEN[list(_BESIDE[RIGHT][0][1:-1])]
    top, left, right = int(beside[:, 1].min()) - 12, int(OPEN[33, 0]), int(OPEN[133, 0])
    for x in range(left, right):
        edge = int(np.interp(x, *beside[beside[:, 0].argsort(), :2].T.numpy()))
        pixels[top:edge, x] = 250
    plain, white = (column(drawn(target, pixels=each), target, 145) for each in (picture(OPEN), pixels))
    lashes = int((plain < 0.4).nonzero()[0, 0])
    assert (white - plain)[lashes - 8 : lashes - 4].max() < 0.05


def test_each_eye_closes_by_itself():
    before, after = drawn(OPEN[None]), drawn(closed(1.0, (LEFT_LIDS,)))
    changed = (after - before).abs().amax((1, 2))[0]
    assert changed[: SIZE // 2].max() < 0.02 < 0.3 < changed[SIZE // 2 :].max()


def test_lids_that_are_shut_already_keep_their_pixels():
    source = closed(0.97)[0]
    image = torch.from_numpy(picture(source)).permute(2, 0, 1)[None].float() / 255
    torch.testing.assert_close(drawn(source[None], source), image, atol=2e-3, rtol=0)


def test_a_blink_does_not_jump():
    frames = [drawn(closed(part)) for part in np.linspace(0, 1, 26)]
    steps = torch.stack([(b - a).abs().mean() for a, b in zip(frames[:-1], frames[1:], strict=True)])
    assert steps.max() < 3 * steps.median()


def test_points_beside_the_edges_are_each_others_mirror_images():
    for right, left in zip(_BESIDE[RIGHT], _BESIDE[LEFT], strict=True):
        assert MODEL.mirror[list(right)].tolist() == list(left)

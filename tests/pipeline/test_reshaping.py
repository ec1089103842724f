"""A real picture's head in another's proportions, measured again in the result by our own networks."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fsgan_core import Models, Still, SwapOptions, analyze, build_appearance_map, select, swap
from fsgan_core.ops.head_rings import head_reach
from fsgan_core.reshaping import reshaped, reshaped_mask, shaped_like
from fsgan_core.swapping import UserMask


@pytest.fixture(scope="module")
def models():
    return Models.load()


@pytest.fixture(scope="module")
def person(face, models):
    return select(analyze(Still(face), models))[0]


@pytest.fixture(scope="module")
def source(face, models, person):
    """The same person with a face a sixth wider, as another picture shows them."""
    wide = replace(person, landmarks=person.landmarks * np.array((1.18, 1, 1), np.float32))
    frame = np.repeat(face, 2, 1)[:, : face.shape[1]]
    return build_appearance_map([(Still(frame), wide)])


def width(points):
    """Of the cheeks over the height of the face."""
    points = points[..., :2]
    return float(np.linalg.norm(points[454] - points[234]) / np.linalg.norm(points[152] - points[10]))


def test_the_head_is_found_in_the_shape_wanted_and_nothing_else_changes(face, models, person, source):
    wider = shaped_like(source, person, models, 1.0)
    kept = face.copy()
    result = reshaped(face, 0, [person], [wider], models)
    np.testing.assert_array_equal(face, kept)
    before, wanted = width(person.landmarks[0]), width(wider.landmarks[0])
    found = width(select(analyze(Still(result), models))[0].landmarks[0])
    assert wanted > 1.05 * before
    assert found - before > 0.6 * (wanted - before)
    reach = head_reach(models.face_model.mean, torch.from_numpy(person.landmarks))[0]
    left, top = reach.amin(0)[:2].int().tolist()
    right, bottom = (reach.amax(0)[:2] + 1).int().tolist()
    outside = np.ones(face.shape[:2], bool)
    outside[max(0, top) : bottom + 1, max(0, left) : right + 1] = False
    np.testing.assert_array_equal(result[outside], face[outside])


def test_a_swap_has_as_much_of_the_sources_shape_as_asked(face, models, person, source):
    target = Still(face[:, ::-1].copy())
    theirs = select(analyze(target, models))
    shares = (0.0, 0.5, 1.0)
    results = [next(swap(target, theirs, [source], models, SwapOptions(face_shape=share))) for share in shares]
    widths = [width(result.wanted[0]) for result in results]
    assert widths[0] == width(theirs[0].landmarks[0])
    assert widths[1] == pytest.approx((widths[0] + widths[2]) / 2, abs=0.01)
    found = [width(select(analyze(Still(result.frame), models))[0].landmarks[0]) for result in results]
    assert found[0] < found[1] < found[2]


def test_a_face_that_stays_and_a_frame_without_it_are_not_touched(face, models, person, source):
    assert reshaped(face, 0, [person], [person], models) is face
    assert reshaped(face, 9, [person], [shaped_like(source, person, models, 1.0)], models) is face


def test_a_users_mask_stays_on_what_it_marks(face, models, person, source, monkeypatch):
    wider, cheek = shaped_like(source, person, models, 1.0), 50
    y, x = np.mgrid[: face.shape[0], : face.shape[1]] + 0.5
    before, after = (one.landmarks[0, cheek, :2] for one in (person, wider))
    mask = (np.hypot(x - before[0], y - before[1]) < 8).astype(np.float32)
    bent = reshaped_mask(mask, 0, [person], [wider], models)
    place = np.array([(bent * x).sum(), (bent * y).sum()]) / bent.sum()
    assert np.linalg.norm(after - before) > 2 > 2 * np.linalg.norm(place - after)
    assert reshaped_mask(mask, 0, [person], [person], models) is mask
    seen = []
    monkeypatch.setattr("fsgan_core.pipeline.swapping.swap_face", lambda aim, *_: seen.append(aim.mask) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        next(swap(Still(face), [person], [source], models, SwapOptions(face_shape=1.0), UserMask(mask, "add")))
    np.testing.assert_array_equal(seen[0].values, bent)
    assert seen[0].mode == "add"

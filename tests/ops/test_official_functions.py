"""Properties of the original's functions that hold for any input."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fsgan_core.ops import official_masks
from fsgan_core.ops.official_geometry import (
    MIRROR_68,
    MIRROR_98,
    crop,
    flip_landmarks,
    main_box,
    paste,
    rotate,
    scale_box,
)
from fsgan_core.ops.official_masks import (
    erosion_kernel,
    image_pyramid,
    poisson_target,
    random_occluder,
    remove_inner_mouth,
    soft_erosion,
)
from fsgan_core.ops.official_tracking import (
    hamming_mean,
    link_boxes,
    motion,
    moving_mean,
    overlap,
    smooth_boxes,
    smooth_logits,
)
from fsgan_core.ops.official_views import (
    build_map,
    euler_angles,
    rigid_fit,
    rotation_matrix,
    step_landmarks,
    thin_views,
)

RANDOM = np.random.default_rng(0)


def ellipse(size=64, center=(32, 32), axes=(20, 14)):
    y, x = np.mgrid[:size, :size]
    return ((x - center[0]) / axes[0]) ** 2 + ((y - center[1]) / axes[1]) ** 2 < 1


def test_scaled_boxes_are_square_and_centred():
    box = scale_box(np.array([10.0, 20.0, 30.0, 50.0]))
    assert box.tolist() == [-5, 15, 60, 60]
    assert scale_box(np.array([0.0, 0.0, 5.0, 5.0]), 0.5).tolist() == [2, 2, 2, 2], "halves go to even"


@settings(max_examples=50, deadline=None)
@given(left=st.integers(-40, 60), top=st.integers(-40, 60), side=st.integers(1, 50))
def test_paste_undoes_crop(left, top, side):
    frame = RANDOM.integers(0, 256, (30, 40, 3)).astype(np.uint8)
    box = np.array([left, top, side, side])
    cut = crop(frame, box)
    assert cut.shape == (side, side, 3)
    assert np.array_equal(paste(frame, cut, box), frame)
    outside = np.ones((side, side), bool)
    y, x = np.mgrid[top : top + side, left : left + side]
    outside[(x >= 0) & (x < 40) & (y >= 0) & (y < 30)] = False
    assert not cut[outside].any()


def test_main_box_prefers_large_and_central():
    boxes = np.array([[0.0, 0, 20, 20], [40, 40, 20, 20], [38, 38, 24, 24]])
    assert np.array_equal(main_box(boxes, 100, 100), boxes[2])
    with pytest.raises(ValueError, match="found no box"):
        main_box(np.zeros((0, 4)), 10, 10)


def test_rotation_turns_picture_and_landmarks_alike():
    frame = np.zeros((65, 65, 3), np.uint8)
    frame[10:13, 30:33] = 255
    point = np.array([[31.5, 11.5]], np.float32) / 65
    for degrees in (-90.0, 37.0, 90.0):
        turned, points = rotate(frame, point, degrees)
        y, x = np.nonzero(turned[..., 0] > 100)
        np.testing.assert_allclose(points[0] * 65, [x.mean() + 0.5, y.mean() + 0.5], atol=1.0)
    turned, points = rotate(frame, point, 90.0)
    assert points[0, 0] < 0.4, "what was above goes left: counter-clockwise"


@pytest.mark.parametrize(("mirror", "count"), [(MIRROR_68, 68), (MIRROR_98, 98)])
def test_mirrors_are_permutations_and_flips_keep_the_set_of_points(mirror, count):
    assert sorted(mirror) == list(range(count))
    points = RANDOM.random((count, 2)).astype(np.float32)
    flipped = flip_landmarks(points, 2.0)
    assert np.allclose(np.sort(flipped[:, 1]), np.sort(points[:, 1]))
    assert np.allclose(np.sort(flipped[:, 0]), np.sort(2 - points[:, 0]))


def test_mirror_of_68_is_its_own_inverse():
    assert np.array_equal(MIRROR_68[MIRROR_68], np.arange(68))


@settings(max_examples=30, deadline=None)
@given(frames=st.integers(1, 40), kernel=st.sampled_from([1, 5, 25, 51]))
def test_moving_mean_keeps_constants_and_stays_in_range(frames, kernel):
    values = RANDOM.random((frames, 3))
    mean = moving_mean(values, kernel)
    assert mean.shape == values.shape
    assert (mean >= values.min(0) - 1e-12).all() and (mean <= values.max(0) + 1e-12).all()
    assert np.allclose(moving_mean(np.full((frames, 2), 3.5), kernel), 3.5)


def test_hamming_mean():
    assert np.allclose(hamming_mean(np.full((3, 2), 3.5)), 3.5)
    impulse = np.zeros((21, 1))
    impulse[10] = 1
    assert np.allclose(hamming_mean(impulse)[7:14, 0], np.hamming(7) / np.hamming(7).sum())


def test_motion_of_a_steady_walk_is_its_step():
    walk = np.arange(30)[:, None] * np.array([3.0, 4.0])
    assert motion(walk)[10] == pytest.approx(5)
    assert (motion(np.ones((30, 7, 2))) == 0).all()


def test_still_boxes_are_steadied_and_fast_ones_are_not():
    still = np.array([100.0, 100, 200, 200]) + RANDOM.normal(0, 0.3, (120, 4))
    assert smooth_boxes(still)[20:-20].std(0).max() < 0.3 * still.std(0).max()
    fast = np.array([100.0, 100, 200, 200]) + 30 * np.arange(60)[:, None]
    assert np.allclose(smooth_boxes(fast)[30], fast[30])


def test_smoothing_logits_of_one_frame_changes_nothing():
    logits = torch.rand(1, 3, 4, 4)
    torch.testing.assert_close(smooth_logits(logits), logits)


def test_overlap():
    box = np.array([0.0, 0, 10, 10])
    found = overlap(box, np.array([[0.0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30], [10, 0, 20, 10]]))
    assert np.allclose(found, [1, 1 / 3, 0, 0], atol=1e-6)


def test_links():
    face = np.array([[100.0, 100, 200, 200]])
    other = face + 300
    frames = [np.concatenate([face + i, other]) for i in range(12)]
    frames += [other] * 2 + [np.concatenate([other, face + 12])] * 12
    tracks = link_boxes(frames)
    assert {number: (t.start, len(t.boxes)) for number, t in tracks.items()} == {0: (0, 12), 2: (14, 12), 1: (0, 26)}
    assert next(iter(tracks)) == 0
    assert link_boxes(frames, min_size=200) == {} and link_boxes(frames, min_length=100) == {}
    assert link_boxes([]) == {} and link_boxes([np.zeros((0, 4))] * 3) == {}


def test_pyramid_keeps_constants_up_to_the_border():
    levels = image_pyramid(torch.full((1, 2, 33, 40), 0.3), 4)
    assert [tuple(level.shape[2:]) for level in levels] == [(33, 40), (17, 20), (9, 10), (5, 5)]
    for level in levels:
        torch.testing.assert_close(level, torch.full_like(level, 0.3))


def test_erosion_shrinks_and_does_not_depend_on_the_batch():
    masks = torch.from_numpy(np.stack([ellipse(), ellipse(center=(20, 40), axes=(9, 9)), np.zeros((64, 64), bool)]))
    masks = masks[:, None].float()
    soft, hard = soft_erosion(masks, 15)
    assert ((hard == 0) | (hard == 1)).all() and (hard <= masks).all()
    assert float(soft.min()) >= 0 and float(soft.max()) == 1 and (soft[hard == 1] == 1).all()
    assert float(soft[2].max()) == 0 and soft.isfinite().all()
    torch.testing.assert_close(soft_erosion(masks[1:2], 15)[0], soft[1:2])
    assert soft_erosion(masks, 15, iterations=3)[1].sum() < hard.sum()
    assert soft_erosion(torch.ones(1, 1, 64, 64))[0].isfinite().all()


def test_erosion_kernel():
    kernel = erosion_kernel(21)[0, 0]
    assert float(kernel.sum()) == pytest.approx(1) and float(kernel[0, 0]) == 0
    assert torch.equal(kernel, kernel.T) and int(kernel.argmax()) == 10 * 21 + 10


def test_inner_mouth_is_cut_out():
    landmarks = np.zeros((98, 2), np.float32)
    landmarks[88:96] = [
        [0.4, 0.5],
        [0.45, 0.45],
        [0.5, 0.44],
        [0.55, 0.45],
        [0.6, 0.5],
        [0.55, 0.55],
        [0.5, 0.56],
        [0.45, 0.55],
    ]
    mask = np.ones((100, 100), np.uint8)
    found = remove_inner_mouth(mask, landmarks)
    assert mask.all(), "the input is not changed"
    assert found[50, 50] == 0 and found[30, 50] == 1 and 120 < (found == 0).sum() < 260


def test_occluders_cover_a_part_of_the_face():
    mask = ellipse()
    for seed in range(20):
        covered = random_occluder(mask, np.random.RandomState(seed))
        assert covered.any() and not (covered & ~mask).any() and covered.sum() < mask.sum()
    for small in (np.zeros((64, 64), bool), ellipse(axes=(5, 20))):
        assert not random_occluder(small, np.random.RandomState(0)).any()


def test_poisson_target_of_equal_pictures_is_the_picture():
    picture = torch.from_numpy(cv2.GaussianBlur(RANDOM.random((64, 64, 3)).astype(np.float32), (0, 0), 3))
    picture = picture.permute(2, 0, 1)[None]
    mask = torch.from_numpy(ellipse())[None, None].float()
    found = poisson_target(picture, picture, mask)
    assert float((found - picture).abs().max()) <= 3 / 255
    quantised = (picture * 255).round() / 255
    torch.testing.assert_close(poisson_target(1 - picture, picture, torch.zeros_like(mask)), quantised)


def test_poisson_target_when_opencv_refuses_the_border(monkeypatch):
    clone, calls = cv2.seamlessClone, []

    def refusing(*arguments):
        calls.append(arguments[0].shape)
        if len(calls) == 1:
            raise cv2.error("roi")
        return clone(*arguments)

    monkeypatch.setattr(official_masks.cv2, "seamlessClone", refusing)
    source, target = torch.full((1, 3, 40, 40), 0.2), torch.full((1, 3, 40, 40), 0.6)
    found = poisson_target(source, target, torch.ones(1, 1, 40, 40))
    assert calls == [(40, 40, 3), (44, 44, 3)] and found.shape == target.shape
    assert float((found[..., 5:-5, 5:-5] - 0.6).abs().max()) < 0.03, "a flat source takes the target's colour"


def test_thinned_views_cover_all_and_keep_their_distance():
    points = RANDOM.uniform(-40, 40, (200, 2))
    kept = thin_views(points, 5)
    distance = np.linalg.norm(points[:, None] - points[kept], axis=2)
    among = distance[kept]
    assert (among[~np.eye(len(kept), dtype=bool)] > 5).all()
    assert np.array_equal(kept, np.sort(kept)) and len(kept) < 200
    assert thin_views(points[:1], 5).tolist() == [0]


@settings(max_examples=60, deadline=None)
@given(
    yaw=st.floats(-400, 400),
    pitch=st.floats(-400, 400),
    count=st.integers(1, 12),
    spread=st.sampled_from([1.0, 30.0, 100.0]),
    seed=st.integers(0, 20),
)
def test_weights_are_weights_everywhere(yaw, pitch, count, spread, seed):
    views = build_map(np.random.default_rng(seed).uniform(-spread, spread, (count, 3)))
    vertices, weights = views.query(yaw, pitch)
    assert weights.shape == (3,) and (weights >= 0).all() and weights.sum() == pytest.approx(1, abs=1e-5)
    assert (vertices[weights > 0] < len(views.kept)).all()


def test_map_at_its_own_views_and_with_one_view():
    poses = np.array([[-20.0, 0, 0], [20, 3, 0], [0, 25, 0], [1, -25, 0]])
    views = build_map(poses)
    for number, (yaw, pitch, _) in enumerate(poses):
        vertices, weights = views.query(yaw, pitch)
        assert dict(zip(vertices.tolist(), weights.tolist(), strict=True))[number] == pytest.approx(1, abs=1e-6)
    single = build_map(poses[:1])
    for corner in (75.0, -75.0, 0.0):
        vertices, weights = single.query(corner, 75.0)
        assert weights[list(vertices).index(0)] == 1


def test_rigid_fit_finds_the_motion_and_angles_round_trip():
    source = RANDOM.normal(0, 30, (68, 3))
    for _ in range(10):
        angles = RANDOM.uniform(-1.2, 1.2, 3)
        rotation, shift = rotation_matrix(angles), RANDOM.normal(0, 9, 3)
        assert np.allclose(euler_angles(rotation), angles)
        found, translation = rigid_fit(source, source @ rotation.T + shift)
        assert np.allclose(found, rotation) and np.allclose(translation, shift)
        target = source @ rotation.T + shift
        assert np.allclose(step_landmarks(source, target, 0), source)
        assert np.allclose(step_landmarks(source, target, 1), target)
    mirrored, _ = rigid_fit(source, source * [1, 1, -1])
    assert np.linalg.det(mirrored) == pytest.approx(1)

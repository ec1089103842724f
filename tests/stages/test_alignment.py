"""The alignment network in use: it finds small displacements, of drawn faces and of landmarks along a clip."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from fsgan_core.demo import COLLINS, HOPPER
from fsgan_core.models import Models
from fsgan_core.networks.alignment_net import SIDE, moved
from fsgan_core.ops.landmarks import LEFT_EYE, LEFT_IRIS, LIPS_INNER, RIGHT_EYE, RIGHT_IRIS
from fsgan_core.pipeline import AnalyzeOptions, ReenactOptions, analyze, build_appearance_map, reenact_crops, swap
from fsgan_core.stages import reenactment
from fsgan_core.stages.alignment import LOOKS, Aligner, after, bundled_aligner, eyes_as_one
from fsgan_core.stages.keyframes import Keyframes
from fsgan_core.stages.measuring import MeasureOptions
from fsgan_core.stages.reenactment import FlowOptions, FlowReenactor
from fsgan_core.streams import Frames, Still

MODELS = Models.load()
MODEL = MODELS.face_model


@pytest.fixture(scope="module")
def portrait():
    """A portrait as it is, and its face."""
    frame = COLLINS.read().frame
    return frame, analyze(Still(frame), MODELS).faces[0]


def wrong(landmarks, size=0.012, seed=0):
    """Landmarks that are off by a percent of the face, smoothly."""
    rng = np.random.default_rng(seed)
    coarse = rng.normal(0, size * np.ptp(landmarks[:, 1]), (4, 4, 2)).astype(np.float32)
    low, high = landmarks[:, :2].min(0), landmarks[:, :2].max(0)
    places = ((landmarks[:, :2] - low) / (high - low) * 3).astype(np.float32)
    off = cv2.remap(coarse, places[:, 0], places[:, 1], cv2.INTER_LINEAR)[:, 0]
    return np.concatenate((landmarks[:, :2] + off, landmarks[:, 2:]), 1).astype(np.float32)


def distance(one, other, mask=slice(None)):
    return float(np.linalg.norm((one - other)[mask, :2], axis=1).mean())


def test_the_first_frame_is_a_keyframe_and_stays(portrait):
    frame, face = portrait
    keyframes = Keyframes(MODEL, bundled_aligner())
    found = keyframes.corrected(frame, face.landmarks[0])
    np.testing.assert_allclose(found, face.landmarks[0], atol=1e-3)
    assert len(keyframes.kept) == 1


@pytest.mark.parametrize("seed", range(3))
def test_landmarks_of_later_frames_go_where_the_keyframe_has_them(portrait, seed):
    frame, face = portrait
    keyframes = Keyframes(MODEL, bundled_aligner())
    true = face.landmarks[0]
    keyframes.corrected(frame, true)
    darker = (frame * 0.7).astype(np.uint8)
    start = wrong(true, seed=seed)
    found = keyframes.corrected(darker, start)
    assert distance(found, true) < 0.6 * distance(start, true)
    np.testing.assert_allclose(found[:, 2], start[:, 2], atol=1e-3)


def test_what_all_frames_measured_decides_where_the_face_is(portrait):
    frame, face = portrait
    keyframes = Keyframes(MODEL, bundled_aligner())
    true = face.landmarks[0]
    keyframe = wrong(true, seed=5)
    rows = np.stack([keyframes.corrected(frame, points) for points in (keyframe, true, true, true, true, true)])
    settled = keyframes.settled(rows)
    assert distance(settled[0], true) < 0.5 * distance(keyframe, true)
    assert distance(settled[0], settled[3]) < 0.5 * distance(keyframe, true)


def blinking(shape, part):
    """The mean face with its right eye shut by a part."""
    change = MODEL.expression[MODEL.names.index("eyeBlink_R")]
    return shape + part * change


@pytest.mark.parametrize(("part", "whole"), [(0.0, False), (0.9, True)])
@pytest.mark.parametrize("steady", [True, False])
def test_an_eye_that_closes_moves_as_a_whole(part, whole, steady):
    drawn, ring = MODEL.mean[None], list(RIGHT_EYE)
    motion = torch.randn(1, 478, 2, generator=torch.Generator().manual_seed(0))
    smoothed = eyes_as_one(motion, MODEL.mean, drawn, blinking(drawn, part), steady)
    x, y = (MODEL.mean[ring, :2] / 0.1).unbind(1)
    form = torch.stack((torch.ones_like(x), x, y, x * x)[: 1 if steady else 4], 1)
    left = smoothed[0, ring] - form @ torch.linalg.lstsq(form, smoothed[0, ring]).solution
    assert (left.abs().max() < 1e-4) == whole
    assert smoothed[0, list(LEFT_EYE)].std(0).max() > 0.5
    far = [1, 152, *LIPS_INNER]
    torch.testing.assert_close(smoothed[:, far], motion[:, far])


@pytest.mark.parametrize(("steady", "iris"), [(True, 2.0), (False, 5.0)])
def test_an_iris_goes_with_its_eye_along_a_clip(steady, iris):
    motion = torch.zeros(1, 478, 2)
    motion[:, [*LEFT_IRIS, *RIGHT_IRIS]] = 5.0
    motion[:, list(LEFT_EYE)] = 2.0
    moved_by = eyes_as_one(motion, MODEL.mean, MODEL.mean[None], MODEL.mean[None], steady)
    torch.testing.assert_close(moved_by[:, list(LEFT_IRIS)], torch.full((1, 5, 2), iris))


class Silent(torch.nn.Module):
    """Sees no displacement."""

    def forward(self, drawn, target, cover):
        return drawn.new_zeros(1, 2, 64, 64)


def test_a_new_pose_becomes_a_keyframe(portrait):
    frame, face = portrait
    keyframes = Keyframes(MODEL, Aligner(Silent()))
    points, middle = face.landmarks[0], face.landmarks[0].mean(0)
    for degrees in (0, 5, 40, 42, 80):
        turn = cv2.Rodrigues(np.array([0, np.radians(degrees), 0]))[0].astype(np.float32)
        turned = (points - middle) @ turn.T + middle
        np.testing.assert_allclose(keyframes.corrected(frame, turned), turned, atol=1e-3)
    assert len(keyframes.kept) == 3


def test_keyframes_can_be_switched_off(portrait):
    frame, _ = portrait
    clip = Frames([frame, np.roll(frame, 2, 1)], Still(frame).rate)
    plain = analyze(clip, MODELS, AnalyzeOptions(measuring=MeasureOptions(keyframes=False))).faces[0]
    without = analyze(clip, replace(MODELS, alignment=None)).faces[0]
    held = analyze(clip, MODELS).faces[0]
    np.testing.assert_array_equal(plain.landmarks, without.landmarks)
    assert 0 < np.abs(held.landmarks - plain.landmarks).max() < 0.02 * np.ptp(plain.landmarks[0, :, 1])


def test_a_still_has_no_keyframes(portrait):
    frame, face = portrait
    plain = analyze(Still(frame), replace(MODELS, alignment=None)).faces[0]
    np.testing.assert_array_equal(face.landmarks, plain.landmarks)


def crops(portrait, landmarks, frames, models=MODELS, options=None, score=1.0):
    """The portrait's own face drawn with other landmarks."""
    frame, face = portrait
    source = build_appearance_map([(Still(frame), face)])
    target = replace(face, landmarks=landmarks[None], scores=np.float32([score]))
    (result,) = reenact_crops(source, target, models, options, frames, whole=True)
    return result


def test_a_reenacted_crop_lies_on_the_edges_of_the_target(portrait):
    frame, face = portrait
    off = wrong(face.landmarks[0], seed=2)
    blind, aligned = (crops(portrait, off, frames) for frames in (None, [frame]))
    left, top, right, _ = blind.records[0].crop
    side = blind.frame.shape[0]
    matrix = np.array([[side / (right - left), 0, -left * side / (right - left)]])
    matrix = np.concatenate((matrix, [[0, side / (right - left), -top * side / (right - left)]]))
    real = cv2.warpAffine(frame, matrix, (side, side), flags=cv2.INTER_AREA)
    inner = cv2.fillConvexPoly(
        np.zeros((side, side), np.uint8), cv2.convexHull(blind.wanted[0][:, :2].astype(np.int32)), 1
    )
    inner = cv2.erode(inner, np.ones((25, 25))) > 0
    errors = [np.abs(one.frame.astype(float) - real)[inner].mean() for one in (blind, aligned)]
    assert errors[1] < 0.75 * errors[0]


def test_eyes_and_mouth_stay_as_sharp_as_they_are(portrait):
    frame, face = portrait
    off = wrong(face.landmarks[0], size=0.006, seed=2)
    sharp = []
    for one in (crops(portrait, off, frames) for frames in (None, [frame])):
        places, detail = one.wanted[0][list(RIGHT_EYE + LEFT_EYE), :2], cv2.Laplacian(one.frame.astype(np.float32), -1)
        near = cv2.fillConvexPoly(np.zeros(one.frame.shape[:2]), cv2.convexHull(places.astype(np.int32)), 1) > 0
        sharp.append(np.abs(detail)[near].mean())
    assert sharp[1] > 0.95 * sharp[0]


def test_lids_lie_where_the_target_shows_them(portrait):
    """Each for itself, though by landmarks one eye is open wider than it is."""
    frame, face = portrait
    off, ring = face.landmarks[0].copy(), list(RIGHT_EYE)
    off[ring, 1] += 0.5 * (off[ring, 1] - off[ring, 1].mean())
    blind, laid_on = (crops(portrait, off, frames) for frames in (None, [frame]))
    box, side = blind.records[0].crop, blind.frame.shape[0]
    real = cv2.resize(frame[box[1] : box[3], box[0] : box[2]], (side, side), interpolation=cv2.INTER_AREA)
    hull = cv2.convexHull(blind.wanted[0][ring, :2].astype(np.int32))
    eye = cv2.dilate(cv2.fillConvexPoly(np.zeros((side, side), np.uint8), hull, 1), np.ones((9, 9))) > 0
    errors = [np.abs(one.frame.astype(float) - real)[eye].mean() for one in (blind, laid_on)]
    assert errors[1] < 0.8 * errors[0]


def test_only_places_come_from_the_target(portrait):
    """A target in other colours gives the same picture."""
    frame, face = portrait
    plain = crops(portrait, face.landmarks[0], [frame]).frame.astype(float)
    swapped = crops(portrait, face.landmarks[0], [frame[..., ::-1].copy()]).frame.astype(float)
    assert np.abs(plain - swapped).mean() < 0.5
    assert np.abs(plain - plain[..., ::-1]).mean() > 5


def test_without_the_networks_or_the_option_the_target_is_not_looked_at(portrait):
    frame, face = portrait
    geometry = replace(MODELS, reenactment=FlowReenactor(MODEL, FlowOptions(refine=False)))
    ways = ((MODELS, ReenactOptions(align=False)), (replace(MODELS, fitting=None), None), (geometry, None))
    for models, options in ways:
        looked, blind = (crops(portrait, face.landmarks[0], frames, models, options) for frames in ([frame], None))
        np.testing.assert_array_equal(looked.frame, blind.frame)


def test_a_hidden_face_is_not_aligned_with_what_hides_it(portrait):
    frame, face = portrait
    off = wrong(face.landmarks[0])
    blind, seen = (crops(portrait, off, frames).frame for frames in (None, [frame]))
    np.testing.assert_array_equal(crops(portrait, off, [frame], score=0.0).frame, blind)
    assert (seen != blind).any()


def test_what_is_around_a_reenacted_face_is_laid_onto_the_target_too(portrait, monkeypatch):
    """In a target whose neck and hair have moved a little; away from the face nothing moves."""
    frame, face = portrait
    y, x = np.mgrid[: frame.shape[0], : frame.shape[1]].astype(np.float32)
    left, top = face.landmarks[0, :, :2].min(0)
    right, bottom = face.landmarks[0, :, :2].max(0)
    away = np.maximum(np.maximum(left - x, x - right), y - bottom) / (right - left)
    moved_by = 0.02 * (right - left) * np.clip(away / 0.05, 0, 1) * np.clip((0.4 - away) / 0.1, 0, 1)
    target = cv2.remap(frame, x + moved_by, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    laid_on = crops(portrait, face.landmarks[0], [target])
    monkeypatch.setattr(reenactment, "laid", lambda motion, *_: motion)
    left_alone = crops(portrait, face.landmarks[0], [target])
    box, side = laid_on.records[0].crop, laid_on.frame.shape[0]
    real, amount = (cv2.resize(one[box[1] : box[3], box[0] : box[2]], (side, side)) for one in (target, moved_by))
    shifted = amount > 0.8 * amount.max()
    errors = [np.abs(one.frame.astype(float) - real)[shifted].mean() for one in (left_alone, laid_on)]
    assert errors[1] < 0.8 * errors[0]
    np.testing.assert_allclose(laid_on.frame[:8].astype(int), left_alone.frame[:8], atol=1)


@pytest.mark.parametrize("count", [0, 2])
def test_crops_need_a_frame_for_each_row(portrait, count):
    frame, face = portrait
    with pytest.raises(ValueError, match="argument 2"):
        crops(portrait, face.landmarks[0], [frame] * count)


def test_a_swap_keeps_the_proportions_of_the_source(portrait):
    """Its face is not shifted onto the target's edges."""
    frame, face = portrait
    other = HOPPER.read().frame
    source = build_appearance_map([(Still(other), analyze(Still(other), MODELS).faces[0])])
    without = replace(MODELS, alignment=None)
    results = [next(swap(Still(frame), [face], [source], models)).frame for models in (MODELS, without)]
    np.testing.assert_array_equal(*results)


class Nudge(torch.nn.Module):
    """Finds one pixel of the window everywhere."""

    def forward(self, drawn, target, cover):
        return torch.ones(len(drawn), 2, SIDE // 2, SIDE // 2)


def test_a_face_is_laid_onto_its_own_picture_and_not_onto_a_stranger():
    torch.manual_seed(0)
    own, other = (torch.nn.functional.interpolate(torch.rand(1, 1, 16, 16), (SIDE, SIDE), mode="bicubic") for _ in "ab")
    cover, aligner = torch.ones(1, 1, SIDE, SIDE), Aligner(Nudge())
    shift, alike = aligner.fitted(own, own, cover)
    assert torch.equal(shift, LOOKS * aligner(own, own, cover)) and float(alike) == 1
    assert float(aligner(own, other, cover).abs().min()) > 0.9
    shift, alike = aligner.fitted(own, other, cover)
    assert float(shift.abs().max()) == float(alike) == 0


def test_one_shift_does_what_two_do():
    picture = torch.nn.functional.interpolate(torch.rand(1, 1, 16, 16), (SIDE, SIDE), mode="bicubic")
    coarse = torch.nn.functional.interpolate(4 * torch.randn(2, 2, 4, 4), (SIDE // 2, SIDE // 2), mode="bicubic")
    first, second = coarse[:1], coarse[1:]
    twice, once = moved(moved(picture, first), second), moved(picture, after(first, second))
    inside = (..., slice(8, -8), slice(8, -8))
    assert float((twice - once)[inside].abs().max()) < 0.2 * float((twice - picture)[inside].abs().max())


class Halfway(torch.nn.Module):
    """Finds half of how far brightness that grows to the right is off, in pixels of the window."""

    def forward(self, drawn, target, cover):
        off = torch.nn.functional.avg_pool2d(target - drawn, 2) * SIDE
        return torch.cat((off, 0 * off), 1)


def test_each_look_sees_what_those_before_made_of_the_drawing():
    ramp = torch.arange(SIDE).expand(1, 1, SIDE, SIDE) / SIDE
    shifts = Aligner(Halfway()).looks(ramp, ramp + 4 / SIDE, torch.ones_like(ramp))
    middle = [float(shift[0, 0, 32, 32]) for shift in shifts]
    assert middle == pytest.approx([8 * (1 - 0.5 ** (look + 1)) for look in range(LOOKS)], rel=1e-3)

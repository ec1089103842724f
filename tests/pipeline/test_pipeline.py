"""The pipeline with stand-ins for the two networks: a face is where the frame's marker says."""

import gc
import weakref
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from fsgan_core.faces import FaceSequence, Track
from fsgan_core.models import Models
from fsgan_core.ops.geometry import rotation_matrix
from fsgan_core.pipeline import (
    AnalyzeOptions,
    ReenactOptions,
    analyze,
    build_appearance_map,
    reenact,
    reenact_crops,
    swap,
)
from fsgan_core.stages.blending import PLAIN_POISSON, BlendOptions, PoissonBlender
from fsgan_core.stages.completion import SmoothCompleter
from fsgan_core.stages.detection import Detections
from fsgan_core.stages.landmarks import Landmarks
from fsgan_core.stages.pose import load_face_model
from fsgan_core.stages.reenactment import FlowReenactor
from fsgan_core.stages.segmentation import MeshSegmenter
from fsgan_core.streams import Frames, Still
from fsgan_core.swapping import Aim, FaceCrop, SwapOptions, UserMask, blended, completed, matched, reenacted, segmented

MODEL = load_face_model()
WIDTH, HEIGHT = 220, 160
MARK = np.array((255, 0, 255), np.uint8)


def face_at(x, y=80.0, yaw=0.0):
    turned = MODEL.mean @ rotation_matrix(torch.tensor([[yaw, 0.0, 0.0]]))[0].T
    return (turned * 36 + torch.tensor([x, y, 0.0])).numpy().astype(np.float32)


def box_of(points):
    return np.concatenate((points[:, :2].min(0), points[:, :2].max(0)))


def frame_with(*places, seed=0):
    """Smooth noise; the faces' x are written into the first row as columns of the marker colour."""
    rng = np.random.default_rng(seed)
    coarse = torch.from_numpy(rng.uniform(60, 200, (1, 3, 10, 14)))
    shades = torch.nn.functional.interpolate(coarse, (HEIGHT, WIDTH), mode="bilinear", align_corners=False)
    frame = shades[0].permute(1, 2, 0).numpy().astype(np.uint8)
    for place in places:
        frame[0, round(place)] = MARK
    return frame


def places_in(frame):
    return np.flatnonzero((frame[0] == MARK).all(-1)).tolist()


def detector(frames):
    return [Detections.of([box_of(face_at(x)) for x in places_in(f)], [0.9] * len(places_in(f))) for f in frames]


def landmarker(frames, boxes, previous=None):
    results = []
    for frame, rows in zip(frames, boxes, strict=True):
        points, scores = [], []
        for box in rows:
            near = [x for x in places_in(frame) if abs(x - (box[0] + box[2]) / 2) < 30]
            points.append(face_at(near[0] if near else (box[0] + box[2]) / 2))
            scores.append(0.95 if near else 0.05)
        results.append(Landmarks(np.stack(points), np.array(scores, np.float32)))
    return results


MODELS = Models(
    face_model=MODEL,
    detection=detector,
    landmarks=landmarker,
    reenactment=FlowReenactor(MODEL),
    segmentation=MeshSegmenter(MODEL),
    completion=SmoothCompleter(),
    blending=PoissonBlender(),
    device=torch.device("cpu"),
)
SOURCE = Still(frame_with(110, seed=5))


def clip(*frames):
    return Frames(frames, Fraction(25))


def source_map():
    return build_appearance_map([(SOURCE, analyze(SOURCE, MODELS).faces[0])])


def test_a_clip_is_analyzed_track_by_track():
    frames = [frame_with(60 + k, 160, seed=1) for k in range(8)] + [frame_with(seed=1)] * 4
    analysis = analyze(clip(*frames), MODELS)
    assert analysis.frame_count == 12 and analysis.size == (WIDTH, HEIGHT) and analysis.cuts == ()
    left, right = analysis.faces
    assert (left.track.start, len(left)) == (0, 8) == (right.track.start, len(right))
    np.testing.assert_allclose(left.landmarks[4], face_at(64), atol=0.5)


def test_faces_are_found_in_the_frames_between_the_examined_ones():
    frames = [frame_with(seed=1)] * 2 + [frame_with(100, seed=1)] * 9 + [frame_with(seed=1)] * 4
    (face,) = analyze(clip(*frames), MODELS, AnalyzeOptions(every=4)).faces
    assert (face.track.start, face.track.stop) == (2, 11)


def test_a_swap_changes_the_face_and_nothing_else():
    frame = frame_with(110, seed=2)
    analysis = analyze(Still(frame), MODELS)
    (result,) = swap(Still(frame), analysis.faces, [source_map()], MODELS)
    changed = (result.frame != frame).any(-1)
    left, top, right, bottom = box_of(face_at(110))
    rows, columns = np.nonzero(changed)
    assert changed.mean() > 0.05
    assert (
        columns.min() >= left - 2 and columns.max() <= right + 2 and rows.min() >= top - 2 and rows.max() <= bottom + 2
    )
    (record,) = result.records
    assert record.status == "swapped" and record.steps == 1 and record.seen > 0.8
    assert frame is not result.frame and places_in(frame) == [110]


def test_frames_without_the_face_pass_through_and_are_named():
    frames = [frame_with(110, seed=2), frame_with(seed=2), frame_with(110, seed=2)]
    landmarks = np.stack([face_at(110)] * 3)
    scores = np.array((1, 0, 1), np.float32)
    face = FaceSequence(Track(0, np.stack([box_of(p) for p in landmarks])), landmarks, np.zeros((3, 3), "f"), scores)
    results = list(swap(clip(*frames), [face], [source_map()], MODELS))
    assert [r.records[0].status for r in results] == ["swapped", "no_face", "swapped"]
    assert (results[1].frame == frames[1]).all() and (results[0].frame != frames[0]).any()


def test_several_faces_take_one_source_or_one_each():
    frame = frame_with(55, 165, seed=3)
    faces = analyze(Still(frame), MODELS).faces
    assert len(faces) == 2
    (both,) = swap(Still(frame), faces, [source_map()], MODELS)
    (first,) = swap(Still(frame), faces[:1], [source_map()], MODELS)
    half = WIDTH // 2
    assert (both.frame[:, :half] == first.frame[:, :half]).all()
    assert (both.frame[:, half:] != frame[:, half:]).any() and (first.frame[:, half:] == frame[:, half:]).all()
    with pytest.raises(ValueError, match="3 sources for 2 faces"):
        next(swap(Still(frame), faces, [source_map()] * 3, MODELS))


def test_the_users_mask_is_cut_out_or_added():
    frame = frame_with(110, seed=2)
    faces = analyze(Still(frame), MODELS).faces
    half = np.zeros((HEIGHT, WIDTH), np.float32)
    half[:, 110:] = 1
    (cut,) = swap(Still(frame), faces, [source_map()], MODELS, user_mask=UserMask(half))
    assert (cut.frame[:, 110:] == frame[:, 110:]).all() and (cut.frame[:, :110] != frame[:, :110]).any()
    above = np.zeros((HEIGHT, WIDTH), np.float32)
    above[10:70, 70:150] = 1
    (plain,) = swap(Still(frame), faces, [source_map()], MODELS)
    (more,) = swap(Still(frame), faces, [source_map()], MODELS, user_mask=UserMask(above, "add"))
    above_face = (slice(44, 54), slice(100, 120))
    assert (plain.frame[above_face] == frame[above_face]).all()
    assert (more.frame[above_face] != frame[above_face]).any()


def test_frames_are_swapped_independently_of_those_that_no_colours_are_measured_on():
    frames = [frame_with(100 + 2 * k, seed=k) for k in range(4)]
    landmarks = np.stack([face_at(100 + 2 * k) for k in range(4)])
    boxes = np.stack([box_of(points) for points in landmarks])
    face = FaceSequence(Track(0, boxes), landmarks, np.zeros((4, 3), np.float32), np.ones(4, np.float32))
    whole = [r.frame for r in swap(clip(*frames), [face], [source_map()], MODELS)]
    other = [r.frame for r in swap(clip(*frames[:3], frames[0]), [face], [source_map()], MODELS)]
    assert all((a == b).all() for a, b in zip(whole[:3], other[:3], strict=True))


@pytest.mark.parametrize("shot", [40, 2])
def test_memory_does_not_grow_with_the_clip(shot):
    def most_frames_alive(length):
        live, most = [0], [0]

        class Clip:
            size, rate = (WIDTH, HEIGHT), Fraction(25)

            def __iter__(self):
                for _ in range(length):
                    frame = frame_with(110, seed=2)
                    live[0] += 1
                    most[0] = max(most[0], live[0])
                    weakref.finalize(frame, lambda: live.__setitem__(0, live[0] - 1))
                    yield frame

        (whole,) = analyze(Clip(), MODELS).faces
        faces = [part(whole, start, shot) for start in range(0, length, shot)]
        for _ in swap(Clip(), faces, [source_map()], MODELS):
            gc.collect()
        return most[0]

    assert most_frames_alive(40) <= most_frames_alive(16) <= 13


def part(face, start, length):
    rows = slice(start, start + length)
    track = Track(face.track.start + start, face.track.boxes[rows])
    return FaceSequence(track, face.landmarks[rows], face.poses[rows], face.scores[rows])


def test_of_a_long_clip_little_is_decoded_before_the_first_result():
    decoded = []

    class Clip:
        size, rate = (WIDTH, HEIGHT), Fraction(25)

        def __iter__(self):
            for number in range(400):
                decoded.append(number)
                yield frame_with(110, seed=2)

    points = np.repeat(face_at(110)[None], 16, 0)
    faces = [
        FaceSequence(Track(start, np.stack([box_of(p) for p in points])), points, np.zeros((16, 3), "f"), np.ones(16))
        for start in (0, 380)
    ]
    found = swap(Clip(), faces, [source_map()], MODELS)
    assert next(found).records[0].status == "swapped" and max(decoded) < 20
    found.close()


def test_a_reenactment_moves_the_face_and_keeps_the_picture():
    picture = SOURCE.frames[0]
    own = face_at(110)
    motion = np.stack([face_at(110), face_at(110, yaw=20)])
    poses = np.array(((0, 0, 0), (20, 0, 0)), np.float32)
    target = FaceSequence(Track(0, np.stack([box_of(p) for p in motion])), motion, poses, np.ones(2, np.float32))
    still, turned = (r.frame for r in reenact(picture, own, target, MODELS))
    assert still.shape == turned.shape == picture.shape
    difference = [np.abs(frame.astype(int) - picture).mean() for frame in (still, turned)]
    assert difference[0] < 1.0 < difference[1]


def test_a_reenactment_says_which_argument_is_of_another_kind():
    picture, own, clip = SOURCE.frames[0], face_at(110), Still(SOURCE.frames[0])
    target = FaceSequence(Track(0, box_of(own)[None]), own[None], np.zeros((1, 3), np.float32), np.ones(1, np.float32))
    wrong = [
        ((clip, own, target), TypeError, "the picture is a frame, .*found Still; give read_image"),
        ((picture, target, target), TypeError, "landmarks are an array .*found FaceSequence"),
        ((picture, own[None], target), ValueError, r"landmarks are .*found \(1, 478, 3\)"),
        ((picture, own, [target]), TypeError, "the target is one FaceSequence, found list"),
    ]
    for given, kind, words in wrong:
        with pytest.raises(kind, match=words):
            next(reenact(*given, MODELS))


def test_pose_only_and_expression_only_differ():
    picture, own = SOURCE.frames[0], face_at(110)
    shape = MODEL.mean + 0.8 * MODEL.expression[MODEL.names.index("jawOpen")]
    both = (shape @ rotation_matrix(torch.tensor([[20.0, 0, 0]]))[0].T * 36 + torch.tensor([110.0, 80, 0])).numpy()
    motion = np.stack([own, both.astype(np.float32)])
    target = FaceSequence(
        Track(0, np.stack([box_of(p) for p in motion])), motion, np.zeros((2, 3), "f"), np.ones(2, "f")
    )
    frames = {
        parts: list(reenact(picture, own, target, MODELS, ReenactOptions(parts=parts)))[1].frame.astype(int)
        for parts in ("all", "expression", "mouth", "pose")
    }
    forehead = (slice(45, 60), slice(90, 130))
    assert np.abs(frames["mouth"] - picture)[forehead].mean() < 1
    assert np.abs(frames["pose"] - picture)[forehead].mean() > 1
    assert np.abs(frames["all"] - frames["pose"]).mean() > 0.1


def test_crops_follow_the_targets_geometry():
    motion = np.stack([face_at(100, yaw=a) for a in (0, 15)])
    target = FaceSequence(
        Track(0, np.stack([box_of(p) for p in motion])), motion, np.array(((0, 0, 0), (15, 0, 0)), "f"), np.ones(2, "f")
    )
    frames = [r.frame for r in reenact_crops(source_map(), target, MODELS, ReenactOptions(size=96))]
    assert [f.shape for f in frames] == [(96, 96, 3)] * 2 and (frames[0] != frames[1]).any()


def test_the_inside_of_the_mouth_follows_the_option():
    frame = frame_with(110, seed=2)
    shape = MODEL.mean + 0.9 * MODEL.expression[MODEL.names.index("jawOpen")]
    landmarks = (shape * 36 + torch.tensor([110.0, 80, 0])).numpy().astype(np.float32)[None]
    face = FaceSequence(Track(0, box_of(landmarks[0])[None]), landmarks, np.zeros((1, 3), "f"), np.ones(1, "f"))
    x, y = np.rint(landmarks[0, [13, 14], :2].mean(0)).astype(int)
    inside = {}
    for name in ("auto", "source", "target"):
        models = replace(MODELS, blending=PoissonBlender(PLAIN_POISSON))
        (result,) = swap(Still(frame), [face], [source_map()], models, SwapOptions(inside=name))
        inside[name] = np.abs(result.frame[y, x].astype(int) - frame[y, x]).max()
    assert inside["target"] <= 1 and inside["auto"] <= 1 < inside["source"]


def test_a_target_s_mouth_does_not_count_in_what_matches_the_face():
    """Its lips would be lit twice, and take teeth along."""
    shape = MODEL.mean + 0.9 * MODEL.expression[MODEL.names.index("jawOpen")]
    wide = (shape * 144 + torch.tensor([128.0, 128, 0])).numpy().astype(np.float32)
    aim = Aim(np.full((256, 256, 3), (255, 0, 0), np.uint8), wide, np.zeros(3, np.float32))
    one = FaceCrop(aim, (0, 0, 256, 256), torch.ones(1, 3, 256, 256), *[torch.from_numpy(wide)[None]] * 2)
    (source,) = [MODELS.source(source_map(), 0.0)]
    one = segmented(reenacted(one, source, MODELS), MODELS)
    auto, own = (completed(one, MODELS, inside) for inside in ("auto", "source"))
    assert torch.equal(auto.face, own.face) and auto.inside.max() > 0.9 and own.inside.max() == 0
    assert (auto.inside <= one.drawn.openings + 1e-5).all()


def test_eyes_take_over_as_much_of_the_target_s_fineness_as_the_face():
    points = torch.from_numpy(face_at(32, 32))[None] * 4
    target, face = (torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(n)) for n in range(2))
    aim = Aim(np.zeros((256, 256, 3), np.uint8), points[0].numpy(), np.zeros(3, np.float32))
    one = FaceCrop(aim, (0, 0, 256, 256), target, points, points, mask=torch.ones(1, 1, 256, 256), face=face)
    lit = replace(one, whites=torch.tensor([[0.8, 0.0, 0.0, 1.0]] * 2))
    color = replace(matched(one, MODELS), fineness=torch.tensor([[2.0, 0.5, 0.02, 0.7]]))
    crisp, plain = MODELS.with_blending(BlendOptions(fineness=0)), color.eased(0)
    results = [blended(lit, models, match).blended for models in (MODELS, crisp) for match in (color, plain)]
    assert torch.equal(results[2], results[3]) and not torch.equal(results[0], results[1])
    assert not torch.equal(results[2], blended(one, crisp, color).blended)

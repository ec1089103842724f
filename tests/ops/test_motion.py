from dataclasses import replace

import pytest
import torch

from fsgan_core.ops import face_model as F
from fsgan_core.ops import motion as M
from fsgan_core.ops.geometry import rotation_matrix
from fsgan_core.ops.head_mesh import place, points
from fsgan_core.ops.landmarks import LIPS_INNER
from fsgan_core.stages.pose import load_face_model


@pytest.fixture(scope="module")
def model():
    return load_face_model()


def face(model, pose=(0.0, 0.0, 0.0), seed=None, place=(120.0, 130.0, 0.0), scale=90.0, **expression):
    """One made-up face ``(478, 3)``."""
    coefficients = torch.zeros(1, len(model.names))
    for name, value in expression.items():
        coefficients[0, model.names.index(name)] = value
    identity = torch.zeros(1, len(model.identity))
    if seed is not None:
        identity = 0.6 * torch.randn(identity.shape, generator=torch.Generator().manual_seed(seed))
    rotation = rotation_matrix(torch.tensor([pose]))
    return F.points(model, F.Fit(torch.tensor([scale]), rotation, torch.tensor([place]), identity, coefficients))[0]


def sequence(model, seed=None):
    """A person who turns, opens the mouth and blinks."""
    return torch.stack(
        [
            face(model, (a, a / 3, 0.0), seed, (120.0 + a / 4, 130.0, 0.0), jawOpen=j, eyeBlink_L=b, eyeBlink_R=b)
            for a, j, b in ((-15.0, 0.0, 0.0), (0.0, 0.2, 1.0), (0.0, 0.6, 0.5), (15.0, 0.3, 0.0))
        ]
    )


def test_a_sequence_on_itself_returns_itself(model):
    target = sequence(model, seed=1)
    source = face(model, seed=1)
    result = M.transfer(model, source, target, travel=float("inf"))
    assert ((result - target)[..., :2].norm(dim=-1) / 90).mean().item() < 0.01


def test_identity_and_size_remain_the_sources(model):
    source = face(model, seed=2, scale=150.0)
    same = M.transfer(model, source, face(model, seed=3)[None])
    assert ((same[0] - source)[:, :2].norm(dim=-1) / 150).mean().item() < 0.015


def test_pose_alone_keeps_the_canonical_shape(model):
    source = face(model, (5.0, 3.0, 2.0), seed=4, mouthSmile_L=0.5)
    result = M.transfer(model, source, sequence(model), parts="pose", travel=0.0)
    for one, other in ((33, 263), (13, 14), (1, 152), (61, 291), (10, 234)):
        distance = (result[:, one] - result[:, other]).norm(dim=-1)
        torch.testing.assert_close(distance, (source[one] - source[other]).norm().expand(4), rtol=1e-4, atol=1e-3)
    turned = F.poses(model, result)[:, 0]
    assert turned[3] - turned[0] == pytest.approx(30, abs=2)


def test_expression_alone_keeps_the_pose(model):
    source = face(model, (20.0, 0.0, 0.0), seed=5)
    result = M.transfer(model, source, sequence(model), parts="expression")
    rigid = list(F.RIGID)
    assert (result[:, rigid] - source[rigid]).norm(dim=-1).max().item() / 90 < 0.03
    assert (result[2, 14] - result[2, 13]).norm().item() / 90 > 0.12


def test_mouth_alone_leaves_the_eyes(model):
    source = face(model, seed=6)
    result = M.transfer(model, source, sequence(model), parts="mouth")
    eyes = [159, 145, 386, 374, 33, 263, 468, 473]
    assert (result[:, eyes] - source[eyes]).norm(dim=-1).max().item() / 90 < 0.01
    assert (result[2, 14] - result[2, 13]).norm().item() / 90 > 0.12


@pytest.mark.parametrize("seed", range(4))
def test_lids_close_whoever_the_source_is(model, seed):
    source = face(model, seed=seed, eyeWide_L=0.4, eyeWide_R=0.4)
    result = M.transfer(model, source, sequence(model, seed=9), parts="expression")
    for lids in (M.RIGHT_LIDS, M.LEFT_LIDS):
        opened, closed = lids.width(result[0]).item() / 90, lids.width(result[1]).item() / 90
        assert opened > 0.05
        assert closed < 0.25 * opened
        upper, lower = (result[1, list(edge), 1] for edge in lids.rim)
        assert (lower - upper).max().item() / 90 < 0.3 * opened, "along the whole edge"


def narrowed(model, parts, lids=(M.RIGHT_LIDS, M.LEFT_LIDS)):
    """A face that blinks, its lids coming together by so much in each frame."""
    calm = face(model, (5.0, 8.0, 3.0), seed=9)[None].repeat(len(parts), 1, 1)
    placed = place(model.mean, calm)
    shape = placed.shape
    for one in lids:
        shape = one.closed(model, placed.shape, shape, torch.tensor(parts))
    return points(replace(placed, shape=shape))


def widths(model, landmarks):
    shape = place(model.mean, landmarks).shape
    return torch.stack([lids.width(shape) for lids in (M.RIGHT_LIDS, M.LEFT_LIDS)])


def test_lids_that_nearly_meet_are_shut_and_open_ones_stay(model):
    before = narrowed(model, (0.0, 0.0, 0.0, 0.4, 0.7, 0.85, 0.95, 1.0))
    after = M.shut(model, before)
    torch.testing.assert_close(after[:4], before[:4], rtol=0, atol=0)
    share = widths(model, after) / widths(model, before[:1])
    assert (share[:, 5:].abs() < 0.02).all() and (share[:, 4] > 0.1).all() and (share[:, 4] < 0.3).all()
    far = [1, 4, 61, 152, 234, 468]
    assert (after[:, far] - before[:, far]).abs().max() < 0.5, "nothing but the eyes moves, in pixels of a 90 px face"


def test_each_eye_shuts_by_itself(model):
    winking = narrowed(model, (0.0, 0.0, 0.9), (M.LEFT_LIDS,))
    right, left = (widths(model, M.shut(model, winking)) / widths(model, winking[:1]))[:, 2]
    assert right.item() == pytest.approx(1, abs=0.03) and left.item() == pytest.approx(0, abs=0.02)


def test_a_blink_shuts_as_steadily_as_it_was_measured(model):
    way = widths(model, M.shut(model, narrowed(model, (0.0,) * 25 + tuple(torch.linspace(0, 1, 21).tolist()))))
    steps = way.diff()[:, 24:] / way[:, :1]
    assert (steps <= 1e-4).all() and steps.min() > -0.1


@pytest.mark.parametrize(("part", "shuts"), [(0.0, False), (0.5, False), (0.95, True)])
def test_a_single_picture_says_for_itself_whether_its_eyes_are_shut(model, part, shuts):
    still = narrowed(model, (part,))
    after = M.shut(model, still)
    assert (widths(model, after).abs() < 1e-3).all() == shuts
    assert torch.equal(after, still) != shuts


def test_openings_close_by_as_much_as_each_frame_says(model):
    frames = face(model, seed=3)[None].repeat(3, 1, 1)
    parts = torch.tensor((0.0, 0.5, 1.0))
    together = M.LEFT_LIDS.closed(model, frames, frames, parts)
    alone = torch.cat([M.LEFT_LIDS.closed(model, frames[:1], frames[:1], float(part)) for part in parts])
    torch.testing.assert_close(together, alone)
    torch.testing.assert_close(together[0], frames[0])


@pytest.mark.parametrize("seed", range(4))
def test_lips_close_whoever_the_source_is(model, seed):
    source = face(model, seed=seed, jawOpen=0.4, mouthUpperUp_L=0.3)
    result = M.transfer(model, source, face(model)[None], parts="mouth")
    assert M.LIPS.width(result).item() / 90 < 0.02


def test_gaze_follows(model):
    away = face(model, eyeLookOut_L=0.6, eyeLookIn_R=0.6)
    result = M.transfer(model, face(model, seed=7), away[None], parts="expression")[0]
    plain = M.transfer(model, face(model, seed=7), face(model)[None], parts="expression")[0]
    assert ((result - plain)[[468, 473], 0] / 90 > 0.02).all()


def test_an_iris_lies_between_its_corners_as_the_targets_does(model):
    away = face(model, (10.0, 0.0, 0.0), seed=4)
    away[468:, 0] += 7
    seen, result = (
        place(model.mean, one).shape for one in (away[None], M.transfer(model, face(model, seed=7), away[None]))
    )
    for iris, corners in ((468, [33, 133]), (473, [362, 263])):
        wanted, found = (
            (shape[0, iris, 0] - shape[0, corners[0], 0]) / (shape[0, corners[1], 0] - shape[0, corners[0], 0])
            for shape in (seen, result)
        )
        assert found.item() == pytest.approx(wanted.item(), abs=0.02)


def test_travel_holds_the_head(model):
    far = torch.stack([face(model, place=(x, 130.0, 0.0)) for x in (0.0, 120.0, 600.0)])
    middle = far.mean(1)
    for travel, limit in ((0.0, 0.02), (0.5, 0.52)):
        result = M.transfer(model, face(model), far, travel=travel).mean(1)
        spread = (result - result.mean(0))[:, :2].norm(dim=1).max().item() / 90
        assert spread < 2 * limit
    free = M.transfer(model, face(model), far, travel=float("inf")).mean(1)
    torch.testing.assert_close(free - free[0], middle - middle[0], atol=1.0, rtol=0)


def test_unknown_parts_are_refused(model):
    with pytest.raises(ValueError, match="expected one of all"):
        M.transfer(model, face(model), face(model)[None], parts="nose")


def test_lip_points_are_lips():
    assert {*M.LIPS.upper, *M.LIPS.lower} <= set(LIPS_INNER)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_proportions_are_the_sources_and_the_motion_is_the_targets(model, share):
    theirs = sequence(model, seed=3)
    ours = face(model, (8.0, -4.0, 3.0), seed=2, scale=150.0, mouthSmile_L=0.4, mouthSmile_R=0.4)
    wanted = torch.lerp(theirs, sequence(model, seed=2), share)
    result = M.proportioned(model, ours, theirs, share)
    off = ((result - wanted)[..., :2].norm(dim=-1) / 90).mean().item()
    assert off < 0.02
    if share == 1:
        assert off < 0.5 * ((theirs - wanted)[..., :2].norm(dim=-1) / 90).mean().item()


def brow_moves(model, heights, parts="all"):
    """How far the source's right brow moves where the target's is lifted by so much, in canonical units."""
    brow = [105, 66, 107, 52, 65]
    target = face(model, seed=5).expand(len(heights), -1, -1).clone()
    target[:, brow, 1] -= 90.0 * torch.tensor(heights)[:, None]
    result = M.transfer(model, face(model, seed=6, scale=90.0), target, parts=parts, travel=0.0)
    shape = place(model.mean, result).shape
    return -(shape[:, brow, 1] - shape[:1, brow, 1]).mean(1)


def test_a_brow_that_the_model_explains_badly_moves_all_the_way(model):
    heights = [0.0] * 5 + [0.01, 0.02, 0.03, 0.04] + [0.05] * 6
    assert brow_moves(model, heights)[-1].item() == pytest.approx(0.05, rel=0.15)
    assert brow_moves(model, heights, "mouth")[-1].abs().item() < 0.01


def test_what_the_model_does_not_explain_is_calmed(model):
    moved = brow_moves(model, [0.0, 0.04] * 8)[4:-4]
    assert moved.diff().abs().max().item() < 0.02

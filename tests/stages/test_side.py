"""Sources and targets that look far apart: what is drawn, what is mirrored and what is left to the target."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fsgan_core.ops.geometry import rotation_matrix
from fsgan_core.ops.head_mesh import place
from fsgan_core.stages.layers import Anchor
from fsgan_core.stages.pose import load_face_model
from fsgan_core.stages.reenactment import FlowOptions, FlowReenactor
from fsgan_core.stages.side import kept_side
from fsgan_core.stages.surroundings import surroundings_flow, surroundings_motion
from fsgan_core.stages.views import prepare
from fsgan_core.stages.warping import warp

MODEL = load_face_model()
SIZE = 128
GEOMETRY = FlowReenactor(MODEL, FlowOptions(refine=False))
CHEEK, EAR, NOSE = {-1: 123, 1: 352}, {-1: 234, 1: 454}, {-1: 36, 1: 266}
"""Landmarks of the outer cheek and before the ear and beside the nose, on the picture's left and right."""


def face(yaw=0.0, pitch=0.0):
    turned = MODEL.mean @ rotation_matrix(torch.tensor([[yaw, pitch, 0.0]]))[0].T
    return turned * (0.36 * SIZE) + torch.tensor([SIZE / 2, SIZE / 2, 0.0])


def view(yaw=0.0):
    """A face whose half on the picture's left is dark."""
    shade = np.where(np.arange(SIZE) < SIZE / 2, 60, 200).astype(np.uint8)
    return prepare(np.broadcast_to(shade[None, :, None], (SIZE, SIZE, 3)), face(yaw), MODEL)


def kept(views, points, weights=None):
    weights = weights or [1 / len(views)] * len(views)
    return kept_side(views, weights, place(MODEL.mean, points), points, SIZE, MODEL)


def at(field, yaw, number):
    x, y = face(yaw)[number, :2].long().tolist()
    return field[0, 0, y, x].item()


@pytest.mark.parametrize("yaw", [-65.0, 65.0])
def test_a_profile_keeps_its_own_side_where_the_source_is_frontal(yaw):
    seen, side = kept([view()], face(yaw)[None]), -1 if yaw > 0 else 1
    x = face(yaw)[[EAR[side], CHEEK[side]], 0].mean().long().item()
    y = face(yaw)[CHEEK[side], 1].long().item()
    assert seen[0, 0, y, x] < 0.5 and at(seen, yaw, NOSE[side]) > 0.95 and seen.min() > -1e-6


def test_a_second_view_from_that_side_or_a_small_turn_keep_all_of_it():
    assert kept([view()], face(15.0)[None]).min() == 1
    assert kept([view(), view(60.0)], face(65.0)[None]).min() == 1


@pytest.mark.parametrize("pitch", [-31.0, 31.0])
def test_a_nose_seen_from_below_or_above_in_one_face_alone_stays_the_targets(pitch):
    points = face(0.0, pitch)[None]
    seen = kept([view()], points)
    for number, least, most in ((1, -1e-6, 0.02), (5, -1e-6, 0.02), (13, 0.99, 1.0), (50, 0.99, 1.0), (280, 0.99, 1.0)):
        x, y = points[0, number, :2].long().tolist()
        assert least <= seen[0, 0, y, x] <= most
    near = face(0.0, 15.0)[None]
    assert kept([view()], near).min() == 1
    grey = np.full((SIZE, SIZE, 3), 128, np.uint8)
    assert at(kept([prepare(grey, face(0.0, -11.0), MODEL)], face(0.0, 11.0)[None]), 0.0, 5) > 0.99


def test_a_mouth_that_is_open_in_one_of_two_tilted_faces_stays_the_targets():
    shape = MODEL.mean + 0.9 * MODEL.expression[MODEL.names.index("jawOpen")]
    points = (shape @ rotation_matrix(torch.tensor([[0.0, 38.0, 0.0]]))[0].T)[None] * (0.36 * SIZE)
    points = points + torch.tensor([SIZE / 2, SIZE / 2, 0.0])
    seen = kept([view()], points)
    x, y = points[0, 0, :2].long().tolist()
    assert seen[0, 0, y, x] < 0.05


@pytest.mark.parametrize(("pitch", "least", "most"), [(25.0, 0.9, 1.01), (45.0, -0.01, 0.05)])
def test_of_a_source_from_steeply_below_nothing_between_brows_and_chin_is_drawn(pitch, least, most):
    grey, points = np.full((SIZE, SIZE, 3), 128, np.uint8), face()[None]
    seen = kept([prepare(grey, face(0.0, pitch), MODEL)], points)
    assert all(least <= at(seen, 0.0, number) <= most for number in (0, 17, 9, 66, 145, 374, 205, 425))
    assert min(at(seen, 0.0, number) for number in (172, 397)) > 0.9


EYES = (133, 145, 33, 362, 374, 263)
"""Corners and middles of the lower lids, on the picture's left and right."""


@pytest.mark.parametrize(("yaw", "whole"), [(40.0, True), (65.0, False)])
def test_an_eye_of_a_profile_stays_the_targets(yaw, whole):
    seen, near = kept([view()], face(yaw)[None]), EYES[:3]
    assert all((at(seen, yaw, number) > 0.95) == whole for number in near)
    assert whole or max(at(seen, yaw, number) for number in near) < 0.02
    both = kept([view(), view(yaw)], face(yaw)[None])
    assert min(at(both, yaw, number) for number in near) > 0.95


@pytest.mark.parametrize("yaw", [-65.0, 65.0])
def test_a_cheek_in_profile_stays_the_targets_and_its_nose_does_not(yaw):
    seen, side = kept([view()], face(yaw)[None]), -1 if yaw > 0 else 1
    assert at(seen, yaw, {-1: 187, 1: 411}[side]) < 0.5 < 0.95 < at(seen, yaw, 1)
    # What a profile shows of its own cheek is enough for a face that looks at the camera.
    assert at(kept([view(yaw)], face()[None]), 0.0, {-1: 50, 1: 280}[side]) > 0.95


def closing(amount, eyes="LR"):
    names = [MODEL.names.index(f"eyeBlink_{eye}") for eye in eyes]
    return (MODEL.mean + amount * MODEL.expression[names].sum(0)) * (0.36 * SIZE) + SIZE / 2


@pytest.mark.parametrize(("eyes", "shown"), [("L", True), ("R", True), ("LR", False)])
def test_lids_that_close_are_the_sources_unless_its_own_are_shut(eyes, shown):
    assert kept([view()], closing(1.0, eyes)[None]).min() == 1
    asleep = prepare(np.full((SIZE, SIZE, 3), 128, np.uint8), closing(1.0, eyes), MODEL)
    for target in (face(), closing(1.0)):
        seen = kept([asleep], target[None])
        assert all((at(seen, 0.0, number) > 0.95) == shown for number in EYES) and at(seen, 0.0, 50) > 0.95
        assert kept([asleep, view()], target[None]).min() == 1


@pytest.mark.parametrize(("first", "last", "places"), [((0, 16), (0, 42), (4, 145)), ((42, 0), (68, 0), (145,))])
def test_noses_and_eyes_of_a_turning_head_are_left_to_the_target_gradually(first, last, places):
    front, seen = view(), []
    for share in torch.linspace(0, 1, 53):
        yaw, pitch = torch.lerp(*torch.tensor((first, last), dtype=torch.float32), share).tolist()
        drawn = kept([front], face(yaw, pitch)[None])
        seen.append([drawn[0, 0, y, x].item() for x, y in face(yaw, pitch)[list(places), :2].long().tolist()])
    assert min(seen[0]) > 0.99 and max(seen[-1]) < 0.02 and np.abs(np.diff(seen, axis=0)).max() < 0.16


def screaming(amount):
    return (MODEL.mean + amount * MODEL.expression[MODEL.names.index("jawOpen")]) * (0.36 * SIZE) + SIZE / 2


def test_a_scream_leaves_mouth_and_chin_to_a_shut_mouth_but_not_to_another_scream():
    grey = np.full((SIZE, SIZE, 3), 128, np.uint8)
    source, shut = prepare(grey, screaming(0.9), MODEL), face()[None]
    seen = kept([source], shut)
    assert max(at(seen, 0.0, number) for number in (0, 17, 200)) < 0.05
    assert min(at(seen, 0.0, number) for number in (1, 50, 280, 10)) > 0.95
    assert seen[:, 1].min() == 1  # for those who want the source's mouth
    open_too = screaming(0.9)[None]
    assert kept([source], open_too).min() == 1
    # What counts is how much of the face comes from which picture.
    calm = prepare(grey, face(), MODEL)
    for share in (0.1, 0.9):
        assert at(kept([source, calm], shut, [share, 1 - share]), 0.0, 17) == pytest.approx(1 - share, abs=0.02)
    # The other way round the inside of the mouth is drawn, and all of the lips.
    assert kept([view()], open_too).min() == 1


def test_a_mask_of_a_turned_face_ends_where_its_side_is_not_drawn():
    yaw, points = 65.0, face(65.0)[None]
    frontal, profile = (GEOMETRY([seen], [1.0], points, SIZE).mask for seen in (view(), view(yaw)))
    assert at(frontal, yaw, NOSE[-1]) > 0.85
    assert frontal.sum() < 0.9 * profile.sum()


def test_a_profile_that_does_not_move_keeps_its_own_pixels_in_its_own_picture():
    shade = np.random.default_rng(0).integers(40, 215, (SIZE // 4, SIZE // 4, 3), np.uint8)
    picture = shade.repeat(4, 0).repeat(4, 1)
    still = prepare(picture, face(65.0), MODEL)
    drawn = GEOMETRY([still], [1.0], face(65.0)[None], SIZE, Anchor(1.0, 0.0, 0.0), surroundings=True)
    torch.testing.assert_close(drawn.image, still.levels[0], atol=2e-3, rtol=0)


def test_the_far_half_of_a_profile_counts_as_hidden():
    far = MODEL.mean[:, 0] > 0.1
    assert view(65.0).visibility[0, far].max() < 0.05
    assert view(65.0).visibility[0, MODEL.mean[:, 0] < -0.2].mean() > 0.5
    assert view(25.0).visibility[0, far].mean() > 0.4


def test_a_path_through_faces_that_hide_a_place_does_not_lead_it_astray():
    goal = place(MODEL.mean, face()[None])
    straight, along = (warp(view(65.0), goal, (SIZE, SIZE), MODEL, None, steps) for steps in (1, 3))
    inside = along.mask > 0
    away = (straight.mirror_flow - along.mirror_flow).norm(dim=1, keepdim=True)[inside]
    assert away.quantile(0.99) < 2 and along.steps == 3


def test_what_turns_into_sight_is_not_drawn_as_streaks():
    stripes = np.where(np.arange(SIZE) % 4 < 2, 60, 200).astype(np.uint8)
    source = prepare(np.broadcast_to(stripes[:, None, None], (SIZE, SIZE, 3)), face(), MODEL)
    engine, anchor = FlowReenactor(MODEL, FlowOptions(refine=False)), Anchor(1.0, 0.0, 0.0)
    drawn = engine([source], [1.0], face(40.0)[None], SIZE, anchor).image
    x, y = face(40.0)[[EAR[-1], CHEEK[-1]], :2].mean(0).long().tolist()
    middle, beside = face(40.0)[[151, 330], :2].long().tolist()
    assert drawn[..., y - 6 : y + 6, x].std() < 0.35 * drawn[..., beside[1] - 6 : beside[1] + 6, beside[0]].std()
    still = engine([source], [1.0], face()[None], SIZE, anchor).image
    assert drawn[..., middle[1] - 6 : middle[1] + 6, middle[0]].std() > 0.8 * still[..., 50:62, SIZE // 2].std()


def test_a_picture_of_a_few_pixels_is_drawn_turned():
    few = prepare(np.full((5, 9, 3), 128, np.uint8), face() * (9 / SIZE), MODEL)
    drawn = GEOMETRY([few], [1.0], face(50.0)[None], SIZE)
    assert drawn.image.isfinite().all()


def test_a_head_that_moves_in_a_tight_picture_leaves_its_border_in_place():
    shift = torch.tensor([0.0, -26.0, 0.0])
    frame = np.full((SIZE, SIZE, 3), 128, np.uint8)
    source = prepare(frame, face() + shift, MODEL)
    points = (face() + shift + torch.tensor([0.0, 12.0, 0.0]))[None]
    goal = place(MODEL.mean, points)
    layer = warp(source, goal, (SIZE, SIZE), MODEL, Anchor(1.0, 0.0, 0.0))
    layers = (replace(layer, own=own) for own in (False, True))
    free, held = (surroundings_flow(one, surroundings_motion(one, goal), SIZE) for one in layers)
    assert free.min() < -4 and held.min() > -1.5 and held.max() < SIZE + 1.5
    face_there = layer.near.expand_as(held) > 0
    assert torch.equal(free[face_there], held[face_there])

"""Frames of glasses: believed as a whole where they are seen in part, and nowhere else."""

import numpy as np
import pytest
import torch
from drawn_glasses import EYES, GLASSES, MODEL, PRIOR, SIZE, TRACE, kept_whole, look, moved, rings

from fsgan_core.models import Models
from fsgan_core.pipeline import analyze
from fsgan_core.stages.glasses import Look, hidden_share
from fsgan_core.stages.open_segmentation import mesh_prior
from fsgan_core.streams import Still
from fsgan_core.training.crop_occluders import Props, draw
from fsgan_core.training.occluder_drawings import face_place

RIM = slice(EYES + 12, EYES + 14)


def answer(bridge=0.9, rim=0.3):
    """A bridge that is surely seen, a rim that is hardly, from it to below one eye, and an iris."""
    hidden = torch.zeros(1, 1, SIZE, SIZE)
    hidden[..., EYES - 2 : EYES + 4, 70:122] = bridge
    hidden[..., EYES + 4 : RIM.stop, 119:121] = rim
    hidden[..., RIM, 119:150] = rim
    hidden[..., EYES : EYES + 3, 137:140] = rim
    return hidden


def below(turn, side):
    return torch.where(turn < -0.3, 0.12, 0.9)


def test_rims_are_followed_where_they_are_hardly_seen():
    found = kept_whole(rings(below), 0.6 - 0.1 * rings())
    whole = rings(thick=0.7) > 0.9
    assert (kept_whole(rings())[whole] > 0.8).all()
    assert (found[whole] > 0.5).float().mean() > 0.9
    assert found[rings(thick=5) == 0].max() < 0.1


def test_short_gaps_are_closed_and_rims_without_a_lower_half_stay_so():
    def gap(turn, side):
        return torch.where((turn + 1.2).abs() < 0.35, 0.0, 0.9)

    def upper(turn, side):
        return torch.where(turn < 0, 0.0, 0.9)

    lower = rings(lambda turn, side: (turn < -0.6).float(), thick=0.7) == 1
    assert (kept_whole(rings(gap))[lower] > 0.5).float().mean() > 0.9
    assert kept_whole(rings(upper))[lower].mean() < 0.05


def test_an_edge_of_the_picture_helps_where_the_network_sees_nothing():
    def one_side(turn, side):
        return torch.where((turn < 0) & (turn.new_tensor(side) > 0), 0.03, 0.9)

    picture = 0.6 - 0.4 * rings()
    lower = rings(lambda turn, side: (turn < -0.6).float() * (side > 0), thick=0.7) == 1
    assert kept_whole(rings(one_side), picture)[lower].mean() > kept_whole(rings(one_side))[lower].mean() + 0.3


def test_lids_behind_clear_lenses_are_face_and_hands_and_dark_lenses_are_not():
    lid, hand, dark = rings(), rings(), rings()
    lid[..., EYES : EYES + 6, 60:76] = 0.7
    hand[..., EYES : EYES + 6, 60:76] = 1.0
    disc = rings(thick=20) > 0
    dark[disc] = 0.7
    assert kept_whole(lid)[..., EYES : EYES + 6, 60:76].mean() < 0.05
    assert kept_whole(hand)[..., EYES : EYES + 6, 60:76].mean() > 0.9
    assert kept_whole(dark)[disc].mean() > 0.85


def test_rims_are_looked_for_in_the_plane_that_glasses_are_worn_in():
    turned = moved(MODEL.mean, 0.5, (100.0, 80.0))
    lens = torch.tensor([[0.3, 0.1, -0.12]])
    found = TRACE.plane(turned)[0] @ torch.tensor([0.3, 0.1, 1.0])
    torch.testing.assert_close(found, moved(lens, 0.5, (100.0, 80.0))[0, 0, :2])


def test_glasses_that_one_frame_hardly_shows_stay_as_the_frames_before_had_them():
    weak = 0.45 * rings()
    (alone, _), (kept, seen) = GLASSES.kept_whole(weak, look()), GLASSES.kept_whole(rings(), look())
    for _ in range(3):
        kept, seen = GLASSES.kept_whole(weak, look(), seen)
    whole = rings(thick=0.7) == 1
    assert torch.equal(alone, weak), "by itself it shows none"
    assert kept[whole].mean() > 0.9


def test_what_was_seen_moves_with_the_face_and_hands_are_seen_at_once():
    _, seen = GLASSES.kept_whole(rings(), look())
    place = (SIZE / 2 + 9, SIZE / 2 - 10)
    points = moved(MODEL.mean, 0, place)
    there = Look(look().pictures, points, mesh_prior(points, MODEL, SIZE))
    hidden = 0.6 * rings().roll(9, 3)
    hidden[..., EYES + 8 : EYES + 16, 40:160] = 1
    _, after = GLASSES.kept_whole(hidden, there, seen)
    upper = (rings(thick=0.7) == 1).roll(9, 3) & (torch.arange(SIZE) < EYES)[:, None]
    assert after.hidden[upper].mean() > 0.65
    assert after.hidden[..., EYES + 9 : EYES + 15, 60:140].min() > 0.99


def test_what_comes_once_is_no_glasses():
    _, bare = GLASSES.kept_whole(torch.zeros(1, 1, SIZE, SIZE), look())
    speck = torch.zeros(1, 1, SIZE, SIZE)
    speck[..., EYES - 2 : EYES + 4, 80:112] = 0.9
    assert hidden_share(speck, PRIOR) > 0.05
    assert GLASSES.kept_whole(speck, look())[0] is not speck
    assert GLASSES.kept_whole(speck, look(), bare)[0] is speck


def test_a_rim_that_is_hardly_seen_is_kept_with_its_bridge():
    found = kept_whole(answer())
    assert hidden_share(answer(), PRIOR) > 0.05
    assert (found[..., RIM, 122:138] > 0.8).all()
    assert not found[..., EYES - 4 : EYES + 6, 134:144].any()
    assert not found[..., RIM.stop + 8 :, :].any()


def test_without_glasses_nothing_changes():
    bare = answer(bridge=0.2)
    assert kept_whole(bare) is bare
    low = torch.zeros(1, 1, SIZE, SIZE)
    low[..., EYES + 60 : EYES + 90, :] = 1  # a hand at the mouth is none
    assert kept_whole(low) is low


def test_items_do_not_influence_each_other():
    both = torch.cat((answer(), answer(bridge=0.2)))
    found = kept_whole(both)
    assert torch.equal(found[1], both[1])
    torch.testing.assert_close(found[:1], kept_whole(answer()))


@pytest.fixture(scope="module")
def seen(face):
    """The stages, a bare face and its landmarks ``(1, 478, 3)``."""
    models = Models.load()
    return models, face, torch.from_numpy(analyze(Still(face), models).faces[0].landmarks[:1])


def share_hidden(seen, picture):
    models, _, points = seen
    image = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None].float() / 255
    return 1 - models.segmentation(image, points)[0, 0].numpy()


def test_drawn_glasses_are_found_and_a_bare_face_has_none(seen):
    _, face, points = seen
    place, found = face_place(face, points[0, :, :2].numpy()), []
    eyes = slice(*(int(points[0, k, 1]) for k in (105, 4)))
    bare = share_hidden(seen, face)
    oval = np.zeros(bare.shape, bool)
    oval[eyes, int(points[0, 33, 0]) : int(points[0, 263, 0])] = True
    assert bare[oval].mean() < 0.01
    for seed in range(8):
        layer = draw(np.random.default_rng(seed), place, Props(), "glasses")
        worn_face = face + (layer.color.clip(0, 255) - face) * layer.alpha[..., None]
        frame = (layer.hidden > 0.5) & oval
        found.append(share_hidden(seen, worn_face.round().astype(np.uint8))[frame].mean())
    assert np.median(found) > 0.7


def test_landmarks_that_are_no_face_do_not_fail():
    there = Look(look().pictures, torch.full((1, 478, 3), 50.0), PRIOR)
    _, seen = GLASSES.kept_whole(rings(), there)
    found, _ = GLASSES.kept_whole(rings(), there, seen)
    assert found.isfinite().all()

"""A pair of glasses has one kind of lens: what hides one eye hides the other."""

import torch
from drawn_glasses import EYES, GLASSES, MODEL, SIZE, TRACE, kept_whole, look, moved, rings

from fsgan_core.ops.flow import identity
from fsgan_core.stages.glasses import Look
from fsgan_core.stages.open_segmentation import mesh_prior


def lens(side, radius):
    y, x = (line + 0.5 for line in torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij"))
    return (torch.hypot(x - SIZE / 2 - side * 28, y - EYES - 3) < radius)[None, None]


def one_dark(line=3):
    """One lens is hidden, and of the other its rim and what is above a line."""
    upper = torch.arange(SIZE)[:, None] < EYES + line
    return torch.maximum(rings(), 0.9 * (lens(-1, 20) | lens(1, 20) & upper).float())


def test_of_a_pair_with_one_dark_lens_both_are_dark_and_nothing_else_is():
    disc, beyond = lens(-1, 19) | lens(1, 19), ~(lens(-1, 25) | lens(1, 25))
    beyond[..., EYES - 4 : EYES + 8, :] = False
    found = kept_whole(one_dark())
    assert found[disc].min() > 0.9
    assert found[beyond].max() < 0.1
    assert torch.equal(kept_whole(one_dark(-40))[lens(1, 16)], torch.zeros(int(lens(1, 16).sum()))), "or a hand"


def test_a_turned_pair_is_dark_where_its_far_lens_is_hardly_seen():
    points = moved(MODEL.mean, 0.6, (SIZE / 2, SIZE / 2 - 10))
    there = Look(look().pictures, points, mesh_prior(points, MODEL, SIZE))
    lenses = TRACE(torch.zeros(1, 1, SIZE, SIZE), there.pictures, points)
    away = lenses.away(identity(SIZE, SIZE, points)).norm(dim=2)
    inside, (far, near) = there.prior[:, :1] > 0, order(lenses)
    far, near = inside & (away[:, far : far + 1] < 0.8), inside & (away[:, near : near + 1] < 0.95)
    hidden = 0.95 * near.float()
    hidden[..., EYES - 6 : EYES + 6, :] = (0.9 * inside)[..., EYES - 6 : EYES + 6, :]
    found, _ = GLASSES.kept_whole(hidden, there)
    assert far.sum() > 50
    assert found[far].mean() > 0.8


def order(lenses):
    """Numbers of the far and the near lens."""
    far = int(lenses.centre[0, :, 0].sub(SIZE / 2).abs().argmin())
    return far, 1 - far


def test_lenses_of_a_track_do_not_turn_dark_by_one_frame():
    _, seen = GLASSES.kept_whole(rings(), look())
    eye = (..., slice(EYES + 8, EYES + 12), slice(118, 130))
    once, seen = GLASSES.kept_whole(one_dark(), look(), seen)
    assert once[eye].mean() < 0.05
    for _ in range(12):
        kept, seen = GLASSES.kept_whole(one_dark(), look(), seen)
    assert kept[eye].mean() > 0.95

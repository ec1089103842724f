"""Glasses of a source, taken off as a stiff layer and drawn on another face."""

from dataclasses import replace

import pytest
import torch

from fsgan_core.ops.color import ColorMatch
from fsgan_core.ops.flow import identity
from fsgan_core.ops.geometry import rotation_matrix
from fsgan_core.stages.glasses_over import laid_over, unless_in_front
from fsgan_core.stages.glasses_seen import Covered, SeenGlasses, seen_glasses
from fsgan_core.stages.lenses import Lenses, LensTracer
from fsgan_core.stages.pose import load_face_model
from fsgan_core.stages.worn_glasses import WornGlasses

MODEL = load_face_model()
SIZE = 200
FRAME = torch.tensor([0.1, 0.1, 0.4])


def face(yaw: float = 0.0, scale: float = 0.4, roll: float = 0.0) -> torch.Tensor:
    turned = MODEL.mean @ rotation_matrix(torch.tensor([[yaw, 0.0, roll]]))[0].T
    return (turned * (scale * SIZE) + torch.tensor([SIZE / 2, SIZE / 2, 0.0]))[None]


def grid(landmarks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Where pixels of the crop are on an upright face."""
    y, x = torch.meshgrid(*[(torch.arange(SIZE) + 0.5 - SIZE / 2) / (0.4 * SIZE)] * 2, indexing="ij")
    return x, y


def seen(mesh: torch.Tensor | None = None) -> SeenGlasses:
    """Two dark squares as frames, joined by a bridge."""
    x, y = grid(face())
    box = (x.abs() - 0.35).abs().maximum(1.2 * (y - 0.05).abs())
    frame = ((box < 0.24) & (box > 0.18) | (x.abs() < 0.14) & (y.abs() < 0.03)).float()[None, None]
    picture = torch.lerp(
        torch.full((1, 3, SIZE, SIZE), 0.7), FRAME[None, :, None, None].expand(1, 3, SIZE, SIZE), frame
    )
    mesh = torch.ones_like(frame) if mesh is None else mesh
    return SeenGlasses(picture, torch.maximum(frame, 1 - mesh), torch.zeros_like(frame), torch.zeros_like(frame), mesh)


def test_on_its_own_face_a_pair_is_where_it_was() -> None:
    one = seen()
    layer = WornGlasses.taken(one, face(), MODEL).drawn(face(), SIZE)
    assert (layer[:, 3:] - one.hidden).abs().mean() < 0.01
    on = layer[0, 3] > 0.95
    assert (layer[0, :3, on] - FRAME[:, None]).abs().max() < 0.1
    assert layer[..., int(0.75 * SIZE) :, :].abs().max() == 0


def test_a_pair_goes_with_the_face() -> None:
    glasses = WornGlasses.taken(seen(), face(), MODEL)
    straight, small, tilted = (glasses.drawn(one, SIZE)[0, 3] for one in (face(), face(scale=0.2), face(roll=90.0)))
    assert abs(float(straight.sum() / small.sum()) - 4) < 0.2
    rows, columns = straight.sum(1), straight.sum(0)
    assert (rows > 1).sum() < 0.6 * (columns > 1).sum()
    assert (tilted.sum(1) > 1).sum() > 1.5 * (tilted.sum(0) > 1).sum()


@pytest.mark.parametrize(("yaw", "scale"), [(89.5, 0.4), (90.0, 0.4), (85.0, 0.05), (0.0, 0.004)])
def test_a_face_from_its_very_side_or_of_a_few_pixels_is_no_error(yaw: float, scale: float) -> None:
    layer = WornGlasses.taken(seen(), face(), MODEL).drawn(face(yaw, scale), SIZE)
    assert layer.isfinite().all() and layer[:, 3:].mean() < 0.03


def test_what_the_mesh_does_not_show_is_mirrored() -> None:
    x, _ = grid(face())
    cut = seen((x < 0.45).float()[None, None])
    whole, mended = (WornGlasses.taken(one, face(), MODEL).drawn(face(), SIZE)[:, 3:] for one in (seen(), cut))
    assert ((mended - whole).abs() > 0.5).float().mean() < 0.002


def test_of_a_turned_face_the_near_half_is_taken() -> None:
    one = seen()
    x, _ = grid(face())
    hidden = one.hidden * (x < 0)
    layers = [WornGlasses.taken(replace(one, hidden=hidden), face(yaw), MODEL).layer[:, 3:] for yaw in (0.0, 35.0)]
    left, right = (layers[1] > 0.5).float().chunk(2, 3)
    assert (layers[0].chunk(2, 3)[1] > 0.5).float().mean() < 0.01
    assert (left - right.flip(3)).abs().mean() < 0.02 and right.mean() > 0.05


@pytest.mark.parametrize("worse", [-1, 1])
def test_the_half_that_is_seen_worse_is_the_mirror_image_of_the_other(worse: int) -> None:
    one, (x, _) = seen(), grid(face())
    torn = replace(one, hidden=one.hidden * (worse * x < 0), worse=worse)
    whole, mended = (WornGlasses.taken(each, face(), MODEL).layer[:, 3:] for each in (one, torn))
    assert (whole - mended).abs().mean() < 0.01


def test_large_frames_keep_their_corners() -> None:
    one, (x, y) = seen(), grid(face())
    corner = ((x.abs() - 0.62).abs().maximum((y - 0.34).abs()) < 0.03).float()[None, None]
    near, alone = (replace(one, hidden=corner, near=values) for values in (torch.ones_like(corner), one.near))
    kept, cut = (WornGlasses.taken(each, face(), MODEL).drawn(face(), SIZE)[:, 3:] for each in (near, alone))
    assert kept[corner > 0].mean() > 0.8 > cut[corner > 0].mean() + 0.4


CLEAR, DARK = torch.zeros(1, 2), torch.ones(1, 2)


def lenses() -> Lenses:
    found = LensTracer(MODEL)(torch.zeros(1, 1, SIZE, SIZE), torch.full((1, 3, SIZE, SIZE), 0.5), face())
    return replace(found, radius=torch.ones_like(found.radius), belief=torch.ones_like(found.belief))


def covered(hidden: torch.Tensor, line: float = 0.1) -> Covered:
    skin = torch.full((1, 3, SIZE, SIZE), 0.7)
    return Covered(
        torch.lerp(skin, torch.full_like(skin, line), hidden), 1 - hidden, skin, hidden, torch.ones_like(hidden)
    )


def test_a_line_that_looks_like_skin_is_none() -> None:
    rim, mesh = lenses().drawn(identity(SIZE, SIZE, FRAME))[0], torch.ones(1, 1, SIZE, SIZE)
    dark, skin = (seen_glasses(covered(rim, line), mesh, lenses(), CLEAR).hidden for line in (0.1, 0.69))
    assert dark[rim > 0.9].min() > 0.9 and skin[rim > 0.9].max() < 0.1


def test_dark_lenses_reach_their_rims_and_a_torn_half_is_told() -> None:
    mesh, within = torch.ones(1, 1, SIZE, SIZE), lenses().drawn(identity(SIZE, SIZE, FRAME))[1]
    rim = lenses().drawn(identity(SIZE, SIZE, FRAME))[0]
    both = seen_glasses(replace(covered(within.amax(1, keepdim=True)), thin=0 * mesh), mesh, lenses(), DARK)
    assert both.hidden[rim > 0.9].mean() > 0.9 and both.worse == 0
    wrinkled = lenses().radius.clone()
    wrinkled[0, 1, ::2] += 0.1
    for side, radius in ((1, wrinkled), (-1, wrinkled.flip(1)), (0, lenses().radius)):
        assert seen_glasses(covered(0 * mesh), mesh, replace(lenses(), radius=radius), CLEAR).worse == side
    reflection = within[:, :1] * (within.cumsum(3)[:, :1] < 8)
    assert seen_glasses(covered(reflection), mesh, lenses(), CLEAR).worse == -1
    assert seen_glasses(covered(reflection), mesh, lenses(), torch.tensor([[0.9, 0.6]])).worse == 1


def test_one_pair_is_enough() -> None:
    one, mask = seen(), torch.ones(1, 1, SIZE, SIZE)
    layer = WornGlasses.taken(one, face(), MODEL).drawn(face(), SIZE)
    less, kept = unless_in_front(layer, mask, one.hidden, face(), MODEL)
    assert less[:, 3:].max() == 0 and torch.equal(kept, mask)
    less, kept = unless_in_front(layer, mask, torch.zeros_like(mask), face(), MODEL)
    assert torch.equal(less, layer) and torch.equal(kept, mask)


def test_beyond_the_face_nothing_is_in_front_of_it() -> None:
    one, drawn = seen(), torch.ones(1, 1, SIZE, SIZE)
    layer = WornGlasses.taken(one, face(), MODEL).drawn(face(), SIZE)
    drawn[..., : SIZE // 2] = 0
    less, kept = unless_in_front(layer, drawn, 1 - drawn, face(), MODEL)
    assert torch.equal(less, layer) and torch.equal(kept, drawn)


def test_behind_dark_lenses_that_are_left_out_a_face_keeps_its_eyes() -> None:
    one, mask = seen(), torch.ones(1, 1, SIZE, SIZE)
    x, y = grid(face())
    lens = ((x.abs() - 0.35).abs().maximum(1.2 * (y - 0.05).abs()) < 0.24).float()[None, None]
    layer = torch.cat((one.picture, torch.maximum(lens, one.hidden)), 1)
    less, kept = unless_in_front(layer, mask, one.hidden, face(), MODEL)
    assert less[:, 3:].max() == 0 and kept[lens > 0].max() == 0
    assert kept[..., int(0.7 * SIZE) :, :].min() == 1 and kept[0, 0, SIZE // 2, SIZE // 2] == 1
    larger = [torch.nn.functional.interpolate(one, scale_factor=3) for one in (layer, mask, one.hidden, kept)]
    _, again = unless_in_front(*larger[:3], face() * 3, MODEL)
    assert (again - larger[3]).abs().mean() < 0.02


def test_frames_take_the_brightness_of_the_face_but_black_stays() -> None:
    layer = torch.tensor([0.5, 0.5, 0.5, 1.0]).view(1, 4, 1, 1).repeat(1, 1, 4, 8)
    layer[:, :3, :, 4:] = 0
    source, target = (torch.tensor([[light, 0.0, 0.0]]) for light in (0.8, 0.6))
    color = ColorMatch(
        source=source,
        target=target,
        gain=torch.ones(1, 3),
        bounds=torch.tensor([[0.0, 1.0]]),
        fineness=torch.zeros(1, 4),
    )
    over = laid_over(torch.ones(1, 3, 4, 8), layer, color)
    assert 0.2 < float(over[0, 0, 0, 0]) < 0.45 and over[..., 4:].max() < 1e-3
    layer[:, 3:] = 0
    assert laid_over(torch.ones(1, 3, 4, 8), layer, color).min() == 1

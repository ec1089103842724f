"""Blending by the bundled network against the exact solver."""

import math

import pytest
import torch
from torch.nn import functional

from fsgan_core.errors import WeightsError
from fsgan_core.networks.membrane_net import MembraneConfig, MembraneNet
from fsgan_core.ops.light import border_membrane
from fsgan_core.ops.masks import erode, feather
from fsgan_core.ops.poisson import harmonic_fill
from fsgan_core.stages import open_blending
from fsgan_core.stages.blending import PLAIN_POISSON, BlendOptions, OpenBlender, PoissonBlender
from fsgan_core.stages.open_blending import learned_fill, load_membrane_net
from fsgan_core.weights.checkpoint import save_weights

NETWORK = load_membrane_net()
LEVEL = 1 / 255


def oval(height, width, ragged=0.0):
    """A face-like mask; ragged ones have a wild border, a slit and holes of single pixels."""
    y, x = torch.meshgrid(torch.arange(height) / height - 0.5, torch.arange(width) / width - 0.5, indexing="ij")
    rng = torch.Generator().manual_seed(0)
    place = ((torch.atan2(y, x) + math.pi) / (2 * math.pi) * 48).long() % 48
    mask = torch.hypot(x / 0.32, y / 0.42) < 1 + ragged * torch.randn(48, generator=rng)[place]
    if ragged:
        mask &= ~((x.abs() < 0.008) & (y > 0.1)) & (torch.rand(height, width, generator=rng) > 2e-4)
    return mask.float()[None, None]


def rough(seed, height, width):
    """Differences of tens of levels, smooth ones with sharp ones over them."""
    rng = torch.Generator().manual_seed(seed)
    fields = (torch.randn(1, 3, side, side, generator=rng) for side in (4, 40))
    wide, narrow = (
        functional.interpolate(field, (height, width), mode="bicubic", align_corners=True) for field in fields
    )
    return 0.12 * wide + 0.05 * narrow


def error(found, exact, mask):
    """Mean distance under the mask in levels."""
    return float(((found - exact).abs() * mask).sum() / (3 * mask.sum())) / LEVEL


@pytest.mark.parametrize("ragged", [0.0, 0.06])
@pytest.mark.parametrize(("height", "width"), [(128, 128), (256, 256), (203, 317), (512, 512), (37, 90), (13, 7)])
def test_the_answer_is_near_the_exact_solution(height, width, ragged):
    mask, values = oval(height, width, ragged), rough(height, height, width)
    exact = harmonic_fill(values, mask)
    assert error(0 * exact, exact, mask) > 5
    assert error(learned_fill(NETWORK, values, mask), exact, mask) < 1


def held_by_few(count, size=512):
    """A mask of the whole picture but for single pixels."""
    mask = torch.ones(1, 1, size, size)
    mask.view(-1)[torch.randperm(size * size, generator=torch.Generator().manual_seed(0))[:count]] = 0
    return mask


@pytest.mark.parametrize("count", [3, 30, 300, 3000])
def test_where_few_pixels_hold_a_wide_area_the_exact_solver_is_asked(count):
    mask, values = held_by_few(count), rough(9, 512, 512)
    exact = harmonic_fill(values, mask, tolerance=LEVEL / 50)
    assert (NETWORK(values, mask) - exact).abs().max() > 8 * LEVEL
    assert (learned_fill(NETWORK, values, mask) - exact).abs().max() < LEVEL


def test_a_check_says_how_good_the_answer_is(monkeypatch):
    masks = torch.cat((oval(512, 512), held_by_few(30), oval(512, 512, 0.06)))
    values = rough(9, 512, 512).expand(3, -1, -1, -1)
    found, missed = NETWORK.checked(values, masks)
    assert torch.allclose(found, NETWORK(values, masks), atol=1e-4)
    assert missed[0] < 0.03 and missed[1] > 10 and missed[2] < 0.1
    asked = []
    monkeypatch.setattr(open_blending, "harmonic_fill", lambda values, mask: asked.append(mask) or values)
    learned_fill(NETWORK, values, masks)
    assert len(asked) == 1 and torch.equal(asked[0], masks[1:2])


def test_twice_the_difference_gives_twice_the_answer_and_sums_give_sums():
    mask, one, other = oval(100, 120, 0.06), rough(1, 100, 120), rough(2, 100, 120)
    fills = [learned_fill(NETWORK, values, mask) for values in (one, other, 2 * one, one - other)]
    assert torch.allclose(fills[2], 2 * fills[0], atol=1e-5)
    assert torch.allclose(fills[3], fills[0] - fills[1], atol=1e-5)


def test_channels_do_not_mix():
    mask, values = oval(96, 96), rough(3, 96, 96)
    alone = learned_fill(NETWORK, values[:, 1:2], mask)
    assert torch.allclose(learned_fill(NETWORK, values, mask)[:, 1:2], alone, atol=1e-6)


def test_what_is_known_stays_and_what_is_not_is_not_looked_at():
    mask, values = oval(96, 96, 0.06), rough(4, 96, 96)
    found = learned_fill(NETWORK, values, mask)
    assert torch.equal(found[(mask == 0).expand_as(found)], values[(mask == 0).expand_as(values)])
    assert torch.equal(found, learned_fill(NETWORK, torch.where(mask > 0, 5.0, values), mask))


def test_a_constant_is_continued_exactly():
    mask = oval(128, 96, 0.06)
    values = torch.where(mask > 0, 7.0, torch.tensor([0.1, -0.2, 0.3]).view(1, 3, 1, 1).expand(1, 3, 128, 96))
    found = learned_fill(NETWORK, values, mask)
    assert (found - found[..., :1, :1]).abs().max() < 1e-5


@pytest.mark.parametrize(("top", "left"), [(20, 30), (0, 40), (70, 0), (3, 4)])
@pytest.mark.parametrize("side", [(64, 80), (256, 240)])
def test_beyond_the_picture_there_is_no_border(side, top, left):
    mask = torch.zeros(1, 1, *side)
    mask[..., top * side[0] // 80 :, left * side[1] // 80 :] = 1
    for turned in (mask, mask.flip(-1), mask.flip(-2)):
        values = rough(5, *side)
        assert error(learned_fill(NETWORK, values, turned), harmonic_fill(values, turned), turned) < 2


def test_items_are_apart_and_empty_or_whole_masks_are_answered():
    masks = torch.cat((oval(72, 64), torch.zeros(1, 1, 72, 64), torch.ones(1, 1, 72, 64), oval(72, 64, 0.06)))
    values = torch.cat([rough(seed, 72, 64) for seed in range(4)])
    found = learned_fill(NETWORK, values, masks)
    assert torch.equal(found[1], values[1])
    assert torch.allclose(found[2], values[2].mean((1, 2), keepdim=True).expand(3, 72, 64), atol=1e-6)
    for row in (0, 3):
        alone = learned_fill(NETWORK, values[row : row + 1], masks[row : row + 1])
        assert torch.allclose(found[row : row + 1], alone, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_kept(dtype):
    mask, values = oval(64, 64), rough(6, 64, 64)
    found = learned_fill(NETWORK, values.to(dtype), mask.to(dtype))
    assert found.dtype == dtype
    # The known values themselves are rounded to 1/256 in bfloat16.
    assert error(found.float(), harmonic_fill(values, mask), mask) < 1


@pytest.mark.parametrize("mode", ["normal", "mixed"])
def test_the_exact_blender_is_near_plain_poisson(mode):
    mask = oval(160, 160)
    face, target = 0.5 + rough(7, 160, 160), 0.5 + rough(8, 160, 160)
    options = BlendOptions(mode=mode, exact=True, color=False, light=0.0, fineness=0.0)
    one, other = PoissonBlender(options)(face, target, mask), OpenBlender(options)(face, target, mask)
    assert error(face, one, mask) > 8
    assert error(other, one, mask) < 1
    assert torch.equal(torch.where(mask > 0, 0, other), torch.where(mask > 0, 0, target))
    ring = mask * (1 - erode(mask))
    assert torch.equal(other * ring, (target * ring).clamp(0, 1))


def test_the_border_s_bounded_correction_is_continued_inwards():
    mask = oval(160, 160)
    face, target = 0.5 + rough(7, 160, 160), 0.5 + rough(8, 160, 160)
    found = OpenBlender(BlendOptions(color=False, light=0.0, fineness=0.0))(face, target, mask)
    whole = feather(mask, 0.08) == 1
    exact = (face + border_membrane(face, target, mask, fill=harmonic_fill)).clamp(0, 1)
    assert error(face, exact, whole) > 2
    assert error(found, exact, whole) < 0.5


def test_colours_and_light_are_matched_before():
    mask, face, target = oval(96, 96), 0.5 + rough(7, 96, 96), 0.4 + rough(8, 96, 96)
    plain = OpenBlender(PLAIN_POISSON)(face, target, mask)
    for options in (
        BlendOptions(light=0.0, fineness=0.0, exact=True),
        BlendOptions(color=False, fineness=0.0, exact=True),
    ):
        assert (OpenBlender(options)(face, target, mask) - plain).abs().max() > 2 * LEVEL


def test_damaged_weights_are_refused(tmp_path):
    path = tmp_path / "net.safetensors"
    network = MembraneNet(MembraneConfig(width=4))
    save_weights(path, network.state_dict(), "blending", network.config)
    assert load_membrane_net(path).config.width == 4
    save_weights(path, {}, "blending", network.config)
    with pytest.raises(WeightsError, match="does not fit"):
        load_membrane_net(path)
    save_weights(path, network.state_dict(), "completion", network.config)
    with pytest.raises(WeightsError, match="expected 'blending'"):
        load_membrane_net(path)

import pytest
import torch

from fsgan_core.ops.multiband import multiband_blend
from fsgan_core.ops.pyramid import collapse, expand, extend, laplacian_pyramid, reduce


def image(height, width, seed=0):
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(seed))


def disc(height, width, radius=0.35):
    y, x = torch.meshgrid(torch.linspace(-0.5, 0.5, height), torch.linspace(-0.5, 0.5, width), indexing="ij")
    return (torch.hypot(x, y) < radius).float().expand(2, 1, height, width)


@pytest.mark.parametrize("size", [(64, 64), (33, 70), (1, 9), (51, 2)])
@pytest.mark.parametrize("levels", [1, 2, 5])
def test_a_pyramid_collapses_to_the_image(size, levels):
    original = image(*size)
    bands = laplacian_pyramid(original, levels)
    assert len(bands) == levels
    torch.testing.assert_close(collapse(bands), original)


def test_reducing_is_the_binomial_of_every_other_pixel():
    row = torch.arange(9.0) ** 2
    reduced = reduce(row.expand(1, 1, 9, 9))[0, 0, 2]
    expected = [(row[k - 2] + 4 * row[k - 1] + 6 * row[k] + 4 * row[k + 1] + row[k + 2]) / 16 for k in (2, 4, 6)]
    torch.testing.assert_close(reduced[1:4], torch.stack(expected))


@pytest.mark.parametrize("size", [(20, 31), (21, 30)])
def test_constants_and_inner_ramps_survive_both_ways(size):
    constant = torch.full((1, 2, *size), 0.7)
    torch.testing.assert_close(expand(reduce(constant), *size), constant)
    ramp = torch.arange(float(size[1])).expand(1, 1, *size)
    torch.testing.assert_close(expand(reduce(ramp), *size)[..., 4:-5], ramp[..., 4:-5])


def test_extending_keeps_what_is_known_and_continues_constants():
    known = disc(45, 60)
    original = image(45, 60)
    extended = extend(original, known)
    assert torch.equal(extended * known, original * known)
    torch.testing.assert_close(extend(0.3 * known, known), torch.full_like(known, 0.3))
    assert torch.equal(extend(original, torch.zeros_like(known)), torch.zeros_like(original))


@pytest.mark.parametrize("size", [(96, 96), (75, 130), (7, 7), (1, 1)])
def test_outside_is_the_target_and_all_inside_is_the_source(size):
    source, target, mask = image(*size, 1), image(*size, 2), disc(*size)
    outside = (mask == 0).expand_as(target)
    assert torch.equal(multiband_blend(source, target, mask)[outside], target[outside])
    assert torch.equal(multiband_blend(source, target, torch.zeros_like(mask)), target)
    torch.testing.assert_close(multiband_blend(source, target, torch.ones_like(mask)), source)


def test_what_the_source_holds_beyond_the_mask_does_not_matter():
    source, target, mask = image(90, 90, 1), image(90, 90, 2), disc(90, 90)
    garbage = torch.where(mask > 0, source, 1e3)
    assert torch.equal(multiband_blend(garbage, target, mask), multiband_blend(source, target, mask))


def test_low_frequencies_change_slowly_and_details_at_once():
    mask = disc(128, 128)
    target = torch.zeros(2, 3, 128, 128)
    shifted = multiband_blend(target + 0.4, target, mask)
    assert shifted[0, 0, 64].diff().abs().max() < 0.1
    assert shifted[0, 0, 64, 64] > 0.3
    checks = 0.2 * (-1.0) ** torch.arange(128).expand(2, 3, 128, 128)
    detailed = multiband_blend(checks, target, mask)
    inner = disc(128, 128, 0.28) > 0
    assert (detailed - checks).abs()[inner.expand_as(checks)].max() < 0.02


def test_items_do_not_depend_on_their_batch():
    source, target, mask = image(60, 60, 1), image(60, 60, 2), disc(60, 60)
    together = multiband_blend(source, target, mask)
    torch.testing.assert_close(together[:1], multiband_blend(source[:1], target[:1], mask[:1]))


def test_no_level_is_refused():
    with pytest.raises(ValueError, match="levels"):
        multiband_blend(image(8, 8), image(8, 8), disc(8, 8), levels=0)

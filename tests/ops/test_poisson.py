"""Against a sparse direct solver in double precision."""

import numpy as np
import pytest
import scipy.sparse as sparse
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.sparse.linalg import splu

from fsgan_core.ops.multigrid import build_levels, solve
from fsgan_core.ops.poisson import harmonic_fill, mixed_membrane, poisson_blend, solve_membrane

LEVEL = 1 / 255


def picture(height, width, seed):
    """Noise with the spectrum of a photograph."""
    spectrum = np.fft.rfft2(np.random.default_rng(seed).normal(size=(3, height, width)))
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    frequency[0, 0] = 1
    noise = np.fft.irfft2(spectrum / frequency**1.2, (height, width))
    return torch.from_numpy((0.5 + 0.2 * (noise - noise.mean()) / noise.std()).clip(0, 1)).float()[None]


def exact(source, target, mask, mode="normal"):
    """Equations 7 and 12 of Perez et al., one sparse row a pixel, solved by LU."""
    s, t, inside = source[0].double().numpy(), target[0].double().numpy(), mask[0, 0].numpy() > 0.5
    ys, xs = np.nonzero(inside)
    number = np.full(inside.shape, -1)
    number[ys, xs] = np.arange(len(ys))
    matrix, right = sparse.csc_matrix((len(ys), len(ys))), np.zeros((len(ys), len(s)))
    for down, along in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        v, u = ys + down, xs + along
        rows = np.flatnonzero((v >= 0) & (v < inside.shape[0]) & (u >= 0) & (u < inside.shape[1]))
        y, x, v, u = ys[rows], xs[rows], v[rows], u[rows]
        ours, theirs = s[:, y, x] - s[:, v, u], t[:, y, x] - t[:, v, u]
        right[rows] += np.where((np.abs(theirs) > np.abs(ours) + 1e-4) & (mode == "mixed"), theirs, ours).T
        known = ~inside[v, u]
        right[rows[known]] += t[:, v[known], u[known]].T
        columns = np.concatenate((rows, number[v, u][~known]))
        values = np.concatenate((np.ones(len(rows)), np.full((~known).sum(), -1.0)))
        matrix += sparse.csc_matrix((values, (np.concatenate((rows, rows[~known])), columns)), matrix.shape)
    result = t.copy()
    result[:, ys, xs] = splu(matrix).solve(right).T if len(ys) else 0
    return torch.from_numpy(result)[None]


def blob(height, width, seed=0):
    """A face-like outline, ragged, with a slit and holes."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    y, x = y / height - 0.5, x / width - 0.5
    place = ((np.arctan2(y, x) + np.pi) / (2 * np.pi) * 64).astype(int) % 64
    mask = np.hypot(x / 0.36, y / 0.44) < 1 + 0.08 * rng.normal(size=64)[place]
    mask &= ~((np.abs(x) < 0.01) & (y > 0.1)) & (rng.random(mask.shape) > 0.01)
    return mask


def stripes(height, width):
    return (np.arange(width) % 3 > 0) & (np.arange(height) > 3)[:, None]


def islands(height, width):
    mask = np.zeros((height, width), bool)
    mask[5:20, 5:25] = mask[-30:-3, -40:-20] = mask[30, 7] = True
    return mask


def ragged_half(height, width):
    edge = width / 2 + np.cumsum(np.random.default_rng(1).normal(size=height) * 2)
    return np.arange(width) < edge[:, None]


def all_but_a_corner(height, width):
    mask = np.ones((height, width), bool)
    mask[0, 0] = False
    return mask


def tensor(mask):
    return torch.from_numpy(mask.astype(np.float32))[None, None]


@pytest.mark.parametrize("mode", ["normal", "mixed"])
@pytest.mark.parametrize("shape", [blob, stripes, islands, ragged_half, all_but_a_corner])
def test_agrees_with_a_direct_solver(shape, mode):
    source, target, mask = picture(97, 84, 1), picture(97, 84, 2), tensor(shape(97, 84))
    error = (poisson_blend(source, target, mask, mode) - exact(source, target, mask, mode)).abs().max()
    assert error < 0.3 * LEVEL


def test_a_large_ragged_mask():
    source, target, mask = picture(256, 256, 3), picture(256, 256, 4), tensor(blob(256, 256))
    error = (poisson_blend(source, target, mask) - exact(source, target, mask)).abs().max()
    assert error < 0.3 * LEVEL


def test_a_tighter_tolerance_gives_a_smaller_error():
    source, target, mask = picture(97, 84, 1), picture(97, 84, 2), tensor(ragged_half(97, 84))
    solution = exact(source, target, mask)
    errors = [
        (poisson_blend(source, target, mask, tolerance=x) - solution).abs().max() for x in (8 * LEVEL, 0.01 * LEVEL)
    ]
    assert errors[1] < 0.01 * LEVEL < errors[0]


@settings(max_examples=25, deadline=None)
@given(
    mask=arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12)),
    mode=st.sampled_from(["normal", "mixed"]),
)
def test_any_small_mask(mask, mode):
    source, target = (torch.rand(1, 3, *mask.shape, generator=torch.Generator().manual_seed(k)) for k in (1, 2))
    result = poisson_blend(source, target, tensor(mask), mode)
    assert torch.equal(result[:, :, ~mask], target[:, :, ~mask])
    if not mask.all():
        assert (result - exact(source, target, tensor(mask), mode)).abs().max() < 0.3 * LEVEL


def test_outside_is_the_target_bit_for_bit():
    source, target = picture(50, 61, 1), picture(50, 61, 2)
    mask = 0.5 + 0.2 * torch.randn(1, 1, 50, 61, generator=torch.Generator().manual_seed(0))
    result = poisson_blend(source, target, mask)
    outside = (mask <= 0.5).expand_as(result)
    assert torch.equal(result[outside], target[outside])
    assert not torch.equal(result, target)


def test_an_empty_mask_returns_the_target():
    source, target = picture(40, 40, 1), picture(40, 40, 2)
    assert torch.equal(poisson_blend(source, target, torch.zeros(1, 1, 40, 40)), target)


def test_a_full_mask_shifts_the_source_by_the_mean_difference():
    source, target = picture(40, 40, 1), picture(40, 40, 2)
    result = poisson_blend(source, target, torch.ones(1, 1, 40, 40))
    torch.testing.assert_close(result - source, (target - source).mean((2, 3), keepdim=True).expand_as(source))


def test_a_constant_offset_is_removed():
    target = picture(64, 48, 5)
    result = poisson_blend(target + 0.3, target, tensor(blob(64, 48)))
    torch.testing.assert_close(result, target, atol=0.2 * LEVEL, rtol=0)


def test_a_linear_ramp_is_its_own_membrane():
    ramp = (torch.arange(70.0)[:, None] + 2 * torch.arange(50.0)).expand(1, 1, 70, 50) / 170
    mask = torch.zeros(1, 1, 70, 50)
    mask[..., 5:60, 3:44] = 1
    torch.testing.assert_close(harmonic_fill(ramp * (1 - mask), mask), ramp, atol=0.2 * LEVEL, rtol=0)


def test_screening_decays_exponentially():
    values = torch.zeros(1, 1, 8, 200)
    values[..., 0] = 1
    mask = torch.ones_like(values)
    mask[..., 0] = 0
    filled = harmonic_fill(values, mask, screening=0.1)[0, 0, 4]
    # cosh(rate) = 1 + screening^2 / 2 on the grid.
    expected = torch.exp(-np.arccosh(1.005) * torch.arange(200.0))
    torch.testing.assert_close(filled[:100], expected[:100], atol=0.3 * LEVEL, rtol=0)


def test_mixed_is_normal_plus_its_membrane():
    source, target, mask = picture(60, 60, 1), picture(60, 60, 2), tensor(blob(60, 60))
    parts = poisson_blend(source, target, mask) + mixed_membrane(source, target, mask)
    torch.testing.assert_close(poisson_blend(source, target, mask, "mixed"), parts, atol=0.3 * LEVEL, rtol=0)


def test_the_solution_does_not_depend_on_the_number_of_threads():
    mask = torch.zeros(1, 1, 128, 128)
    mask[..., 9:117, 14:109] = 1
    setting, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(poisson_blend(picture(128, 128, 1), picture(128, 128, 2), mask))
    finally:
        torch.set_num_threads(setting)
    assert all(torch.equal(one, found[0]) for one in found)


def test_items_do_not_depend_on_their_batch():
    source = torch.cat([picture(70, 70, k) for k in range(4)])
    target = torch.cat([picture(70, 70, k + 9) for k in range(4)])
    mask = torch.cat([tensor(m) for m in (blob(70, 70), islands(70, 70), np.ones((70, 70), bool), blob(70, 70, 3))])
    together = poisson_blend(source, target, mask)
    for k in range(4):
        assert torch.equal(together[k : k + 1], poisson_blend(source[k : k + 1], target[k : k + 1], mask[k : k + 1]))


def test_items_solved_together_agree_with_items_solved_alone():
    """As on a GPU, where items that share a window are solved at once and stop at different times."""
    mask = torch.cat([tensor(m) for m in (blob(70, 70), stripes(70, 70), blob(70, 70, 3))])
    mask[..., (0, -1)] = 0
    mask[..., (0, -1), :] = 0
    sizes = torch.tensor([1, 0, 1e-3])[:, None, None, None]
    rhs = torch.randn(3, 3, 70, 70, generator=torch.Generator().manual_seed(0)) * mask * sizes
    together = solve(build_levels(mask, torch.full_like(mask, 4)), rhs, 1e-3, 30)
    for k in range(3):
        one = mask[k : k + 1]
        alone = solve(build_levels(one, torch.full_like(one, 4)), rhs[k : k + 1], 1e-3, 30)
        torch.testing.assert_close(together[k : k + 1], alone, atol=1e-5, rtol=1e-4)


def test_any_number_of_channels_and_other_types():
    values, mask = torch.rand(2, 5, 33, 20, dtype=torch.float64), tensor(blob(33, 20)).expand(2, 1, 33, 20)
    assert harmonic_fill(values, mask).dtype == torch.float64
    half = harmonic_fill(values.half(), mask)
    assert half.dtype == torch.float16
    torch.testing.assert_close(half.double(), harmonic_fill(values, mask), atol=LEVEL, rtol=0)


def test_wrong_arguments_are_refused():
    image = torch.zeros(1, 3, 8, 8)
    with pytest.raises(ValueError, match="mode"):
        poisson_blend(image, image, torch.zeros(1, 1, 8, 8), "smooth")
    with pytest.raises(ValueError, match="source"):
        poisson_blend(torch.zeros(1, 3, 8, 9), image, torch.zeros(1, 1, 8, 8))
    with pytest.raises(ValueError, match="mask"):
        solve_membrane(image, torch.zeros(1, 1, 8, 9))

"""Blending by a network on cells; untrained, it leaves the coarse solution as it is."""

import torch
from torch.nn import functional

from fsgan_core.networks.unet import UNet, UNetConfig
from fsgan_core.ops.masks import erode
from fsgan_core.ops.poisson import poisson_blend
from fsgan_core.stages.blending import PLAIN_POISSON, BlendOptions, OpenBlender
from fsgan_core.stages.open_blending import cells, membrane
from fsgan_core.training.blending import INPUTS

NETWORK = UNet(UNetConfig(size=128, inputs=INPUTS, channels=(8, 8))).silenced().eval().requires_grad_(False)
BLEND = OpenBlender(PLAIN_POISSON, NETWORK)
SIZE, LEVEL = 256, 1 / 255


def oval():
    y, x = torch.meshgrid(torch.arange(SIZE) + 0.5, torch.arange(SIZE) + 0.5, indexing="ij")
    return ((((x - 128) / 62) ** 2 + ((y - 128) / 80) ** 2) < 1).float()[None, None]


def smooth(seed, cells_across=5):
    rng = torch.Generator().manual_seed(seed)
    field = torch.rand(1, 3, cells_across, cells_across, generator=rng)
    return functional.interpolate(field, (SIZE, SIZE), mode="bicubic", align_corners=True).clamp(0, 1)


def test_the_answer_is_near_the_exact_solution():
    mask, gaps = oval(), []
    for seed in range(4):
        face, target = 0.25 + 0.4 * smooth(seed), 0.3 + 0.4 * smooth(seed + 10)
        exact = poisson_blend(face, target, erode(mask))
        gap = (face + membrane(BLEND.network, face, target, mask) - exact).abs() * mask
        gaps.append(float(gap.sum() / (3 * mask.sum())) / LEVEL)
    assert max(gaps) < 3


def test_a_constant_difference_is_taken_away():
    mask, face = oval(), 0.3 + 0.3 * smooth(1)
    answer = face + membrane(BLEND.network, face, face + 0.1, mask)
    assert ((answer - face - 0.1).abs() * mask).max() < 6 * LEVEL


def test_twice_the_difference_gives_twice_the_answer():
    mask, face, target = oval(), 0.3 * smooth(2), 0.3 * smooth(3)
    one = membrane(BLEND.network, face, target, mask)
    other = membrane(BLEND.network, 2 * face - target, target, mask)
    assert ((other - 2 * one) * mask).abs().max() < LEVEL / 4


def test_cells_hold_means_under_the_mask():
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., 2:, :] = 1
    face, target = torch.zeros(1, 3, 8, 8), torch.ones(1, 3, 8, 8)
    target[..., :2, :] = 100
    difference, low, inside = cells(face, target, mask, 2)
    assert torch.allclose(difference, torch.tensor(1.0), atol=1e-5)
    assert inside[0, 0, :, 0].tolist() == [0.5, 1.0] and low[0, 0, 0, 0] > 40


def test_options_are_used():
    mask, face, target = oval(), 0.2 + 0.5 * smooth(4), 0.2 + 0.5 * smooth(5)
    exact = BLEND(face, target, mask)
    assert torch.equal(torch.where(mask > 0, 0, exact), torch.where(mask > 0, 0, target))
    soft = OpenBlender(BlendOptions(color=False, light=0.0), NETWORK)(face, target, mask)
    assert (soft - exact).abs().max() > 2 * LEVEL
    mixed = OpenBlender(BlendOptions(color=False, light=0.0, exact=True, mode="mixed"), NETWORK)(face, target, mask)
    assert (mixed - exact).abs().max() > 2 * LEVEL

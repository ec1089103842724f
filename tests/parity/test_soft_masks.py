"""The library's own soft erosion against the original's, item by item."""

import torch

from fsgan_core.ops.masks import soft_erosion


def test_soft_erosion_is_the_original_s_on_each_item_alone(parity):
    case = parity("masks_soft_erosion")
    masks = case["input/mask"].float()[:, None]
    # The recording's 21 px, in the pixels of a crop of 256 px that ours are given in.
    kernel = 2 * round(10 * 256 / masks.shape[-1]) + 1
    case.check(torch.cat([soft_erosion(mask[None], kernel=kernel) for mask in masks]), "output/soft_k21_each_alone")

"""The library's own soft erosion against the original's, item by item."""

import torch

from fsgan_core.ops.masks import soft_erosion


def test_soft_erosion_is_the_original_s_on_each_item_alone(parity):
    case = parity("masks_soft_erosion")
    masks = case["input/mask"].float()[:, None]
    # 81 px at 256 px are the recording's 21 px at 64 px.
    case.check(torch.cat([soft_erosion(mask[None], kernel=81) for mask in masks]), "output/soft_k21_each_alone")

"""Mean and maximum over squares."""

import pytest
import torch
from torch.nn import functional

from fsgan_core.ops.pooling import box_max, box_mean, halved, length


@pytest.mark.parametrize("width", [3, 5, 7])
def test_boxes_agree_with_torch(width: int) -> None:
    """Inside and at the border, of sides that differ."""
    values = torch.rand(2, 3, 11, 16, generator=torch.Generator().manual_seed(0)) - 0.5
    mean = functional.avg_pool2d(values, width, 1, width // 2, count_include_pad=False)
    torch.testing.assert_close(box_mean(values, width), mean)
    torch.testing.assert_close(box_max(values, width), functional.max_pool2d(values, width, 1, width // 2))


def test_halved_is_the_mean_of_four() -> None:
    """Of any leading dimensions."""
    values = torch.rand(1, 2, 3, 8, 6, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(halved(values)[0], functional.avg_pool2d(values[0], 2))


def test_lengths_are_those_of_the_norm() -> None:
    """At every place, over the channels."""
    values = torch.randn(2, 3, 5, 4)
    norm = torch.linalg.vector_norm(values, dim=1, keepdim=True)
    torch.testing.assert_close(length(values), norm)
    torch.testing.assert_close(length((1e-5 * values).half()), (1e-5 * norm).half(), rtol=0.01, atol=1e-6)


def test_a_length_of_nought_has_a_gradient_of_nought() -> None:
    """Where the root's own would be infinite, and beside it the usual one."""
    values = torch.tensor([0.0, 0.0, 3.0, 4.0]).view(2, 2, 1, 1).requires_grad_()
    length(values).sum().backward()
    torch.testing.assert_close(values.grad, torch.tensor([0.0, 0.0, 0.6, 0.8]).view(2, 2, 1, 1))

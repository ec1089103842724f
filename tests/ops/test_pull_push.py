import torch

from fsgan_core.ops.pull_push import pull_push


def test_known_values_stay_and_constants_are_continued():
    values, weights = torch.rand(1, 3, 64, 64), torch.zeros(1, 1, 64, 64)
    weights[..., 20:40, 10:30] = 1
    filled = pull_push(values, weights)
    assert torch.allclose(filled[..., 20:40, 10:30], values[..., 20:40, 10:30])
    assert torch.allclose(pull_push(torch.full_like(values, 0.3), weights), torch.tensor(0.3), atol=1e-5)


def test_a_filling_lies_between_what_surrounds_it():
    values, weights = torch.zeros(1, 1, 32, 32), torch.zeros(1, 1, 32, 32)
    values[..., 31] = 1
    weights[..., 0] = weights[..., 31] = 1
    filled = pull_push(values, weights)
    middle = filled[0, 0, 16]
    assert filled.min() >= 0 and filled.max() <= 1
    assert middle[4] < 0.3 and middle[27] > 0.7 and 0.2 < middle[16] < 0.8


def test_nothing_known_gives_nothing():
    assert (pull_push(torch.rand(1, 2, 16, 16), torch.zeros(1, 1, 16, 16)) == 0).all()

import numpy as np
import torch
from scipy.optimize import lsq_linear

from fsgan_core.ops.ridge import BoundedRidge


def problem(seed, batch=3, rows=40, unknowns=6):
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.randn(rows, unknowns, generator=generator, dtype=torch.float64)
    values = 3 * torch.randn(batch, rows, generator=generator, dtype=torch.float64)
    return matrix, values, torch.full((unknowns,), 0.5, dtype=torch.float64)


def limits(low, high):
    return torch.tensor([low, high], dtype=torch.float64)


def solve(matrix, values, prior, bounds, shared=0):
    ridge = BoundedRidge((matrix.T @ matrix)[None], prior, bounds, len(values), shared)
    zero = torch.zeros(len(values), len(prior), dtype=torch.float64)
    return ridge.solve(values @ matrix, (zero, zero), rounds=2000)[0]


def test_agrees_with_scipy_within_limits():
    matrix, values, prior = problem(0)
    bounds = limits([-torch.inf] * 2 + [-0.1] * 4, [torch.inf] * 2 + [0.3] * 4)
    found = solve(matrix, values, prior, bounds)
    tall = np.concatenate([matrix.numpy(), np.diag(prior.sqrt().numpy())])
    for x, y in zip(found, values, strict=True):
        reference = lsq_linear(tall, np.r_[y.numpy(), np.zeros(6)], bounds=bounds.numpy()).x
        np.testing.assert_allclose(x.numpy(), reference, atol=1e-5)


def test_shared_unknowns_agree_with_one_large_problem():
    matrix, values, prior = problem(1)
    free = limits([-torch.inf] * 6, [torch.inf] * 6)
    found = solve(matrix, values, prior, free, shared=2)
    large = torch.zeros(3 * 40, 2 + 3 * 4, dtype=torch.float64)
    for k in range(3):
        large[40 * k : 40 * k + 40, :2] = matrix[:, :2]
        large[40 * k : 40 * k + 40, 2 + 4 * k : 6 + 4 * k] = matrix[:, 2:]
    reference = torch.linalg.solve(large.T @ large + 0.5 * torch.eye(14), large.T @ values.flatten())
    for k in range(3):
        torch.testing.assert_close(found[k, :2], reference[:2])
        torch.testing.assert_close(found[k, 2:], reference[2 + 4 * k : 6 + 4 * k])


def test_each_problem_may_have_its_own_matrix():
    first, second = problem(2, batch=1), problem(3, batch=1)
    free = limits([-0.2] * 6, [0.2] * 6)
    gram = torch.stack([matrix.T @ matrix for matrix, _, _ in (first, second)])
    target = torch.cat([values @ matrix for matrix, values, _ in (first, second)])
    zero = torch.zeros(2, 6, dtype=torch.float64)
    together, _ = BoundedRidge(gram, first[2], free, 2).solve(target, (zero, zero), rounds=2000)
    alone = torch.cat([solve(*one, free) for one in (first, second)])
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=0)

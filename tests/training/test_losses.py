"""Losses against their formulas, written out once more, and against recordings of the original."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg
import torch
from safetensors.torch import load_file

from fsgan_core.networks import build
from fsgan_core.ops.official_masks import image_pyramid
from fsgan_core.training.losses import (
    Reconstruction,
    adversarial_loss,
    blend_target,
    critic_loss,
    pixel_loss,
    poisson_loss,
    segmentation_consistency,
    segmentation_loss,
    stepwise_loss,
    stepwise_segmentation_loss,
)


def recorded(name):
    folder = Path(os.environ.get("FSGAN_PARITY", Path(__file__).parents[2].parent / "shared" / "parity"))
    if not folder.is_dir():
        pytest.skip(f"no folder of recordings at {folder}; set FSGAN_PARITY")
    return json.loads((folder / f"{name}.json").read_text()), load_file(folder / f"{name}.safetensors")


def loaded(kind, values, tensors):
    network = build(kind, values)
    network.load_state_dict({k.removeprefix("state_dict/"): v for k, v in tensors.items() if k.startswith("state_")})
    return network.eval()


def pictures(count, size=16, seed=0):
    return torch.rand(count, 2, 3, size, size, generator=torch.Generator().manual_seed(seed)).unbind(0)


def test_pixels_count_as_between_minus_one_and_one():
    a, b = pictures(2)
    expected = np.abs((2 * a.numpy() - 1) - (2 * b.numpy() - 1)).mean()
    assert pixel_loss(a, b) == pytest.approx(expected, rel=1e-5)


def test_reconstruction_is_the_recorded_perceptual_loss_and_pixels():
    meta, tensors = recorded("vgg_perceptual_loss")
    widths = [w for w, after in zip(meta["widths"], meta["widths"][1:], strict=False) if after == "M"]
    judge = loaded("vgg", {"widths": widths}, tensors)
    a, b = ((tensors[f"input/{name}"] + 1) / 2 for name in "ab")
    pixels = (tensors["input/a"] - tensors["input/b"]).abs().mean()
    recorded_loss = tensors["output/eval_loss"]
    found = Reconstruction(((judge, 0.5), (judge, 0.5)))(a, b)
    assert found.item() == pytest.approx((0.1 * pixels + recorded_loss).item(), rel=1e-4)
    a.requires_grad_(), b.requires_grad_()
    Reconstruction(((judge, 1.0),), pixels=0)(a, b).backward()
    torch.testing.assert_close(a.grad / 2, tensors["output/eval_grad_a"], atol=2e-5, rtol=1e-3)
    assert b.grad is None


def test_adversarial_losses_are_the_recorded_least_squares_sums():
    meta, tensors = recorded("multiscale_discriminator")
    critic = loaded("discriminator", {"width": meta["kwargs"]["ndf"], "scales": 2}, tensors)
    fine = ((tensors["input/level0"] + 1) / 2).requires_grad_()
    scores = [tensors[f"output/bare_tensor_score{level}"] for level in range(2)]
    real, false = (sum(((score - goal) ** 2).mean() for score in scores).item() for goal in (1.0, 0.0))
    adversarial = adversarial_loss(critic, fine)
    assert adversarial.item() == pytest.approx(real, rel=1e-4)
    both = critic_loss(critic, fine, fine.detach())
    assert both.item() == pytest.approx(0.5 * (real + false), rel=1e-4)
    both.backward()
    assert fine.grad is None, "what was generated gets no gradient from the critic's own loss"
    adversarial.backward()
    assert fine.grad.abs().max() > 0
    assert len(critic(image_pyramid(fine, 1))) == 1


def test_stepwise_loss_is_the_mean_of_both_ways():
    direct, stepped, expected = pictures(3)
    found = stepwise_loss(Reconstruction(pixels=1.0), direct, stepped, expected)
    wanted = ((direct - expected).abs().mean() + (stepped - expected).abs().mean()).item()
    assert found.item() == pytest.approx(wanted, rel=1e-5)
    assert stepwise_loss(pixel_loss, expected, expected, expected) == 0


def test_segmentation_losses():
    random = torch.Generator().manual_seed(1)
    logits = torch.randn(2, 3, 8, 8, generator=random)
    labels = torch.randint(3, (2, 8, 8), generator=random)
    chosen = np.exp(np.take_along_axis(logits.numpy(), labels.numpy()[:, None], 1)[:, 0])
    cross = -np.log(chosen / np.exp(logits.numpy()).sum(1)).mean()
    assert segmentation_loss(logits, labels).item() == pytest.approx(cross, rel=1e-5)
    head, teacher = logits.tanh().requires_grad_(), (3 * logits.flip(0)).requires_grad_()
    consistency = segmentation_consistency(head, teacher)
    assert consistency.item() == pytest.approx((head - teacher).abs().mean().item())
    consistency.backward()
    assert head.grad is not None and teacher.grad is None
    assert segmentation_consistency(torch.ones(1, 3, 16, 16), torch.ones(1, 3, 8, 8)).item() == pytest.approx(
        0, abs=1e-5
    )
    both = stepwise_segmentation_loss(head, logits, teacher)
    expected = 0.5 * (consistency + segmentation_loss(logits, teacher.argmax(1)))
    assert both.item() == pytest.approx(expected.item())


def solved(source, target, mask):
    """The discrete Poisson equation with the target around, by a direct solver."""
    rows, columns = np.nonzero(mask)
    number = -np.ones(mask.shape, int)
    number[rows, columns] = np.arange(len(rows))
    matrix = scipy.sparse.lil_matrix((len(rows), len(rows)))
    right = np.zeros((len(rows), 3))
    for index, (y, x) in enumerate(zip(rows, columns, strict=True)):
        for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if 0 <= v < mask.shape[0] and 0 <= u < mask.shape[1]:
                matrix[index, index] += 1
                right[index] += source[:, y, x] - source[:, v, u]
                if mask[v, u]:
                    matrix[index, number[v, u]] = -1
                else:
                    right[index] += target[:, v, u]
    result = target.copy()
    result[:, rows, columns] = scipy.sparse.linalg.spsolve(matrix.tocsr(), right).T
    return result.clip(0, 1)


def test_the_blend_s_target_is_the_exact_solution():
    source, target = pictures(2, 24, seed=3)
    source, target = 0.3 + 0.3 * source, 0.4 + 0.3 * target
    mask = torch.zeros(2, 1, 24, 24)
    mask[0, 0, 4:18, 6:20] = 1
    mask[1, 0, 3:12, 3:20] = 1
    found = blend_target(source, target, mask)
    expected = solved(*(part[0].double().numpy() for part in (source, target)), mask[0, 0].numpy() > 0)
    np.testing.assert_allclose(found[0].numpy(), expected, atol=1 / 255)
    assert torch.equal(found[1], target[1]), "a mask of 9 rows is too small"
    blend = pictures(1, 24, seed=4)[0].requires_grad_()
    loss = poisson_loss(pixel_loss, blend, source, target, mask)
    assert loss.item() == pytest.approx(2 * (blend - found).abs().mean().item(), rel=1e-5)
    loss.backward()
    assert blend.grad.abs().min() > 0


def test_the_exact_solution_goes_the_way_of_the_original_s_target():
    _, tensors = recorded("poisson_blend_target")
    source, target, recording = (
        (tensors[name] + 1) / 2 for name in ("input/source", "input/target", "output/poisson_target")
    )
    mask = tensors["input/mask"][:, None].float()
    exact = blend_target(source, target, mask)
    inside = (mask > 0.5).expand_as(exact)
    assert torch.equal(exact[~inside], target[~inside])
    assert torch.equal(exact[2], target[2]) and (recording[2] - target[2]).abs().max() < 2.1 / 255
    for item in range(2):
        # The original keeps the target's gradients in a seam of three pixels, hence the distance left.
        left, begun = ((found[item] - recording[item])[inside[item]].abs().mean() for found in (exact, source))
        assert left < 0.7 * begun

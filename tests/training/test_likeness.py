from pathlib import Path
from runpy import run_path

import pytest
import torch

from fsgan_core.evaluation import metrics
from fsgan_core.training.likeness import Expression, dissimilarity

_FACES = run_path(str(Path(__file__).parents[1] / "stages" / "test_reenactment.py"))


def test_dissimilarity_is_what_acceptance_measures():
    torch.manual_seed(0)
    one = torch.rand(2, 3, 48, 64)
    other = (one + 0.2 * torch.randn_like(one)).clamp(0, 1)
    inside = torch.zeros(2, 1, 48, 64)
    inside[..., 8:-8, 8:-8] = 1
    mean = (dissimilarity(one, other) * inside).sum((1, 2, 3)) / inside.sum((1, 2, 3))
    assert torch.allclose(1 - mean, metrics.ssim(one, other, inside), atol=1e-4)


def test_dissimilarity_needs_more_digits_than_bfloat16_has():
    one = torch.full((1, 3, 32, 32), 0.9)
    with torch.autocast("cpu", torch.bfloat16):
        assert float(dissimilarity(one, one + 1e-3).abs().max()) < 1e-3


def test_an_expression_is_told_from_another_and_can_be_learned_from():
    picture = torch.from_numpy(_FACES["picture"](256)).permute(2, 0, 1)[None].float() / 255
    judge = Expression()
    bent = picture.clone()
    bent[..., 130:200, 90:170] = picture[..., 126:196, 90:170]
    same, other = float(judge(picture, picture)), float(judge(bent, picture))
    assert same == pytest.approx(0, abs=1e-3) and other > same + 0.05
    bent.requires_grad_(True)
    judge(bent, picture).backward()
    assert bent.grad is not None and bent.grad.isfinite().all() and bent.grad.any()

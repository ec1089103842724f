"""The rigged head meets the landmarks it is fitted to and can close its eyes."""

import torch

from fsgan_core.ops.landmarks import LEFT_EYE, RIGHT_EYE
from fsgan_core.training.head_fit import expressed, fit_heads, posed
from fsgan_core.training.rig import landmarks


def test_fitted_heads_meet_their_landmarks(rig, model, heads):
    shape = expressed(rig, heads.neutral.float(), heads.gain, heads.expression)
    found = landmarks(rig, posed(shape, heads.scale, heads.rotation, heads.translation))
    eyes = (heads.points[:, 33] - heads.points[:, 263]).norm(dim=1)
    off = (found - heads.points)[:, :468, :2].norm(dim=2) / eyes[:, None]
    assert off.max() < 0.01
    assert heads.expression.min() >= 0 and heads.expression.max() <= 1


def test_a_blink_of_one_closes_the_eye_and_only_that_one(rig, heads):
    coefficients = torch.zeros(len(heads), len(rig.names))
    coefficients[:, rig.names.index("eyeBlink_R")] = 1
    shape = landmarks(rig, expressed(rig, heads.neutral.float(), heads.gain, coefficients))
    right, left = ((shape[:, ring[4]] - shape[:, ring[12]])[:, 1].abs() for ring in (RIGHT_EYE, LEFT_EYE))
    assert (right < 0.3 * left).all()


def test_a_look_turns_the_eyeball_about_its_centre(rig):
    coefficients = torch.zeros(1, len(rig.names))
    coefficients[0, rig.names.index("eyeLookUp_L")] = 1
    before, after = (
        expressed(rig, rig.neutral[None], torch.ones(1, 2), c)[0] for c in (0 * coefficients, coefficients)
    )
    assert after[473, 1] < before[473, 1] - 0.05 and torch.equal(after[468], before[468])
    torch.testing.assert_close((after[473] - rig.centres[1]).norm(), (before[473] - rig.centres[1]).norm())


def test_a_batch_is_its_items(rig, model, heads):
    alone = fit_heads(rig, model, heads.points[1:2])
    torch.testing.assert_close(alone.neutral[0], heads.neutral[1].float(), atol=2e-3, rtol=0)

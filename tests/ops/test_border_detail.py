import torch

from fsgan_core.ops.border_detail import limit_border_detail


def oval(size=160):
    y, x = torch.meshgrid(torch.arange(size) + 0.5, torch.arange(size) + 0.5, indexing="ij")
    return (torch.hypot((x - size / 2) / 0.34, (y - size / 2) / 0.42) < size).float()[None, None]


def lines(strength, size=160):
    return (0.5 + strength * torch.sin(torch.arange(size) * 0.8)).expand(1, 3, size, size)


BORDER, MIDDLE = (slice(None), slice(None), slice(70, 90), slice(27, 36)), (..., slice(70, 90), slice(70, 90))


def test_strong_details_fade_towards_the_border_and_stay_in_the_middle():
    face, mask = lines(0.2), oval()
    found = limit_border_detail(face, lines(0.02), mask)
    assert found[BORDER].std() < 0.75 * face[BORDER].std()
    assert (found - face)[MIDDLE].abs().max() < 0.01
    half = limit_border_detail(face, lines(0.02), mask, 0.5)
    assert found[BORDER].std() < half[BORDER].std() < face[BORDER].std()


def test_details_that_the_target_has_as_well_stay():
    mask = oval()
    for face, target in ((lines(0.2), lines(0.2)), (lines(0.05), lines(0.2))):
        inside = (mask > 0).expand_as(face)
        assert (limit_border_detail(face, target, mask) - face)[inside].abs().max() < 0.004


def test_what_lies_beyond_the_mask_is_not_used_and_empty_masks_stay_finite():
    face, target, mask = lines(0.2), lines(0.02), oval()
    inside = (mask > 0).expand_as(face)
    other = limit_border_detail(torch.where(mask > 0, face, 9.0), target, mask)
    assert torch.equal(other[inside], limit_border_detail(face, target, mask)[inside])
    assert limit_border_detail(face, target, torch.zeros_like(mask)).isfinite().all()

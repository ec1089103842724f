import torch

from fsgan_core.stages.completion import SmoothCompleter


def plane(size=96):
    y, x = torch.meshgrid(torch.linspace(0, 1, size), torch.linspace(0, 1, size), indexing="ij")
    return torch.stack((0.2 + 0.5 * x, 0.3 + 0.4 * y, 0.5 + 0.2 * x - 0.1 * y))[None]


def test_a_hole_in_a_smooth_picture_is_filled_with_what_belongs_there():
    image, confidence, mask = plane(), torch.ones(1, 1, 96, 96), torch.ones(1, 1, 96, 96)
    confidence[..., 30:60, 40:70] = 0
    damaged = torch.where(confidence > 0, image, torch.zeros(()))
    filled = SmoothCompleter()(damaged, confidence, mask)
    assert (filled - image).abs().max() < 0.02
    assert (filled == damaged)[confidence.expand_as(image) == 1].all()


def test_nothing_is_filled_outside_the_mask_or_where_the_mirror_shows():
    image = plane()
    low = torch.full((1, 1, 96, 96), 0.4)
    assert (SmoothCompleter()(image, low, torch.ones(1, 1, 96, 96)) == image).all()
    assert (SmoothCompleter()(image, 0 * low, torch.zeros(1, 1, 96, 96)) == image).all()

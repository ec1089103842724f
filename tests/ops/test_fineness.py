import pytest
import torch

from fsgan_core.ops.fineness import blurred, estimate_fineness, grained, softened

WHOLE = (..., slice(0, 220), slice(0, 220))


def texture(seed=0, size=220):
    """A picture with as much in every band of frequencies as photos have."""
    noise = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(seed))
    frequency = torch.hypot(torch.fft.fftfreq(size)[:, None], torch.fft.rfftfreq(size)).clamp_min(1 / size)
    spectrum = torch.fft.rfft2(noise.mean(1, keepdim=True)) / frequency * torch.exp(-8 * frequency.square())
    picture = torch.fft.irfft2(spectrum, s=(size, size))
    return (0.5 + 0.12 * picture / picture.std()).clamp(0, 1).expand(-1, 3, -1, -1)


def oval(size=220):
    y, x = torch.meshgrid(torch.arange(size) + 0.5, torch.arange(size) + 0.5, indexing="ij")
    return (torch.hypot((x - size / 2) / 0.34, (y - size / 2) / 0.42) < size).float()[None, None]


def noise(image, size, seed=5):
    return image + size * torch.randn(image.shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("sigma", [0.7, 1.2, 2.0])
def test_a_blur_is_found_whatever_the_contrast_and_the_picture(sigma):
    target = 0.3 + 0.5 * blurred(texture(1), torch.tensor([sigma]))
    found = estimate_fineness(texture(0), target, oval())[0]
    # Two textures' sharpest edges differ, and 0.4 square pixels more are allowed.
    assert found[0].item() == pytest.approx((sigma**2 + 0.4) ** 0.5, abs=0.5)
    assert estimate_fineness(texture(1), texture(1), oval())[0, 0] < 0.15


def drawn(skin, blur):
    """A face of dark marks with sharp edges on skin that is more or less smooth, blurred."""
    picture = 0.6 + skin * (texture(3) - 0.5)
    for top, left in ((80, 60), (80, 130), (140, 85)):
        picture[..., top : top + 12, left : left + 40] *= 0.3
    return blurred(picture, torch.tensor([blur]))


def test_smooth_skin_is_no_blur_but_wide_edges_are():
    source = drawn(1.0, 0.4)
    assert estimate_fineness(source, drawn(0.1, 0.4), oval())[0, 0] < 0.6
    assert estimate_fineness(source, drawn(0.1, 2.0), oval())[0, 0] > 1.2


def test_softening_leaves_as_much_detail_as_the_target_has():
    """Many faint details with wide edges: blurred to that width, the few of the source would vanish."""
    target, source = blurred(texture(1), torch.tensor([1.5])), 0.5 + 0.6 * (texture(0) - 0.5)
    blur = estimate_fineness(source, target, oval())[:, 0]
    inside = (slice(None), slice(None), slice(60, 160), slice(70, 150))
    left, wanted = ((x - blurred(x, torch.tensor([1.0])))[inside].std() for x in (blurred(source, blur), target))
    assert left > 0.75 * wanted
    assert blur > 0.3


def test_nothing_is_sharpened_and_tiny_or_empty_masks_change_nothing():
    soft = blurred(texture(0), torch.tensor([1.5]))
    assert estimate_fineness(soft, texture(1), oval())[0, 0] == 0
    assert not estimate_fineness(soft, texture(1), torch.zeros(1, 1, 220, 220))[:, :3].any()


def test_softening_uses_nothing_beyond_the_mask():
    image, mask = texture(0), oval()
    soft = softened(image, mask, torch.tensor([1.5]))
    assert torch.equal(
        soft,
        softened(torch.where(mask > 0, image, torch.nan), mask, torch.tensor([1.5])).nan_to_num(0) * mask
        + image * (1 - mask),
    )
    assert softened(torch.ones_like(image), mask, torch.tensor([1.5])).sub(1).abs().max() < 1e-5


def test_blurring_is_a_gaussian_for_every_item_its_own():
    impulse = torch.zeros(2, 1, 41, 41)
    impulse[..., 20, 20] = 1
    found = blurred(impulse, torch.tensor([1.0, 2.0]))
    places = torch.arange(41) - 20
    for row, sigma in enumerate((1.0, 2.0)):
        spread = (found[row, 0].sum(0) * places.square()).sum()
        assert spread.item() == pytest.approx(sigma**2, rel=0.1)


def test_a_smooth_face_gets_the_grain_of_its_target_and_no_edges():
    target = noise(torch.full((1, 3, 220, 220), 0.5), 0.03)
    target[..., 100:, :] = target[..., 100:, :] - 0.4
    source, mask = blurred(texture(0), torch.tensor([1.0])), oval()
    _, *grain = estimate_fineness(source, target, mask).unbind(1)
    assert grain[0] > 0.8
    result = grained(source, target, WHOLE, grain)
    added = (result - source)[..., 20:90, 40:180].std()
    assert 0.4 < added / 0.03 < 1
    assert (result - source).abs().max() < 0.15


def test_no_grain_is_added_to_a_face_that_has_it():
    plain = torch.full((1, 3, 220, 220), 0.5)
    source, target = noise(plain, 0.03, 6), noise(plain, 0.02)
    assert estimate_fineness(source, target, oval())[0, 1] == 0


def test_a_smooth_face_gets_the_pores_of_its_target_and_no_wrinkle():
    source, mask = torch.full((1, 3, 220, 220), 0.5), oval()
    pores = blurred(noise(torch.zeros(1, 3, 220, 220), 0.05), torch.tensor([1.0]))
    wrinkled = source + pores
    wrinkled[..., 110:113, :] -= 0.2
    _, *grain = estimate_fineness(source, wrinkled, mask).unbind(1)
    added = grained(source, wrinkled, WHOLE, grain) - source
    assert added[..., 60:100, 80:140].std() > 0.3 * pores[..., 60:100, 80:140].std()
    assert added[..., 108:115, 80:140].abs().max() < 0.04


def test_grain_in_a_part_is_that_of_the_whole_picture():
    source, target = torch.full((1, 3, 220, 220), 0.5), noise(texture(2), 0.03)
    grain = torch.tensor([[0.9], [0.02], [2.8]]).unbind(0)
    whole = grained(source, target, WHOLE, grain)
    for part in ((..., slice(0, 30), slice(100, 140)), (..., slice(60, 64), slice(215, 220))):
        torch.testing.assert_close(grained(source[part], target, part, grain), whole[part])

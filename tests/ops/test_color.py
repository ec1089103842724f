import numpy as np
import pytest
import torch
from skimage.color import rgb2lab
from skimage.color.colorconv import xyz_from_rgb

from fsgan_core.ops.color import (
    ColorMatch,
    apply_color_match,
    estimate_color_match,
    linear_to_srgb,
    oklab_to_srgb,
    srgb_to_linear,
    srgb_to_oklab,
)


def colors(batch=1, size=24, seed=0):
    return torch.rand(batch, 3, size, size, generator=torch.Generator().manual_seed(seed))


def test_transfer_curve_round_trip_and_known_value():
    ramp = torch.linspace(0, 1, 256)
    torch.testing.assert_close(linear_to_srgb(srgb_to_linear(ramp)), ramp, atol=1e-6, rtol=0)
    torch.testing.assert_close(srgb_to_linear(torch.tensor([0.5])), torch.tensor([0.21404]), atol=1e-5, rtol=0)


def test_luminance_agrees_with_scikit_image():
    image = colors()
    linear = srgb_to_linear(image)[0].permute(1, 2, 0).numpy() @ xyz_from_rgb[1]
    lightness = rgb2lab(image[0].permute(1, 2, 0).numpy())[..., 0]
    expected = np.where(lightness > 8, ((lightness + 16) / 116) ** 3, lightness / 903.3)
    np.testing.assert_allclose(linear, expected, atol=2e-4)


def test_oklab_round_trip_and_published_values():
    image = colors()
    torch.testing.assert_close(oklab_to_srgb(srgb_to_oklab(image)), image, atol=2e-5, rtol=0)
    # Ottosson's definition: white is (1, 0, 0); red as listed by the CSS Color 4 reference.
    swatches = torch.tensor([[1.0, 1, 1], [1, 0, 0], [0, 0, 0]]).view(3, 3, 1, 1)
    expected = torch.tensor([[1.0, 0, 0], [0.62796, 0.22486, 0.12585], [0, 0, 0]]).view(3, 3, 1, 1)
    torch.testing.assert_close(srgb_to_oklab(swatches), expected, atol=1e-4, rtol=0)


def test_matching_brings_the_mean_and_keeps_the_gain_bounded():
    skin = torch.tensor([0.6, 0.5, 0.35]).view(1, 3, 1, 1)
    source, target = 0.3 + 0.2 * colors(seed=1), skin + 0.02 * colors(seed=2)
    mask = torch.ones(1, 1, 24, 24)
    match = estimate_color_match(source, target, mask)
    matched = srgb_to_oklab(apply_color_match(source, match))
    torch.testing.assert_close(matched.mean((2, 3)), srgb_to_oklab(target).mean((2, 3)), atol=6e-3, rtol=0)
    assert match.gain[0, 0].item() == pytest.approx(0.8)
    back = estimate_color_match(target, source, mask)
    assert back.gain[0, 0].item() == pytest.approx(1.2)
    assert match.gain[0, 2] < 0.5
    assert back.gain[0, 2] <= 1.2


def test_only_what_is_under_the_mask_counts():
    source, target = colors(seed=1), colors(seed=2)
    mask = torch.zeros(1, 1, 24, 24)
    mask[..., 5:15, 5:15] = 1
    before = estimate_color_match(source, target, mask)
    after = estimate_color_match(torch.where(mask > 0, source, 1), torch.where(mask > 0, target, 0), mask)
    torch.testing.assert_close(before.gain, after.gain)
    torch.testing.assert_close(before.source, after.source)


def test_an_empty_mask_changes_nothing():
    source = colors(seed=1)
    match = estimate_color_match(source, colors(seed=2), torch.zeros(1, 1, 24, 24))
    torch.testing.assert_close(apply_color_match(source, match), source, atol=2e-5, rtol=0)


def test_one_match_for_a_track_maps_a_color_the_same_in_every_frame():
    each = [estimate_color_match(colors(seed=one), colors(seed=one + 9), torch.ones(1, 1, 24, 24)) for one in range(3)]
    match = ColorMatch.usual(each)
    assert match.gain.shape == (1, 3)
    assert torch.equal(match.gain, torch.cat([one.gain for one in each]).median(0, keepdim=True).values)
    frames = colors(6, seed=3)
    frames[:, :, 0, 0] = torch.tensor([0.6, 0.4, 0.3])
    mapped = apply_color_match(frames, match)[:, :, 0, 0]
    assert torch.equal(mapped, mapped[:1].expand_as(mapped))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype):
    source, target, mask = (
        colors(size=300).to(dtype),
        colors(size=300, seed=1).to(dtype) / 2,
        torch.ones(1, 1, 300, 300),
    )
    match = estimate_color_match(source, target, mask.to(dtype))
    assert match.gain.dtype == torch.float32
    exact = estimate_color_match(source.float(), target.float(), mask)
    torch.testing.assert_close(match.source, exact.source, atol=1e-6, rtol=0)
    found = apply_color_match(source, match)
    assert found.dtype == dtype
    assert (found.float() - apply_color_match(source.float(), exact)).abs().max() <= torch.finfo(dtype).eps
    assert oklab_to_srgb(srgb_to_oklab(source)).dtype == dtype


def face_with(skin, *marks):
    """A face of a skin colour in linear light, a little uneven, with square marks of others."""
    light = torch.tensor(skin).view(1, 3, 1, 1) * (0.9 + 0.2 * colors(1, 60, 5)[:, :1])
    for number, mark in enumerate(marks):
        light[..., 20:26, 10 + 20 * number : 16 + 20 * number] = torch.tensor(mark).view(1, 3, 1, 1)
    return linear_to_srgb(light)


@pytest.mark.parametrize("paler", [True, False])
def test_brows_keep_their_share_of_the_skin_s_light_and_stay_grey(paler):
    skins = (0.16, 0.08, 0.05), (0.62, 0.42, 0.34)
    ours, theirs = skins if paler else skins[::-1]
    source, target = (face_with(skin, [0.15 * sum(skin) / 3] * 3) for skin in (ours, theirs))
    match = estimate_color_match(source, target, torch.ones(1, 1, 60, 60))
    found = srgb_to_linear(apply_color_match(source, match))[0]
    brow, skin = found[:, 22, 12], found[:, 30:50].mean((1, 2))
    assert 0.09 < brow.mean() / skin.mean() < 0.21
    assert brow.amax() - brow.amin() < 0.5 * brow.mean()


def test_what_is_grey_on_skin_of_one_hue_stays_grey_on_another():
    brown, pink = (0.30, 0.16, 0.05), (0.62, 0.42, 0.44)
    source = face_with(brown, [0.03] * 3)
    match = estimate_color_match(source, face_with(pink), torch.ones(1, 1, 60, 60))
    brow = srgb_to_linear(apply_color_match(source, match))[0, :, 22, 12]
    assert brow.amax() - brow.amin() < 0.25 * brow.mean()


def test_no_detail_is_much_darker_than_the_blacks_of_a_hazy_target():
    pale, black = (0.5, 0.35, 0.28), [0.004] * 3
    whole = torch.ones(1, 1, 60, 60)
    clear, hazy = (face_with((0.6, 0.42, 0.34), [dark] * 3) for dark in (0.004, 0.16))
    source = face_with(pale, black)
    found, deep = (
        srgb_to_oklab(apply_color_match(source, estimate_color_match(source, target, whole)))[0, 0, 22, 12]
        for target in (hazy, clear)
    )
    assert found > 0.85 * srgb_to_oklab(hazy)[0, 0, 22, 12]
    assert deep < 0.3


def test_lips_are_hardly_redder_than_the_target_s_and_grey_ones_stay_grey():
    skin, whole = (0.5, 0.35, 0.28), torch.ones(1, 1, 60, 60)
    source, target = face_with(skin, (0.4, 0.02, 0.02), [0.1] * 3), face_with(skin, (0.4, 0.2, 0.17))
    found = srgb_to_oklab(apply_color_match(source, estimate_color_match(source, target, whole)))
    tint = found[0, 1:] / found[0, :1]
    theirs = srgb_to_oklab(target)
    reddest = (theirs[0, 1:] / theirs[0, :1])[:, 22, 12] - tint[:, 40, 30]
    assert (tint[:, 22, 12] - tint[:, 40, 30]).norm() < 1.35 * reddest.norm()
    assert tint[:, 22, 32].norm() < 0.3 * tint[:, 40, 30].norm()


def test_shine_on_dark_skin_is_added_to_pale_skin_not_multiplied():
    dark, pale = (0.1, 0.06, 0.04), (0.4, 0.28, 0.22)
    source = face_with(dark, (0.25, 0.2, 0.18))
    match = estimate_color_match(source, face_with(pale), torch.ones(1, 1, 60, 60))
    found = srgb_to_linear(apply_color_match(source, match))[0].mean(0)
    glint, skin = found[22, 12], found[30:50].mean()
    assert skin < glint < 2.4 * skin  # 3.1 times on the dark skin


def test_a_black_and_white_target_takes_the_colour_away():
    generator = torch.Generator().manual_seed(3)
    face = torch.rand(1, 3, 32, 32, generator=generator)
    grey = torch.rand(1, 1, 32, 32, generator=generator).expand(-1, 3, -1, -1)
    matched = apply_color_match(face, estimate_color_match(face, grey, torch.ones(1, 1, 32, 32)))
    assert (matched.amax(1) - matched.amin(1)).max() < 0.02
    assert matched.std() > 0.05


def test_colour_spaces_do_not_depend_on_the_number_of_threads():
    image, setting, found = colors(size=173), torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3, 5):
            torch.set_num_threads(threads)
            lab = srgb_to_oklab(image)
            found.append((lab, oklab_to_srgb(lab)))
    finally:
        torch.set_num_threads(setting)
    assert all(torch.equal(*pair) for other in found for pair in zip(other, found[0], strict=True))


def test_the_match_does_not_depend_on_the_number_of_threads():
    torch.manual_seed(0)
    source, target, mask = torch.rand(1, 3, 400, 400), torch.rand(1, 3, 400, 400), torch.rand(1, 1, 400, 400)
    setting, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(estimate_color_match(source, target, mask))
    finally:
        torch.set_num_threads(setting)
    for name in ("source", "target", "gain"):
        assert all(torch.equal(getattr(one, name), getattr(found[0], name)) for one in found), name

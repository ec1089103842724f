import pytest
import torch

from fsgan_core.ops.color import linear_to_srgb, oklab_to_srgb, srgb_to_linear, srgb_to_oklab
from fsgan_core.ops.light import border_membrane, match_light
from fsgan_core.ops.lowpass import face_size, lowpass, pooled, weighted_lowpass
from fsgan_core.ops.relighting import at_lightness, saturation

LEVEL = 1 / 255


def face(size=160, seed=0, batch=1):
    """Skin with features finer than light: blobs of about 2 % of the face."""
    noise = torch.rand(batch, 1, size, size, generator=torch.Generator().manual_seed(seed)) - 0.5
    features = lowpass(noise, size / 80, size) * size / 8
    skin = torch.tensor([0.75, 0.55, 0.45])[:, None, None]
    return (skin * (1 + features)).clamp(0.02, 0.98)


def oval(size=160, shift=0):
    y, x = torch.meshgrid(torch.arange(size) + 0.5, torch.arange(size) + 0.5, indexing="ij")
    return (torch.hypot((x - size / 2 - shift) / 0.34, (y - size / 2) / 0.42) < size).float()[None, None]


def lit(image, left, right):
    light = torch.linspace(left, right, image.shape[-1])
    return linear_to_srgb(srgb_to_linear(image) * light)


def test_lowpass_is_a_gaussian():
    impulse = torch.zeros(1, 1, 64, 64)
    impulse[..., 32, 32] = 1
    blurred = lowpass(impulse, 5.0)
    distance = torch.arange(64) - 32
    expected = torch.exp(-(distance**2) / 50) / (50 * torch.pi)
    torch.testing.assert_close(blurred[0, 0, 32, 20:44], expected[20:44], atol=1e-6, rtol=1e-2)
    torch.testing.assert_close(lowpass(torch.ones(2, 1, 50, 70), 9.0), torch.ones(2, 1, 50, 70))


def test_lowpass_hardly_depends_on_the_grid_or_resolution():
    image = lowpass(face(256), 8.0, 256)
    torch.testing.assert_close(lowpass(image, 16.0, 64), lowpass(image, 16.0, 256), atol=0.5 * LEVEL, rtol=0)
    large = torch.nn.functional.interpolate(image, (512, 512), mode="nearest")
    shrunk = torch.nn.functional.avg_pool2d(lowpass(large, 32.0), 2)
    torch.testing.assert_close(shrunk, lowpass(image, 16.0), atol=0.5 * LEVEL, rtol=0)
    torch.testing.assert_close(
        lowpass(image, 16.0, shape=(512, 512))[..., 8:9, 8:9], lowpass(image, 16.0)[..., 4:5, 4:5], atol=0.01, rtol=0
    )


def test_every_item_has_its_own_width():
    image = torch.cat((face(96, 1), face(96, 2)))
    both = lowpass(image, torch.tensor([4.0, 12.0]))
    torch.testing.assert_close(both[:1], lowpass(image[:1], 4.0))
    torch.testing.assert_close(both[1:], lowpass(image[1:], 12.0))


def test_weighted_lowpass_ignores_what_has_no_weight():
    values, weights = torch.full((1, 2, 80, 80), 0.3), oval(80)
    values = torch.where(weights > 0, values, 100.0)
    torch.testing.assert_close(
        weighted_lowpass(values * weights, weights, 6.0)[..., 20:60, 20:60], torch.full((1, 2, 40, 40), 0.3)
    )


def test_pooling_means_only_what_is_under_the_mask():
    values = torch.where(oval() > 0, torch.full((1, 3, 160, 160), 0.4), torch.nan)
    means, weight, scale = pooled(values, oval(), 40)
    assert means.shape == (1, 3, 40, 40)
    assert scale == 0.25
    torch.testing.assert_close(means, 0.4 * (weight > 0).expand_as(means))
    assert face_size(torch.ones(1, 1, 30, 30)).item() == 30


@pytest.mark.parametrize(
    ("ours", "theirs"), [((0.1, 1.0), (1.0, 0.1)), ((1.0, 0.2), (0.5, 0.5)), ((0.3, 0.3), (0.2, 1.0))]
)
def test_the_same_face_in_other_light_is_recovered(ours, theirs):
    portrait, mask = face(), oval()
    source, target = lit(portrait, *ours), lit(portrait, *theirs)
    inside = (oval() > 0).expand_as(source)
    before = (source - target).abs()[inside].mean()
    after = (match_light(source, target, mask) - target).abs()[inside].mean()
    assert after < 4 * LEVEL < 0.1 * before + 4 * LEVEL
    assert after < 0.12 * before


def test_features_stay_the_source_s():
    source, target, mask = lit(face(seed=1), 0.1, 1.0), lit(face(seed=2), 1.0, 0.1), oval()
    matched = match_light(source, target, mask)
    inside = oval()[0, 0] > 0

    def detail(image):
        return (image - lowpass(image, 8.0)).mean(1)[0][inside]

    assert torch.corrcoef(torch.stack((detail(matched), detail(source))))[0, 1] > 0.9
    assert torch.corrcoef(torch.stack((detail(matched), detail(target))))[0, 1].abs() < 0.3


def test_no_strength_changes_nothing_and_half_lies_between():
    source, target, mask = lit(face(seed=1), 0.1, 1.0), lit(face(seed=2), 1.0, 0.1), oval()
    inside = (mask > 0).expand_as(source)
    none, half, full = (match_light(source, target, mask, k)[inside].mean() for k in (0.0, 0.5, 1.0))
    torch.testing.assert_close(match_light(source, target, mask, 0.0)[inside], source[inside], atol=1e-4, rtol=0)
    assert min(none, full) - LEVEL <= half <= max(none, full) + LEVEL


def test_an_occluder_in_the_target_darkens_the_face_little():
    portrait, mask = face(), oval()
    target = portrait.clone()
    target[..., 60:85, 60:90] = 0.03
    darker = portrait - match_light(portrait, target, mask)
    far = (mask > 0).expand_as(portrait).clone()
    far[..., 50:95, 50:100] = False
    assert darker.abs()[far].mean() < 2 * LEVEL


def test_light_does_not_depend_on_the_resolution():
    source, target, mask = (
        torch.nn.functional.interpolate(x, (320, 320), mode="bilinear")
        for x in (lit(face(seed=1), 0.1, 1), lit(face(seed=2), 1, 0.1), oval())
    )
    small = [torch.nn.functional.avg_pool2d(x, 2) for x in (source, target, mask)]
    difference = torch.nn.functional.avg_pool2d(match_light(source, target, mask), 2) - match_light(*small)
    assert difference.abs()[(small[2] == 1).expand_as(difference)].mean() < LEVEL


def test_a_small_constant_difference_is_corrected_at_the_border_only():
    target, mask = face(), oval()
    membrane = border_membrane(target - 0.02, target, mask)[0, 0]
    assert membrane[80, 80 - int(0.33 * 160)] > 0.012
    assert membrane[80, 80].abs() < 0.004


def test_outliers_at_the_border_do_not_bleed_in():
    target, mask = face(), oval()
    source = target.clone()
    target[..., :80] = 0
    membrane = border_membrane(source, target, mask)
    assert membrane.abs().max() < 0.06
    assert membrane[..., 70:90, 60:100].abs().max() < LEVEL


def test_items_do_not_depend_on_their_batch():
    source, target = torch.cat((face(96, 1), face(96, 2))), torch.cat((face(96, 3), face(96, 4)))
    mask = torch.cat((oval(96), oval(96, 10)))
    for function in (match_light, border_membrane):
        together = function(source, target, mask)
        torch.testing.assert_close(together[:1], function(source[:1], target[:1], mask[:1]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("fill", [0.0, 1.0])
def test_empty_and_full_masks_stay_finite(fill):
    mask = torch.full((1, 1, 64, 64), fill)
    for function in (match_light, border_membrane):
        assert function(face(64, 1), face(64, 2), mask).isfinite().all()


def test_coloured_lights_go_though_features_stay():
    target, mask = face(), oval()
    waves = torch.cos(torch.arange(160) * (2 * torch.pi / 80))  # warm and cold across half a face
    source = (target * (1 + 0.15 * waves * torch.tensor([1.0, 0.0, -1.0])[:, None, None])).clamp(0, 1)
    inside = oval()[0, 0] * (lowpass(mask, 8.0)[0, 0] > 0.99)

    def varied(image):
        tint = saturation(srgb_to_oklab(image))[0, :, inside > 0]
        return (tint - saturation(srgb_to_oklab(target))[0, :, inside > 0]).std()

    def fine(image):
        return (image - lowpass(image, 4.0))[0, :, inside > 0].std()

    found = match_light(source, target, mask)
    assert varied(found) < 0.4 * varied(source)
    assert fine(found) > 0.9 * fine(source)


def spotted(image, x, width, color):
    """Paint on a cheek: a spot of another saturation, as light as the skin there."""
    y, at = torch.meshgrid(torch.arange(image.shape[-2]), torch.arange(image.shape[-1]), indexing="ij")
    share = torch.exp(-0.5 * (((at - x) ** 2 + (y - 90) ** 2) / width**2))
    lab = srgb_to_oklab(image)
    tint = saturation(lab) + share * torch.tensor(color)[:, None, None]
    return oklab_to_srgb(at_lightness(lab[:, :1], tint))


def test_paint_on_a_targets_cheek_is_no_light():
    mask, plain = oval(), face(seed=1)
    painted = spotted(plain, 40, 6, (0.12, 0.12))
    tint = [saturation(srgb_to_oklab(match_light(face(), one, mask))) for one in (plain, painted)]
    paint = saturation(srgb_to_oklab(painted)) - saturation(srgb_to_oklab(plain))
    assert ((tint[1] - tint[0]) * mask).abs().max() < 0.3 * (paint * mask).abs().max()


def test_a_coloured_lamp_beside_a_target_is_light():
    mask, plain = oval(), face(seed=1)
    share = torch.linspace(1, -1, 160).clamp_min(0) * torch.tensor([0.0, 0.12])[:, None, None]
    lab = srgb_to_oklab(plain)
    lamp = oklab_to_srgb(at_lightness(lab[:, :1], saturation(lab) + share))
    tint = [saturation(srgb_to_oklab(match_light(face(), one, mask)))[:, 1:] for one in (plain, lamp)]
    left = (mask > 0) & (torch.arange(160) < 60)
    assert (tint[1] - tint[0])[left].mean() > 0.8 * share[1].expand_as(mask)[left].mean()

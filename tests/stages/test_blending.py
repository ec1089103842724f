import pytest
import torch

from fsgan_core.ops.color import estimate_color_match, linear_to_srgb, srgb_to_linear
from fsgan_core.ops.lowpass import lowpass
from fsgan_core.ops.masks import erode
from fsgan_core.ops.poisson import poisson_blend
from fsgan_core.stages.blending import BLENDERS, PLAIN_POISSON, BlendOptions, PoissonBlender

LEVEL = 1 / 255
SIZE = 128


def face(seed, size=SIZE):
    noise = torch.rand(1, 1, size, size, generator=torch.Generator().manual_seed(seed)) - 0.5
    skin = torch.tensor([0.7, 0.5, 0.4])[:, None, None]
    return (skin * (1 + lowpass(noise, 1.5, size) * 12)).clamp(0.02, 0.98)


def lit(image, left, right):
    return linear_to_srgb(srgb_to_linear(image) * torch.linspace(left, right, image.shape[-1]))


def oval(shift=0.0, scale=1.0, size=SIZE):
    y, x = torch.meshgrid(torch.arange(size) + 0.5, torch.arange(size) + 0.5, indexing="ij")
    return (torch.hypot((x - size / 2 - shift) / 0.34, (y - size / 2) / 0.42) < scale * size).float()[None, None]


every_blender = pytest.mark.parametrize("name", BLENDERS)


@every_blender
@pytest.mark.parametrize("options", [BlendOptions(), BlendOptions(feather=0), BlendOptions(color=False, light=0)])
def test_pixels_outside_the_mask_are_the_target_s(name, options):
    target, mask = face(2), oval()
    result = BLENDERS[name](options)(face(1), target, mask)
    outside = (mask == 0).expand_as(target)
    assert torch.equal(result[outside], target[outside])
    assert not torch.equal(result, target)
    assert result.min() >= 0
    assert result.max() <= 1


@every_blender
def test_an_empty_mask_returns_the_target(name):
    target = face(2)
    assert torch.equal(BLENDERS[name]()(face(1), target, torch.zeros(1, 1, SIZE, SIZE)), target)


@every_blender
def test_a_mask_without_border_or_at_the_image_border_works(name):
    for mask in (torch.ones(1, 1, SIZE, SIZE), oval(50.0)):
        assert BLENDERS[name]()(face(1), face(2), mask).isfinite().all()


@every_blender
@pytest.mark.parametrize("options", [BlendOptions(), BlendOptions(mode="mixed"), PLAIN_POISSON])
def test_the_source_beyond_the_mask_is_not_used(name, options):
    source, mask = face(1), oval()
    blend = BLENDERS[name](options)
    assert torch.equal(blend(torch.where(mask > 0, source, 0), face(2), mask), blend(source, face(2), mask))


@every_blender
def test_the_target_blended_into_itself_hardly_changes(name):
    target = lit(face(2), 0.2, 1)
    assert (BLENDERS[name]()(target, target, oval()) - target).abs().max() < LEVEL


@every_blender
def test_items_do_not_depend_on_their_batch(name):
    source, target = torch.cat((face(1), lit(face(3), 0.1, 1))), torch.cat((face(2), face(4)))
    mask = torch.cat((oval(), oval(9, 0.8)))
    together = BLENDERS[name]()(source, target, mask)
    for k in range(2):
        alone = BLENDERS[name]()(source[k : k + 1], target[k : k + 1], mask[k : k + 1])
        torch.testing.assert_close(together[k : k + 1], alone, atol=1e-5, rtol=0)


@every_blender
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(name, dtype):
    # 300 px, since a sum over so many pixels is beyond float16.
    size = 300
    source, target, mask = (x.to(dtype) for x in (face(1, size), face(2, size), oval(size=size)))
    for options in (BlendOptions(), BlendOptions(mode="mixed", exact=True)):
        blend = BLENDERS[name](options)
        found, whole = blend(source, target, mask), blend(source.float(), target.float(), mask.float())
        assert found.dtype == dtype
        assert (found.float() - whole).abs().max() <= torch.finfo(dtype).eps
        assert torch.equal(torch.where(mask > 0, 0, found), torch.where(mask > 0, 0, target))


@every_blender
def test_opposite_light_is_taken_over(name):
    """Plain Poisson turns half of this face black: the remedies must be several times nearer to the known answer."""
    source, target, mask = lit(face(2), 0.05, 1), lit(face(2), 1, 0.05), oval()
    inside = (erode(mask, 3) > 0).expand_as(target)
    plain = (PoissonBlender(PLAIN_POISSON)(source, target, mask) - target).abs()[inside]
    ours = (BLENDERS[name]()(source, target, mask) - target).abs()[inside]
    assert ours.mean() < 0.3 * plain.mean()
    assert ours.mean() < 4 * LEVEL


def test_a_dark_object_at_the_border_does_not_bleed_in():
    target, mask = face(2), oval()
    source = target.clone()
    target[..., :30] = 0.02
    inner = (slice(None), slice(None), slice(40, 90), slice(48, 90))
    plain = (PoissonBlender(PLAIN_POISSON)(source, target, mask) - source).abs()[inner].mean()
    ours = (PoissonBlender(BlendOptions(color=False))(source, target, mask) - source).abs()[inner].mean()
    assert ours < 0.7 * LEVEL < 4 * LEVEL < plain


def test_plain_poisson_is_the_operator_one_pixel_inside():
    source, target, mask = face(1), face(2), oval()
    expected = poisson_blend(source, target, erode(mask)).clamp(0, 1)
    assert torch.equal(PoissonBlender(PLAIN_POISSON)(source, target, mask), expected)


def test_mixed_takes_up_strong_details_of_the_target():
    source, target, mask = torch.full((1, 3, SIZE, SIZE), 0.5), torch.full((1, 3, SIZE, SIZE), 0.5), oval()
    target[..., 64, 50:78] = 0.9
    normal, mixed = (
        PoissonBlender(BlendOptions(mode=mode, light=0.0, color=False))(source, target, mask)
        for mode in ("normal", "mixed")
    )
    assert normal[0, 0, 64, 64] < 0.55
    assert mixed[0, 0, 64, 64] > 0.7


@every_blender
def test_a_trembling_mask_does_not_flicker(name):
    """The mask's border moves by a pixel while the pictures stand still."""
    source, target = lit(face(1, 256), 0.3, 1), lit(face(2, 256), 1, 0.3)
    masks = [oval(0, 1, 256), oval(1, 1, 256), oval(0, 1.01, 256), erode(oval(0, 1, 256))]
    color = estimate_color_match(source, target, masks[0])
    results = [BLENDERS[name]()(source, target, mask, color) for mask in masks]
    inner = (slice(None), slice(None), slice(88, 168), slice(96, 160))
    for result in results[1:]:
        assert (result - results[0])[inner].abs().max() < LEVEL


def test_colors_of_a_track_do_not_follow_the_frame():
    source, mask = face(1), oval()
    blend = PoissonBlender(BlendOptions(light=0.0))
    color = estimate_color_match(source, face(2), mask)
    frames = [face(2), 0.5 * face(2)]
    center = (slice(None), slice(None), slice(54, 74), slice(54, 74))
    kept = [blend(source, frame, mask, color)[center] for frame in frames]
    estimated = [blend(source, frame, mask)[center] for frame in frames]
    assert (kept[0] - kept[1]).abs().mean() < LEVEL
    assert (estimated[0] - estimated[1]).abs().mean() > 20 * LEVEL


@pytest.mark.parametrize("wrong", [{"mode": "x"}, {"light": 1.5}, {"feather": -1.0}])
def test_options_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=r"mode|light|feather"):
        BlendOptions(**wrong)

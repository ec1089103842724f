from dataclasses import replace
from pathlib import Path
from runpy import run_path

import pytest
import torch

from fsgan_core.errors import WeightsError
from fsgan_core.networks import low_rank
from fsgan_core.networks.flow_net import WINDOW, FlowNet, FlowNetConfig, doubt, enlarged
from fsgan_core.ops.head_mesh import place
from fsgan_core.stages.evidence import Window, gather
from fsgan_core.stages.features import feature_layer
from fsgan_core.stages.pose import load_face_model
from fsgan_core.stages.reenactment import FlowOptions, FlowReenactor
from fsgan_core.stages.refinement import (
    ADAPTER,
    KIND,
    Refined,
    Refiner,
    adapted_refiner,
    bundled_refiner,
    load_refiner,
)
from fsgan_core.stages.views import prepare
from fsgan_core.stages.warping import warp
from fsgan_core.weights.checkpoint import save_weights

_FACES = run_path(str(Path(__file__).with_name("test_reenactment.py")))
as_image, face, picture, sharpness = (_FACES[name] for name in ("as_image", "face", "picture", "sharpness"))
MODEL = load_face_model()
SMALL = FlowNetConfig(widths=(4, 4, 4, 4), judge=4)


def network(scale=0.3, light=True):
    """A network that does something everywhere it may."""
    torch.manual_seed(0)
    net = FlowNet(replace(SMALL, light=light)).eval()
    with torch.no_grad():
        for layer in net.modules():
            if isinstance(layer, torch.nn.Conv2d) and not layer.weight.any():
                layer.weight.normal_(0, scale)
                layer.bias.normal_(0, scale)
    return net


def engines(light=True, **options):
    refined = FlowReenactor(MODEL, FlowOptions(**options), Refiner(network(light=light)))
    return refined, FlowReenactor(MODEL, FlowOptions(refine=False, **options))


def evidence(target, source=None, size=WINDOW):
    view = prepare(picture(size), face(size=size) if source is None else source, MODEL)
    placed = place(MODEL.mean, target[None])
    layer = warp(view, placed, (size, size), MODEL, None)
    window = Window.around(target[None])
    features = torch.cat(feature_layer(size, view, target[None], MODEL), 1)
    return gather([layer], [1.0], placed, window, MODEL, window.look(features, 1.0), 0.5)


def test_an_untrained_network_changes_nothing():
    view, target = prepare(picture(), face(), MODEL), face(35.0, browInnerUp_L=0.8)[None]
    fresh = Refiner(FlowNet(FlowNetConfig()).eval())
    drawn = [
        FlowReenactor(MODEL, FlowOptions(refine=flag), fresh)([view], [1.0], target, 192) for flag in (True, False)
    ]
    assert torch.allclose(drawn[0].image, drawn[1].image, atol=1e-5)


def test_a_face_at_rest_is_left_alone():
    view = prepare(picture(256), face(size=256), MODEL)
    refined, geometry = (engine([view], [1.0], face(size=256)[None], 256) for engine in engines())
    for point in (9, 10, 151):  # forehead
        x, y = face(size=256)[point, :2].int().tolist()
        part = (..., slice(y - 6, y + 7), slice(x - 6, x + 7))
        assert torch.allclose(refined.image[part], geometry.image[part], atol=1 / 255)
        assert (refined.confidence - geometry.confidence)[part].max() < 0.01


def test_what_geometry_is_sure_of_keeps_its_pixels_while_the_mouth_opens():
    view, target = prepare(picture(256), face(size=256), MODEL), face(size=256, jawOpen=0.8)
    refined, geometry = (engine([view], [1.0], target[None], 256) for engine in engines())
    change = (refined.image - geometry.image).abs().amax(1)[0]
    doubts = enlarged(doubt(evidence(target).geometry).paint, 256)
    brow, mouth = target[[9, 107, 336], :2].mean(0).long(), target[[13, 14], :2].mean(0).long()
    assert change[brow[1] - 3 : brow[1] + 3, brow[0] - 3 : brow[0] + 3].max() < 2 / 255
    assert change[mouth[1] - 20 :].max() > 5 / 255
    assert doubts.max() > 0.9 and refined.confidence.min() >= geometry.confidence.min()


@pytest.mark.parametrize("steps", [2, 4, 8])
def test_sharpness_does_not_depend_on_the_number_of_steps(steps):
    view, target = prepare(picture(), face(), MODEL), face(28.0)[None]
    drawn = [engines(steps=n)[0]([view], [1.0], target, 192) for n in (1, steps)]
    one, many = (sharpness(d.image, d.mask * (d.confidence > 0.9)) for d in drawn)
    assert many / one == pytest.approx(1, abs=0.02)


def test_a_face_that_is_to_be_blended_is_not_toned():
    view, target = prepare(picture(256), face(size=256), MODEL), face(6.0, size=256)[None]
    refined, geometry = engines(light=False)
    plain = geometry([view], [1.0], target, 256)
    toned, blended = (refined([view], [1.0], target, 256, picture=one) for one in (None, plain.image))
    cheek = target[0, 50, :2].int().tolist()
    part = (..., slice(cheek[1] - 6, cheek[1] + 7), slice(cheek[0] - 6, cheek[0] + 7))
    change = [(one.image - plain.image)[part].abs().mean() for one in (toned, blended)]
    assert change[1] < 0.5 * change[0]


def test_paint_lies_where_the_window_lies_at_any_size():
    zero = torch.zeros(1, 1, WINDOW // 2, WINDOW // 2)
    refiner = Refiner(network())
    refined = refiner(evidence(face(size=256)), Window(20.0, 30.0, 60.0))
    dot = torch.zeros(1, 1, WINDOW, WINDOW)
    dot[..., 64:128, 128:192] = 1
    painting = refined.painting._replace(
        colour=torch.ones(1, 3, WINDOW, WINDOW), cover=dot, light=torch.zeros_like(refined.painting.light)
    )
    refined = replace(refined, painting=painting, doubts=refined.doubts._replace(paint=zero + 1))
    for scale in (1.0, 4.0):
        size = int(100 * scale)
        image, painted = refined.painted(torch.zeros(1, 3, size, size), scale)
        rows, columns = (painted[0, 0] > 0.5).nonzero().float().mean(0).add(0.5).tolist()
        assert rows / scale == pytest.approx(30 + 60 * 0.375, abs=0.5)
        assert columns / scale == pytest.approx(20 + 60 * 0.625, abs=0.5)
        assert torch.allclose(image, painted.expand(-1, 3, -1, -1), atol=1e-5)


def test_paint_stays_on_the_face_and_leaves_its_surroundings():
    refining, geometry = engines()
    view, turned = prepare(picture(), face(), MODEL), face(25.0)[None]
    plain, refined = (engine([view], [1.0], turned, 192, surroundings=True) for engine in (geometry, refining))
    change, beyond = (refined.image - plain.image).abs(), plain.mask < 1e-6
    assert beyond.float().mean() > 0.1
    assert change.mean() > 1e-3
    assert (change * beyond).max() == 0


@pytest.mark.parametrize("shift", [None, 10.0])
def test_paint_is_computed_only_where_something_may_change(shift, monkeypatch):
    refined = Refiner(network())(evidence(face(20.0, size=256)), Window.around(face(20.0, size=256)[None]))
    if shift is not None:
        refined = replace(refined, shift=torch.full((1, 2, 64, 64), shift))
    image, scale = torch.rand(1, 3, 300, 300), 300 / 256
    part = refined._doubted(300, scale)
    drawn = refined.painted(image, scale)
    assert (part[2] - part[0]) * (part[3] - part[1]) < 0.8 * 300 * 300
    assert drawn[1].max() > 0.1
    monkeypatch.setattr(Refined, "_doubted", lambda *_: (0, 0, 300, 300))
    for one, other in zip(drawn, refined.painted(image, scale), strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=0)


def test_a_window_beyond_the_crop_is_cut():
    refined = Refiner(network())(evidence(face(size=256)), Window(-30.0, 70.0, 80.0))
    image, painted = refined.painted(torch.rand(1, 3, 100, 100), 1.0)
    assert image.shape == (1, 3, 100, 100) and painted[..., 60:].max() == 0
    assert isinstance(replace(refined, window=Window(500.0, 0.0, 10.0)), Refined)
    beyond = replace(refined, window=Window(500.0, 0.0, 10.0)).painted(image, 1.0)
    assert torch.equal(beyond[0], image) and not beyond[1].any()


def test_detail_of_a_large_source_survives():
    target = face(15.0, size=1024)[None]
    view = prepare(picture(1024), face(size=1024), MODEL)
    engines = (FlowReenactor(MODEL, FlowOptions(refine=flag)) for flag in (True, False))
    refined, geometry = (engine([view], [1.0], target, 1024) for engine in engines)
    sure = (geometry.mask > 0.99) * (refined.confidence - geometry.confidence < 0.02) * (geometry.confidence > 0.95)
    assert sharpness(refined.image, sure) / sharpness(geometry.image, sure) == pytest.approx(1, abs=0.06)


def test_evidence_of_a_face_at_rest_shows_the_picture():
    found = evidence(face(size=256))
    window = Window.around(face(size=256)[None])
    assert found.sheets.shape == (1, 2, 3, WINDOW, WINDOW) and found.geometry.shape[-1] == WINDOW // 2
    centre = [round(window.left + window.side / 2), round(window.top + window.side / 2)]
    there = as_image(picture(256))[..., centre[1] - 4 : centre[1] + 4, centre[0] - 4 : centre[0] + 4].mean()
    here = found.sheets[0, 0, :, 124:132, 124:132].mean()
    assert here == pytest.approx(float(there), abs=0.03)
    assert doubt(found.geometry).light.max() < 1e-3


def test_weights_that_do_not_fit_are_refused(tmp_path):
    tensors = FlowNet(SMALL).state_dict()
    save_weights(tmp_path / "small.safetensors", tensors, KIND, SMALL)
    assert load_refiner(tmp_path / "small.safetensors").network.config == SMALL
    save_weights(tmp_path / "wrong.safetensors", tensors, KIND, FlowNetConfig())
    with pytest.raises(WeightsError, match="does not fit"):
        load_refiner(tmp_path / "wrong.safetensors")


def adapter(path, kind=ADAPTER, net=None, **changes):
    """A file that changes a network a little, with some of its tensors replaced, or left out where None."""
    factors = low_rank.fresh(net or network(), 2)
    tensors = {
        f"{name}.{part}": values + 0.1 for name, pair in factors.items() for part, values in pair._asdict().items()
    }
    first = next(iter(factors))
    tensors |= {f"{first}.{part}": values for part, values in changes.items()}
    save_weights(path, {name: values for name, values in tensors.items() if values is not None}, kind)
    return path


def test_an_adapter_changes_a_copy(tmp_path):
    refiner = Refiner(network())
    before = [weight.clone() for weight in refiner.network.parameters()]
    other = adapted_refiner(refiner, adapter(tmp_path / "a.safetensors"))
    assert any(not torch.equal(*pair) for pair in zip(before, other.network.parameters(), strict=True))
    assert all(torch.equal(*pair) for pair in zip(before, refiner.network.parameters(), strict=True))


def test_an_adapter_named_in_the_options_changes_the_drawing_and_not_the_shared_network(tmp_path):
    shared = bundled_refiner(MODEL.mean.device)
    before = [weight.clone() for weight in shared.network.parameters()]
    path = adapter(tmp_path / "a.safetensors", net=shared.network)
    view, target = prepare(picture(), face(), MODEL), face(25.0, jawOpen=0.4)[None]
    usual, fitted, again = (
        FlowReenactor(MODEL, FlowOptions(adapter=name))([view], [1.0], target, 192).image
        for name in ("", str(path), "")
    )
    assert fitted.isfinite().all() and (fitted - usual).abs().max() > 5 / 255
    assert torch.equal(usual, again) and bundled_refiner(MODEL.mean.device) is shared
    assert all(torch.equal(*pair) for pair in zip(before, shared.network.parameters(), strict=True))


@pytest.mark.parametrize(
    "changes",
    [
        {"up": None},
        {"up": torch.zeros(3, 2)},
        {"down": torch.zeros(2, 5)},
        {"down": torch.zeros(1, 9)},
        {"down": torch.zeros(0, 9)},
        {"up": torch.zeros(())},
        {"other": torch.zeros(1)},
    ],
    ids=str,
)
def test_an_adapter_for_another_network_is_refused(tmp_path, changes):
    path = adapter(tmp_path / "a.safetensors", **changes)
    with pytest.raises(WeightsError, match="a.safetensors was made for another network .*run 'fsgan adapt' again"):
        adapted_refiner(Refiner(network()), path)


def test_an_adapter_that_is_none_or_damaged_is_refused(tmp_path):
    whole, refiner = adapter(tmp_path / "a.safetensors"), Refiner(network())
    (tmp_path / "half.safetensors").write_bytes(whole.read_bytes()[:-100])
    (tmp_path / "text.safetensors").write_text("no tensors at all")
    (tmp_path / "empty.safetensors").touch()
    save_weights(tmp_path / "nothing.safetensors", {}, ADAPTER)
    adapter(tmp_path / "kind.safetensors", kind=KIND)
    for name in ("half", "text", "empty", "nothing", "kind", "absent"):
        with pytest.raises(WeightsError, match=f"{name}.safetensors") as told:
            adapted_refiner(refiner, tmp_path / f"{name}.safetensors")
        assert "\n" not in str(told.value)

import pytest
import torch

from fsgan_core.networks.flow_net import (
    CHANNELS,
    REACH,
    WINDOW,
    FlowNet,
    FlowNetConfig,
    Judgement,
    Painting,
    covered,
    doubt,
    merge,
)

HALF = WINDOW // 2


def geometry(**channels):
    """A face that fills the window, seen and at rest but for the channels given."""
    values = dict.fromkeys(CHANNELS, 0.0) | {"mask": 1.0, "normal_z": 1.0, "normal_before_z": 1.0} | channels
    return torch.stack([torch.full((HALF, HALF), values[name]) for name in CHANNELS])[None]


def nothing(count):
    zero = torch.zeros(1, count, 3, WINDOW // 4, WINDOW // 4)
    return Judgement(zero[:, :, :2], zero[:, :, 2:])


def test_no_doubt_about_a_seen_face_at_rest():
    assert all(float(values.max()) == 0 for values in doubt(geometry()))


@pytest.mark.parametrize(
    ("channels", "paint", "shift", "light"),
    [
        ({"unseen": 1.0}, 1, 1, 0),
        ({"missing": 1.0}, 1, 1, 0),
        ({"strain": 1.0}, 1, 1, 0),
        ({"normal_x": 0.8, "normal_z": 0.6}, 0.3, 1, 1),
        ({"normal_x": 0.09}, 0.29, 0.18, 0.18),
        ({"unseen": 1.0, "mask": 0.0}, 0, 0, 0),
    ],
)
def test_doubt_names_what_may_change(channels, paint, shift, light):
    found = doubt(geometry(**channels))
    assert [float(values.mean()) for values in found] == pytest.approx([paint, shift, light], abs=0.01)


@pytest.mark.parametrize(("channels", "paint"), [({"unseen": 1.0}, 1), ({"strain": 1.0}, 1), ({"normal_x": 0.09}, 0)])
def test_without_toning_only_what_is_in_doubt_is_painted(channels, paint):
    assert float(doubt(geometry(**channels), 0.0).paint.mean()) == pytest.approx(paint, abs=0.01)


def test_the_inside_of_a_mouth_is_left_to_geometry():
    fields = geometry(missing=1.0)
    fields[:, CHANNELS.index("mouth"), 58:70, 44:84] = 1
    paint = doubt(fields).paint[0, 0]
    assert float(paint[64, 64]) == pytest.approx(0, abs=0.01) and float(paint[90, 64]) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(("closed", "wanted"), [(0.0, 0.0), (1.0, 1.0)])
def test_an_eye_is_painted_only_where_the_source_has_it_shut(closed, wanted):
    fields = geometry(strain=1.0)
    fields[:, CHANNELS.index("eyes"), 58:70, 44:84] = 1
    fields[:, CHANNELS.index("missing"), 58:70, 44:84] = closed
    paint = doubt(fields).paint[0, 0]
    assert float(paint[64, 64]) == pytest.approx(wanted, abs=0.01) and float(paint[90, 64]) == pytest.approx(
        1, abs=0.01
    )


def test_the_sheet_that_is_trusted_more_is_shown_without_a_ghost_of_the_other():
    sheets = torch.stack((torch.zeros(1, 3, WINDOW, WINDOW), torch.ones(1, 3, WINDOW, WINDOW)), 1)
    trust = torch.stack((torch.full((1, 1, HALF, HALF), 0.9), torch.full((1, 1, HALF, HALF), 0.1)), 1)
    assert merge(sheets, trust, nothing(2)).max() < 0.02
    believed = nothing(2)._replace(
        belief=torch.stack((-4 * torch.ones(1, 64, 64), 4 * torch.ones(1, 64, 64)), 1)[:, :, None]
    )
    assert merge(sheets, trust, believed).min() > 0.9


def test_a_shift_looks_beside_a_place():
    ramp = (torch.arange(WINDOW) + 0.5).expand(3, WINDOW, WINDOW)[None, None] / WINDOW
    shift = torch.zeros(1, 1, 2, 64, 64)
    shift[:, :, 0] = 5.0
    moved = merge(ramp, torch.ones(1, 1, 1, HALF, HALF), nothing(1)._replace(shift=shift))
    assert torch.allclose(moved[..., 20:-20], ramp[0, ..., 20:-20] + 5 / WINDOW, atol=1e-5)


def test_paint_and_light_stay_within_the_doubts():
    painting = Painting(torch.ones(1, 3, WINDOW, WINDOW), torch.ones(1, 1, WINDOW, WINDOW), torch.ones(1, 3, 16, 16))
    grey = torch.full((1, 3, WINDOW, WINDOW), 0.3)
    assert torch.equal(covered(grey, painting, doubt(geometry())), grey)
    assert covered(grey, painting, doubt(geometry(unseen=1.0))).min() == 1


def test_the_bundled_shape_is_small_and_shifts_are_bounded():
    net = FlowNet(FlowNetConfig())
    assert 2 * sum(parameter.numel() for parameter in net.parameters()) < 16e6
    torch.nn.init.constant_(net.judge.out[-1].bias, 100.0)
    sheets, trust = torch.rand(2, 4, 3, WINDOW, WINDOW), torch.rand(2, 4, 1, HALF, HALF)
    fields = geometry(unseen=1.0).expand(2, -1, -1, -1)
    found = net.judged(sheets, trust, fields, doubt(fields))
    assert found.shift.shape == (2, 4, 2, 64, 64) and found.shift.max().item() == pytest.approx(REACH)
    assert net(sheets, trust, fields, torch.zeros(2, 4, WINDOW, WINDOW)).shape == (2, 3, WINDOW, WINDOW)


def test_which_view_to_believe_is_left_to_geometry():
    net, fields = FlowNet(FlowNetConfig()), geometry(unseen=1.0)
    belief = torch.tensor((3.0, 3.0, -1.0, 2.0)).view(1, 4, 1, 1, 1).expand(1, 4, 1, 64, 64)
    net.judge.forward = lambda *_: nothing(4)._replace(belief=belief)
    found = net.judged(torch.rand(1, 4, 3, WINDOW, WINDOW), torch.rand(1, 4, 1, HALF, HALF), fields, doubt(fields))
    assert found.belief.mean((2, 3, 4))[0].tolist() == pytest.approx([0, 0, 0, 3])


def test_every_variant_learns():
    sheets, trust = torch.rand(1, 2, 3, WINDOW, WINDOW), torch.rand(1, 2, 1, HALF, HALF)
    for config in (FlowNetConfig(), FlowNetConfig(judge=0, light=False), FlowNetConfig(geometry=False, judge=0)):
        net = FlowNet(config)
        net(sheets, trust, geometry(unseen=0.7, normal_x=0.5), torch.zeros(1, 4, WINDOW, WINDOW)).mean().backward()
        assert any(parameter.grad is not None and parameter.grad.any() for parameter in net.painter.parameters())

from pathlib import Path
from runpy import run_path

import numpy as np
import pytest
import torch

from fsgan_core.cli import main
from fsgan_core.errors import FSGANError, WeightsError
from fsgan_core.networks.flow_net import FlowNet, FlowNetConfig
from fsgan_core.networks.low_rank import Factors, adapted, changed, fresh
from fsgan_core.stages.open_landmarks import load_open_landmarker
from fsgan_core.stages.pose import load_face_model
from fsgan_core.stages.refinement import KIND, Refiner, adapted_refiner, bundled_refiner
from fsgan_core.training import adaptation
from fsgan_core.training.adaptation import Adaptation, AdaptOptions, adapt
from fsgan_core.training.labelled import Face
from fsgan_core.weights.checkpoint import save_weights

_FACES = run_path(str(Path(__file__).parents[1] / "stages" / "test_reenactment.py"))
TOOLS = (load_face_model(), load_open_landmarker())
SMALL = FlowNetConfig(widths=(4, 4, 4, 4), judge=4)


def pictures(count):
    return [
        Face(str(n), _FACES["picture"](256), _FACES["face"](8.0 * n, 256, jawOpen=0.2 * n).numpy())
        for n in range(count)
    ]


def test_a_change_makes_a_new_network_and_leaves_the_old_one():
    network = FlowNet(SMALL)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    factors = fresh(network, rank=2)
    same = adapted(network, factors)
    assert all(torch.equal(value, before[name]) for name, value in same.state_dict().items())
    name = next(iter(factors))
    factors[name] = Factors(torch.ones_like(factors[name].up), factors[name].down)
    other = adapted(network, factors)
    assert not torch.equal(other.state_dict()[name], before[name])
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    with pytest.raises(ValueError, match="does not fit"):
        changed(network, {"painter.nothing": factors[name]})


def test_adapting_lowers_the_held_out_error_or_is_refused(tmp_path):
    torch.manual_seed(0)
    network = FlowNet(SMALL)
    with torch.no_grad():
        network.painter.out[1].bias.fill_(0.5)  # paints everything too bright: easily mended
    options = AdaptOptions(pairs=4, held=2, minutes=0.3, lr=0.02, rank=2)
    found = adapt(network, pictures(3), TOOLS, options)
    assert found.after < 0.99 * found.before and found.steps > 0
    found.save(tmp_path / "me.safetensors")
    refiner = adapted_refiner(Refiner(network), tmp_path / "me.safetensors")
    assert refiner.network is not network
    with pytest.raises(FSGANError, match="does not help"):
        adapt(network, pictures(2), TOOLS, AdaptOptions(pairs=2, held=1, minutes=0.0))
    with pytest.raises(FSGANError, match="no picture"):
        adapt(network, [], TOOLS)


def test_adapters_of_other_networks_are_refused(tmp_path):
    network = FlowNet(SMALL)
    Adaptation(fresh(FlowNet(FlowNetConfig()), 2), 1.0, 0.5, 1).save(tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match="another network"):
        adapted_refiner(Refiner(network), tmp_path / "other.safetensors")
    save_weights(tmp_path / "net.safetensors", network.state_dict(), KIND, SMALL)
    with pytest.raises(WeightsError):
        adapted_refiner(Refiner(network), tmp_path / "net.safetensors")


def test_one_picture_is_enough():
    network = FlowNet(SMALL)
    found = adapt(network, pictures(1), TOOLS, AdaptOptions(pairs=2, held=1, minutes=0.02, least=-1.0, rank=2))
    assert np.isfinite(found.before) and found.after <= found.before


def test_learning_ends_when_it_no_longer_helps_and_the_best_is_kept(monkeypatch):
    errors = [1.0, *[1.1] * 5, 0.8, *[0.9] * 9]
    seen = []

    def scripted(_network, factors, _held):
        seen.append({name: change.up.detach().clone() for name, change in factors.items()})
        return errors[len(seen) - 1]

    monkeypatch.setattr(adaptation, "_error", scripted)
    network, options = FlowNet(SMALL), AdaptOptions(pairs=1, held=1, rank=2, minutes=5.0)
    parts = adaptation.split_pairs(pictures(1), TOOLS, options, np.random.default_rng(0))
    found = adaptation._learn(network, fresh(network, 2), parts, options, np.random.default_rng(0), every=1)
    assert (found.before, found.after, found.steps) == (1.0, 0.8, 6 + 6)
    same = [all(torch.equal(change.up, at[name]) for name, change in found.factors.items()) for at in seen[1:]]
    assert same.index(True) == 5 and sum(same) == 1


def test_the_command_writes_what_swaps_can_use_or_nothing(portrait, tmp_path, fails, capsys):
    path, words = tmp_path / "x.safetensors", [str(portrait), "--pairs", "1", "--held", "1", "--rank", "1"]
    assert "adapting does not help" in fails("adapt", *words, "-o", path, "--minutes", "0")
    assert not list(tmp_path.iterdir())
    assert main(["adapt", *words, "-o", str(path), "--minutes", "0.01", "--least", "-1"]) == 0
    assert f"wrote {path}: held-out error" in capsys.readouterr().out
    assert adapted_refiner(bundled_refiner(), path).network is not bundled_refiner().network

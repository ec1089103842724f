"""Low-rank changes of a network's convolutions (Hu et al., LoRA, 2022): small to learn, small to keep."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


class Factors(NamedTuple):
    """One layer's change: ``up @ down``, shaped as its weight.

    Attributes:
        up: ``(out, rank)``.
        down: ``(rank, in * k * k)``.
    """

    up: Tensor
    down: Tensor


def fresh(network: nn.Module, rank: int, seed: int = 0) -> dict[str, Factors]:
    """Factors that change nothing yet, by the name of each convolution's weight.

    Args:
        network: with ``Conv2d`` layers; those of smaller rank get no factors.
        rank: at least 1.
        seed: of the random halves.
    """
    chance = torch.Generator().manual_seed(seed)
    result = {}
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Conv2d) and min(layer.weight.shape[0], layer.weight[0].numel()) > rank:
            size = layer.weight[0].numel()
            down = torch.randn(rank, size, generator=chance) / size**0.5
            result[f"{name}.weight"] = Factors(torch.zeros(layer.weight.shape[0], rank), down)
    return result


def changed(network: nn.Module, factors: Mapping[str, Factors]) -> dict[str, Tensor]:
    """The network's weights with the changes added, by name; gradients reach the factors.

    Raises:
        ValueError: factors that do not fit the network.
    """
    weights = dict(network.named_parameters())
    result = {}
    for name, (up, down) in factors.items():
        shape = weights[name].flatten(1).shape if name in weights else ()
        if up.ndim != 2 or down.ndim != 2 or (len(up), down.shape[1]) != shape or up.shape[1] != len(down):
            raise ValueError(f"the change of '{name}' does not fit this network")
        result[name] = weights[name].detach() + (up @ down).view_as(weights[name])
    return result


def adapted(network: Network, factors: Mapping[str, Factors]) -> Network:
    """A new network with the changes in its weights; the one given stays as it is."""
    result = copy.deepcopy(network)
    with torch.no_grad():
        for name, weight in changed(network, factors).items():
            result.get_parameter(name).copy_(weight)
    return result

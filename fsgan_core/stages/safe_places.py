"""Where on a picture to look for what it hardly shows: the nearest skin that it shows well."""

from __future__ import annotations

import torch
from torch import Tensor


def _adjacent(count: int, triangles: Tensor) -> Tensor:
    """``(P, P)``, 1 where two vertices share an edge."""
    edges = torch.cat((triangles[:, :2], triangles[:, 1:], triangles[:, ::2]))
    near = torch.zeros(count, count, device=triangles.device)
    near[edges[:, 0], edges[:, 1]] = 1
    return torch.maximum(near, near.T)


def inner(seen: Tensor, triangles: Tensor) -> Tensor:
    """Visibility ``(1, P)`` of the least visible neighbour: low along a silhouette, on both of its sides."""
    near = _adjacent(seen.shape[1], triangles)
    return torch.minimum(seen, torch.where(near > 0, seen, 1.0).amin(1))


def drawn_in(places: Tensor, seen: Tensor, triangles: Tensor, rounds: int = 40) -> Tensor:
    """Places ``(1, P, 2)`` with the hardly seen ones drawn to their well seen neighbours along the mesh."""
    near = _adjacent(places.shape[1], triangles)
    share = near * (seen[0] ** 2 + 1e-3)
    share = share / share.sum(1, keepdim=True).clamp_min(1e-6)
    held = torch.where(near.sum(1) > 0, seen[0], 1.0)[:, None]
    result = places[0]
    for _ in range(rounds):
        result = torch.lerp(share @ result, places[0], held)
    return result[None]

"""Dark lenses: a pair of glasses has two alike, so what hides one eye hides the other.

A network sees through a lens where it mirrors something bright or where light falls on the eye behind it, and one eye
of somebody else would look out of a pair of sunglasses.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ..ops.flow import identity, sample
from ..ops.geometry import inverse_2x2
from ..ops.masks import ramp
from ..ops.pooling import box_max
from .lenses import Lenses

_LINE = 7
"""Pixels of the network's square that no rim is wider than."""
_LENS = 0.8
"""How far around the centre of a usual lens its darkness is measured, in usual lenses."""
_CORE, _END = (1.0, 1.1), (1.2, 1.4)
"""Where lenses end as a rule, and where the largest do; and where they have ended, likewise."""
_HOLE = 9
"""Pixels of that square up to which what is seen through a dark lens, or between it and its rim, counts as hidden."""
_DOUBT = 0.15
"""How much less hidden than elsewhere a place behind a dark lens may be to count as hidden."""
_SEEN = (0.1, 0.25)
"""How large the part of a lens within the mesh is beside the other's: not looked at; looked at."""
_OTHER = 2.0
"""How many times as much as the clearer lens of a dark pair the darker one may hide: it hides at least 0.2 in 45 of 46,
and 0.15 at most in clear pairs."""
_DARK = (0.28, 0.35)
"""Share of the darker lens that is hidden by more than lines: clear; dark. 0.26 at most behind 57 pairs of clear ones,
0.35 to 0.46 behind five that are tinted, mirrored or in deep shade, 0.55 to 1 behind 43 pairs of sunglasses."""


def tints(hidden: Tensor, inside: Tensor, lenses: Lenses) -> Tensor:
    """Share of each lens that is hidden by more than lines, ``(B, 2)``; of one that is beyond the mesh the other's.

    Args:
        hidden: ``(B, 1, S, S)`` how much of each pixel is not face, in [0, 1].
        inside: ``(B, 1, S, S)`` where the face's mesh is.
        lenses: in their pixels.
    """
    lens = inside * (_away(hidden, lenses) < _LENS)
    size = lens.sum((2, 3))
    share = (lens * broad(hidden)).sum((2, 3)) / size.clamp_min(1)
    seen = ramp(size / size.amax(1, keepdim=True).clamp_min(1), _SEEN)
    return torch.lerp(share.flip(1), share, seen)


def both_dark(hidden: Tensor, inside: Tensor, lenses: Lenses, plane: Tensor) -> Tensor:
    """How much of each pixel a pair of dark lenses hides, ``(B, 1, S, S)``.

    Each hides what its mirror image does, and what is within its rim, as either rim shows it.

    Args:
        hidden: ``(B, 1, S, S)`` how much of each pixel is not face, in [0, 1].
        inside: ``(B, 1, S, S)`` where the face's mesh is.
        lenses: in their pixels.
        plane: ``(B, 2, 3)`` the plane that they are worn in.
    """
    size = hidden.shape[-1]
    places = identity(size, size, hidden)
    turn = plane[..., :2] * plane.new_tensor((-1, 1)) @ inverse_2x2(plane[..., :2])
    mirrored = turn @ (places.flatten(2) - plane[..., 2:]) + plane[..., 2:]
    seen = inside * broad(hidden)
    either = torch.maximum(seen, sample(seen, mirrored.unflatten(2, (size, size))))
    away = _away(hidden, lenses).amin(1, keepdim=True)
    near, core = (1 - ramp(away, end) for end in (_END, _CORE))
    belief = lenses.belief + 1e-3
    radius = (belief * lenses.radius + belief.flip(1) * lenses.radius.flip(1)) / (belief + belief.flip(1))
    _, within = replace(lenses, radius=radius, belief=torch.maximum(belief, belief.flip(1))).drawn(places)
    whole = decided(torch.maximum(either, within.amax(1, keepdim=True)) + _DOUBT)
    known = torch.maximum(whole, inside * decided(hidden))
    closed = 1 - box_max(1 - box_max(known, _HOLE), _HOLE)
    return torch.maximum(near * whole, core * closed)


def darkness(tint: Tensor) -> Tensor:
    """How surely a pair is dark, ``(B, 1, 1, 1)``, given its :func:`tints`.

    A hand before one eye, or the border of the picture, which nobody tells the network of, makes no dark lenses.
    """
    share = torch.minimum(tint.amax(1), _OTHER * tint.amin(1))
    return ramp(share, _DARK)[:, None, None, None]


def decided(hidden: Tensor) -> Tensor:
    """Face or not, with a narrow ramp."""
    return (3 * (hidden - 0.5) + 0.5).clamp(0, 1)


def broad(hidden: Tensor) -> Tensor:
    """What is hidden by more than lines (an opening)."""
    return box_max(1 - box_max(1 - hidden, _LINE), _LINE)


def _away(like: Tensor, lenses: Lenses) -> Tensor:
    """How far every pixel is from the centres of both lenses ``(B, 2, S, S)``, in usual lenses."""
    x, y = lenses.away(identity(like.shape[-2], like.shape[-1], like)).unbind(2)
    return torch.hypot(x, y)

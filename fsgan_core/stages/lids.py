"""Lids that come together: their skin unfolds, their edges keep their thickness, lashes hang over what is below.

The mesh knows nothing of that. It would stretch the narrow strip above an open eye, lashes, crease and all, over the
whole way that the lid goes. Of the skin that is folded away the source shows nothing; it is drawn in the colours of the
skin around the eye.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..ops.flow import sample
from ..ops.head_mesh import Placement
from ..ops.landmarks import opposite
from ..ops.masks import smoothstep
from .openings import LEFT, RIGHT, RINGS
from .views import View, detail

_MOVED = 0.05
"""Up to which share of its height an eye may get narrower and is drawn as if its lids did not move."""
_OPEN = 0.03
"""Least height taken for an open eye, so that noise of a shut one decides nothing; in distances between the outer eye
corners, as all that follows."""
_BESIDE = {
    RIGHT: ((247, 247, 30, 29, 27, 28, 56, 190, 190), (25, 25, 110, 24, 23, 22, 26, 112, 112)),
    LEFT: ((467, 467, 260, 259, 257, 258, 286, 414, 414), (255, 255, 339, 254, 253, 252, 256, 341, 341)),
}
"""The points next to those of the upper and the lower lid's edge, from corner to corner: a strip's other side."""
_LASHES, _HANGING, _RIM = 0.014, 0.027, 0.004
"""Thickness of an edge with its lashes; how far they hang over the lower lid; how far beside an edge as it was
measured the eye may still be seen."""
_SOFT = 0.016
"""Over how much lashes turn into skin."""
_DRAWN = 0.8
"""How far skin is drawn; the rest is what is seen of the lid, stretched, so that it is not bare of texture."""
_SMOOTH = 0.03
"""Size of what is not taken along of the skin around an eye."""
_FOLD, _FAINT, _DEEPEST = (0.2, 1.2, 11), 0.08, 0.2
"""Heights in the strip at which the lid's fold is looked for; how much darker than the skin beside it a fold is that is
not seen, and at most."""
_HIGH = 0.75
"""Least height of a fold over a lid that is shut: its skin came from below."""
_LINE, _BELOW = 0.011, 0.03
"""Width of the fold's line and of the shade below it."""
_ABOVE = 1.1
"""How far above the edge the upper skin's colour is taken, in heights of the strip: the crease lies below."""

_LIGHTER = 1.15
"""How much lighter than the skin below an eye that above it counts at most: a brow's hair or lit ridge is no lid's."""


@dataclass(frozen=True)
class _Strips:
    """The strips of skin beside the upper and the lower lid's edge, at pixels ``(2, C, 1, N)``, column by column.

    Attributes:
        away: distance from the edge, negative inside the eye; in distances between the outer eye corners.
        before: height of the strip in the view, in the same unit.
        after: the wanted one.
        inner: 1 between the corners of the eye, 0 from them on.
        root: the edge in pixels of the view.
        rise: the way across the strip per unit of its height.
    """

    away: Tensor
    before: Tensor
    after: Tensor
    inner: Tensor
    root: Tensor
    rise: Tensor

    @staticmethod
    def at(surface: Tensor, view: View, target: Placement, region: int) -> _Strips:
        """The strips at canonical points of the wanted face ``(1, 3, 1, N)``."""
        edge, beside = torch.tensor((_with_corners(region), _BESIDE[region]), device=surface.device)
        shapes, places = (view.placement.shape[0], target.shape[0]), view.landmarks[0, :, :2]
        before, after = ((shape[beside] - shape[edge]).norm(dim=2, keepdim=True).clamp_min(1e-3) for shape in shapes)
        inner = torch.ones_like(before)
        # At the corners nothing moves.
        after[:, [0, -1]], inner[:, [0, -1]] = before[:, [0, -1]], 0
        rise = (places[beside] - places[edge]) / before
        columns = torch.cat((shapes[1][edge, :2], before, after, inner, places[edge], rise), 2)
        height, before, after, inner, root, rise = _between(columns, surface[0, 0, 0]).split((1, 1, 1, 1, 2, 2), 1)
        away = surface[:, 1:2] - height
        return _Strips(torch.cat((-away[:1], away[1:])), before, after, inner, root, rise)

    @property
    def part(self) -> Tensor:
        """0 at the edge and inside the eye, 1 from the other side on."""
        return (self.away / self.after).clamp(0, 1)

    def stretched(self) -> Tensor:
        """How far the skin has to unfold, in [0, 1]: where the strip gets higher, less towards its other side."""
        return smoothstep((self.after / self.before - 1.05) / 0.6) * smoothstep((1 - self.part) / 0.4)

    def unfolded(self, moving: float, together: float) -> tuple[Tensor, Tensor]:
        """Where to look in the view so that the edges keep their thickness, and how far that counts."""
        away, lashes = self.away.clamp_min(0), (0.3 * self.before).clamp(max=_LASHES)
        slope = (self.before - lashes) / (self.after - lashes).clamp_min(1e-3)
        height = torch.minimum(away, lashes + (away - lashes) * slope)
        edge = together * self.inner * smoothstep((1 - self.part) / 0.4)
        rim = _RIM * together * (1 - self.part)
        return self.root + self.rise * (height + rim), torch.maximum(moving * self.stretched(), edge)


@dataclass(frozen=True)
class Lids:
    """The lids of an eye that closes, at pixels.

    Attributes:
        moving: how far they count as closing, in [0, 1].
        together: how far they count as shut, in [0, 1].
        strips: the skin beside them.
        lower: ``(1, 1, 1, N)`` bool, whether a pixel belongs to the lower lid.
        region: the eye.
    """

    moving: float
    together: float
    strips: _Strips
    lower: Tensor
    region: int

    @staticmethod
    def at(surface: Tensor, view: View, target: Placement, region: int) -> Lids | None:
        """The lids of an eye, or None where they do not come together.

        Args:
            surface: canonical points of the wanted face ``(1, 3, 1, N)``.
            view: what the source shows.
            target: the face wanted.
            region: :data:`~fsgan_core.stages.openings.RIGHT` or ``LEFT``.
        """
        closed = _closing(view, target, region)
        if closed <= _MOVED:
            return None
        moving, together = smoothstep(torch.tensor(((closed - _MOVED) / 0.3, 2 * closed - 1))).tolist()
        strips = _Strips.at(surface, view, target, region)
        return Lids(moving, together, strips, strips.away[1:] > strips.away[:1], region)

    def moved(self, flow: Tensor) -> Tensor:
        """A flow of samples in each pixel ``(1, 2, S, N)``, in pixels of the view, with the skin unfolded."""
        unfolded = self.strips.unfolded(self.moving, self.together)
        place, share = (torch.where(self.lower, both[1:], both[:1]) for both in unfolded)
        return torch.lerp(flow, place, share)

    def skinned(self, colours: Tensor, view: View, ratio: float) -> Tensor:
        """Colours ``(1, 3, 1, N)`` with skin on the upper lid and its lashes over the lower one.

        Args:
            colours: what the flow gives.
            view: what the source shows.
            ratio: its pixels per pixel of the result.
        """
        strips, away = self.strips, self.strips.away
        smooth, scale = detail(view, float(view.placement.scale) * _SMOOTH)
        beside = strips.root + strips.rise * strips.before * strips.before.new_tensor((_ABOVE, 1)).view(2, 1, 1, 1)
        above, below = sample(smooth, beside * scale).split(1)
        ours, theirs = (skin.mean(1, keepdim=True).clamp_min(0.02) for skin in (above, below))
        above = above * (_LIGHTER * theirs / ours).clamp(max=1)
        skin = _DRAWN * self.moving * strips.stretched()[:1] * smoothstep((away[:1] - _LASHES) / _SOFT)
        upper = torch.lerp(colours, torch.lerp(below, above, strips.part[:1]), skin)
        upper = upper * (1 - self.moving * self._crease(view))
        picture, scale = detail(view, ratio)
        lashes = sample(picture, (strips.root[:1] + strips.rise[:1] * (away[1:].clamp_min(0) + _RIM)) * scale)
        light = (lashes.mean(1, keepdim=True) / below.mean(1, keepdim=True).clamp_min(0.02)).clamp(max=1)
        hanging = self.together * strips.inner[:1] * smoothstep((_HANGING - away[1:]) / (0.8 * _HANGING))
        return torch.where(self.lower, colours * (1 - hanging * (1 - light)), upper)

    def _crease(self, view: View) -> Tensor:
        """How much darker an upper lid is where the view's fold goes: a line, and its shade below; ``(1, 1, 1, N)``."""
        depth, height = _fold(view, self.region)
        away = self.strips.away[:1] - height * self.strips.after[:1]
        line = 0.6 * torch.exp(-((away / _LINE) ** 2)) + 0.4 * torch.exp(-((away.clamp(max=0) / _BELOW) ** 2))
        ends = smoothstep(self.strips.inner[:1]) * smoothstep(1 - away / (2 * _LINE))
        return depth * line * ends


def _fold(view: View, region: int) -> tuple[float, float]:
    """How much darker than the skin above it the fold of an upper lid is, and where, from 0 at the edge to 1."""
    (lowest, highest, count), lines = _FOLD, (_with_corners(region)[0], _BESIDE[region][0])
    heights = torch.linspace(lowest, highest, count, device=view.landmarks.device)
    root, other = (view.landmarks[0, list(line), :2].T[None, :, 2:-2, None] for line in lines)
    picture, scale = detail(view, float(view.placement.scale) * _LINE)
    light = sample(picture, torch.lerp(root, other, heights) * scale).mean(1)[0].clamp_min(0.02)
    # Dark between lighter skin on both sides: lashes have none below.
    skin = torch.minimum(light.cummax(1).values, light.flip(1).cummax(1).values.flip(1))
    deepest = (1 - light / skin).max(1)
    height = heights[deepest.indices].median().clamp(_HIGH, 1)
    return float(deepest.values.median().clamp(_FAINT, _DEEPEST)), float(height)


def _between(columns: Tensor, x: Tensor) -> Tensor:
    """Values ``(2, C - 1, 1, N)`` at places ``(N,)`` of columns ``(2, P, C)``, whose first value is their place."""
    lid = torch.arange(2, device=x.device)[:, None]
    columns = columns[lid, columns[..., 0].argsort(1)]
    after = torch.searchsorted(columns[..., 0].contiguous(), x.expand(2, -1).contiguous())
    after = after.clamp(1, columns.shape[1] - 1)
    low, high = columns[lid, after - 1], columns[lid, after]
    part = (x - low[..., 0]) / (high[..., 0] - low[..., 0]).clamp_min(1e-6)
    return torch.lerp(low, high, part.clamp(0, 1)[..., None]).mT[:, 1:, None]


def _with_corners(region: int) -> tuple[tuple[int, ...], ...]:
    """The upper and the lower edge of an eye from corner to corner."""
    ring = RINGS[region]
    return tuple((ring[0], *edge, ring[len(ring) // 2]) for edge in opposite(ring))


def _closing(view: View, target: Placement, region: int) -> float:
    """By which share of its height an eye is narrower than the view's: 1 where it gets shut, 0 where it is or stays."""
    upper, lower = (list(edge) for edge in opposite(RINGS[region]))
    before, after = ((shape[0, lower, 1] - shape[0, upper, 1]).mean() for shape in (view.placement.shape, target.shape))
    return float((before - after) / before.clamp_min(_OPEN))

"""What is behind the lids: an eyeball that keeps its form and turns with the gaze.

Between the lids a picture shows iris and white. Where a lid comes down they are covered, not squeezed; what a lid
covers in the source is stretched from what is seen of the iris, and made up in the colour of the white.
"""

from __future__ import annotations

from types import EllipsisType

import torch
from torch import Tensor

from ..ops.flow import sample
from ..ops.head_mesh import Placement, points
from ..ops.landmarks import opposite
from ..ops.masks import smoothstep
from .openings import IRISES, RINGS
from .views import View

_EDGE = 0.006
"""Beside a lid its wet rim and lashes are seen instead of the eye; in distances between the outer eye corners."""
_SHADOW, _CORNER = 0.035, (0.12, 0.24, 0.22)
"""How far down the upper lid's shadow reaches, in the same unit; how much darker a white is in corners, by colour."""
_SLANT = 0.1
"""Least share of its area from the front that an eye is taken to show."""


def behind_lids(view: View, target: Placement, places: Tensor, region: int) -> tuple[Tensor, Tensor, Tensor]:
    """The inside of an eye.

    Args:
        view: what the source shows.
        target: the face wanted.
        places: ``(1, 2, H, W)`` pixels of its picture.
        region: :data:`~fsgan_core.stages.openings.RIGHT` or ``LEFT``.

    Returns:
        where it is found in the view ``(1, 2, H, W)``; colours ``(1, 3, H, W)`` of a white; how far they are needed
        ``(1, 1, H, W)``, in [0, 1].
    """
    before, after = Eye(view.placement, region), Eye(target, region)
    x, y = after.beside_iris(places[0])
    width = torch.where(x < 0, -after.low, after.high)
    there = torch.where(x < 0, -before.low, before.high)
    across = x.sign() * _within(x.abs(), before.radius, width, there)
    above, below = before.room(across)
    wanted = torch.where(y < 0, *after.room(x))
    # Beside the iris' middle less of its height is held.
    half = (before.radius**2 - across**2).clamp_min(0).sqrt()
    along = y.sign() * _within(y.abs(), half, wanted, _trusted(wanted, torch.where(y < 0, above, below)))
    iris = smoothstep((1 - torch.hypot(x, y) / before.radius) / 0.1 + 0.5)
    found = torch.hypot(across, along) / before.radius
    bare = (1 - iris) * smoothstep((torch.hypot(x, y) / before.radius - found) / 0.1) * smoothstep((1.1 - found) / 0.12)
    white = white_of(view.levels[0], before)[0] * _shade((x / width.clamp_min(1e-3)).abs(), y + after.room(x)[0])
    return before.pixels(torch.stack((across, along)))[None], white, bare[None, None]


def _shade(aside: Tensor, below: Tensor) -> Tensor:
    """Light of an eyeball ``(3, H, W)``: darker and redder towards its corners, and in the shadow of the upper lid.

    Args:
        aside: how far towards a corner, from 0 in the iris' middle to 1.
        below: distance from the upper lid.
    """
    corner, lid = smoothstep((aside - 0.3) / 0.7), smoothstep((_SHADOW - below) / _SHADOW)
    return (1 - aside.new_tensor(_CORNER)[:, None, None] * corner) * (1 - 0.3 * lid)


def white_of(picture: Tensor, eye: Eye) -> tuple[Tensor, float]:
    """Colour ``(1, 3, 1, 1)`` of the white: among the brightest and least coloured beside the iris.

    Args:
        picture: ``(1, 3, H, W)``.
        eye: one in it.

    Returns:
        the colour, and how much of the eye shows it, in [0, 1].
    """
    x, height = torch.meshgrid(
        torch.linspace(0.08, 0.92, 24, device=eye.low.device) * (eye.high - eye.low) + eye.low,
        torch.linspace(0.25, 0.75, 5, device=eye.low.device),
        indexing="ij",
    )
    above, below = eye.room(x)
    y = torch.lerp(-above, below, height)
    beside = torch.hypot(x, y) > 1.1 * eye.radius
    colours = sample(picture, eye.pixels(torch.stack((x, y)))[None])[0]
    colours = colours[:, beside] if beside.any() else colours.flatten(1)
    order = colours.amin(0).argsort()
    return colours[:, order[int(0.85 * len(order))]].view(1, 3, 1, 1), float(beside.float().mean())


def _trusted(wanted: Tensor, there: Tensor) -> Tensor:
    """How far from the iris' centre the source's eye is believed, less than up to its lid where that goes away."""
    return there - (0.15 * there + _EDGE) * smoothstep((wanted - there) / 0.02)


class Eye:
    """An eye of a face in a picture, seen from the front: lids as lines, the iris as a disc around the origin.

    Lengths are canonical. Depth plays no part, so that an iris is drawn exactly where its landmark lies however the
    head is turned.
    """

    def __init__(self, face: Placement, region: int) -> None:
        ring, iris = list(RINGS[region]), IRISES[region]
        landmarks = points(face)[0, :, :2]
        self._turn, self._front = face.scale * face.rotation[0, :2, :2], face.scale**2
        self._iris, self._ring = landmarks[iris[0]], landmarks[ring]
        shape = self.beside_iris(landmarks.T).T
        corners = shape[[ring[0], ring[len(ring) // 2]]]
        upper, lower = opposite(RINGS[region])
        self._upper = _sorted(torch.cat((corners, shape[list(upper)])))
        self._lower = _sorted(torch.cat((corners, shape[list(lower)])))
        self.low, self.high = corners[:, 0].amin().clamp(max=0), corners[:, 0].amax().clamp_min(0)
        self.radius = (shape[iris[1], 0] - shape[iris[3], 0]).abs() / 2

    def beside_iris(self, places: Tensor) -> Tensor:
        """Pixels ``(2, ...)`` as places of the eye."""
        (a, b), (c, d) = self._turn.unbind()
        x, y = places - self._iris.view(2, *[1] * (places.ndim - 1))
        # An eye that is seen from its side shows hardly anything; there it need not be right, but finite.
        area = (a * d - b * c).clamp_min(_SLANT * self._front)
        return torch.stack((d * x - b * y, a * y - c * x)) / area

    def pixels(self, places: Tensor) -> Tensor:
        """Places of the eye ``(2, ...)`` as pixels."""
        turned = torch.einsum("ij,j...->i...", self._turn, places)
        return turned + self._iris.view(2, *[1] * (places.ndim - 1))

    def window(self, picture: Tensor) -> tuple[EllipsisType, slice, slice]:
        """The part of a picture ``(..., H, W)`` that holds it; empty where that is outside."""
        height, width = picture.shape[-2:]
        (left, top), (right, bottom) = (
            self._ring.amin(0).floor().int().tolist(),
            self._ring.amax(0).ceil().int().tolist(),
        )
        rows, columns = (
            slice(max(0, low), max(0, low, min(high, size)))
            for low, high, size in ((top, bottom, height), (left, right, width))
        )
        return ..., rows, columns

    @property
    def aperture(self) -> float:
        """Height of the opening over its width."""
        middle = torch.lerp(self.low, self.high, 0.5)
        return float(sum(self.room(middle)) / (self.high - self.low).clamp_min(1e-3))

    def opening(self, places: Tensor, soft: float) -> Tensor:
        """How far pixels ``(2, ...)`` lie between the lids, in [0, 1], going over within ``soft`` inside of them."""
        x, y = self.beside_iris(places)
        above, below = self.room(x)
        inward = torch.stack((y + above, below - y, x - self.low, self.high - x)).amin(0)
        return smoothstep(inward / soft)

    def room(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """How far above and below the iris' centre the lids are."""
        return -_height(self._upper, x), _height(self._lower, x)


def _within(away: Tensor, rigid: Tensor, wanted: Tensor, there: Tensor) -> Tensor:
    """Distance from the iris' centre at which to look, where the lid is ``wanted`` away and ``there`` in the source.

    Up to ``rigid`` the distance stays; beyond it is shortened if the source's lid is nearer, never lengthened.
    """
    there = there.clamp_min(0.004)
    kept = torch.minimum(rigid, 0.7 * there)
    shortened = kept + (away - kept) * ((there - kept) / (wanted - kept).clamp_min(1e-4)).clamp(max=1)
    return torch.where(away < kept, away, shortened)


def _sorted(line: Tensor) -> Tensor:
    return line[line[:, 0].argsort()]


def _height(line: Tensor, x: Tensor) -> Tensor:
    """``y`` at ``x`` on a line through points ``(N, 2)`` of ascending x; level beyond its ends."""
    after = torch.searchsorted(line[:, 0].contiguous(), x.contiguous()).clamp(1, len(line) - 1)
    low, high = line[after - 1], line[after]
    part = ((x - low[..., 0]) / (high[..., 0] - low[..., 0]).clamp_min(1e-6)).clamp(0, 1)
    return torch.lerp(low[..., 1], high[..., 1], part)

"""Alignment at work: a drawn face is shifted by a few pixels until its edges lie on those of the target's picture.

Landmarks of two pictures are each a pixel or two off, and where a cheek or a brow is they hardly say at all. The
network of :mod:`~fsgan_core.networks.alignment_net` compares what was drawn with the target; only places come of it,
every colour remains the source's.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn

from ..networks.alignment_net import AlignmentNet, AlignmentNetConfig, moved, unlikeness
from ..networks.flow_net import WINDOW
from ..ops.flow import found, identity, sample
from ..ops.masks import ramp
from ..ops.pooling import box_max, box_mean, halved, summed
from ..weights.checkpoint import OPEN
from .open_networks import load_own
from .openings import IRISES, RINGS, openness

KIND = "alignment"
"""Kind of the weights, as their header names it."""
BUNDLED = OPEN / "alignment.safetensors"
"""The network that follows a face along a clip: it moves little, and so steadily."""
FITTING = OPEN / "fitting.safetensors"
"""The same trained on to lay drawings onto pictures: it moves more, and would follow noise along a clip."""
LOOKS = 3
"""How often a drawing is laid onto a picture: what is left after a first look is small, and found more exactly."""
_LID = (0.7, 1.1)
"""Distance from the middle of an eye, in its widths, up to which it moves as a whole, and from which it does not."""
_ALIKE, _ALIKE_STEADY = (0.35, 0.6), (0.5, 0.8)
"""The narrower opening of an eye over the wider one, up to which it moves as a whole, and from which it does not; and
of faces that follow each other in a clip."""
_STRANGE = (0.385, 0.44)
"""Unlikeness of drawing and picture, mean of before and after the shift, from which they may show two people, and from
which they do: frames of one person come to 0.38 at most, of two to 0.41 at least (docs/training.md)."""
_EDGE = 5
"""Width in cells of the shift over which it fades out beyond the face."""


class Aligner:
    """The network, ready to be asked."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network

    @torch.inference_mode()
    def __call__(self, drawn: Tensor, target: Tensor, cover: Tensor) -> Tensor:
        """How to shift a drawn face.

        Args:
            drawn: ``(1, 1, SIDE, SIDE)`` brightness in [0, 1] of the face, in a window like that of
                the refinement network.
            target: the same of the picture.
            cover: ``(1, 1, SIDE, SIDE)`` where the drawn face is.

        Returns:
            ``(1, 2, SIDE / 2, SIDE / 2)`` pixels of a window of twice that side, to look beside a place instead of at
            it; 0 beyond the face.
        """
        return self._shift(drawn, target, cover)

    def fitted(self, drawn: Tensor, target: Tensor, cover: Tensor) -> tuple[Tensor, Tensor]:
        """The same after all :meth:`looks`, and how far both show one person, ``(1, 1, 1, 1)`` in [0, 1].

        Between two people what is found are another's features, and the shift is 0.
        """
        shift = self.looks(drawn, target, cover)[-1]
        laid, covered = moved(torch.cat((drawn, cover), 1), shift).split(1, 1)
        pictures, covers = torch.cat((drawn, laid)), (torch.cat((cover, covered)) > 0.9).to(drawn.dtype)
        unlike = summed(unlikeness(pictures, target.expand(2, -1, -1, -1)) * covers, (0, 1, 2, 3))
        apart = unlike / summed(covers, (0, 1, 2, 3)).clamp_min(1)
        alike = 1 - ramp(apart, _STRANGE)
        return shift * alike, alike

    def looks(self, drawn: Tensor, target: Tensor, cover: Tensor) -> list[Tensor]:
        """The shift after each of :data:`LOOKS` looks, every one at what those before made of the drawing.

        For a batch, where gradients may be wanted of what follows; a look has none through the drawing it sees.
        """
        shifts = [self._shift(drawn, target, cover)]
        for _ in range(LOOKS - 1):
            laid, covered = moved(torch.cat((drawn, cover), 1), shifts[-1].detach()).split(1, 1)
            shifts.append(after(shifts[-1], self._shift(laid, target, covered)))
        return shifts

    def _shift(self, drawn: Tensor, target: Tensor, cover: Tensor) -> Tensor:
        found: Tensor = self.network(drawn, target, cover)
        return found * box_mean(box_max(halved(cover), _EDGE), _EDGE)


def after(first: Tensor, second: Tensor) -> Tensor:
    """One shift for two, ``(B, 2, H, W)`` pixels of the window: ``second`` was found where ``first`` had been made."""
    size = first.shape[-1]
    return second + sample(first, identity(size, size, first) + second * (size / WINDOW))


def landed(
    points: Tensor, shift: Tensor, cells: float, mean: Tensor, shapes: tuple[Tensor, Tensor], steady: bool = False
) -> Tensor:
    """Landmarks of a drawn face, moved to where the picture shows what was drawn there; depth stays.

    Args:
        points: ``(1, P, 3)`` pixels.
        shift: ``(1, 2, H, W)`` pixels, of an :class:`Aligner`.
        cells: cells of ``shift`` per pixel.
        mean: ``(P, 3)`` the mean face.
        shapes: ``(1, P, 3)`` canonical landmarks of the face that is drawn, and of the picture's.
        steady: see :func:`eyes_as_one`.
    """
    places = points[..., :2]
    motion = eyes_as_one(found(places, shift, cells) - places, mean, *shapes, steady)
    return torch.cat((places + motion, points[..., 2:]), -1)


def eyes_as_one(motion: Tensor, mean: Tensor, drawn: Tensor, wanted: Tensor, steady: bool = False) -> Tensor:
    """A found motion in which an eye moves as a whole where it is not open as wide in both faces.

    A lid that closes has no counterpart in a picture of an open eye, and the network drags it askew. So what was found
    around the eye is smoothed: by a shift that grows evenly along the eye and across it, and a bow of the lids.

    Args:
        motion: ``(1, P, 2)`` of landmarks, in any unit.
        mean: ``(P, 3)`` the mean face.
        drawn: ``(1, P, 3)`` canonical landmarks of the face that is drawn.
        wanted: the same of the picture.
        steady: for landmarks held together along a clip: eyes move as a whole sooner, by one shift, and irises with
            them. Where in an eye an iris is, is seen better in the eye's own crop, and two eyes may look elsewhere.
    """
    ends = _ALIKE_STEADY if steady else _ALIKE
    for region, iris in IRISES.items():
        ring = list(RINGS[region])
        width = (mean[ring[0]] - mean[ring[len(ring) // 2]]).norm()
        beside = (mean - mean[ring].mean(0)) / width
        near = 1 - ramp(beside.norm(dim=1), _LID)
        first, second = (openness(face, region) for face in (drawn, wanted))
        alike = torch.minimum(first, second) / torch.maximum(first, second).clamp_min(1e-6)
        whole = near[:, None] * (1 - ramp(alike, ends))
        motion = torch.lerp(motion, _smooth(motion, beside, near, 1 if steady else 4), whole)
        if steady:
            motion[:, list(iris)] = motion[:, ring].mean(1, keepdim=True)
    return motion


def _smooth(motion: Tensor, places: Tensor, weights: Tensor, terms: int) -> Tensor:
    """The motion ``(1, P, 2)`` nearest to one, of the form a + b x + c y + d x^2 or only the first terms of that."""
    x, y = places[:, 0], places[:, 1]
    basis = torch.stack((torch.ones_like(x), x, y, x.square())[:terms], 1)
    weighted = (basis * weights[:, None]).mT
    return basis @ torch.linalg.solve(weighted @ basis, weighted @ motion)


def load_aligner(path: Path = BUNDLED, device: torch.device | str = "cpu") -> Aligner:
    """The network in a file.

    Raises:
        WeightsError: the file is missing, damaged, or holds something else.
    """
    return Aligner(load_own(KIND, lambda values: AlignmentNet(AlignmentNetConfig.of(values)), path).to(device))


@cache
def bundled_aligner(device: torch.device | str = "cpu", path: Path = BUNDLED) -> Aligner:
    """A bundled network, :data:`BUNDLED` or :data:`FITTING`.

    Raises:
        WeightsError: its file is missing or damaged.
    """
    return load_aligner(path, device)

"""The refinement network at work: from evidence in a window to changes of the sharp picture at its own size."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from ..errors import WeightsError
from ..networks.flow_net import (
    TONED,
    WINDOW,
    Doubt,
    FlowNet,
    FlowNetConfig,
    Judgement,
    Painting,
    covered,
    doubt,
    featured,
    merge,
)
from ..networks.low_rank import Factors, adapted
from ..ops.boxes import bounding_boxes
from ..weights.checkpoint import OPEN, load_weights
from .evidence import Evidence, Window
from .open_networks import load_own

KIND = "flow_net"
"""Kind of the weights, as their header names it."""
ADAPTER = "flow_adapter"
"""Kind of the files that ``fsgan adapt`` writes."""
BUNDLED = OPEN / "reenactment.safetensors"


@dataclass(frozen=True)
class Refined:
    """What the network said, and how to apply it at any size.

    Attributes:
        window: where the network looked, in pixels of the field.
        judgement: shifts and beliefs of the sheets.
        painting: what to lay over.
        doubts: how far.
        merged: ``(1, 3, N, N)`` the picture in the window before that.
        shift: ``(1, 2, n, n)`` pixels of the window, to look beside a place instead of at it in all of these; set by
            :meth:`aligned`.
        alike: how far drawing and target show one person, ``(1, 1, 1, 1)`` in [0, 1]; set with ``shift``.
    """

    window: Window
    judgement: Judgement
    painting: Painting
    doubts: Doubt
    merged: Tensor
    shift: Tensor | None = None
    alike: Tensor | None = None

    @property
    def picture(self) -> Tensor:
        """The refined picture ``(1, 3, N, N)`` in the window, before it is shifted."""
        return covered(self.merged, self.painting, self.doubts)

    def aligned(self, shift: Tensor, field: int, alike: Tensor) -> tuple[Refined, Tensor]:
        """The same with a shift, and that in pixels of the field ``(1, 2, field, field)``."""
        spread = self._spread(shift, (0, 0, field, field), 1.0) * (self.window.side / WINDOW)
        return replace(self, shift=shift, alike=alike), spread

    def sheet(self, number: int, field: int) -> tuple[Tensor, Tensor]:
        """Shift ``(1, 2, field, field)`` in pixels of the field and belief ``(1, 1, field, field)`` of a sheet."""
        shift, belief = (values[:, number] for values in self.judgement)
        spread = self._spread(torch.cat((shift * (self.window.side / WINDOW), belief), 1), (0, 0, field, field), 1.0)
        return spread[:, :2], spread[:, 2:]

    def painted(self, image: Tensor, scale: float) -> tuple[Tensor, Tensor]:
        """The picture with light changed and paint laid over.

        Args:
            image: ``(1, 3, S, S)``.
            scale: its pixels per pixel of the field.

        Returns:
            the new picture and ``(1, 1, S, S)`` how far it is paint, in [0, 1].
        """
        size = image.shape[-1]
        box = self._doubted(size, scale)
        if box[0] >= box[2] or box[1] >= box[3]:
            return image, torch.zeros_like(image[:, :1])
        paint, light = (
            functional.interpolate(values, (WINDOW, WINDOW), mode="bilinear") for values in self.doubts[::2]
        )
        gain = functional.interpolate(self.painting.light, (WINDOW, WINDOW), mode="bilinear") * light
        cover = self.painting.cover * paint
        fields = torch.cat((self.painting.colour * cover, cover, gain), 1)
        colour, cover, gain = self._spread(fields, box, scale).split((3, 1, 3), 1)
        result, painted = image.clone(), torch.zeros_like(image[:, :1])
        rows, columns = slice(box[1], box[3]), slice(box[0], box[2])
        result[..., rows, columns] = image[..., rows, columns] * gain.exp() + colour
        painted[..., rows, columns] = cover
        return result, painted

    def _doubted(self, size: int, scale: float) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of what may change in a picture of some size."""
        cells, far = self.doubts.paint.shape[-1], 0.0
        if self.shift is not None:
            far = float(self.shift.abs().max()) / WINDOW
        box = bounding_boxes(torch.maximum(self.doubts.paint, self.doubts.light))[0].tolist()
        corners = (self.window.left, self.window.top) * 2
        left, top, right, bottom = (
            scale * (corner + self.window.side * min(max((edge + out) / cells + far * out, 0.0), 1.0))
            for corner, edge, out in zip(corners, box, (-1, -1, 1, 1), strict=True)
        )
        return max(0, int(left)), max(0, int(top)), min(size, int(right) + 1), min(size, int(bottom) + 1)

    def _spread(self, values: Tensor, box: tuple[int, int, int, int], scale: float) -> Tensor:
        """Fields of the window ``(1, C, n, n)`` in a box of a picture, 0 beyond the window."""
        left, top, right, bottom = box
        x = (torch.arange(left, right, device=values.device) + 0.5) / scale
        y = (torch.arange(top, bottom, device=values.device) + 0.5) / scale
        x, y = (2 * (x - self.window.left) / self.window.side - 1), (2 * (y - self.window.top) / self.window.side - 1)
        grid = torch.stack((x.expand(len(y), -1), y[:, None].expand(-1, len(x))), 2)[None]
        if self.shift is not None:
            shift = functional.grid_sample(self.shift, grid, padding_mode="zeros", align_corners=False)
            grid = grid + shift.permute(0, 2, 3, 1) * (2 / WINDOW)
        return functional.grid_sample(values, grid, padding_mode="zeros", align_corners=False)


class Refiner:
    """The network, ready to be asked."""

    def __init__(self, network: FlowNet) -> None:
        self.network = network

    @torch.inference_mode()
    def __call__(self, evidence: Evidence, window: Window, toned: float = TONED) -> Refined:
        """Refine one face; its evidence lies in a window of the field.

        Args:
            evidence: what geometry knows.
            window: where.
            toned: see :func:`~fsgan_core.networks.flow_net.doubt`.
        """
        doubts = doubt(evidence.geometry, toned)
        judgement = self.network.judged(evidence.sheets, evidence.trust, evidence.geometry, doubts)
        merged = featured(merge(evidence.sheets, evidence.trust, judgement), evidence.features)
        return Refined(window, judgement, self.network.painter(merged, doubts, evidence.geometry), doubts, merged)


def load_refiner(path: Path, device: torch.device | str = "cpu") -> Refiner:
    """The network in a file.

    Raises:
        WeightsError: the file is missing, damaged, or holds something else.
    """
    network = load_own(KIND, lambda values: FlowNet(FlowNetConfig.of(values)), path).to(device)
    return Refiner(network.to(memory_format=torch.channels_last))  # type: ignore[call-overload]


@cache
def bundled_refiner(device: torch.device | str = "cpu") -> Refiner:
    """The bundled network.

    Raises:
        WeightsError: its file is missing or damaged.
    """
    return load_refiner(BUNDLED, device)


def adapted_refiner(refiner: Refiner, path: Path) -> Refiner:
    """A new refiner, fitted to a person by the file that ``fsgan adapt`` wrote; the one given stays as it is.

    Raises:
        WeightsError: the file is missing, damaged, something else, or made for another network.
    """
    tensors, _ = load_weights(path, ADAPTER)
    place = next(refiner.network.parameters()).device
    names = sorted({name.rpartition(".")[0] for name in tensors})
    try:
        if not names or len(tensors) != len(Factors._fields) * len(names):
            raise ValueError(f"found {len(tensors)} tensors, expected an 'up' and a 'down' for each layer")
        factors = {
            name: Factors(*(tensors[f"{name}.{part}"].float().to(place) for part in Factors._fields)) for name in names
        }
        return Refiner(adapted(refiner.network, factors))
    except (KeyError, ValueError, RuntimeError) as error:
        raise WeightsError(f"{path} was made for another network ({error}); run 'fsgan adapt' again") from error

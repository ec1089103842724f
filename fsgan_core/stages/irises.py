"""Irises: where an eye looks, found in a crop of that eye alone.

Of the whole face's crop an iris has a few pixels, and a network that finds everything at once puts it where irises
mostly are. Here each eye is cut out upright, the left one mirrored, so that all look alike.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ..networks.iris_net import IrisNet
from ..ops.landmarks import opposite
from .landmark_crops import Floats, after, cut, inverse, moved, placement
from .landmarks import Frame
from .openings import IRISES, LEFT, RINGS

MARGIN = 1.6
"""Side of the crop over the width of the eye."""
_NARROW, _OPEN = 0.12, 0.26
"""Apertures of the lids, in widths of the eye, up to which the network is not believed and from which on it is: of an
iris that two lids cover it sees too little to say the same of two frames."""


def eye_placement(points: NDArray[np.floating], region: int, size: int) -> Floats:
    """Placement of the crop of an eye: between its corners, outer corner left.

    Args:
        points: ``(478, 3)`` landmarks. The size is taken in three dimensions, so that turning does not change it.
        region: :data:`~fsgan_core.stages.openings.RIGHT` or ``LEFT``.
        size: side of the crop in pixels.

    Returns:
        ``(2, 3)`` matrix from pixels of the frame to those of the crop.
    """
    ring = RINGS[region]
    corners = np.asarray(points[[ring[0], ring[len(ring) // 2]]], np.float64)
    first, second = corners[::-1] if region == LEFT else corners
    along = second - first
    side = MARGIN * max(float(np.linalg.norm(along)), 1.0)
    upright = placement(corners[:, :2].mean(0), side, np.arctan2(along[1], along[0]), size)
    return after(np.array([[-1.0, 0, size], [0, 1, 0]]), upright) if region == LEFT else upright


@torch.inference_mode()
def with_irises(network: IrisNet, frames: Sequence[Frame], faces: NDArray[np.float32]) -> NDArray[np.float32]:
    """Landmarks ``(N, 478, 3)`` in pixels of the frames, one face for each, with the irises where they are seen."""
    size, device = network.config.size, network.head.weight.device
    each = [(row, region) for row in range(len(faces)) for region in IRISES]
    placements = [eye_placement(faces[row], region, size) for row, region in each]
    crops = [
        cut(frames[row], matrix, size, cv2.BORDER_REPLICATE) for (row, _), matrix in zip(each, placements, strict=True)
    ]
    images = torch.from_numpy(np.stack(crops)).to(device).permute(0, 3, 1, 2).float() / 255
    result = faces.copy()
    for (row, region), matrix, found in zip(each, placements, network(images).cpu().double().numpy(), strict=True):
        iris = list(IRISES[region])
        points = moved(faces[row, iris], matrix)
        # The rim keeps its form, which says how the eye is turned.
        rim = points[1:, :2] - points[:1, :2]
        points[1:, :2] = rim * (found[2] * size / max(float(np.linalg.norm(rim, axis=1).mean()), 1e-6))
        points[0, :2] = 0
        points[:, :2] += found[:2] * size
        share = _believed(faces[row], region)
        result[row, iris] = (1 - share) * faces[row, iris] + share * moved(points, inverse(matrix))
    return result


def _believed(points: NDArray[np.floating], region: int) -> float:
    """How far the network counts for an eye of landmarks ``(478, 3)``, in [0, 1]."""
    ring = RINGS[region]
    upper, lower = (points[list(edge)] for edge in opposite(ring))
    width = np.linalg.norm(points[ring[0]] - points[ring[len(ring) // 2]])
    aperture = np.linalg.norm((upper - lower)[2:-2].mean(0)) / max(float(width), 1e-6)
    return float(np.clip((aperture - _NARROW) / (_OPEN - _NARROW), 0, 1))

"""The 98 WFLW landmarks of the v2 networks out of the 478 dense ones, for when no network measures them.

Every point is a dense landmark or the mean of two; the jaw line is spread evenly over the face oval's points from one
temple over the chin to the other.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from .landmarks import COUNT, IBUG_68

JAW = (
    *(127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152),
    *(377, 400, 378, 379, 365, 397, 288, 361, 323, 454, 356),
)
"""Dense points along the jaw, from the picture's left to its right, the chin in the middle."""
BROWS = (
    *(70, 63, 105, 66, 107, 55, 65, 52, 53),
    *(336, 296, 334, 293, 300, 283, 282, 295, 285),
)
EYES = (
    *(33, 161, 159, 157, 133, 154, 145, 163),
    *(362, 384, 386, 388, 263, 390, 374, 381),
)
IRISES = (468, 473)
_JAW_POINTS = 33


def to_wflw98(landmarks: Tensor) -> Tensor:
    """Landmarks of the WFLW order from dense ones.

    Args:
        landmarks: ``(..., 478, D)``.

    Returns:
        ``(..., 98, D)`` in the same unit.

    Raises:
        ValueError: another number of landmarks.
    """
    if landmarks.shape[-2] != COUNT:
        raise ValueError(f"got {landmarks.shape[-2]} landmarks, expected {COUNT} dense ones")
    return _weights().to(landmarks) @ landmarks


@cache
def _weights() -> Tensor:
    """``(98, 478)``: each row sums to 1."""
    weights = torch.zeros(98, COUNT)
    place = torch.linspace(0, len(JAW) - 1, _JAW_POINTS)
    for row, position in enumerate(place.tolist()):
        below = min(int(position), len(JAW) - 2)
        weights[row, JAW[below]] += 1 - (position - below)
        weights[row, JAW[below + 1]] += position - below
    groups: list[tuple[int, ...]] = [(point,) for point in BROWS]
    groups += list(IBUG_68[27:36])
    groups += [(point,) for point in EYES]
    groups += [*IBUG_68[48:68], *((point,) for point in IRISES)]
    for row, group in enumerate(groups, start=_JAW_POINTS):
        for point in group:
            weights[row, point] += 1 / len(group)
    return weights

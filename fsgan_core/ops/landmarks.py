"""Names for the points: the 478 FaceMesh landmarks and the iBUG 68 among them.

Sides are the subject's: the right eye lies in the left half of the picture. Rings are
closed and ordered, each consecutive pair (last and first too) is an edge of the face model.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

Points = TypeVar("Points", torch.Tensor, NDArray[np.floating])

COUNT = 478
"""Number of dense landmarks: 468 of the face surface, then five for each iris."""

FACE_OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
LIPS_OUTER = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
LIPS_INNER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191)
RIGHT_EYE = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
LEFT_EYE = (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466)
RIGHT_BROW = (46, 53, 52, 65, 55, 107, 66, 105, 63, 70)
LEFT_BROW = (276, 283, 282, 295, 285, 336, 296, 334, 293, 300)
RIGHT_IRIS = (468, 469, 470, 471, 472)
"""Centre, then the four points of the rim: image's right, top, image's left, bottom."""
LEFT_IRIS = (473, 474, 475, 476, 477)
NOSE_BRIDGE = (168, 6, 197, 195, 5, 4)
NOSE_BASE = (98, 97, 2, 326, 327)
NOSE = (*NOSE_BRIDGE, 1, 19, 94, *NOSE_BASE, 48, 115, 220, 45, 275, 440, 344, 278, 64, 294, 129, 358)
MIDLINE = (
    *(10, 151, 9, 8, 168, 6, 197, 195, 5, 4, 1, 19, 94, 2, 164, 0, 11, 12, 13),
    *(14, 15, 16, 17, 18, 200, 199, 175, 152),
)
"""The points that are their own mirror image, from the forehead to the chin."""
RIGID = (
    *(168, 6, 197, 195, 5, 4, 1, 19, 94, 2),
    *(33, 133, 362, 263, 98, 327, 129, 358, 48, 278, 122, 351, 188, 412),
    *(10, 151, 9, 67, 297, 109, 338, 103, 332, 54, 284, 21, 251, 162, 389, 127, 356, 234, 454),
)
"""Points that hardly move with the expression: nose, eye corners, forehead, temples."""

IBUG_68 = (
    # jaw line, from the picture's left to its right
    *((127,), (234,), (93,), (132,), (172,), (136,), (150,), (176,), (152,)),
    *((400,), (379,), (365,), (397,), (361,), (323,), (454,), (356,)),
    # brows
    *((70,), (63,), (105,), (66,), (107,)),
    *((336,), (296,), (334,), (293,), (300,)),
    # nose
    *((168,), (197,), (5,), (4,)),
    *((98,), (97,), (2,), (326,), (327,)),
    # eyes
    *((33,), (160,), (158,), (133,), (153,), (144,)),
    *((362,), (385,), (387,), (263,), (373,), (380,)),
    # outer lips
    *((61,), (39, 40), (37,), (0,), (267,), (269, 270), (291,)),
    *((405, 321), (314,), (17,), (84,), (181, 91)),
    # inner lips
    *((78,), (81, 82), (13,), (311, 312), (308,), (402, 317), (14,), (178, 87)),
)
"""For each iBUG point the dense landmarks whose mean it is."""
INNER_51 = slice(17, 68)
"""The iBUG points without the jaw line."""

_FIRST = [group[0] for group in IBUG_68]
_LAST = [group[-1] for group in IBUG_68]


def opposite(ring: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Upper and lower points of a ring that begins at one corner and runs below; pairs in order, without corners."""
    half = len(ring) // 2
    return ring[:half:-1], ring[1:half]


def to_ibug68(landmarks: Points) -> Points:
    """Sparse landmarks from dense ones.

    Args:
        landmarks: ``(..., 478, D)`` tensor or array.

    Returns:
        ``(..., 68, D)`` in the iBUG (300-W) order, of the same kind and dtype.
    """
    if landmarks.shape[-2] != COUNT:
        raise ValueError(f"got {landmarks.shape[-2]} landmarks, expected {COUNT} dense ones")
    return (landmarks[..., _FIRST, :] + landmarks[..., _LAST, :]) / 2

"""Labels of face and hair for portraits that only carry landmarks.

Nobody drew these labels. Where the mesh and the picture's colours agree they are good; hair is a guess (a hat often
counts as hair), and what cannot be known, such as skin behind a wearer's own glasses, is left out of the loss.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

REST, FACE, HAIR, UNKNOWN = 0, 1, 2, 255
"""Values of a label map."""

Image = NDArray[np.uint8]
Points = NDArray[np.floating]

BROWS = (70, 63, 105, 66, 107, 9, 336, 296, 334, 293, 300)
"""Upper edge of the brows."""
SIDES = (
    127,
    234,
    93,
    132,
    58,
    172,
    136,
    150,
    149,
    176,
    148,
    152,
    377,
    400,
    378,
    379,
    365,
    397,
    288,
    361,
    323,
    454,
    356,
)
"""The face's outline from one temple over the chin to the other."""
GLASSES = ((46, 53, 52, 65, 193, 122, 100, 118, 117, 111, 143), (276, 283, 282, 295, 417, 351, 329, 347, 346, 340, 372))
"""Outlines around each eye within which the frame of glasses lies."""
TOP, CHIN, NOSE = 10, 152, 1


def filled(points: Points, size: int) -> Image:
    """The convex hull of points ``(P, 2)`` as a mask ``(size, size)`` of 0 and 1."""
    mask = np.zeros((size, size), np.uint8)
    cv2.fillPoly(mask, [cv2.convexHull(np.round(points * 16).astype(np.int32))], 1, cv2.LINE_8, 4)
    return mask


def label(image: Image, points: Points, glasses: bool = False) -> Image:
    """Label a crop that shows a face without anything in front of it.

    Args:
        image: ``(S, S, 3)`` RGB, the face about half as wide.
        points: ``(478, 2)`` landmarks in pixels of the crop.
        glasses: the face wears some: the region around the eyes is left unknown.

    Returns:
        ``(S, S)`` of :data:`REST`, :data:`FACE`, :data:`HAIR` and :data:`UNKNOWN`.
    """
    size = len(image)
    oval, up = filled(points, size), points[TOP] - points[CHIN]
    # Skin reaches above the mesh up to the hairline.
    allowed = oval | filled(np.concatenate([points[list(BROWS)], points[list(BROWS)] + 0.55 * up]), size) & _shifted(
        oval, 0.14 * up
    )
    certain = filled(
        np.concatenate([points[list(BROWS)], points[NOSE] + 0.93 * (points[list(SIDES)] - points[NOSE])]), size
    )
    smooth = np.asarray(cv2.cvtColor(cv2.GaussianBlur(image, (0, 0), size / 256), cv2.COLOR_RGB2LAB), np.uint8)
    face = _face(smooth, allowed, oval, certain & oval)
    result = np.where(face > 0, FACE, REST).astype(np.uint8)
    result[(_hair(smooth, face, oval, points) > 0) & (face == 0)] = HAIR
    if glasses:
        for outline in GLASSES:
            result[cv2.dilate(filled(points[list(outline)], size), np.ones((5, 5), np.uint8)) > 0] = UNKNOWN
    return result


def trustworthy(labels: Image, points: Points) -> bool:
    """Whether a label found a face of about the mesh's size."""
    oval = filled(points, len(labels)) > 0
    return bool((labels[oval] != REST).mean() > 0.9 and np.isin(labels[oval], (FACE, UNKNOWN)).mean() > 0.6)


def _shifted(mask: Image, by: Points) -> Image:
    matrix = np.array([[1, 0, by[0]], [0, 1, by[1]]], np.float32)
    return np.asarray(cv2.warpAffine(mask, matrix, mask.shape[::-1], flags=cv2.INTER_NEAREST), np.uint8)


def _face(picture: Image, allowed: Image, oval: Image, certain: Image) -> Image:
    """Skin by colour: what lies within the mesh's lower part is skin, the forehead is what looks like it."""
    seeds = np.full(oval.shape, cv2.GC_BGD, np.uint8)
    seeds[cv2.dilate(allowed, np.ones((9, 9), np.uint8)) > 0] = cv2.GC_PR_BGD
    seeds[oval > 0] = cv2.GC_PR_FGD
    seeds[certain > 0] = cv2.GC_FGD
    return _smooth(_cut(picture, seeds, 2) & allowed)


def _hair(picture: Image, face: Image, oval: Image, points: Points) -> Image:
    """Hair by colour: seeds lie just above the forehead; skin, neck and the picture's far parts are none."""
    size, up = len(face), points[TOP] - points[CHIN]
    height = float(np.linalg.norm(up))
    centre = points[TOP] - 0.15 * up
    reach = np.zeros_like(face)
    axes = (round(0.85 * height), round(1.0 * height))
    turn = float(np.degrees(np.arctan2(up[0], -up[1])))
    cv2.ellipse(reach, tuple(np.round(centre).astype(int).tolist()), axes, turn, 0, 360, 1, -1)
    above = (
        _shifted(oval, 0.16 * up)
        & ~oval
        & filled(np.concatenate([points[list(BROWS)] + k * up for k in (0.3, 0.7)]), size)
    )
    seeds = np.full(face.shape, cv2.GC_BGD, np.uint8)
    seeds[reach > 0] = cv2.GC_PR_BGD
    seeds[cv2.dilate(above, np.ones((15, 15), np.uint8)) > 0] = cv2.GC_PR_FGD
    seeds[above > 0] = cv2.GC_FGD
    seeds[(face > 0) | (_shifted(oval, -0.3 * up) > 0) & (oval == 0) & (reach == 0)] = cv2.GC_BGD
    if not (seeds == cv2.GC_FGD).any():
        return np.zeros_like(face)
    # Half the size will do for a guess.
    found = _cut(np.ascontiguousarray(picture[::2, ::2]), np.ascontiguousarray(seeds[::2, ::2]), 2)
    return _smooth(np.asarray(cv2.resize(found, (size, size), interpolation=cv2.INTER_NEAREST), np.uint8))


def _cut(picture: Image, seeds: Image, rounds: int) -> Image:
    """GrabCut (Rother et al. 2004)."""
    backward, forward = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)
    # A rectangle is not looked at when a mask is given.
    cv2.grabCut(picture, seeds, (0, 0, 1, 1), backward, forward, rounds, cv2.GC_INIT_WITH_MASK)
    return np.isin(seeds, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)


def _smooth(mask: Image) -> Image:
    return np.asarray(cv2.medianBlur(mask * np.uint8(255), 5) > 0, np.uint8)

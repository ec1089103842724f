"""Candidates for the appearance map: cutting them out, rating them, choosing among them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

import cv2
import numpy as np
from numpy.typing import NDArray

from ..ops.pose_plane import on_plane
from ..options import Range, check_ranges

Floats = NDArray[np.float32]

_CONTEXT = 2.0
"""Side of a crop relative to the face."""
_LARGEST = 2048
"""Longest side of a view in pixels; beyond it the picture is reduced."""
_RATED = 128
"""Size of the face in pixels at which sharpness is measured."""
_LIDS = ((159, 145, 33, 133), (386, 374, 362, 263))
"""Upper lid, lower lid and corners of each eye."""
_OPEN = 0.2
"""Distance of the lids relative to the eye's width from which an eye counts as open."""


@dataclass(frozen=True, kw_only=True)
class MapOptions:
    """How an appearance map is made."""

    radius: Annotated[float, Range(0.1, 90, "degrees")] = 4.0
    """views closer than this in yaw and pitch, in degrees, compete; the best stays"""
    limit: Annotated[int, Range(1, 1000)] = 64
    """largest number of views"""
    blur: Annotated[float, Range(0, 1)] = 0.35
    """a view is dropped when its sharpness is below this share of the median view's"""
    roll: Annotated[float, Range(0, 180, "degrees")] = 40.0
    """faces tilted by more than so many degrees are not used unless there is no other"""

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class Candidate:
    """A face in a picture that may become a view.

    Attributes:
        frame: uint8 ``(H, W, 3)`` RGB.
        landmarks: ``(478, 3)`` in pixels of the frame.
        pose: ``(3,)`` yaw, pitch, roll in degrees.
        score: confidence in [0, 1]; 0 is never used.
    """

    frame: NDArray[np.uint8]
    landmarks: Floats
    pose: Floats
    score: float = 1.0


@dataclass(frozen=True)
class Rated:
    """A candidate measured and, once it is worth keeping, cut out of its frame.

    Attributes:
        number: order of arrival.
        pose: ``(3,)`` degrees.
        sharpness: comparable between pictures of one face.
        quality: the higher the better, comparable between similar poses.
        box: ``(4,)`` of the crop in pixels of the frame.
        view: the crop, uint8 ``(h, w, 3)``.
        landmarks: ``(478, 3)`` in pixels of the view.
    """

    number: int
    pose: Floats
    sharpness: float
    quality: float
    box: Floats
    view: NDArray[np.uint8]
    landmarks: Floats


def rate(candidate: Candidate, number: int = 0) -> Rated | None:
    """Measure a candidate without copying its pixels.

    Returns:
        the candidate with an empty view, or None when it shows no usable face.
    """
    finite = np.isfinite(candidate.landmarks).all() and np.isfinite(candidate.pose).all()
    if candidate.score <= 0 or not finite:
        return None
    height, width = candidate.frame.shape[:2]
    points = candidate.landmarks[:, :2]
    size = float(np.ptp(points, axis=0).max())
    middle = (points.min(0) + points.max(0)) / 2
    box = np.concatenate((np.floor(middle - size * _CONTEXT / 2), np.ceil(middle + size * _CONTEXT / 2)))
    box = np.clip(box, 0, (width, height, width, height)).astype(np.float32)
    inside = float(((points >= 0) & (points < (width, height))).all(1).mean())
    if size < 1 or inside < 0.5 or (box[2:] - box[:2]).min() < 2:
        return None
    sharp = sharpness(candidate.frame, points)
    # A product of shares: each defect counts in proportion.
    quality = sharp * min(size, 512) ** 0.5 * inside**2 * candidate.score * _eyes_open(candidate.landmarks)
    quality *= float(np.exp(-0.5 * (candidate.pose[2] / 20) ** 2))
    return Rated(number, candidate.pose, sharp, quality, box, np.empty((0, 0, 3), np.uint8), candidate.landmarks)


def crop(rated: Rated, candidate: Candidate) -> Rated:
    """Cut the view out of the candidate's frame, at its native resolution up to 2048 px."""
    left, top, right, bottom = (int(edge) for edge in rated.box)
    view = candidate.frame[top:bottom, left:right]
    scale = min(1.0, _LARGEST / max(view.shape[:2]))
    size = (max(round(view.shape[1] * scale), 1), max(round(view.shape[0] * scale), 1))
    if scale < 1:
        view = cv2.resize(np.ascontiguousarray(view), size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    factor = np.array((size[0] / (right - left), size[1] / (bottom - top), scale), np.float32)
    landmarks = (candidate.landmarks - np.array((left, top, 0), np.float32)) * factor
    return replace(rated, view=view.copy(), landmarks=landmarks.astype(np.float32))


def thin(candidates: list[Rated], options: MapOptions) -> list[Rated]:
    """The best of each neighbourhood of poses.

    Args:
        candidates: all of them, in any order.
        options: see :class:`MapOptions`.

    Returns:
        at most ``options.limit``, in order of arrival: none blurred compared with the others, none closer to another
        than the radius, which grows until they are few enough.
    """
    if not candidates:
        return []
    bar = options.blur * float(np.median([one.sharpness for one in candidates]))
    order = sorted((one for one in candidates if one.sharpness >= bar), key=lambda one: (-one.quality, one.number))
    plane = on_plane(np.stack([one.pose for one in order]))
    radius = options.radius
    while True:
        kept: list[int] = []
        for number, point in enumerate(plane):
            if not kept or np.linalg.norm(plane[kept] - point, axis=1).min() >= radius:
                kept.append(number)
        if len(kept) <= options.limit:
            return sorted((order[number] for number in kept), key=lambda one: one.number)
        radius *= 1.1


def sharpness(frame: NDArray[np.uint8], points: Floats) -> float:
    """Sharpness of a face: energy of the Laplacian relative to the contrast, at a fixed size of the face.

    Args:
        frame: uint8 ``(H, W, 3)`` RGB.
        points: ``(P, 2)`` landmarks in pixels of the frame.

    Returns:
        at least 0; comparable between pictures of one face whatever their size and light. A face smaller than the
        fixed size is enlarged and counts as blurred accordingly.
    """
    height, width = frame.shape[:2]
    left, top = np.clip(np.floor(points.min(0)), 0, (width - 1, height - 1)).astype(int)
    right, bottom = np.clip(np.ceil(points.max(0)), (left + 1, top + 1), (width, height)).astype(int)
    scale = _RATED / float(np.ptp(points, axis=0).max())
    size = (max(round((right - left) * scale), 1), max(round((bottom - top) * scale), 1))
    face = cv2.cvtColor(np.ascontiguousarray(frame[top:bottom, left:right]), cv2.COLOR_RGB2GRAY).astype(np.float32)
    grey = cv2.resize(face, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    grey = cv2.GaussianBlur(grey, (0, 0), 0.8)
    mask = np.zeros(grey.shape, np.uint8)
    hull = cv2.convexHull(((points - (left, top)) * scale).astype(np.float32)).round().astype(np.int32)
    cv2.fillConvexPoly(mask, hull, 1)
    inside = mask > 0
    edges = cv2.Laplacian(grey, cv2.CV_32F)[inside]
    return float(edges.var() / (grey[inside].var() + 25)) if inside.any() else 0.0


def _eyes_open(landmarks: Floats) -> float:
    """Between 0.3 (closed) and 1: the more open of the two eyes."""
    widths = []
    for upper, lower, first, last in _LIDS:
        height = float(np.linalg.norm(landmarks[upper] - landmarks[lower]))
        widths.append(height / max(float(np.linalg.norm(landmarks[first] - landmarks[last])), 1e-6))
    return float(np.clip(max(widths) / _OPEN, 0.3, 1))

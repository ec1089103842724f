"""Which pictures of a face a dataset keeps: large, sharp, not too turned, and different from each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import cv2
import numpy as np
from numpy.typing import NDArray

from ..faces import FaceSequence
from ..options import Range, check_ranges
from ..stages.pose import load_face_model

Floats = NDArray[np.float32]
Picture = NDArray[np.uint8]
REASONS = ("not seen", "small", "turned", "cut off", "blurred", "alike", "duplicate")
"""Why a picture is refused, in the order in which it is looked at."""
_PRINT = 16


@dataclass(frozen=True, kw_only=True)
class DatasetOptions:
    """Which faces are kept, and how."""

    size: Annotated[int, Range(16, math.inf, "pixels")] = 128
    """least longer side of a face"""
    blur: Annotated[float, Range(0, math.inf)] = 0.006
    """least sharpness, energy of edges over contrast: a blur of 2 % of the face falls below the default"""
    yaw: Annotated[float, Range(0, 180, "degrees")] = 90.0
    """largest turn to a side"""
    pitch: Annotated[float, Range(0, 180, "degrees")] = 45.0
    """largest turn up or down"""
    inside: Annotated[float, Range(0, 1)] = 0.95
    """least share of the landmarks inside the frame"""
    rate: Annotated[float, Range(0, math.inf)] = 5.0
    """frames a second of a video that are looked at, 0 for all"""
    most: Annotated[int, Range(1, math.inf)] = 100
    """most pictures of one face in one file"""
    change: Annotated[float, Range(0, math.inf)] = 0.03
    """least difference of two pictures of one face in one file, in eye distances a landmark"""
    likeness: Annotated[int, Range(0, 256)] = 20
    """pictures of different files whose prints differ in at most so many of 256 bits are duplicates"""
    side: Annotated[int, Range(64, math.inf, "pixels")] = 448
    """largest side of the crops"""
    margin: Annotated[float, Range(1.2, math.inf)] = 2.0
    """side of the crops over the longer side of the face"""
    people: bool = False
    """files in one folder show one person, so that networks may learn from pairs of them"""

    def __post_init__(self) -> None:
        check_ranges(self)


def refusals(face: FaceSequence, frame: tuple[int, int], options: DatasetOptions) -> list[str]:
    """For each frame of a track why it is refused before its pixels are looked at, or an empty string.

    Args:
        face: a measured track.
        frame: width and height.
        options: limits.
    """
    points = face.landmarks[..., :2]
    extent = np.ptp(points, axis=1).max(1)
    shown = ((points >= 0) & (points < frame)).all(2).mean(1)
    turned = (np.abs(face.poses[:, 0]) > options.yaw) | (np.abs(face.poses[:, 1]) > options.pitch)
    tests = {
        "not seen": face.scores <= 0,
        "small": extent < options.size,
        "turned": turned,
        "cut off": shown < options.inside,
    }
    return [next((reason for reason, bad in tests.items() if bad[row]), "") for row in range(len(face))]


def different(landmarks: Floats, most: int, change: float) -> list[int]:
    """Faces that differ most from each other, farthest first (Gonzalez 1985), beginning with the first.

    Args:
        landmarks: ``(F, 478, 3)`` in one unit.
        most: largest number of faces.
        change: least distance to those chosen, in eye distances a landmark.

    Returns:
        rows in the order of choice.
    """
    shapes = _shapes(landmarks)
    if not len(shapes):
        return []
    chosen, far = [0], _distances(shapes, shapes[0])
    while len(chosen) < most and float(far.max()) >= change:
        chosen.append(int(far.argmax()))
        far = np.minimum(far, _distances(shapes, shapes[chosen[-1]]))
    return chosen


def fingerprint(face: Picture) -> str:
    """256 bits of how brightness changes along the rows of a face crop, as hexadecimal digits.

    Two prints of one photo differ little after scaling and compression; those of different photos in about half.
    """
    grey = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (_PRINT + 1, _PRINT), interpolation=cv2.INTER_AREA).astype(np.int16)
    return np.packbits(small[:, 1:] > small[:, :-1]).tobytes().hex()


def originals(prints: Sequence[str], files: Sequence[str], likeness: int) -> list[int]:
    """For each picture the earlier one of another file that it repeats, or -1.

    Args:
        prints: of :func:`fingerprint`.
        files: that the pictures come from.
        likeness: largest number of bits in which duplicates differ.
    """
    bits = np.array([list(bytes.fromhex(text)) for text in prints], np.uint8)
    numbers = {name: number for number, name in enumerate(dict.fromkeys(files))}
    source = np.array([numbers[file] for file in files], np.int64)
    result = np.full(len(prints), -1)
    for row in range(1, len(prints)):
        earlier = np.flatnonzero((result[:row] < 0) & (source[:row] != source[row]))
        if len(earlier):
            apart = np.unpackbits(bits[earlier] ^ bits[row], axis=1).sum(1)
            if apart.min() <= likeness:
                result[row] = earlier[apart.argmin()]
    return result.tolist()


def _shapes(landmarks: Floats) -> Floats:
    """Landmarks about their centre, in eye distances as seen from the front."""
    mean = load_face_model().mean.numpy()
    size = np.sqrt(((landmarks - landmarks.mean(1, keepdims=True)) ** 2).sum(2).mean(1))
    unit = float(np.sqrt(((mean - mean.mean(0)) ** 2).sum(1).mean()))
    return np.asarray((landmarks - landmarks.mean(1, keepdims=True)) * (unit / size)[:, None, None], np.float32)


def _distances(shapes: Floats, one: Floats) -> Floats:
    return np.asarray(np.linalg.norm(shapes - one, axis=2).mean(1), np.float32)

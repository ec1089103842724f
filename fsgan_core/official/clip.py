"""Videos: one face followed and steadied as published, then swapped frame by frame.

v2 takes moving means that give way to motion, v1 a Hamming window over everything. A stretch in which the face is seen
without a break is steadied by itself; other frames pass through.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from ..faces import FaceSequence
from ..ops.official_geometry import Frame
from ..ops.official_tracking import hamming_mean, moving_mean, smooth_boxes
from ..stages.official import SIZE
from ..stages.official_tracks import TrackNotes
from ..streams import Clip
from .photo import FaceCrop, OfficialNetworks, OfficialOptions, OfficialSwap, Photo, cut, prepared, swap_crop, tensor

Floats = NDArray[np.float64]
_POSES = 5
"""frames over which v2 averages poses"""


@dataclass(frozen=True)
class OfficialFrame:
    """One frame of a result.

    Attributes:
        frame: uint8 ``(H, W, 3)``.
        swap: what was done, None where the face is not seen and the frame is the target's own.
    """

    frame: Frame
    swap: OfficialSwap | None


@torch.inference_mode()
def swap_clip(
    sources: Sequence[Photo],
    target: Clip,
    face: FaceSequence,
    networks: OfficialNetworks,
    options: OfficialOptions | None = None,
) -> Iterator[OfficialFrame]:
    """Swap the face of one person onto that of another in a video; two passes over it, in bounded memory.

    Args:
        sources: photos of one person; those near the target's pose are mixed.
        target: the video that is kept.
        face: in it, measured without smoothing (``SmoothingOptions(width=0)``); boxes as the detector gave them.
        networks: of one weight set.
        options: see :class:`OfficialOptions`.

    Yields:
        every frame of the target.

    Raises:
        ValueError: no source, or an option out of range.
    """
    options = options or OfficialOptions()
    views = prepared(sources, networks, options.radius)
    steady = _steady(target, face, networks)
    for index, frame in enumerate(target):
        row = face.row(index)
        goal = None if row is None else steady(row, frame)
        swap = None if goal is None else swap_crop(views, frame, goal, networks, options)
        yield OfficialFrame(frame if swap is None else swap.frame, swap)


def _steady(target: Clip, face: FaceSequence, networks: OfficialNetworks) -> Callable[[int, Frame], FaceCrop]:
    """Look at every frame; what cuts the face out of one, with steady numbers."""
    v2 = networks.weight_set == "v2"
    boxes = _by_stretch(face.track.boxes, face.scores, smooth_boxes if v2 else hamming_mean)
    dense = face.landmarks if v2 else _by_stretch(face.landmarks, face.scores, hamming_mean)
    poses, notes = face.poses.copy(), TrackNotes()

    def photo(row: int, frame: Frame) -> Photo:
        return Photo(frame, boxes[row].astype(np.float32), dense[row].astype(np.float32), poses[row])

    for index, frame in enumerate(target):
        row = face.row(index)
        if row is None:
            notes.end()
            continue
        found = cut(photo(row, frame), networks)
        poses[row] = found.pose
        if v2:
            logits = networks.networks.segmentation(tensor(found.picture, networks))
            notes.add(row, (found.points / SIZE).astype(np.float32), logits)
    notes.end()
    poses = _by_stretch(poses, face.scores, _mean_poses if v2 else hamming_mean).astype(np.float32)

    # Everything is measured; what is left is to cut.
    unmeasured = replace(networks, landmarks=None, pose=None)

    def steady(row: int, frame: Frame) -> FaceCrop:
        found = cut(photo(row, frame), unmeasured)
        points, mask = notes.track.points(row), notes.track.mask(row)
        if points is None or mask is None:
            return found
        return replace(found, points=points[0].numpy() * SIZE, mask=mask.to(networks.device))

    return steady


def _mean_poses(poses: NDArray[np.floating]) -> Floats:
    return moving_mean(poses, _POSES)


def _by_stretch(
    values: NDArray[np.floating], scores: NDArray[np.float32], smooth: Callable[[Floats], Floats]
) -> Floats:
    """Smooth ``(F, ...)`` values over each run of frames in which the face is seen."""
    result = values.astype(np.float64)
    edges = np.flatnonzero(np.diff(np.r_[False, scores > 0, False]))
    for first, last in edges.reshape(-1, 2):
        result[first:last] = smooth(result[first:last])
    return result

"""Appearance map: the source's face from many sides, and which of them to show for a given pose.

As in FSGAN (section 3.3) views are placed at their yaw and pitch, triangulated (Delaunay) and mixed by barycentric
weights; see :mod:`fsgan_core.ops.pose_plane` for what is done differently at the border. Of many candidates the best
of each neighbourhood of poses is kept: sharp, upright, large, with open eyes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..errors import NoFaceError
from ..ops.landmarks import COUNT
from ..ops.pose_plane import Triangulation, locate, nearest, on_plane, triangulate
from .candidates import Candidate, MapOptions, Rated, crop, rate, thin

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class AppearanceMap:
    """Views of one face, ordered as they were given.

    Attributes:
        views: K pictures, uint8 ``(h, w, 3)`` RGB, of any size.
        poses: ``(K, 3)`` yaw, pitch, roll in degrees.
        landmarks: ``(K, 478, 3)`` in pixels of each view.
        boxes: ``(K, 4)`` what part of its frame each view shows, in pixels of the frame.
        notes: free strings that travel with the map, such as ``consent`` and ``source``.
    """

    views: tuple[NDArray[np.uint8], ...]
    poses: Floats
    landmarks: Floats
    boxes: Floats
    notes: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what does not fit together."""
        count = len(self.views)
        expected = ((count, 3), (count, COUNT, 3), (count, 4))
        found = (self.poses.shape, self.landmarks.shape, self.boxes.shape)
        if not count or found != expected:
            raise ValueError(f"got {count} views with poses, landmarks, boxes {found}, expected {expected}, 1 or more")
        if any(view.ndim != 3 or view.shape[2] != 3 or view.dtype != np.uint8 or not view.size for view in self.views):
            raise ValueError(f"got views {[(v.shape, v.dtype) for v in self.views][:3]}, expected uint8 (h, w, 3)")
        if not all(np.isfinite(values).all() for values in (self.poses, self.landmarks, self.boxes)):
            raise ValueError("poses, landmarks or boxes of the appearance map are not finite; measure the faces again")

    def __len__(self) -> int:
        return len(self.views)

    @cached_property
    def triangulation(self) -> Triangulation:
        """The plane of poses cut into triangles."""
        return triangulate(self.poses)

    def query(self, poses: NDArray[np.floating], closest: bool = False) -> tuple[NDArray[np.int64], Floats]:
        """Which views to show for a pose, and how much of each.

        Args:
            poses: ``(B, 3)`` or ``(3,)`` yaw, pitch and roll in degrees, any finite values; roll plays no part.
            closest: show the nearest view alone.

        Returns:
            view numbers ``(B, 3)`` and weights ``(B, 3)``, heaviest first, at least 0, with sum 1 (``(3,)`` each for
            one pose). No view appears twice with weight; numbers without weight repeat the first.

        Raises:
            ValueError: another shape, or a pose that is not finite.
        """
        wanted = np.atleast_2d(np.asarray(poses, np.float64))
        if wanted.ndim != 2 or wanted.shape[1] != 3 or not np.isfinite(wanted).all():
            raise ValueError(f"got poses {np.shape(poses)}, expected finite (B, 3) or (3,) yaw, pitch, roll in degrees")
        plane = on_plane(wanted)
        if closest:
            numbers = np.repeat(nearest(plane, on_plane(self.poses))[:, None], 3, axis=1)
            weights = np.tile((1.0, 0.0, 0.0), (len(plane), 1))
        else:
            numbers, weights = locate(plane, self.triangulation)
        shape = (3,) if np.ndim(poses) == 1 else (-1, 3)
        return numbers.reshape(shape), weights.astype(np.float32).reshape(shape)


def build(
    candidates: Iterable[Candidate],
    options: MapOptions = MapOptions(),  # noqa: B008 (frozen)
    notes: Mapping[str, str] | None = None,
) -> AppearanceMap:
    """Make the map of a face.

    Args:
        candidates: pictures of one face, or the frames of a video as they stream by. At most three times
            ``options.limit`` crops are held at a time.
        options: see :class:`MapOptions`.
        notes: free strings to keep with the map.

    Returns:
        the map; views in the order of the candidates.

    Raises:
        NoFaceError: there is no usable candidate.
    """
    cells: dict[tuple[int, int], Rated] = {}
    spare: Rated | None = None
    radius = options.radius
    for number, candidate in enumerate(candidates):
        rated = rate(candidate, number)
        if rated is None:
            continue
        if abs(rated.pose[2]) > options.roll:
            if spare is None or rated.quality > spare.quality:
                spare = crop(rated, candidate)
            continue
        cell = _cell(rated, radius)
        if cell not in cells or rated.quality > cells[cell].quality:
            cells[cell] = crop(rated, candidate)
        while len(cells) > 3 * options.limit:
            radius *= 1.3
            cells = {_cell(kept, radius): kept for kept in sorted(cells.values(), key=lambda kept: kept.quality)}
    chosen = thin(list(cells.values()), options) or ([spare] if spare is not None else [])
    if not chosen:
        raise NoFaceError("found no usable picture of the source's face; expected one that is seen and measured")
    return AppearanceMap(
        tuple(kept.view for kept in chosen),
        np.stack([kept.pose for kept in chosen]),
        np.stack([kept.landmarks for kept in chosen]),
        np.stack([kept.box for kept in chosen]),
        dict(notes or {}),
    )


def _cell(rated: Rated, radius: float) -> tuple[int, int]:
    """The neighbourhood of poses that a candidate competes in."""
    yaw, pitch = on_plane(rated.pose[None])[0]
    return int(np.floor(yaw / radius)), int(np.floor(pitch / radius))

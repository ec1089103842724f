"""Selection: which of the faces in a clip is meant.

A face is one track of one shot. Unless all are wanted, at most one is selected at any time, but as many as there are
one after the other: the largest face of a film with cuts is the largest of every shot.

By a reference picture faces are compared with :mod:`fsgan_core.stages.descriptor`. This is enough to point at one of
the people in a scene with a picture from that scene, or a similar one. It does not recognise a person in another light
or from another side: of pictures of one family taken apart, parents are as similar to each other as to themselves.
When the comparison is not clear, nothing is selected.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from ..errors import NoFaceError
from ..faces import Analysis, FaceSequence
from .descriptor import describe_face, similarity

Floats = NDArray[np.float32]
Frame = NDArray[np.uint8]

RULES = ("largest", "all")
"""Rules by name; a number selects by place, from the left."""


@dataclass(frozen=True, kw_only=True)
class ReferenceOptions:
    """When a face counts as the one in a reference picture."""

    threshold: float = 0.6
    """lowest similarity, in [0, 1]"""
    lead: float = 0.05
    """smallest lead in similarity over every other face seen at the same time"""
    samples: int = 5
    """frames of each face that are compared"""


def select(analysis: Analysis, rule: str | int = "largest") -> tuple[FaceSequence, ...]:
    """Select faces by size or place.

    Args:
        analysis: what was found in the clip.
        rule: ``"largest"``: the one with the largest mean area over the clip, then the largest of those never seen
            together with it, and so on. ``"all"``. A number, or its digits: so many-th from the left, from 0, by the
            mean centre among the faces of each shot.

    Returns:
        at least one face, in the order of the analysis.

    Raises:
        NoFaceError: there is no such face.
        ValueError: there is no such rule.
    """
    if isinstance(rule, str) and rule not in RULES and not rule.isdecimal():
        raise ValueError(f"got the rule '{rule}', expected one of {', '.join(RULES)}, or a number from 0")
    if not analysis.faces:
        raise NoFaceError("found no face; expected at least one of 48 pixels or more")
    if rule == "all":
        return analysis.faces
    if rule == "largest":
        areas = [_area(face) for face in analysis.faces]
        return _one_at_a_time(analysis.faces, areas)
    return _from_left(analysis, int(rule))


def select_like(
    faces: Sequence[FaceSequence],
    descriptors: Sequence[Floats],
    reference: Floats,
    options: ReferenceOptions = ReferenceOptions(),  # noqa: B008 (frozen)
) -> tuple[FaceSequence, ...]:
    """Select the faces that look like a reference.

    Args:
        faces: the faces of a clip.
        descriptors: ``(S, D)`` for each face, from :func:`describe_faces`.
        reference: ``(D,)``, from :func:`~fsgan_core.stages.descriptor.describe_face`.
        options: see :class:`ReferenceOptions`.

    Returns:
        at least one face, in the order given.

    Raises:
        NoFaceError: no face is similar enough, or two that are seen together are about as similar.
    """
    if len(faces) != len(descriptors):
        raise ValueError(f"got {len(faces)} faces and {len(descriptors)} descriptors, expected one for each")
    likeness = [max((similarity(reference, one) for one in several), default=0.0) for several in descriptors]
    best = max(likeness, default=0.0)
    if best < options.threshold:
        raise NoFaceError(
            f"no face looks enough like the reference: the best similarity is {best:.2f}, expected "
            f"{options.threshold:.2f}; give a picture from the same scene or select by number"
        )
    alike = [number for number, value in enumerate(likeness) if value >= options.threshold]
    chosen = _one_at_a_time([faces[number] for number in alike], [likeness[number] for number in alike])
    for face in chosen:
        own = next(value for other, value in zip(faces, likeness, strict=True) if other is face)
        for other, value in zip(faces, likeness, strict=True):
            if other is not face and _together(face, other) and own - value < options.lead:
                raise NoFaceError(
                    f"two faces seen together look like the reference (similarities {own:.2f} and {value:.2f}), "
                    f"expected a lead of {options.lead:.2f}; select by number"
                )
    return chosen


def describe_faces(frames: Iterable[Frame], faces: Sequence[FaceSequence], samples: int = 5) -> tuple[Floats, ...]:
    """Describe the faces of a clip, each at the frames in which it looks most to the camera.

    Args:
        frames: the clip from its first frame, uint8 ``(H, W, 3)`` RGB; not read further than needed.
        faces: its faces.
        samples: frames to describe of each.

    Returns:
        ``(S, D)`` for each face, S at most ``samples``.
    """
    wanted: dict[int, list[tuple[int, int]]] = {}
    for number, face in enumerate(faces):
        for row in _frontal_rows(face, samples):
            wanted.setdefault(face.track.start + row, []).append((number, row))
    described: list[list[Floats]] = [[] for _ in faces]
    for index, frame in enumerate(islice(frames, max(wanted, default=-1) + 1)):
        for number, row in wanted.get(index, ()):
            described[number].append(describe_face(frame, faces[number].landmarks[row]))
    return tuple(np.stack(rows) if rows else np.zeros((0, 1), np.float32) for rows in described)


def _frontal_rows(face: FaceSequence, samples: int) -> list[int]:
    """The most frontal frame of each of so many parts of a sequence."""
    seen = np.flatnonzero(face.scores > 0)
    turned = np.abs(face.poses[:, :2]).sum(1)
    parts = np.array_split(seen, min(samples, len(seen))) if len(seen) else []
    return [int(part[turned[part].argmin()]) for part in parts]


def _area(face: FaceSequence) -> float:
    """Area in square pixels, added up over the frames in which the face is seen (the mean over the clip, times it)."""
    boxes = face.track.boxes[face.scores > 0]
    return float((boxes[:, 2:] - boxes[:, :2]).prod(1).sum())


def _together(one: FaceSequence, other: FaceSequence) -> bool:
    return one.track.start < other.track.stop and other.track.start < one.track.stop


def _one_at_a_time(faces: Sequence[FaceSequence], merits: Sequence[float]) -> tuple[FaceSequence, ...]:
    """The best face, then the best of those never seen together with one chosen; the first among equals."""
    chosen: list[int] = []
    for number in sorted(range(len(faces)), key=lambda number: -merits[number]):
        if not any(_together(faces[number], faces[other]) for other in chosen):
            chosen.append(number)
    return tuple(faces[number] for number in sorted(chosen))


def _from_left(analysis: Analysis, place: int) -> tuple[FaceSequence, ...]:
    """The face at a place, from the left, in every shot that has so many."""
    if place < 0:
        raise ValueError(f"got the number {place}, expected 0 for the leftmost face, 1 for the next...")
    shots: dict[int, list[FaceSequence]] = {}
    for face in analysis.faces:
        shots.setdefault(int(np.searchsorted(analysis.cuts, face.track.start, "right")), []).append(face)
    rows = [sorted(row, key=lambda face: float(face.track.boxes[:, ::2].mean())) for row in shots.values()]
    chosen = [row[place] for row in rows if place < len(row)]
    if not chosen:
        most = max(len(row) for row in rows)
        raise NoFaceError(f"there is no face number {place}; found {most} at most, numbered from 0 at the left")
    return tuple(face for face in analysis.faces if any(face is other for other in chosen))

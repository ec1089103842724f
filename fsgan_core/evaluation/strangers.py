"""Whether a source's pictures show one person: two people given as one would be mixed without a trace.

Two pictures of similar pose seem to show two people when their descriptors are farther apart than those of one person
have been seen (docs/evaluation.md). dlib's descriptor is asked where it is installed, else the bundled one, which knows
looks rather than faces and so speaks of plain cases only.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from ..faces import FaceSequence
from ..stages.appearance_map import AppearanceMap
from ..stages.candidates import Candidate
from ..stages.descriptor import describe_face
from ..streams import Clip
from .identity import Embedder

Floats = NDArray[np.floating]

_APART, _COMPARABLE = 0.65, 45.0
"""Distance of dlib's descriptors from which two pictures seem to show two people, and pose gap in degrees up to which
they are compared."""
_UNLIKE, _ALONGSIDE = 0.3, 20.0
"""Similarity of the bundled descriptors below which they seem to, and the gap."""


def told_clips(clips: Sequence[tuple[Clip, FaceSequence]], names: Sequence[str], embedder: Embedder | None) -> str:
    """What to say of clips that are to be one person's; nothing where they seem to be, or where there is only one.

    Args:
        clips: each with the face in it that is meant; looked at where it is seen most from the front.
        names: what each is called.
        embedder: dlib's descriptor, if it is there.
    """
    if len(clips) < 2:
        return ""
    return _told(strangers([_frontal(clip, face) for clip, face in clips], embedder), names)


def told_views(source: AppearanceMap, embedder: Embedder | None) -> str:
    """The same of the views of a map, which are numbered."""
    faces = zip(source.views, source.landmarks, source.poses, strict=True)
    pictures = [Candidate(view, landmarks, pose) for view, landmarks, pose in faces]
    return _told(strangers(pictures, embedder), [f"view {number}" for number in range(len(pictures))])


def strangers(pictures: Sequence[Candidate], embedder: Embedder | None) -> list[int]:
    """Numbers of pictures that seem to show somebody else than most do, or than the first of two.

    Args:
        pictures: of one person, they say.
        embedder: dlib's descriptor, if it is there.
    """
    poses = np.stack([one.pose for one in pictures])[:, :2]
    gap = np.linalg.norm(poses[:, None] - poses, axis=2)
    if embedder is not None:
        found = embedder([one.frame for one in pictures], [one.landmarks for one in pictures]).numpy()
        unlike, compared = np.linalg.norm(found[:, None] - found, axis=2) > _APART, gap < _COMPARABLE
    else:
        found = np.stack([describe_face(one.frame, one.landmarks) for one in pictures])
        unlike, compared = found @ found.T < _UNLIKE, gap < _ALONGSIDE
    # One who is like any of the others belongs to them: from side to side a face is like its neighbours at least.
    # Poses too far apart to be compared join nobody and part nobody.
    _, group = connected_components(compared & ~unlike, directed=False)
    most = group == np.bincount(group, compared.sum(1)).argmax()
    parted = group[(compared & unlike)[:, most].any(1)]
    return np.flatnonzero(np.isin(group, parted) & ~most).tolist()


def _told(odd: Sequence[int], names: Sequence[str]) -> str:
    if not odd:
        return ""
    them = ", ".join(names[number] for number in odd)
    others = next(name for number, name in enumerate(names) if number not in odd)
    rest = f"{others} and the others" if len(names) - len(odd) > 1 else others
    seem = "seems to show another person" if len(odd) == 1 else "seem to show other people"
    return f"{them} {seem} than {rest}: two faces would be mixed; give pictures of one person"


def _frontal(clip: Clip, face: FaceSequence) -> Candidate:
    row = face.frontal
    frame = next(islice(clip, face.track.start + row, None))
    return Candidate(frame, face.landmarks[row], face.poses[row])

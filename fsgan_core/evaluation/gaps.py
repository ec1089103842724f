"""What parts a target from a source, known before anything is drawn, and what to say where it is too much."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from math import hypot

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..faces import FaceSequence
from ..ops.controls import Controls
from ..ops.face_model import FaceModel
from ..ops.head_mesh import Placement, place
from ..stages.appearance_map import AppearanceMap
from ..stages.side import doubtful_eyes, kept_features, shouting, shut

Floats = NDArray[np.float32]

FAR = 35.0
"""Degrees from which on about half of a face is guessed."""
_SHOWS = 20.0
"""Degrees from which on an edited face has a pale rim along the jaw and a smear at the temple that comes into sight."""
SHARE = 0.2
"""Share of a clip's frames from which on that is worth a word."""
_MOST = 0.5
"""Share of a clip's frames from which on one word is enough."""
_SOFT = 0.6
"""Source pixels a pixel of the target below which a swap is soft."""


def pose_gap(views: Floats, pose: Floats) -> float:
    """Yaw and pitch from a pose ``(3,)`` to the nearest of views ``(K, 3)``, in degrees, as one angle."""
    return float(np.hypot(*(views - pose)[:, :2].T).min())


def told_gap(faces: Iterable[FaceSequence], views: Floats) -> str:
    """What to say of faces that look away from every source view ``(K, 3)``; nothing where all is well."""
    poses = [face.poses[face.scores > 0] for face in faces]
    return far_apart(np.concatenate(poses), views) if poses else ""


def far_apart(poses: Floats, views: Floats) -> str:
    """What to say of a target's poses ``(F, 3)`` and a source's views ``(K, 3)``, of whichever looks aside."""
    gaps = np.hypot(*(poses[:, None] - views)[..., :2].transpose(2, 0, 1))
    far = gaps.min(1, initial=np.inf) > FAR
    if not len(poses) or far.mean() < SHARE:
        return ""
    theirs = float(np.median(_turn(poses[far])))
    ours = float(np.median(_turn(views[gaps[far].argmin(1)])))
    if ours > theirs:
        which = "the source" if len(views) == 1 else "the nearest source picture"
        turned = f"{which} is turned {ours:.0f} degrees away from the camera, the target only {theirs:.0f}"
        guessed = "half of the face is guessed or stays the target's"
        return f"{turned}, so that {guessed}; choose a source picture that looks at the camera"
    turned = "is turned" if len(poses) == 1 else "turns up to"
    turned = f"the target {turned} {gaps.min(1).max():.0f} degrees away from the nearest source picture"
    return f"{turned}, so that half of the face is guessed; add source pictures that look that way"


def told_size(faces: Iterable[FaceSequence], source: AppearanceMap) -> str:
    """What to say of a source whose face is drawn much larger than any of its views shows it."""
    drawn = [size for face in faces for size in _sizes(face.landmarks[face.scores > 0])]
    size, needed = float(_sizes(source.landmarks).max()), float(np.median(drawn or [0.0]))
    if size >= _SOFT * needed:
        return ""
    return f"the source's face is {size:.0f} px long and drawn {needed:.0f} px long: soft; give a larger source"


def told_mouth(faces: Iterable[FaceSequence], source: AppearanceMap, model: FaceModel) -> str:
    """What to say of a source's mouth that is left out, by :func:`~fsgan_core.stages.side.shouting`."""
    if _share(shouting, faces, source, model) < SHARE:
        return ""
    said = "the source's mouth is much wider open than the target's: lips and chin stay the target's"
    return f"{said}; choose a picture with a shut mouth"


def told_eyes(faces: Iterable[FaceSequence], source: AppearanceMap, model: FaceModel) -> str:
    """What to say of a target whose own eyes stay, by :func:`~fsgan_core.stages.side.doubtful_eyes`."""
    share = _share(doubtful_eyes, faces, source, model)
    if share < SHARE:
        return ""
    which = "" if share == 1 else f" in {share:.0%} of the frames"
    why = "the source shows none from there; add a picture that looks that way"
    if bool((shut(place(model.mean, torch.from_numpy(source.landmarks).to(model.mean))) > 0.5).all()):
        why = "the source's are shut; choose a picture with open eyes"
    return f"the target keeps its own eyes{which}: {why}"


def told_kept(faces: Iterable[FaceSequence], source: AppearanceMap, model: FaceModel) -> str:
    """What to say of a face that stays nearly whole, by :func:`~fsgan_core.stages.side.kept_features`."""
    if _share(partial(kept_features, model=model), faces, source, model) < _MOST:
        return ""
    said = "hardly anything is swapped: one of the two looks far up or down, so eyes, nose and mouth stay the target's"
    return f"{said}; choose a source picture that looks the same way as the target"


def overturned(controls: Controls, *, glasses: bool = False) -> str:
    """What to say of a face, with glasses or not, that is to turn far from its own picture; nothing of small turns."""
    turn = hypot(controls.yaw, controls.pitch)
    if turn < _SHOWS:
        return ""
    lacking = ", and glasses lack an arm there" if glasses else ""
    side = f"the side that comes into sight is soft, with pale rims at jaw and temple{lacking}"
    outcome = "half of it is guessed" if turn > FAR else side
    return f"the face turns by {turn:.0f} degrees, so that {outcome}; ask for less yaw and pitch"


def _turn(poses: Floats) -> Floats:
    """Degrees between where heads look and the camera."""
    return np.asarray(np.hypot(poses[:, 0], poses[:, 1]))


def _sizes(landmarks: Floats) -> Floats:
    """Pixels along faces."""
    return np.asarray(np.ptp(landmarks[..., :2], axis=1).max(1))


def _share(
    rule: Callable[[Placement, Placement], Tensor],
    faces: Iterable[FaceSequence],
    source: AppearanceMap,
    model: FaceModel,
) -> float:
    """In what share of the frames a rule of what is left to the target holds for all views of a source."""
    shown = [face.landmarks[face.scores > 0] for face in faces]
    if not any(map(len, shown)):
        return 0.0
    wanted = place(model.mean, torch.from_numpy(np.concatenate(shown)).to(model.mean))
    views = torch.from_numpy(source.landmarks).to(model.mean)
    doubts = torch.stack([rule(place(model.mean, view), wanted) for view in views.split(1)]).amin(0).amax(1)
    return float((doubts > 0.5).float().mean())

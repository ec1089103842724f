"""What of a source will hurt a swap, known before anything is drawn and said in words.

Limits lie between portraits that plainly show each and plain ones (docs/evaluation.md).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from ..faces import FaceSequence
from ..models import Models
from ..ops.color import srgb_to_oklab
from ..ops.controls import Controls
from ..ops.flow import lies_within
from ..ops.pooling import box_max
from ..stages.appearance_map import AppearanceMap
from ..stages.candidates import sharpness
from ..stages.colored_light import colored
from ..stages.delighting import from_mean
from ..stages.frontal import Frontal
from ..stages.open_segmentation import OpenSegmenter
from ..stages.visibility import visibility
from ..streams import Clip, Frame
from .crops import Floats, box_of, cut, image_of, in_crop
from .gaps import overturned, told_eyes, told_gap, told_kept, told_mouth, told_size

_SIDE, _EDGE = 128, 13
"""Side of the frontal face that is looked at, and of the square around a place that lies in it: outlines are unsure."""
_BROWS, _ABOVE, _EYES = (105, 334), -0.06, (0.1, 0.3, 0.6)
"""Landmarks on top of the brows; from where on it is forehead; what is around the eyes, from below the brows down to a
height and aside (distances between the outer eye corners, eyes at about 0, y down)."""
_EYE, _NEAR = 0.33, 0.1
"""Where an eye is aside of the middle, and how far around it is looked."""
_RIMS, _GLASSES, _DARK = 0.1, 0.1, 0.3
"""Share of the rims that is believed, of what is around the eyes that is hidden, and of the eyes by dark lenses."""
_FOREHEAD, _FACE = 0.6, 0.12
"""Share of the forehead, and of the face below it, that is hidden."""
_BEYOND = 0.15
"""Share of the face that lies beyond the picture's border."""
_LIGHT, _BOTH = 0.22, 0.25
"""Difference of the halves in lightness (OKLab), and share of the face on which both have to be seen."""
_COLORED = 0.025
"""Saturation that coloured lamps add on average (:mod:`~fsgan_core.stages.colored_light`)."""
_YAW, _PITCH = 40.0, 30.0
"""Degrees from which on much of the face is not seen, or too flat."""
_SMALL, _BLURRED = 80.0, 0.006
"""Pixels of a face, and its sharpness (:func:`~fsgan_core.stages.candidates.sharpness`)."""

_WORDS = {
    "dark": ("wears dark glasses", "its eyes are not seen, and the glasses go along", "without glasses"),
    "covered": ("has something in front of the face, such as hair, a hand or a scarf", "that is guessed", "without it"),
    "cut": ("is cut off by the picture's border", "what lies beyond is guessed", "that shows the whole face"),
    "aside": ("looks far aside", "the half that is turned away is guessed", "that looks at the camera"),
    "glasses": ("wears glasses", "fine wires are taken off, other frames go along", "without glasses"),
    "forehead": ("has hair, a hat or a hand over the brow", "the forehead stays the target's", "with a bare brow"),
    "light": ("is in hard light from one side", "its shadows come along in part", "in even light"),
    "colored": ("is in light of several colours", "some of them come along", "in light of one colour"),
    "tilted": ("looks far up or down", "the face is seen too flat to be drawn well", "that looks at the camera"),
    "small": (f"has a face of less than {_SMALL:.0f} px", "the result is soft", "with a larger face"),
    "blurred": ("is blurred", "so is the result", "that is sharp"),
}
"""What is said of each fault, the heaviest first: what it is, what comes of it, which picture to choose."""
_TURNED, _TOO_SMALL = ("aside", "tilted"), ("small",)
"""Faults that lie in the difference from a target, where that is told."""


@dataclass(frozen=True)
class _Front:
    """A view seen from the front.

    Attributes:
        lab: ``(1, 3, N, N)`` OKLab.
        skin: ``(1, 1, N, N)``, 1 on the face but for eyes and mouth.
        seen: ``(1, 1, N, N)``, 1 where the picture shows the face.
        hidden: ``(1, 1, N, N)`` in [0, 1], how much is in front of it.
        place: ``(1, 2, N, N)`` on the mean face.
        rims: share of the rims of glasses that is believed.
        beyond: share of the face that lies beyond the picture's border.
    """

    lab: Tensor
    skin: Tensor
    seen: Tensor
    hidden: Tensor
    place: Tensor
    rims: float
    beyond: float

    @property
    def bare(self) -> Tensor:
        """``(1, 1, N, N)`` in [0, 1], how well each place shows skin."""
        return self.skin * self.seen * (1 - self.hidden)


def told_swap(source: AppearanceMap, faces: Sequence[FaceSequence], models: Models) -> list[str]:
    """What to say of a source and the faces it is to be put onto: one note for each cause."""
    turned, small = told_gap(faces, source.poses), told_size(faces, source)
    kept, mouth, eyes = (told(faces, source, models.face_model) for told in (told_kept, told_mouth, told_eyes))
    besides = {*(_TURNED if turned or kept else ()), *(_TOO_SMALL if small else ())}
    gaps = (small, kept) if kept else (turned, small, mouth, eyes)
    return [*told_source(source, models, besides), *filter(None, gaps)]


def told_turn(controls: Controls, clip: Clip, faces: Sequence[FaceSequence], models: Models) -> str:
    """What to say of faces that are to turn far; of glasses only where a face wears them when one is first seen."""
    firsts = (face.track.start + int((face.scores > 0).argmax()) for face in faces)
    if not faces or not overturned(controls):
        return ""
    index = min(firsts)
    frame = next(islice(clip, index, None))
    shown = (face.landmarks[row] for face in faces if (row := face.row(index)) is not None)
    return overturned(controls, glasses=any(_glasses(frame, landmarks, models) for landmarks in shown))


def told_source(source: AppearanceMap, models: Models, besides: Collection[str] = ()) -> list[str]:
    """What to say of a source: what all of its views suffer from, the heaviest first; nothing of a plain portrait.

    Args:
        source: its views; they are looked at until nothing is left that all have, the most frontal ones first.
        models: the stages; without our own segmentation nothing is known of glasses and what else covers a face.
        besides: names of faults that were told otherwise.
    """
    order = np.argsort(np.hypot(source.poses[:, 0], source.poses[:, 1]), kind="stable")
    common = set(_WORDS) - set(besides)
    for number in order.tolist():
        common &= set(_faults(source, number, models))
        if not common:
            return []
    many = f" in all {len(source)} views" if len(source) > 1 else ""
    advice = "add a picture" if many else "choose a picture"
    said = (words for name, words in _WORDS.items() if name in common)
    return [f"the source {what}{many}: {outcome}; {advice} {instead}" for what, outcome, instead in said]


@torch.inference_mode()
def _faults(source: AppearanceMap, number: int, models: Models) -> Iterator[str]:
    """Names of what a view suffers from."""
    view, landmarks, (yaw, pitch, _) = source.views[number], source.landmarks[number], source.poses[number]
    front = _seen_from_front(view, landmarks, models)
    yield from _covers(front, models)
    if front.beyond > _BEYOND:
        yield "cut"
    if _difference(front) > _LIGHT:
        yield "light"
    if colored(front.lab, front.bare, Frontal.of(models.face_model, _SIDE)) > _COLORED:
        yield "colored"
    if abs(yaw) > _YAW:
        yield "aside"
    if abs(pitch) > _PITCH:
        yield "tilted"
    if np.ptp(landmarks[:, :2], axis=0).max() < _SMALL:
        yield "small"
    elif sharpness(view, landmarks[:, :2]) < _BLURRED:
        yield "blurred"


@torch.inference_mode()
def _glasses(view: Frame, landmarks: Floats, models: Models) -> bool:
    """Whether a face wears any."""
    return not {"dark", "glasses"}.isdisjoint(_covers(_seen_from_front(view, landmarks, models), models))


def _covers(front: _Front, models: Models) -> Iterator[str]:
    """Names of what is in front of the face."""
    x, y = front.place.split(1, 1)
    brow = models.face_model.mean[list(_BROWS), 1].mean()
    inner = front.seen * (1 - box_max(1 - (front.seen > 0).to(y.dtype), _EDGE))
    top, bottom, aside = _EYES
    eyes = _mean(front.hidden, inner * ((y > brow + top) & (y < bottom) & (x.abs() < aside)))
    if front.rims > _RIMS and eyes > _GLASSES:
        lenses = front.seen * (torch.hypot(x.abs() - _EYE, y) < _NEAR)
        yield "dark" if _mean(front.hidden, lenses) > _DARK else "glasses"
        below = inner * (y > bottom)
    else:
        below = inner * (y > brow + _ABOVE)
    if _mean(front.hidden, below) > _FACE:
        yield "covered"
    if _mean(front.hidden, inner * (y < brow + _ABOVE)) > _FOREHEAD:
        yield "forehead"


def _difference(front: _Front) -> float:
    """Difference of the halves in lightness; 0 where too little of the face is seen on both."""
    half, both = from_mean(front.lab, front.bare)
    return 2 * _mean(half[:, :1].abs(), both) if both.sum() > _BOTH * front.skin.sum() else 0.0


def _seen_from_front(view: Frame, landmarks: Floats, models: Models) -> _Front:
    box, model, segment = box_of(landmarks), models.face_model, models.segmentation
    picture = image_of(cut(view, box)).to(models.device)
    points = torch.from_numpy(in_crop(landmarks, box))[None].to(models.device)
    frontal = Frontal.of(model, _SIDE)
    hidden, rims = torch.zeros_like(frontal.face, dtype=picture.dtype), 0.0
    if isinstance(segment, OpenSegmenter):
        hidden = 1 - frontal.seen(segment(picture, points), points)
        rims = float(segment.lenses(picture, points)[0].belief.mean())
    seen = frontal.face * (frontal.spread(visibility(points, model)[..., None]) > 0.5)
    places = frontal.spread(torch.from_numpy(landmarks)[None, :, :2].to(models.device))
    known = lies_within(places, *view.shape[:2])
    seen, beyond = (seen * known).to(picture.dtype), _mean(1 - known, frontal.face.to(known.dtype))
    lab, place = srgb_to_oklab(frontal.seen(picture, points)), frontal.spread(model.mean[None, :, :2])
    return _Front(lab, frontal.skin.to(picture.dtype), seen, hidden, place, rims, beyond)


def _mean(values: Tensor, weight: Tensor) -> float:
    return float((values * weight).sum() / weight.sum().clamp_min(1))

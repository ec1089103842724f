"""The source of a reenactment: a portrait that moves, or a person drawn as crops in the target's geometry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

from .finding import analyzed, person
from .host import Progress
from .pictures import frames
from .sources import source_map
from .telling import note

if TYPE_CHECKING:
    from ..fsgan_core.faces import FaceSequence
    from ..fsgan_core.models import Models
    from ..fsgan_core.pipeline import Rendered
    from ..fsgan_core.stages.appearance_map import AppearanceMap
    from ..fsgan_core.streams import Clip, Frame
    from ..fsgan_core.timeline import Draw

FULL, CROP = "full picture", "crop"
"""How a source is framed."""


@dataclass(frozen=True)
class Portrayed:
    """The source of a node, ready to be drawn.

    Attributes:
        person: what results are compared with.
        draw: draws it with one face of the target.
        crop: its face alone is drawn, not its whole picture.
    """

    person: AppearanceMap
    draw: Draw
    crop: bool = False


def portrayed(source: Any, target: Clip, models: Models, progress: Progress, given: dict[str, Any]) -> Portrayed:
    """The source as the widgets of a node want it framed.

    Args:
        source: of the node.
        target: its clip; crops are laid onto the edges that it shows.
        models: the stages.
        progress: moved by :func:`~.sources.steps`.
        given: values of the node.

    Raises:
        ValueError: it is no portrait, where a full picture is wanted.
        NoFaceError: it shows no face.
    """
    from ..fsgan_core.evaluation.cut_heads import told_cut
    from ..fsgan_core.evaluation.reference import single_view
    from ..fsgan_core.pipeline import ReenactOptions, reenact, reenact_crops
    from ..fsgan_core.timeline import frames_of

    if given.get("framing", FULL) == CROP:
        views, options = source_map(source, models, progress), ReenactOptions(size=given.get("crop_size", 512))
        if words := told_cut(views, models.face_model):
            note(words)

        def draw(face: FaceSequence) -> Iterator[Rendered]:
            return reenact_crops(views, face, models, options, frames_of(target, face))

        return Portrayed(views, draw, crop=True)
    picture, landmarks = portrait(source, models, progress)
    moved = ReenactOptions(parts=given["parts"], travel=given["travel"])
    view = single_view(picture, landmarks, models)
    return Portrayed(view, lambda face: reenact(picture, landmarks, face, models, moved))


def portrait(source: Any, models: Models, progress: Progress) -> tuple[Frame, Any]:
    """The portrait of a ``source`` input and its face's landmarks ``(478, 3)``.

    Raises:
        ValueError: it is something else than one picture.
        NoFaceError: it shows no face.
    """
    if not isinstance(source, Tensor) or len(source) != 1:
        found = f"{len(source)} pictures" if isinstance(source, Tensor) else "an appearance map"
        raise ValueError(f"found {found} as the source, expected one portrait; connect one, or set framing to '{CROP}'")
    face = person(analyzed(source, "clip", models, progress), "source")
    return frames(source)[0], face.landmarks[0]

"""Finding and choosing faces in what is connected to a node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from ..fsgan_core.words import plural
from .host import Progress, heeded
from .pictures import clip, frames
from .types import Faces

if TYPE_CHECKING:
    from ..fsgan_core.faces import Analysis, FaceSequence
    from ..fsgan_core.models import Models
    from ..fsgan_core.pipeline import AnalyzeOptions
    from ..fsgan_core.streams import Clip, Frame

PASSES = 2
"""How often analyzing walks through a clip."""


@dataclass(frozen=True)
class Watched:
    """A clip whose every iteration notices cancelling, and moves a node's progress bar if it is given one."""

    clip: Clip
    progress: Progress | None = None

    def __iter__(self) -> Iterator[Frame]:
        return self.progress.watch(self.clip) if self.progress else heeded(self.clip)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.clip.size

    @property
    def rate(self) -> Fraction:
        """Frames a second; 0 of a still."""
        return self.clip.rate


def analyzed(
    images: Any, batch: str, models: Models, progress: Progress, options: AnalyzeOptions | None = None
) -> Analysis:
    """The faces of an IMAGE.

    Args:
        images: ``(B, H, W, C)``.
        batch: ``"clip"``: its pictures are frames; ``"pictures"``: each is looked at by itself.
        models: the stages.
        progress: moved by two steps a picture.
        options: of the core; every frame is examined unless they say otherwise.
    """
    from ..fsgan_core.pipeline import AnalyzeOptions, analyze
    from ..fsgan_core.streams import Still

    options = options or AnalyzeOptions(every=1)
    if batch == "clip":
        return analyze(Watched(clip(images), progress), models, options)
    found = [analyze(Watched(Still(frame), progress), models, options) for frame in frames(images)]
    faces = tuple(_moved(face, number) for number, one in enumerate(found) for face in one.faces)
    return replace(found[0], frame_count=len(found), cuts=tuple(range(1, len(found))), faces=faces)


def _moved(face: FaceSequence, start: int) -> FaceSequence:
    return replace(face, track=replace(face.track, start=start))


def fitting(faces: Faces, size: tuple[int, int], count: int | None = None) -> Analysis:
    """Connected faces, if they can be those of a target.

    Args:
        faces: as connected.
        size: width and height of the target.
        count: its number of frames, if known.

    Raises:
        ValueError: they were measured in something else.
    """
    analysis = faces.analysis
    if analysis.size != size or (count is not None and analysis.frame_count != count):
        found = f"{plural(analysis.frame_count, 'frame')} of {analysis.size[0]}x{analysis.size[1]}"
        wanted = f"{'' if count is None else plural(count, 'frame') + ' of '}{size[0]}x{size[1]}"
        raise ValueError(f"the faces were measured in {found}, the target is {wanted}; analyze this target")
    return analysis


def chosen(analysis: Analysis, rule: str | int) -> tuple[FaceSequence, ...]:
    """The faces a rule means, none where the target shows none at all."""
    from ..fsgan_core.stages.selection import select

    return select(analysis, rule) if analysis.faces else ()


def person(analysis: Analysis, what: str) -> FaceSequence:
    """The largest face, where one is needed; of several shots the longest.

    Raises:
        NoFaceError: there is none.
    """
    from ..fsgan_core.errors import NoFaceError
    from ..fsgan_core.stages.selection import select

    if not analysis.faces:
        raise NoFaceError(
            f"found no face in the {what}; connect a picture that shows one, larger, upright or less covered"
        )
    return max(select(analysis, "largest"), key=len)

"""Whose face: pictures, videos and maps made into one appearance map."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ..fsgan_core.words import listed, plural
from .finding import PASSES, Watched, analyzed, person
from .host import Progress
from .pictures import frames
from .telling import note

if TYPE_CHECKING:
    from ..fsgan_core.faces import FaceSequence
    from ..fsgan_core.models import Models
    from ..fsgan_core.stages.appearance_map import AppearanceMap
    from ..fsgan_core.stages.candidates import MapOptions
    from ..fsgan_core.streams import Clip

Clips = list[tuple["Clip", "FaceSequence"]]


def steps(source: Any) -> int:
    """Steps of progress that :func:`source_map` takes."""
    return PASSES * len(source) if isinstance(source, Tensor) else 0


def source_map(source: Any, models: Models, progress: Progress) -> AppearanceMap:
    """The appearance map of a ``source`` input.

    Args:
        source: an IMAGE of one person, or a map already.
        models: the stages.
        progress: moved by :func:`steps`.

    Raises:
        NoFaceError: no picture shows a face that can be used.
    """
    from ..fsgan_core.evaluation.identity import load_if_installed
    from ..fsgan_core.evaluation.strangers import told_views
    from ..fsgan_core.pipeline import build_appearance_map

    if not isinstance(source, Tensor):
        _tell(told_views(source, load_if_installed(models.device)))
        return source
    clips, skipped = picture_clips(source, "largest", models, progress)
    tell_of_strangers(clips, skipped, models)
    return build_appearance_map(clips)


def tell_of_strangers(clips: Clips, skipped: list[int], models: Models) -> None:
    """Say which pictures of a source, or its video, seem to show another person.

    Args:
        clips: of the pictures that are of use, then of a video.
        skipped: numbers of the other pictures.
        models: the stages.
    """
    from ..fsgan_core.evaluation.identity import load_if_installed
    from ..fsgan_core.evaluation.strangers import told_clips

    if len(clips) < 2:
        return
    numbers = [number for number in range(len(clips) + len(skipped)) if number not in skipped]
    names = [
        f"source picture {number}" if clip.rate == 0 else "the source's video"
        for number, (clip, _) in zip(numbers, clips, strict=True)
    ]
    _tell(told_clips(clips, names, load_if_installed(models.device)))


def _tell(words: str) -> None:
    if words:
        note(words)


def picture_clips(images: Tensor, rule: str | int, models: Models, progress: Progress) -> tuple[Clips, list[int]]:
    """Every picture of an IMAGE with the face meant in it, and the numbers of the pictures without one."""
    from ..fsgan_core.errors import NoFaceError
    from ..fsgan_core.stages.selection import select
    from ..fsgan_core.streams import Still

    analysis = analyzed(images, "pictures", models, progress)
    if not analysis.faces:
        raise NoFaceError(
            "found no face in the source; connect a picture that shows one, larger, upright or less covered"
        )
    pixels = frames(images)
    found = {face.track.start: face for face in select(analysis, rule)}
    clips: Clips = [
        (Still(pixels[number]), replace(face, track=replace(face.track, start=0))) for number, face in found.items()
    ]
    return clips, [number for number in range(len(pixels)) if number not in found]


def video_clips(window: Clip, models: Models, progress: Progress, rule: str | int, every: int = 3) -> Clips:
    """A video with the face meant in it; of several shots the longest, since after a cut it may be somebody else's."""
    from ..fsgan_core.pipeline import AnalyzeOptions, analyze
    from ..fsgan_core.stages.selection import select

    watched = Watched(window, progress)
    analysis = analyze(watched, models, AnalyzeOptions(every=every))
    person(analysis, "source video")
    return [(watched, max(select(analysis, rule), key=len))]


def map_words(appearance: AppearanceMap, skipped: list[int]) -> str:
    """What a map shows, what it lacks, and which pictures were of no use."""
    from ..fsgan_core.stages.coverage import hint

    lines = [plural(len(appearance), "view"), hint(appearance)]
    if skipped:
        lines.append(f"no face found in source {listed(skipped).replace('frame', 'picture')}")
    return "\n".join(lines)


def map_options(radius: float, limit: int) -> MapOptions:
    """Options of a map from the widgets of its node."""
    from ..fsgan_core.stages.candidates import MapOptions

    return MapOptions(radius=radius, limit=limit)

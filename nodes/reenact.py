"""Reenact Face (Image), Reenact Face (Video)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Any

from . import host, pictures, videos, widgets
from .finding import PASSES, Watched, analyzed, chosen, fitting, person
from .reports import Account, quality_of
from .types import Faces, stages, used

if TYPE_CHECKING:
    from ..fsgan_core.faces import FaceSequence
    from ..fsgan_core.models import Models
    from ..fsgan_core.pipeline import ReenactOptions, Rendered
    from ..fsgan_core.streams import Frame

CATEGORY = "FSGAN/reenact"


def _inputs(target: host.io.Input) -> list[host.io.Input]:
    parts = "What the source takes from the target: everything, all but the pose, the mouth alone, or the pose alone."
    travel = "How far the head may leave its place with the target, in distances between the outer eye corners."
    return [
        widgets.socket(host.io.Image, "source", "One picture: the portrait that is to move."),
        target,
        widgets.faces(),
        *widgets.which(widgets.ONE_FACE_RULES),
        widgets.models(),
        widgets.choice("parts", ("all", "expression", "mouth", "pose"), parts),
        widgets.number("travel", 0.5, (0.0, 3.0, 0.1), travel, advanced=True),
    ]


class ReenactImage(host.Node):
    """A portrait that takes the pose and expression of pictures."""

    @classmethod
    def define_schema(cls) -> host.io.Schema:
        """A portrait and pictures in; as many pictures out."""
        return host.accepted(
            host.io.Schema,
            node_id="FSGAN_ReenactImage",
            display_name="Reenact Face (Image)",
            category=CATEGORY,
            description="Let the face of a portrait take the pose and expression of the target's faces.",
            search_aliases=["face reenactment", "animate portrait", "expression transfer", "fsgan"],
            inputs=[
                *_inputs(widgets.socket(host.io.Image, "target", "The pictures whose pose and expression are taken.")),
                widgets.batch(),
                widgets.measure(),
            ],
            outputs=[
                widgets.output(host.io.Image, "image", "The portrait, once for each picture of the target."),
                widgets.report(),
            ],
        )

    @classmethod
    def execute(cls, source: Any, target: Any, face: str, face_number: int, **given: Any) -> host.io.NodeOutput:
        """Measure both, draw."""
        loaded, count = stages(given.get("models"), pictures.clip(source).size), len(target)
        known: Faces | None = given.get("faces")
        progress = host.Progress(PASSES + (1 if known else 1 + PASSES) * count)
        picture, landmarks = portrait(source, loaded, progress)
        size = pictures.clip(target).size
        analysis = fitting(known, size, count) if known else analyzed(target, given["batch"], loaded, progress)
        faces = chosen(analysis, widgets.rule(face, face_number))
        account, options = noting(picture, landmarks, loaded, given), moved(given)
        results = in_time(picture, landmarks, faces, count, loaded, options)
        drawn = [result.frame for result in account.noted(progress.watch(results, _frame_of))]
        image = pictures.merged(source.expand(count, -1, -1, -1), drawn)
        return host.io.NodeOutput(image, account.words("reenacted"))


class ReenactVideo(host.Node):
    """A portrait that moves like a video."""

    @classmethod
    def define_schema(cls) -> host.io.Schema:
        """A portrait and a video in; a video out."""
        quality = "Constant rate factor of the video written: 0 is best and largest, 51 worst."
        return host.accepted(
            host.io.Schema,
            node_id="FSGAN_ReenactVideo",
            display_name="Reenact Face (Video)",
            category=CATEGORY,
            description="Let the face of a portrait move like the one in a video; the video's sound is kept.",
            search_aliases=["face reenactment video", "animate portrait", "live portrait", "fsgan"],
            inputs=[
                *_inputs(widgets.socket(host.io.Video, "target", "The video whose motion and sound are taken.")),
                widgets.number("every", 3, (1, 60, 1), "Look for new faces every so many frames.", advanced=True),
                widgets.number("quality", 18, (0, 51, 1), quality, advanced=True),
                widgets.measure(),
            ],
            outputs=[
                widgets.output(host.io.Video, "video", "The portrait in motion, with the target's times and sound."),
                widgets.report(),
            ],
        )

    @classmethod
    def execute(cls, source: Any, target: Any, face: str, face_number: int, **given: Any) -> host.io.NodeOutput:
        """Measure both, then draw frame by frame into a file."""
        from ..fsgan_core.pipeline import AnalyzeOptions, analyze
        from ..fsgan_core.provenance import Marking

        loaded = stages(given.get("models"), pictures.clip(source).size)
        known: Faces | None = given.get("faces")
        with videos.opened(target) as window:
            progress = host.Progress(PASSES + (1 if known else 1 + PASSES) * window.frame_count_hint)
            picture, landmarks = portrait(source, loaded, progress)
            if known:
                analysis = fitting(known, window.size)
                # Times are needed for writing, and are only known once the frames have been looked at.
                for _ in window:
                    host.stop_if_asked()
            else:
                analysis = analyze(Watched(window, progress), loaded, AnalyzeOptions(every=given["every"]))
            faces = chosen(analysis, widgets.rule(face, face_number))
            results = in_time(picture, landmarks, faces, analysis.frame_count, loaded, moved(given))
            account = noting(picture, landmarks, loaded, given)
            frames = (result.frame for result in account.noted(progress.watch(results, _frame_of)))
            mark = Marking(operation="face reenactment", weights=used(given.get("models")))
            video = videos.written(frames, window, mark, given["quality"])
        return host.io.NodeOutput(video, account.words("reenacted"))


def portrait(source: Any, models: Models, progress: host.Progress) -> tuple[Frame, Any]:
    """The portrait of a ``source`` input and its face's landmarks ``(478, 3)``.

    Raises:
        ValueError: it is more than one picture.
        NoFaceError: it shows no face.
    """
    if len(source) != 1:
        raise ValueError(f"found {len(source)} pictures as the source, expected one portrait; pick one of the batch")
    face = person(analyzed(source, "clip", models, progress), "source")
    return pictures.frames(source)[0], face.landmarks[0]


def noting(picture: Frame, landmarks: Any, models: Models, given: dict[str, Any]) -> Account:
    """What writes the report, and measures the result against the portrait unless the node is told not to."""
    from ..fsgan_core.evaluation.reference import single_view

    if not given.get("measure", True):
        return Account()
    return Account(quality_of(single_view(picture, landmarks, models), models))


def moved(given: dict[str, Any]) -> ReenactOptions:
    """How the widgets of a node ask for a portrait to move."""
    from ..fsgan_core.pipeline import ReenactOptions

    return ReenactOptions(parts=given["parts"], travel=given["travel"])


def in_time(
    picture: Frame, landmarks: Any, faces: Sequence[FaceSequence], count: int, models: Models, options: ReenactOptions
) -> Iterator[Rendered]:
    """The portrait once for each of the target's frames; at rest where the target shows no face."""
    from ..fsgan_core.pipeline import FaceRecord, Rendered, reenact

    rest, index = Rendered(picture, (FaceRecord(0, "no_face"),)), 0
    for face in sorted(faces, key=lambda one: one.track.start):
        yield from repeat(rest, face.track.start - index)
        yield from reenact(picture, landmarks, face, models, options)
        index = face.track.stop
    yield from repeat(rest, count - index)


def _frame_of(result: Any) -> Any:
    return result.frame

"""Reenact Face (Image), Reenact Face (Video)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor

from . import host, pictures, videos, widgets
from .finding import PASSES, Watched, analyzed, chosen, fitting
from .portraits import CROP, FULL, Portrayed, portrayed
from .reports import Account, quality_of, tell_of_gaps
from .sources import steps
from .types import FULL_HD, Faces, stages, used

if TYPE_CHECKING:
    from ..fsgan_core.faces import FaceSequence
    from ..fsgan_core.models import Models

CATEGORY = "FSGAN/reenact"
HELD = "pose held"
"""What frames show in which the target has no face: the pose before, or the first."""


def _inputs(target: host.io.Input) -> list[host.io.Input]:
    source = (
        "One picture: the portrait that is to move. For crops pictures of one person, or an appearance map of them."
    )
    parts = "What the source takes from the target: everything, all but the pose, the mouth alone, or the pose alone."
    travel = "How far the head may leave its place with the target, in distances between the outer eye corners."
    return [
        widgets.source(source),
        target,
        widgets.faces(),
        *widgets.which(widgets.ONE_FACE_RULES),
        widgets.models(),
        widgets.choice("parts", ("all", "expression", "mouth", "pose"), f"{parts} Crops take everything."),
        widgets.number("travel", 0.5, (0.0, 3.0, 0.1), f"{travel} Not used for crops.", advanced=True),
    ]


def _framing() -> list[host.io.Input]:
    """What of the source is drawn; optional, since saved workflows lack it."""
    text = "full picture: the whole portrait, its face moving. crop: the source's face alone, in the target's shape and"
    text += " place, as the paper draws it."
    size = "Side in pixels of crops, in which the target's face takes half."
    return [
        widgets.choice("framing", (FULL, CROP), text, optional=True),
        widgets.number("crop_size", 512, (128, 1024, 8), size, advanced=True, optional=True),
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
                *_framing(),
            ],
            outputs=[
                widgets.output(host.io.Image, "image", "The portrait, or crop, once for each picture of the target."),
                widgets.report(),
            ],
        )

    @classmethod
    def execute(cls, source: Any, target: Any, face: str, face_number: int, **given: Any) -> host.io.NodeOutput:
        """Measure both, draw."""
        from ..fsgan_core.timeline import in_time

        loaded, count, clip = _stages(source, given), len(target), pictures.clip(target)
        known: Faces | None = given.get("faces")
        progress = host.Progress(steps(source) + (1 if known else 1 + PASSES) * count)
        subject = portrayed(source, clip, loaded, progress, given)
        analysis = fitting(known, clip.size, count) if known else analyzed(target, given["batch"], loaded, progress)
        faces = chosen(analysis, widgets.rule(face, face_number))
        account = noting(subject, faces, loaded, given)
        results = in_time(subject.draw, faces, count)
        drawn = [result.frame for result in account.noted(progress.watch(results, _frame_of))]
        image = pictures.image(drawn) if subject.crop else pictures.merged(source.expand(count, -1, -1, -1), drawn)
        return host.io.NodeOutput(image, account.words("reenacted", HELD))


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
                *_framing(),
            ],
            outputs=[
                widgets.output(
                    host.io.Video, "video", "The portrait, or crop, in motion with the target's times and sound."
                ),
                widgets.report(),
            ],
        )

    @classmethod
    def execute(cls, source: Any, target: Any, face: str, face_number: int, **given: Any) -> host.io.NodeOutput:
        """Measure both, then draw frame by frame into a file."""
        from ..fsgan_core.pipeline import AnalyzeOptions, analyze
        from ..fsgan_core.provenance import Marking
        from ..fsgan_core.timeline import in_time

        loaded = _stages(source, given)
        known: Faces | None = given.get("faces")
        with videos.opened(target) as window:
            progress = host.Progress(steps(source) + (1 if known else 1 + PASSES) * window.frame_count_hint)
            subject = portrayed(source, window, loaded, progress, given)
            if known:
                analysis = fitting(known, window.size)
                # Times are needed for writing, and are only known once the frames have been looked at.
                for _ in window:
                    host.stop_if_asked()
            else:
                analysis = analyze(Watched(window, progress), loaded, AnalyzeOptions(every=given["every"]))
            faces = chosen(analysis, widgets.rule(face, face_number))
            results = in_time(subject.draw, faces, analysis.frame_count)
            account = noting(subject, faces, loaded, given)
            frames = (result.frame for result in account.noted(progress.watch(results, _frame_of)))
            mark = Marking(operation="face reenactment", weights=used(given.get("models")))
            video = videos.written(frames, window, mark, given["quality"])
        return host.io.NodeOutput(video, account.words("reenacted", HELD))


def noting(subject: Portrayed, faces: Sequence[FaceSequence], models: Models, given: dict[str, Any]) -> Account:
    """What writes the report, and measures the result against the source unless the node is told not to.

    Poses that are taken over and lie too far from the source's are told at once.
    """
    if subject.crop or given["parts"] in ("all", "pose"):
        tell_of_gaps(faces, subject.person, crop=subject.crop)
    return Account(quality_of(subject.person, models) if given.get("measure", True) else None)


def _stages(source: Any, given: dict[str, Any]) -> Models:
    """The stages for work on pictures of about the source's size."""
    size = pictures.clip(source).size if isinstance(source, Tensor) else FULL_HD
    return stages(given.get("models"), size, head=given.get("framing", FULL) == FULL)


def _frame_of(result: Any) -> Any:
    return result.frame

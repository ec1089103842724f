"""Analyze Faces (Image), Analyze Faces (Video), Select Faces."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from . import host, pictures, videos, widgets
from .finding import PASSES, Watched, analyzed, person
from .reports import analysis_words
from .types import Faces, FacesType, ModelSet, stages

if TYPE_CHECKING:
    from ..fsgan_core.faces import Analysis
    from ..fsgan_core.streams import Clip

SHOWN = 8
"""Frames at most in the preview of a video."""
CATEGORY = "FSGAN/analyze"


def _outputs() -> list[host.io.Output]:
    return [
        widgets.output(FacesType, "faces", "The faces as numbers: where they are, landmarks, pose."),
        widgets.output(host.io.Image, "preview", "The picture with the faces' landmarks and numbers drawn in."),
        widgets.output(host.io.String, "report", "The faces found: size, pose, and in which frames."),
    ]


class AnalyzeImages(host.Node):
    """Faces of an IMAGE."""

    @classmethod
    def define_schema(cls) -> host.io.Schema:
        """A picture in, faces out."""
        return host.accepted(
            host.io.Schema,
            node_id="FSGAN_AnalyzeImages",
            display_name="Analyze Faces (Image)",
            category=CATEGORY,
            description="Find every face of a picture or batch and measure its 478 landmarks and pose.",
            search_aliases=["detect faces", "face landmarks", "face pose", "fsgan"],
            inputs=[
                widgets.socket(host.io.Image, "image", "The pictures to look for faces in."),
                widgets.models(),
                widgets.batch(),
            ],
            outputs=_outputs(),
        )

    @classmethod
    def execute(cls, image: Any, models: ModelSet | None = None, batch: str = "clip") -> host.io.NodeOutput:
        """Measure and draw."""
        progress = host.Progress(PASSES * len(image))
        analysis = analyzed(image, batch, stages(models), progress)
        shown = enumerate(pictures.frames(image))
        return _found(analysis, pictures.clip(image), shown)


class AnalyzeVideo(host.Node):
    """Faces of a VIDEO."""

    @classmethod
    def define_schema(cls) -> host.io.Schema:
        """A video in, faces out."""
        every = "Look for new faces every so many frames; in between they are followed."
        return host.accepted(
            host.io.Schema,
            node_id="FSGAN_AnalyzeVideo",
            display_name="Analyze Faces (Video)",
            category=CATEGORY,
            description="Find, follow and measure every face of a video, frame by frame, in little memory.",
            search_aliases=["track faces", "face landmarks video", "face pose", "fsgan"],
            inputs=[
                widgets.socket(host.io.Video, "video", "The video to look for faces in."),
                widgets.models(),
                widgets.number("every", 3, (1, 60, 1), every, advanced=True),
            ],
            outputs=_outputs(),
        )

    @classmethod
    def execute(cls, video: Any, models: ModelSet | None = None, every: int = 3) -> host.io.NodeOutput:
        """Measure and draw a few frames."""
        from ..fsgan_core.pipeline import AnalyzeOptions, analyze

        loaded = stages(models)
        with videos.opened(video) as window:
            progress = host.Progress((PASSES + 1) * window.frame_count_hint)
            watched = Watched(window, progress)
            analysis = analyze(watched, loaded, AnalyzeOptions(every=every))
            step = max(1, -(-analysis.frame_count // SHOWN))
            shown = islice(enumerate(watched), 0, None, step)
            return _found(analysis, window, shown)


def _found(analysis: Analysis, clip: Clip, shown: Any) -> host.io.NodeOutput:
    from ..fsgan_core.gallery import marked
    from ..fsgan_core.stages.selection import describe_faces

    preview = pictures.image(marked(frame, analysis, index) for index, frame in shown)
    faces = Faces(analysis, describe_faces(clip, analysis.faces))
    return host.io.NodeOutput(faces, preview, analysis_words(analysis))


class SelectFaces(host.Node):
    """Some of the faces."""

    @classmethod
    def define_schema(cls) -> host.io.Schema:
        """Faces in, fewer faces out."""
        reference = (
            "Optional. A picture of the person meant, best from the same scene: the face most like it is taken, "
            "whatever 'face' says. When the likeness is not clear, an error says so."
        )
        like = "Lowest likeness to the reference, 0 to 1. Used with a reference only."
        return host.accepted(
            host.io.Schema,
            node_id="FSGAN_SelectFaces",
            display_name="Select Faces",
            category=CATEGORY,
            description="Keep the largest face, one by its place from the left, or the one in a reference picture.",
            search_aliases=["choose face", "face index", "reference face", "fsgan"],
            inputs=[
                widgets.socket(FacesType, "faces", "From Analyze Faces."),
                *widgets.which(),
                widgets.socket(host.io.Image, "reference", reference, optional=True),
                widgets.number("likeness", 0.6, (0.0, 1.0, 0.05), like, advanced=True),
                widgets.models(),
            ],
            outputs=[
                widgets.output(FacesType, "faces", "The faces selected."),
                widgets.output(host.io.String, "report", "The faces selected: size, pose, and in which frames."),
            ],
        )

    @classmethod
    def execute(
        cls,
        faces: Faces,
        face: str,
        face_number: int,
        reference: Any = None,
        likeness: float = 0.6,
        models: ModelSet | None = None,
    ) -> host.io.NodeOutput:
        """Select by rule or by likeness."""
        from ..fsgan_core.stages.selection import ReferenceOptions, describe_faces, select, select_like

        if reference is None:
            selected = select(faces.analysis, widgets.rule(face, face_number))
        else:
            analysis = analyzed(reference[:1], "clip", stages(models), host.Progress(PASSES))
            wanted = describe_faces(pictures.clip(reference[:1]), [person(analysis, "reference")])[0][0]
            options = ReferenceOptions(threshold=likeness)
            selected = select_like(faces.analysis.faces, faces.descriptors, wanted, options)
        numbers = [n for n, one in enumerate(faces.analysis.faces) if any(one is other for other in selected)]
        kept = faces.kept(numbers)
        return host.io.NodeOutput(kept, analysis_words(kept.analysis))

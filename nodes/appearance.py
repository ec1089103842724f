"""Build Appearance Map, Preview Coverage, Save Face Set, Load Face Set."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from . import host, pictures, videos, widgets
from .finding import PASSES
from .sources import map_options, map_words, picture_clips, tell_of_strangers, video_clips
from .types import MapType, ModelSet, stages

if TYPE_CHECKING:
    from ..fsgan_core.stages.appearance_map import AppearanceMap

CATEGORY = "FSGAN/face set"


def _coverage(appearance: AppearanceMap) -> Any:
    from ..fsgan_core.stages.coverage import coverage_picture

    return pictures.image([coverage_picture(appearance)])


class BuildAppearanceMap(host.Node):
    """Views of one person from many sides."""

    @classmethod
    def define_schema(cls) -> host.io.Schema:
        """Pictures, a video, or both in; a map out."""
        radius = "Views closer than this in yaw and pitch, in degrees, compete; the best stays."
        return host.accepted(
            host.io.Schema,
            node_id="FSGAN_BuildAppearanceMap",
            display_name="Build Appearance Map",
            category=CATEGORY,
            description="Gather a person's face from many sides. Connect pictures, a video, or both.",
            search_aliases=["face set", "face model", "source faces", "fsgan"],
            inputs=[
                widgets.socket(host.io.Image, "image", "Pictures of one person.", optional=True),
                widgets.socket(host.io.Video, "video", "A video of the same person.", optional=True),
                widgets.models(),
                *widgets.which(widgets.ONE_FACE_RULES),
                widgets.number("radius", 4.0, (0.5, 30.0, 0.5), radius, advanced=True),
                widgets.number("limit", 64, (1, 1000, 1), "Largest number of views.", advanced=True),
            ],
            outputs=[
                widgets.output(MapType, "appearance_map", "The person's views, for a source input."),
                widgets.output(host.io.Image, "coverage", "A chart of the sides shown and missing."),
                widgets.output(host.io.String, "report", "How many views, which sides are missing, pictures not used."),
            ],
        )

    @classmethod
    def execute(
        cls,
        face: str,
        face_number: int,
        radius: float,
        limit: int,
        image: Any = None,
        video: Any = None,
        models: ModelSet | None = None,
    ) -> host.io.NodeOutput:
        """Measure what is connected and build."""
        from ..fsgan_core.pipeline import build_appearance_map

        if image is None and video is None:
            raise ValueError("found neither pictures nor a video; connect image, video, or both")
        loaded, rule = stages(models), widgets.rule(face, face_number)
        with ExitStack() as stack:
            window = None if video is None else stack.enter_context(videos.opened(video))
            length = PASSES * (0 if image is None else len(image))
            progress = host.Progress(length + (0 if window is None else (PASSES + 1) * window.frame_count_hint))
            clips, skipped = ([], []) if image is None else picture_clips(image, rule, loaded, progress)
            clips += [] if window is None else video_clips(window, loaded, progress, rule)
            tell_of_strangers(clips, skipped, loaded)
            appearance = build_appearance_map(clips, map_options(radius, limit))
        return host.io.NodeOutput(appearance, _coverage(appearance), map_words(appearance, skipped))


class PreviewCoverage(host.Node):
    """Which sides of a face a map shows."""

    @classmethod
    def define_schema(cls) -> host.io.Schema:
        """A map in, a chart out."""
        return host.accepted(
            host.io.Schema,
            node_id="FSGAN_PreviewCoverage",
            display_name="Preview Coverage",
            category=CATEGORY,
            description="Draw the views of an appearance map at their yaw and pitch, and say which sides are missing.",
            search_aliases=["face set coverage", "pose chart", "fsgan"],
            inputs=[widgets.socket(MapType, "appearance_map", "From Build Appearance Map or Load Face Set.")],
            outputs=[
                widgets.output(host.io.Image, "coverage", "A chart of the sides shown and missing."),
                widgets.output(host.io.String, "report", "How many views and which sides are missing."),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, appearance_map: AppearanceMap) -> host.io.NodeOutput:
        """Draw."""
        chart = _coverage(appearance_map)
        shown = host.ui.PreviewImage(chart, cls=cls)
        return host.io.NodeOutput(chart, map_words(appearance_map, []), ui=shown)


class SaveFaceSet(host.Node):
    """A map kept as a file."""

    @classmethod
    def define_schema(cls) -> host.io.Schema:
        """A map in; the same out, and a file in models/fsgan/faces."""
        consent = "Who is shown and what they agreed to; kept in the file."
        return host.accepted(
            host.io.Schema,
            node_id="FSGAN_SaveFaceSet",
            display_name="Save Face Set",
            category=CATEGORY,
            description="Keep an appearance map as a file in models/fsgan/faces, for Load Face Set.",
            search_aliases=["save face model", "face library", "fsgan"],
            inputs=[
                widgets.socket(MapType, "appearance_map", "From Build Appearance Map."),
                widgets.text("name", "face", "Name of the file, without a folder."),
                widgets.text("consent", "", consent, multiline=True),
                widgets.switch("overwrite", False, "Whether a file of this name may be replaced."),
            ],
            outputs=[widgets.output(MapType, "appearance_map", "The map with its note, for a source input.")],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, appearance_map: AppearanceMap, name: str, consent: str, overwrite: bool) -> host.io.NodeOutput:
        """Write the file."""
        from ..fsgan_core.stages.appearance_file import save

        path = host.new_face_set(name)
        if path.exists() and not overwrite:
            raise ValueError(f"there is a face set '{path.stem}' already; name it otherwise or allow overwriting")
        noted = replace(appearance_map, notes={**appearance_map.notes, **({"consent": consent} if consent else {})})
        save(noted, path)
        return host.io.NodeOutput(noted)


class LoadFaceSet(host.Node):
    """A map from a file."""

    @classmethod
    def define_schema(cls) -> host.io.Schema:
        """A file of models/fsgan/faces in, a map out."""
        text = "A file of models/fsgan/faces. Empty until one was saved; reload the page after saving."
        return host.accepted(
            host.io.Schema,
            node_id="FSGAN_LoadFaceSet",
            display_name="Load Face Set",
            category=CATEGORY,
            description="Read an appearance map that Save Face Set has kept.",
            search_aliases=["load face model", "face library", "fsgan"],
            inputs=[widgets.files("name", host.face_sets(), text)],
            outputs=[
                widgets.output(MapType, "appearance_map", "The person's views, for a source input."),
                widgets.output(host.io.String, "report", "How many views, which sides are missing, and the notes."),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, name: str) -> float:
        """Read again when the file has changed."""
        return host.face_set(name).stat().st_mtime

    @classmethod
    def execute(cls, name: str) -> host.io.NodeOutput:
        """Read the file."""
        from ..fsgan_core.stages.appearance_file import load

        appearance = load(host.face_set(name))
        notes = [f"{key}: {value}" for key, value in appearance.notes.items()]
        return host.io.NodeOutput(appearance, "\n".join([map_words(appearance, []), *notes]))

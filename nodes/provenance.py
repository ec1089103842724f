"""Save Image and Save Video Marked as Synthetic, Inspect Provenance."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from . import host, pictures, videos, widgets

CATEGORY = "FSGAN/provenance"


class SaveMarkedImage(host.Node):
    """Pictures that say how they were made."""

    @classmethod
    def define_schema(cls) -> host.io.Schema:
        """Pictures in; files in the output folder."""
        operation = "What was done, in words; kept in the file."
        return host.accepted(
            host.io.Schema,
            node_id="FSGAN_SaveMarkedImage",
            display_name="Save Image Marked as Synthetic",
            category=CATEGORY,
            description="Save PNG files whose XMP says, in the IPTC's terms, that they are synthetic composites.",
            search_aliases=["watermark", "content credentials", "iptc", "provenance", "fsgan"],
            inputs=[
                widgets.socket(host.io.Image, "image", "The pictures to save."),
                widgets.text("filename_prefix", "FSGAN", "Beginning of the files' names; may hold a folder."),
                widgets.text("operation", "face swap", operation),
            ],
            outputs=[],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, image: Any, filename_prefix: str, operation: str) -> host.io.NodeOutput:
        """Write one file a picture."""
        from ..fsgan_core.media import Image, write_image
        from ..fsgan_core.provenance import Marking

        saved, graph = [], host.graph_of(cls)
        for frame in pictures.frames(image):
            path, folder = host.output_file(filename_prefix, ".png", (frame.shape[1], frame.shape[0]))
            write_image(path, Image(frame), marking=Marking(operation=operation), texts=graph)
            saved.append(_shown(path, folder))
        return host.io.NodeOutput(ui={"images": saved})


class SaveMarkedVideo(host.Node):
    """A video that says how it was made."""

    @classmethod
    def define_schema(cls) -> host.io.Schema:
        """A video in; a file in the output folder."""
        operation = "What was done, in words; kept in the file where the video does not say so itself."
        return host.accepted(
            host.io.Schema,
            node_id="FSGAN_SaveMarkedVideo",
            display_name="Save Video Marked as Synthetic",
            category=CATEGORY,
            description="Save an MP4 file whose XMP says, in the IPTC's terms, that it is a synthetic composite.",
            search_aliases=["watermark", "content credentials", "iptc", "export video", "fsgan"],
            inputs=[
                widgets.socket(host.io.Video, "video", "The video to save. Its pictures and sound stay as they are."),
                widgets.text("filename_prefix", "FSGAN", "Beginning of the file's name; may hold a folder."),
                widgets.text("operation", "face swap", operation),
            ],
            outputs=[],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, video: Any, filename_prefix: str, operation: str) -> host.io.NodeOutput:
        """Let the host write the file, then mark it."""
        from ..fsgan_core.media import mark_video, read_xmp, staged
        from ..fsgan_core.provenance import Marking

        known = videos.marking(video)
        path, folder = host.output_file(filename_prefix, ".mp4", video.get_dimensions())
        with staged(path) as temporary:
            video.save_to(str(temporary), metadata={key: json.loads(text) for key, text in host.graph_of(cls).items()})
            if read_xmp(temporary) is None:
                mark_video(temporary, known or Marking(operation=operation))
        return host.io.NodeOutput(ui={"images": [_shown(path, folder)], "animated": (True,)})


def _shown(path: Path, folder: str) -> dict[str, str]:
    return {"filename": path.name, "subfolder": folder, "type": "output"}


class InspectProvenance(host.Node):
    """What a file says of its making."""

    @classmethod
    def define_schema(cls) -> host.io.Schema:
        """A file of the input folder in, words out."""
        return host.accepted(
            host.io.Schema,
            node_id="FSGAN_InspectProvenance",
            display_name="Inspect Provenance",
            category=CATEGORY,
            description="Read what a picture or video says of its making: software, operation, IPTC source type.",
            search_aliases=["metadata", "iptc", "is it synthetic", "fsgan"],
            inputs=[widgets.files("file", host.input_files(), "A picture or video of the input folder.")],
            outputs=[widgets.output(host.io.String, "report", "What the file says, or that it says nothing.")],
        )

    @classmethod
    def fingerprint_inputs(cls, file: str) -> float:
        """Read again when the file has changed."""
        return host.input_file(file).stat().st_mtime

    @classmethod
    def execute(cls, file: str) -> host.io.NodeOutput:
        """Read the marking."""
        from ..fsgan_core.media import read_marking

        mark = read_marking(host.input_file(file))
        if mark is None:
            return host.io.NodeOutput(f"{file} says nothing of its making")
        lines = (
            f"made with: {mark.software} {mark.version}",
            f"operation: {mark.operation or 'unsaid'}",
            f"weights: {mark.weights or 'unsaid'}",
            f"source type: {mark.source_type}",
        )
        return host.io.NodeOutput("\n".join(lines))

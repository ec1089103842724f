"""Load Example Picture, Load Example Video: something to try a workflow with."""

from __future__ import annotations

from pathlib import Path

from . import host, pictures, widgets

CATEGORY = "FSGAN/examples"
FOLDER = Path(__file__).parent / "examples"
CLIP = FOLDER / "hopper-moving.mp4"
PICTURES = {
    "Eileen Collins": ("collins",),
    "Grace Hopper": ("hopper",),
    "Eileen Collins, four pictures": ("collins", "collins-2", "collins-3", "collins-4"),
}
"""Files by the names they have in the menu; all in the public domain or made from such."""


class ExamplePicture(host.Node):
    """A portrait in the public domain."""

    @classmethod
    def define_schema(cls) -> host.io.Schema:
        """A menu in, pictures out."""
        which = "Pictures in the public domain, by NASA and the US Navy."
        return host.accepted(
            host.io.Schema,
            node_id="FSGAN_ExamplePicture",
            display_name="Load Example Picture",
            category=CATEGORY,
            description="A portrait to try a workflow with. Put Load Image in its place for pictures of your own.",
            search_aliases=["sample image", "test face", "fsgan"],
            inputs=[widgets.choice("picture", tuple(PICTURES), which)],
            outputs=[widgets.output(host.io.Image, "image", "The portrait; four of one person if the menu says so.")],
        )

    @classmethod
    def execute(cls, picture: str) -> host.io.NodeOutput:
        """Read it."""
        from ..fsgan_core.media import read_image

        files = [FOLDER / f"{name}.jpg" for name in PICTURES[picture]]
        return host.io.NodeOutput(pictures.image(read_image(file).frame for file in files))


class ExampleVideo(host.Node):
    """A portrait in the public domain, moved."""

    @classmethod
    def define_schema(cls) -> host.io.Schema:
        """Nothing in, a video out."""
        return host.accepted(
            host.io.Schema,
            node_id="FSGAN_ExampleVideo",
            display_name="Load Example Video",
            category=CATEGORY,
            description="Four seconds with sound to try a workflow with. Put Load Video in its place for your own.",
            search_aliases=["sample video", "test clip", "fsgan"],
            inputs=[],
            outputs=[widgets.output(host.io.Video, "video", "Grace Hopper's portrait (US Navy), moved by this pack.")],
        )

    @classmethod
    def execute(cls) -> host.io.NodeOutput:
        """Name the file."""
        return host.io.NodeOutput(host.video(CLIP))

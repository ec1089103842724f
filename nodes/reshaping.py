"""Reshape Faces: heads in the source's proportions, for the stages that follow."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from . import host, pictures, widgets
from .finding import fitting
from .sources import source_map, steps
from .stages import CATEGORY
from .types import Faces, FacesType, ModelSet, stages


class ReshapeFaces(host.Node):
    """Heads bent to the source's proportions."""

    @classmethod
    def define_schema(cls) -> host.io.Schema:
        """Pictures, their faces and a source in; pictures and faces out."""
        whose = "Whose proportions: one or more pictures of one person, or an appearance map of them."
        return host.accepted(
            host.io.Schema,
            node_id="FSGAN_ReshapeFaces",
            display_name="Reshape Faces",
            category=CATEGORY,
            description="Give heads the source's proportions before a swap; what is around them bends along.",
            search_aliases=["face shape", "head shape", "proportions", "jaw", "fsgan"],
            inputs=[
                widgets.socket(host.io.Image, "target", "The pictures whose heads are bent."),
                widgets.source(whose),
                widgets.socket(FacesType, "faces", "From Analyze Faces or Select Faces, of the same pictures."),
                widgets.models(),
                widgets.face_shape(1.0, advanced=False),
            ],
            outputs=[
                widgets.output(host.io.Image, "image", "The pictures with the heads bent; as many as came in."),
                widgets.output(FacesType, "faces", "The same faces where they are now, for Crop Faces or a swap."),
            ],
        )

    @classmethod
    def execute(
        cls, target: Any, source: Any, faces: Faces, face_shape: float, models: ModelSet | None = None
    ) -> host.io.NodeOutput:
        """Bend every head in every picture."""
        from ..fsgan_core.reshaping import reshaped, shaped_like

        clip = pictures.clip(target)
        loaded = stages(models, clip.size, head=True)
        analysis = fitting(faces, clip.size, len(target))
        progress = host.Progress(steps(source) + len(target))
        person = source_map(source, loaded, progress)
        after = tuple(shaped_like(person, one, loaded, face_shape) for one in analysis.faces)
        bent = (reshaped(frame, index, analysis.faces, after, loaded) for index, frame in enumerate(clip))
        image = pictures.merged(target, list(progress.watch(bent)))
        return host.io.NodeOutput(image, replace(faces, analysis=replace(analysis, faces=after)))

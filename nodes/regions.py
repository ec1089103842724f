"""Landmarks to Mask: a part of every face as a MASK, and its landmarks as a picture."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from . import host, pictures, widgets
from .finding import fitting
from .types import Faces, FacesType, ModelSet, stages

if TYPE_CHECKING:
    from ..fsgan_core.ops.face_model import FaceModel

REGIONS = {"face": (0, 1, 2, 3), "skin": (0,), "mouth": (1,), "eyes": (2, 3)}
"""Regions of the face model by the names in the menu."""


class LandmarksToMask(host.Node):
    """A part of the faces, drawn by their dense landmarks."""

    @classmethod
    def define_schema(cls) -> host.io.Schema:
        """Faces and their pictures in, a mask and a preview out."""
        part = "Which part: the whole face, its skin, the inside of the mouth, or the eyes between the lids."
        forehead = "How much of the forehead belongs to the face: 0 up to the brows, 1 up to the hairline."
        edge = "Width of the soft edge inside the mask, in sides of the face."
        return host.accepted(
            host.io.Schema,
            node_id="FSGAN_LandmarksToMask",
            display_name="Landmarks to Mask",
            category="FSGAN/analyze",
            description="Draw a part of every face as a mask, for the mask input of any node, and show the landmarks.",
            search_aliases=["face mask", "face parsing", "landmarks preview", "fsgan"],
            inputs=[
                widgets.socket(FacesType, "faces", "From Analyze Faces (Image), or Faces from Host Landmarks."),
                widgets.socket(host.io.Image, "image", "The pictures in which the faces were measured."),
                widgets.choice("region", tuple(REGIONS), part),
                widgets.number("forehead", 1.0, (0.0, 1.0, 0.05), forehead),
                widgets.number("feather", 0.0, (0.0, 0.5, 0.01), edge, advanced=True),
                widgets.models(),
            ],
            outputs=[
                widgets.output(host.io.Mask, "mask", "White on the part of every face; one for each picture."),
                widgets.output(host.io.Image, "preview", "The pictures with the landmarks and numbers drawn in."),
            ],
        )

    @classmethod
    def execute(
        cls,
        faces: Faces,
        image: Any,
        region: str,
        forehead: float,
        feather: float,
        models: ModelSet | None = None,
    ) -> host.io.NodeOutput:
        """Draw both."""
        from ..fsgan_core.gallery import marked

        frames = pictures.frames(image)
        analysis = fitting(faces, (image.shape[2], image.shape[1]), len(frames))
        draw = _Drawing(stages(models).face_model, region, forehead, feather)
        masks = torch.zeros(image.shape[:3])
        for index in range(len(frames)):
            for face in analysis.faces:
                row = face.row(index)
                if row is not None:
                    draw(masks[index], face.landmarks[row])
        shown = pictures.image(marked(frame, analysis, index) for index, frame in enumerate(frames))
        return host.io.NodeOutput(masks.to(host.results_device()), shown)


class _Drawing:
    """Draws a region of faces into masks."""

    def __init__(self, model: FaceModel, region: str, forehead: float, feather: float) -> None:
        from ..fsgan_core.stages.segmentation import MeshSegmenter

        wanted = torch.isin(model.regions.long(), model.regions.new_tensor(REGIONS[region]).long())
        part = replace(model, triangles=model.triangles[wanted], regions=model.regions[wanted])
        self.segment, self.feather = MeshSegmenter(part, forehead), feather

    def __call__(self, mask: torch.Tensor, landmarks: Any) -> None:
        """Add a face, landmarks ``(478, 3)`` in pixels, to a mask ``(H, W)``."""
        from ..fsgan_core.ops.masks import feather
        from ..fsgan_core.stages.cropping import in_crop, square_box

        box = square_box(landmarks, 1.1)
        points = in_crop(landmarks, box).to(self.segment.model.mean.device)
        side = box[2] - box[0]
        drawn = feather(self.segment(points.new_zeros(1, 3, side, side), points), self.feather)[0, 0].cpu()
        left, top = max(0, box[0]), max(0, box[1])
        right, bottom = min(mask.shape[1], box[2]), min(mask.shape[0], box[3])
        if left < right and top < bottom:
            part = mask[top:bottom, left:right]
            shown = drawn[top - box[1] : bottom - box[1], left - box[0] : right - box[0]]
            part.copy_(torch.maximum(part, shown))

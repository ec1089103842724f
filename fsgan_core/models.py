"""The stages of a run, built once and handed to the pipeline."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .ops.face_model import FaceModel
from .stages.blending import BLENDERS, Blender, BlendOptions
from .stages.completion import COMPLETERS, Completer
from .stages.detection import DETECTORS, Detector
from .stages.landmarks import LANDMARKERS, Landmarker
from .stages.pose import load_face_model
from .stages.reenactment import REENACTORS, FlowOptions, Reenactor
from .stages.segmentation import SEGMENTERS, Segmenter


@dataclass(frozen=True, kw_only=True)
class Backends:
    """Which backend does each stage; the names are the keys of the stages' dicts."""

    detection: str = "open"
    landmarks: str = "open"
    reenactment: str = "flow"
    segmentation: str = "mesh"
    completion: str = "smooth"
    blending: str = "poisson"

    def __post_init__(self) -> None:
        for stage, menu in MENUS.items():
            name = getattr(self, stage)
            if name not in menu:
                raise ValueError(f"{stage} has no backend '{name}'; choose one of {', '.join(menu)}")


MENUS: dict[str, tuple[str, ...]] = {
    "detection": tuple(DETECTORS),
    "landmarks": tuple(LANDMARKERS),
    "reenactment": tuple(REENACTORS),
    "segmentation": tuple(SEGMENTERS),
    "completion": tuple(COMPLETERS),
    "blending": tuple(BLENDERS),
}
"""The backends that exist, by stage."""


@dataclass(frozen=True)
class Models:
    """A frozen bundle of stages, each a callable; replace one with ``dataclasses.replace``."""

    face_model: FaceModel
    detection: Detector
    landmarks: Landmarker
    reenactment: Reenactor
    segmentation: Segmenter
    completion: Completer
    blending: Blender
    device: torch.device

    @staticmethod
    def load(
        backends: Backends | None = None,
        device: str | torch.device = "cpu",
        flow: FlowOptions | None = None,
        blend: BlendOptions | None = None,
    ) -> Models:
        """Build the stages.

        Args:
            backends: which backend does each stage; our own by default.
            device: where networks and tensor work run.
            flow: options of the flow engine.
            blend: options of blending.

        Raises:
            WeightsError: weights are missing or damaged.
        """
        chosen, place = backends or Backends(), torch.device(device)
        model = load_face_model().to(place)
        return Models(
            face_model=model,
            detection=DETECTORS[chosen.detection](place),
            landmarks=LANDMARKERS[chosen.landmarks](place),
            reenactment=REENACTORS[chosen.reenactment](model, flow),
            segmentation=SEGMENTERS[chosen.segmentation](model),
            completion=COMPLETERS[chosen.completion](),
            blending=BLENDERS[chosen.blending](blend),
            device=place,
        )

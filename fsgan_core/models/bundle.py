"""A bundle of stages, built once and handed to the pipeline."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import nn

from ..faces import FaceSequence
from ..ops.face_model import FaceModel
from ..stages.alignment import FITTING, Aligner, bundled_aligner
from ..stages.appearance_map import AppearanceMap
from ..stages.blending import BLENDERS, Blender, BlendOptions
from ..stages.completion import COMPLETERS, Completer
from ..stages.detection import DETECTORS, Detector
from ..stages.landmarks import LANDMARKERS, Landmarker
from ..stages.official import LearnedBlender, LearnedCompleter, LearnedReenactor, LearnedSegmenter
from ..stages.official_files import SETS, OfficialFiles, crop_scale, is_official
from ..stages.official_tracks import SteadyTrack, steady_tracks
from ..stages.open_segmentation import OpenSegmenter
from ..stages.pose import load_face_model
from ..stages.reenactment import REENACTORS, FlowOptions, Reenactor
from ..stages.segmentation import SEGMENTERS, Segmenter
from ..stages.sources import Source
from ..stages.steady_segmentation import SegmentedTrack, SteadySegmenter
from ..streams import Clip
from .backends import MENUS, Backends
from .exchange import exchanged


@dataclass(frozen=True)
class Models:
    """A frozen bundle of stages, each a callable; replace one with ``dataclasses.replace``.

    On a CPU several threads may call a stage at the same time (:mod:`fsgan_core.rendering`).
    """

    face_model: FaceModel
    detection: Detector
    landmarks: Landmarker
    reenactment: Reenactor
    segmentation: Segmenter
    completion: Completer
    blending: Blender
    device: torch.device
    alignment: Aligner | None = None
    """compares a drawn face with a picture; holds the landmarks of a clip together"""
    fitting: Aligner | None = None
    """the same, but lays a reenacted crop onto the target's picture"""
    crop_scale: float | None = None
    """side of the crop over the longer side of the face, where networks were trained with one"""

    @staticmethod
    def load(
        backends: Backends | None = None,
        device: str | torch.device = "cpu",
        flow: FlowOptions | None = None,
        blend: BlendOptions | None = None,
        folders: Sequence[Path] = (),
    ) -> Models:
        """Build the stages.

        Args:
            backends: which backend does each stage; our own by default.
            device: where networks and tensor work run.
            flow: options of the flow engine; the recurrent v1 engine takes its steps.
            blend: options of blending.
            folders: where official weights are looked for too, such as ComfyUI's ``models/fsgan``.

        Raises:
            WeightsError: weights are missing or damaged.
        """
        chosen, place = backends or Backends(), torch.device(device)
        model, files = load_face_model().to(place), OfficialFiles(place, folders)
        segmentation: Segmenter
        if is_official("segmentation", chosen.segmentation):
            segmentation = files.segmenter(chosen.segmentation)
            segment, soften = segmentation.faces, not segmentation.soft
        else:
            segmentation = segment = SEGMENTERS[chosen.segmentation](model)
            soften = True
        return Models(
            face_model=model,
            detection=DETECTORS[chosen.detection](place),
            landmarks=LANDMARKERS[chosen.landmarks](place),
            reenactment=files.reenactor(chosen.reenactment, model, segment, flow.steps if flow else 0)
            if is_official("reenactment", chosen.reenactment)
            else REENACTORS[chosen.reenactment](model, flow),
            segmentation=segmentation,
            completion=files.completer(chosen.completion)
            if is_official("completion", chosen.completion)
            else COMPLETERS[chosen.completion](),
            blending=files.blender(chosen.blending, soften, blend)
            if is_official("blending", chosen.blending)
            else BLENDERS[chosen.blending](blend),
            device=place,
            alignment=bundled_aligner(place),
            fitting=bundled_aligner(place, FITTING),
            crop_scale=crop_scale([(stage, getattr(chosen, stage)) for stage in SETS]),
        )

    @property
    def official(self) -> bool:
        """Whether official networks draw, some or all of a face."""
        stages = (self.reenactment, self.segmentation, self.completion, self.blending)
        learned = (LearnedReenactor, LearnedSegmenter, LearnedCompleter, LearnedBlender)
        return any(isinstance(stage, learned) for stage in stages)

    def source(self, appearance: AppearanceMap, delight: float = 1.0) -> Source:
        """A person's views for a swap, without what covers the face.

        Args:
            appearance: the person.
            delight: how far hard light is taken off, in [0, 1]; official networks get pictures as they are.
        """
        own = 0.0 if self.official else delight
        return Source(appearance, self.face_model, self.device, self.segmentation, own)

    def along(self, clip: Clip, faces: Sequence[FaceSequence]) -> list[Callable[[int], Models]]:
        """The stages for every frame of some tracks.

        v2's networks see a clip before they draw. Our segmentation is told what the frame before has shown.

        Args:
            clip: the target.
            faces: its faces.

        Returns:
            for each face what gives the stages by row of its track. Rows are to be asked for in order, and each is to
            be told of its end (:meth:`end`).
        """
        if clip.rate == 0:
            return [lambda row: self for _ in faces]
        segment, given = self.segmentation, self._seen_before(clip, faces)
        if not isinstance(segment, OpenSegmenter):
            return given
        return [partial(_steady, stages, SegmentedTrack(segment)) for stages in given]

    def end(self) -> None:
        """These stages of one frame are not called any more; see :meth:`along`."""
        if isinstance(self.segmentation, SteadySegmenter):
            self.segmentation.end()

    def _seen_before(self, clip: Clip, faces: Sequence[FaceSequence]) -> list[Callable[[int], Models]]:
        """The stages of frames as v2's networks want them."""
        draw, segment = self.reenactment, self.segmentation
        landmarks = draw.landmarks if isinstance(draw, LearnedReenactor) else None
        logits = segment.network if isinstance(segment, LearnedSegmenter) and segment.soft else None
        if self.crop_scale is None or (landmarks is None and logits is None):
            return [lambda row: self for _ in faces]
        tracks = steady_tracks(clip, faces, self.crop_scale, landmarks, logits, self.device)
        return [partial(self._at, track) for track in tracks]

    def _at(self, track: SteadyTrack, row: int) -> Models:
        draw, segment = self.reenactment, self.segmentation
        return replace(
            self,
            reenactment=draw.at(track.points(row)) if isinstance(draw, LearnedReenactor) else draw,
            segmentation=segment.at(track.mask(row)) if isinstance(segment, LearnedSegmenter) else segment,
        )

    def with_blending(self, options: BlendOptions) -> Models:
        """The same stages, blending with other options."""
        blender = copy.copy(self.blending)
        blender.options = options
        return replace(self, blending=blender)

    def with_networks(self, change: Callable[[str, nn.Module], nn.Module]) -> Models:
        """The same stages with their networks exchanged, whatever backends they are; these stages are not changed.

        Args:
            change: gives the network to use instead of a stage's one; it must take and give the same.
        """
        changed = {
            stage: exchanged(getattr(self, stage), partial(change, stage)) for stage in (*MENUS, "alignment", "fitting")
        }
        return replace(self, **changed)


def _steady(stages: Callable[[int], Models], track: SegmentedTrack, row: int) -> Models:
    return replace(stages(row), segmentation=track.next())

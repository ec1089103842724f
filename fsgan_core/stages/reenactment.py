"""Reenactment (Gr): the source's face in the target's pose and expression.

The flow engine warps sharp source pixels instead of generating soft ones. A path of faces leads from the source's pose
and expression to the target's; the flows of its steps are composed and the source is sampled once, so that
sharpness does not depend on the number of steps. Views are merged by how well each sees a place, not by averaging.
What no view shows is taken from the mirrored side of the face and marked in ``confidence``.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Protocol

import torch
from torch import Tensor

from ..networks.flow_net import TONED, featured
from ..ops.beyond import continued
from ..ops.face_model import FaceModel
from ..ops.flow import resize
from ..ops.head_mesh import Placement, place
from ..ops.head_rings import contour
from ..ops.pooling import box_mean
from ..options import Range, check_ranges
from .alignment import Aligner, landed
from .creases import creased
from .evidence import Window, gather
from .features import feature_layer
from .fringe import bare, with_skin_beyond
from .layers import Anchor, Layer
from .merging import aligned, merged
from .refinement import Refined, Refiner, adapted_refiner, bundled_refiner
from .side import kept_side
from .surroundings import laid, surroundings_flow, surroundings_motion
from .views import View
from .warping import warp


@dataclass(frozen=True, kw_only=True)
class FlowOptions:
    """How the flow engine works."""

    steps: Annotated[int, Range(0, 16)] = 0
    """steps from the source's face to the target's; 0 takes one per 30 degrees of pose gap"""
    grid: Annotated[int, Range(16, 320)] = 80
    """pixels of the field in which flow is computed, along 1.6 times the face; flow is upsampled to the result"""
    refine: bool = True
    """let the network shift, merge and paint where geometry alone is in doubt"""
    adapter: str = ""
    """file made by 'fsgan adapt' that fits the network to the source's person; none when not given"""
    mirror: Annotated[float, Range(0, 1)] = 0.5
    """trust in the mirrored half of the face relative to pixels really seen"""

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class Reenactment:
    """What reenactment returns.

    Attributes:
        image: ``(1, 3, S, S)`` the reenacted face with the hair and surroundings that move along.
        mask: ``(1, 1, S, S)`` where the face mesh is drawn and no fringe covers the source's forehead, and a little
            beyond it where the source shows face.
        confidence: ``(1, 1, S, S)`` how well the source shows it: 1 seen (and outside the face), at most 0.5 where
            only its mirrored half is seen, 0 where nothing is.
        openings: ``(1, 1, S, S)`` inside of mouth and eyes.
        missing: ``(1, 1, S, S)`` the part of ``openings`` that is closed in the views and cannot come from them;
            ``image`` has there a mouth or an eye that is drawn.
        steps: number of steps taken.
        shouted: ``(1, 1, S, S)`` what ``mask`` lacks because the source's mouth is too wide open there.
    """

    image: Tensor
    mask: Tensor
    confidence: Tensor
    openings: Tensor
    missing: Tensor
    steps: int
    shouted: Tensor | None = None


class Reenactor(Protocol):
    """Draws the source's face with the target's landmarks."""

    def __call__(
        self,
        views: Sequence[View],
        weights: Sequence[float],
        landmarks: Tensor,
        size: int,
        anchor: Anchor | None = None,
        surroundings: bool = False,
        picture: Tensor | None = None,
    ) -> Reenactment:
        """Reenact one face.

        Args:
            views: views of the source.
            weights: one a view, positive, sum 1.
            landmarks: ``(1, 478, 3)`` the face wanted, in pixels of the crop.
            size: side S of the crop in pixels.
            anchor: where the crop lies in the view's picture, so that what is far from the face stays put; when not
                given the source is scaled and moved to the face wanted.
            surroundings: also draw hair, neck and background; without them only the face is meaningful.
            picture: ``(1, 3, S, S)`` the target's own if the face is to be blended into it, for engines that measure it
                themselves, and for its smile's creases; no other colours are taken.
        """


class FlowReenactor:
    """The flow engine; see the module.

    Args:
        model: the face model.
        options: see :class:`FlowOptions`.
        refiner: the network; the bundled one when not given. Not used with ``refine=False``.
    """

    def __init__(self, model: FaceModel, options: FlowOptions | None = None, refiner: Refiner | None = None) -> None:
        self.model = model
        self.options = options or FlowOptions()
        self.refiner = None
        self.wanted: tuple[Aligner, Tensor] | None = None
        if self.options.refine:
            self.refiner = refiner or bundled_refiner(model.mean.device)
            if self.options.adapter:
                self.refiner = adapted_refiner(self.refiner, Path(self.options.adapter))

    def onto(self, target: Tensor, aligner: Aligner) -> FlowReenactor:
        """The same, shifting what it draws, around the face too, onto a picture; not without the network (``refine``).

        Args:
            target: ``(1, 3, T, T)`` the crop as the target shows it; its colours are not taken.
            aligner: finds the shift.
        """
        copied = copy.copy(self)
        copied.wanted = aligner, target
        return copied

    @torch.inference_mode()
    def __call__(
        self,
        views: Sequence[View],
        weights: Sequence[float],
        landmarks: Tensor,
        size: int,
        anchor: Anchor | None = None,
        surroundings: bool = False,
        picture: Tensor | None = None,
    ) -> Reenactment:
        """See :class:`Reenactor`; for shifts onto the target's picture see :meth:`onto`."""
        field = self._field(landmarks, size)
        target = place(self.model.mean, landmarks * (field / size))
        layers = [warp(view, target, (field, size), self.model, anchor, self.options.steps) for view in views]
        main = max(range(len(views)), key=lambda index: weights[index])
        window = Window.around(landmarks * (field / size))
        features = torch.cat(feature_layer(size, views[main], landmarks, self.model), 1)
        toned = TONED if picture is None else 0.0  # what is blended gets its light and blur from its target
        refined = self._refined(layers, weights, target, window, features, toned)
        if refined is not None and self.wanted is not None:
            layers, refined, spread = aligned(*self.wanted, layers, refined)
            shapes = views[main].placement.shape, target.shape
            landmarks = landed(landmarks, spread * (size / field), field / size, self.model.mean, shapes)
            # Drawn anew where they belong: looked up twice they would lose their sharpness.
            features = torch.cat(feature_layer(size, views[main], landmarks, self.model), 1)
        image = featured(merged(layers, weights, refined, size, self.options.mirror), features)
        unseen, lacking = torch.ones(()), torch.zeros(())
        for layer, share in zip(layers, weights, strict=True):
            unseen = unseen * (1 - layer.seen) * (1 - 0.5 * layer.mirrored)
            lacking = lacking + share * layer.missing
        mask = box_mean(layers[0].mask, 3)
        face = mask * bare(views, weights, landmarks * (field / size), field, self.model)
        face = face * kept_side(views, weights, target, landmarks * (field / size), field, self.model)
        face = with_skin_beyond(face, views, weights, layers)
        fields = (mask, face, 1 - unseen * mask, box_mean(layers[0].openings, 3), box_mean(lacking, 3))
        fine = resize(torch.cat(fields, 1), size, size).clamp(0, 1)
        mask, face, shouted, confidence, openings, lacking = fine.split(1, 1)
        if refined is not None:  # before the surroundings are laid around: paint is meant for what the sheets show
            image, painted = refined.painted(image, size / field)
            confidence = 1 - (1 - confidence) * (1 - painted)
        folds = torch.stack([share * layer.unfolded for layer, share in zip(layers, weights, strict=True)]).sum(0)
        image = creased(image, folds, float(target.scale), picture, landmarks)
        if surroundings:
            motion = surroundings_motion(layers[main], target)
            if self.wanted is not None and refined is not None and refined.alike is not None and refined.alike > 0:
                shifted = laid(motion, layers[main], image, self.wanted[1], self.wanted[0], window)
                motion = torch.lerp(motion, shifted, refined.alike)
            around = surroundings_flow(layers[main], motion, size)
            head = contour(target.shape, target) * (size / field)
            image = torch.lerp(continued(layers[main].picture, around, head), image, mask)
        steps = max(layer.steps for layer in layers)
        return Reenactment(image.clamp(0, 1), face, confidence, openings, lacking, steps, shouted - face)

    def _field(self, landmarks: Tensor, size: int) -> int:
        """Side of the flow field, so that the face has the same number of pixels in it however large the crop."""
        extent = (landmarks[0, :, :2].amax(0) - landmarks[0, :, :2].amin(0)).max().item()
        return max(16, min(size, round(0.625 * self.options.grid * size / max(extent, 1.0)), 4 * self.options.grid))

    def _refined(
        self,
        layers: Sequence[Layer],
        weights: Sequence[float],
        target: Placement,
        window: Window,
        features: Tensor,
        toned: float,
    ) -> Refined | None:
        if self.refiner is None:
            return None
        features = window.look(features, features.shape[-1] / layers[0].flow.shape[-1])
        found = gather(layers, weights, target, window, self.model, features, self.options.mirror)
        return self.refiner(found, window, toned)


REENACTORS = {"flow": FlowReenactor}
"""Reenactment backends by name."""

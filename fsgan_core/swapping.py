"""One face's swap, stage by stage: the paper's figure as functions from :class:`FaceCrop` to :class:`FaceCrop`.

:func:`swap_face` is all of them in order; whoever wants to look between two stages calls them one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .models import Models
from .ops.color import ColorMatch, estimate_color_match
from .ops.head_mesh import place, points
from .ops.masks import smoothstep, subtract, union
from .ops.thin import behind, bridged
from .options import Range, check_ranges
from .stages.beards import bearded, shaved
from .stages.compositing import Patch, crop
from .stages.cropping import Box, crop_mask, in_crop, square_box
from .stages.eye_light import eyes_lit, unusual_whites
from .stages.glasses_over import laid_over, unless_in_front
from .stages.reenactment import Reenactment
from .stages.sources import Source
from .stages.views import View
from .streams import Frame


@dataclass(frozen=True, kw_only=True)
class SwapOptions:
    """How a swap is drawn."""

    margin: Annotated[float, Range(1.2, 3)] = 1.6
    """side of the crop over the longer side of the face; official networks have their own"""
    closest: bool = False
    """take the source view of the closest pose instead of interpolating between views"""
    delight: Annotated[float, Range(0, 1)] = 1.0
    """how much of the source's hard light is taken off its face: one-sided shading, cast shadows, shine; 0 keeps a
    large mark on one side as it is, such as a birthmark"""
    inside: Literal["auto", "source", "target"] = "auto"
    """mouth interior and eyes: auto takes the source's where it shows enough, source always the source's (of a scream
    the lips and chin, too, which are left to the target otherwise), target always the target's"""
    face_shape: Annotated[float, Range(0, 1)] = 0.0
    """how far the target's head takes on the source's proportions, and what is around it bends along"""

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class UserMask:
    """A mask drawn by hand or by another tool.

    Attributes:
        values: ``(H, W)`` float32 in [0, 1], of the target frame's size.
        mode: ``"subtract"`` keeps the target where the mask is 1; ``"add"`` swaps there too, within the crop.
    """

    values: NDArray[np.float32]
    mode: Literal["add", "subtract"] = "subtract"


@dataclass(frozen=True)
class Aim:
    """One face of the target that is to be replaced.

    Attributes:
        frame: uint8 ``(H, W, 3)``.
        landmarks: ``(478, 3)`` in pixels of the frame.
        pose: ``(3,)`` degrees.
        mask: the user's mask for this frame, if any.
        color: the track's colour match; estimated here when None.
        shift: ``(1, 478, 3)`` how the landmarks drawn differ from the target's in canonical space, constant along a
            track: landmarks of a source are found otherwise in its own picture than on the target's head.
    """

    frame: Frame
    landmarks: NDArray[np.float32]
    pose: NDArray[np.float32]
    mask: UserMask | None = None
    color: ColorMatch | None = None
    shift: Tensor | None = None

    @property
    def beyond(self) -> bool:
        """Whether more than the face is to be drawn."""
        return self.mask is not None and self.mask.mode == "add"


@dataclass(frozen=True)
class FaceCrop:
    """A face of the target on its way through the stages; what a stage has not made yet is None.

    Attributes:
        aim: what is to be replaced.
        box: where the crop lies in the frame.
        target: ``(1, 3, S, S)`` the crop.
        points: ``(1, 478, 3)`` its landmarks in pixels of the crop.
        wanted: ``(1, 478, 3)`` those that the source is drawn with.
        drawn: made by :func:`reenacted`.
        mask: ``(1, 1, S, S)`` made by :func:`segmented`.
        whole: the same with a mouth of the source that is too wide open, which :func:`completed` takes if asked for.
        face: ``(1, 3, S, S)`` the source's face, made by :func:`reenacted` and without holes after :func:`completed`.
        inside: ``(1, 1, S, S)`` where mouth and eyes are the target's own, made by :func:`completed`.
        glasses: ``(1, 4, S, S)`` colours and opacity of those of the source that do not come off, if any, drawn by
            :func:`reenacted`; :func:`segmented` leaves them out where the target has something in front of the eyes.
        whites: ``(2, 4)`` those of the source's eyes, measured by :func:`reenacted`.
        blended: ``(1, 3, S, S)`` made by :func:`blended`.
    """

    aim: Aim
    box: Box
    target: Tensor
    points: Tensor
    wanted: Tensor
    drawn: Reenactment | None = None
    mask: Tensor | None = None
    whole: Tensor | None = None
    face: Tensor | None = None
    inside: Tensor | None = None
    glasses: Tensor | None = None
    whites: Tensor | None = None
    blended: Tensor | None = None

    @property
    def patch(self) -> Patch:
        """The finished crop and where it belongs.

        Raises:
            ValueError: it has not been through every stage.
        """
        mask = needed(self.mask, "segmentation")
        if self.glasses is not None:
            mask = union(mask, self.glasses[:, 3:])
        return Patch(needed(self.blended, "blending"), (mask > 0).to(mask.dtype), self.box)


@dataclass(frozen=True)
class DrawnFace:
    """A face ready to be put back into its frame.

    Attributes:
        patch: the finished crop and where it belongs.
        steps: steps taken.
        seen: share of the face that source pixels show.
    """

    patch: Patch
    steps: int
    seen: float


def swap_face(aim: Aim, source: Source, models: Models, options: SwapOptions | None = None) -> DrawnFace:
    """The paper's figure for one face: reenactment, segmentation, completion, blending."""
    options = options or SwapOptions()
    one = reenacted(cropped(aim, models, options.margin), source, models, options.closest)
    one = blended(completed(segmented(one, models), models, options.inside), models)
    drawn = needed(one.drawn, "reenactment")
    return DrawnFace(one.patch, drawn.steps, seen(drawn))


def cropped(aim: Aim, models: Models, margin: float) -> FaceCrop:
    """Cut a square around the face; networks that were trained with a scale of their own get that."""
    box = square_box(aim.landmarks, models.crop_scale or margin)
    target, landmarks = crop(aim.frame, box).to(models.device), in_crop(aim.landmarks, box).to(models.device)
    return FaceCrop(aim, box, target, landmarks, shifted(landmarks, aim.shift, models))


def reenacted(one: FaceCrop, source: Source, models: Models, closest: bool = False) -> FaceCrop:
    """Draw the source's face with the target's landmarks, from the views around the target's pose."""
    views, weights = source.select(one.aim.pose, closest)
    side = one.target.shape[-1]
    drawn = models.reenactment(views, weights, one.wanted, side, surroundings=one.aim.beyond, picture=one.target)
    whites = views[max(range(len(views)), key=lambda number: weights[number])].whites
    glasses = _worn(views, weights, one.wanted, side)
    return replace(one, drawn=drawn, face=drawn.image, glasses=glasses, whites=whites)


def segmented(one: FaceCrop, models: Models) -> FaceCrop:
    """Find the pixels that are exchanged: face in the target, drawn from the source, less or more the user's mask."""
    face, layer = models.segmentation(one.target, one.points), one.glasses
    made = needed(one.drawn, "reenactment")
    drawn = made.mask
    if layer is not None:
        layer, drawn = unless_in_front(layer, drawn, 1 - face, one.points, models.face_model)
    mask = face * (drawn if made.shouted is None else torch.cat((drawn, drawn + made.shouted), 1))
    if one.aim.mask is not None:
        by_hand = crop_mask(one.aim.mask.values, one.box).to(mask)
        mask = (union if one.aim.beyond else subtract)(mask, by_hand)
        if layer is not None and not one.aim.beyond:
            layer = torch.cat((layer[:, :3], subtract(layer[:, 3:], by_hand)), 1)
    return replace(one, mask=mask[:, :1], whole=mask[:, -1:], glasses=layer)


def completed(one: FaceCrop, models: Models, inside: Literal["auto", "source", "target"] = "auto") -> FaceCrop:
    """Fill what the source does not show; where the inside of mouth and eyes comes from the target is noted.

    It is laid over what is blended: matched with the face its lips and teeth would be lit twice.
    """
    drawn, mask = needed(one.drawn, "reenactment"), needed(one.mask, "segmentation")
    mask = one.whole if inside == "source" and one.whole is not None else mask
    face = models.completion(drawn.image, drawn.confidence, mask)
    nothing = torch.zeros_like(drawn.missing)
    of_target = {"auto": drawn.missing, "source": nothing, "target": drawn.openings}[inside]
    return replace(one, face=face, mask=mask, inside=of_target)


def blended(one: FaceCrop, models: Models, color: ColorMatch | None = None) -> FaceCrop:
    """Join the face to the crop.

    Args:
        one: segmented, and completed unless the holes are to be seen.
        models: the stages.
        color: the track's; else the aim's, else estimated here.
    """
    face, mask = needed(one.face, "reenactment"), needed(one.mask, "segmentation")
    color = color or one.aim.color or matched(one, models)
    whole = bridged(mask)
    front = whole - mask  # what is thin lies in front of a face that is joined as if nothing were there
    target = behind(one.target, front)
    skins = None if models.official else shaved(face, target, one.points, whole, models.face_model, color.beards)
    result = models.blending(face, target, whole, color, skins)
    if one.whites is not None and not models.official and models.blending.options.color:
        options, aim = models.blending.options, place(models.face_model.mean, one.wanted)
        match = color.eased(options.fineness)
        result = eyes_lit(result, face, one.target, options.light * whole, aim, one.whites, match)
    result = torch.lerp(result, one.target, front)
    if one.inside is not None:  # the target's own teeth and eyes are in its light already
        result = torch.lerp(result, one.target, one.inside)
    if one.glasses is not None:
        result = laid_over(result, one.glasses, color)
    return replace(one, blended=result)


def matched(one: FaceCrop, models: Models) -> ColorMatch:
    """What a face that is reenacted and segmented is matched with, with whites of the target's eyes and beards."""
    face, mask, model = needed(one.face, "reenactment"), needed(one.mask, "segmentation"), models.face_model
    color = estimate_color_match(face, one.target, mask)
    whites = unusual_whites(one.target, place(model.mean, one.points))
    return replace(color, whites=whites, beards=bearded(face, one.target, one.points, mask, model))


def shifted(landmarks: Tensor, shift: Tensor | None, models: Models) -> Tensor:
    """Landmarks ``(1, 478, 3)`` moved in canonical space; see :attr:`Aim.shift`."""
    if shift is None:
        return landmarks
    face = place(models.face_model.mean, landmarks)
    return points(replace(face, shape=face.shape + shift))


def _worn(views: Sequence[View], weights: Sequence[float], landmarks: Tensor, size: int) -> Tensor | None:
    """Glasses on the face wanted, ``(1, 4, size, size)``: those of the view that counts most of all that have some.

    As others come to count more they fade, so that none appear or vanish at once along a clip.
    """
    pairs = ((view.shown.glasses if view.shown else None, weight) for view, weight in zip(views, weights, strict=True))
    wearing = [(glasses, weight) for glasses, weight in pairs if glasses is not None]
    if not wearing:
        return None
    layer = max(wearing, key=lambda pair: pair[1])[0].drawn(landmarks, size)
    share = smoothstep(layer.new_tensor(2 * sum(weight for _, weight in wearing) - 0.5))
    return torch.cat((layer[:, :3], share * layer[:, 3:]), 1)


def seen(drawn: Reenactment) -> float:
    """Share of the drawn face that source pixels show."""
    return round(float((drawn.confidence * drawn.mask).sum() / drawn.mask.sum().clamp_min(1)), 3)


def needed(value: Any, stage: str) -> Any:
    """What an earlier stage made.

    Raises:
        ValueError: the stage was left out.
    """
    if value is None:
        raise ValueError(f"the crop has not been through {stage}; do that first")
    return value

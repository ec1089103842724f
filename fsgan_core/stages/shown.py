"""What of a source's picture is its face, and the picture without what lies over it, as far as that comes off."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from ..ops.face_model import FaceModel
from ..ops.flow import identity, lies_within, resize, sample
from ..ops.thin import behind, bridged
from .cropping import Box, square_box
from .eyewear import Eyewear
from .glasses_seen import Covered, seen_glasses
from .lens_light import dulled
from .open_segmentation import OpenSegmenter
from .segmentation import Segmenter
from .skin_behind import Skin
from .strands import strands
from .worn_glasses import WornGlasses

_SHOWN, _SHARES, _COVER = 1.6, 256, 64
"""Side of the crop in which occluders are looked for over the face's longer side, and of two maps of them in cells:
one that is kept, and a coarse one for the landmarks."""


@dataclass(frozen=True)
class Shown:
    """Which pixels of a square of a picture are face, not hair or anything else in front of it.

    Attributes:
        share: ``(1, 1, C, C)`` in [0, 1].
        box: left, top, right, bottom of the square in pixels of the picture.
        glasses: those worn that were taken off the picture to be laid over what is drawn from it.
    """

    share: Tensor
    box: Box
    glasses: WornGlasses | None = None

    def at(self, places: Tensor) -> Tensor:
        """The share at places ``(1, 2, H, W)`` in pixels of the picture: ``(1, 1, H, W)``."""
        left, top, right, _ = self.box
        corner = places.new_tensor((left, top))[:, None, None]
        return sample(self.share, (places - corner) * (self.share.shape[-1] / (right - left)))


def shown(image: Tensor, landmarks: Tensor, segmentation: Segmenter, model: FaceModel) -> tuple[Tensor, Shown]:
    """Take off a picture what covers the face.

    Rims of glasses, single hairs and other thin things come off and count as face: else they were swapped along.
    Glasses that would take brows or eyes with them are kept as a layer. What is broader, such as curls, does not count
    as face; behind it the person's own skin goes on, so that nothing of it shows where the face beside it is looked
    up. Of a forehead that is mostly covered nothing counts.

    Args:
        image: ``(1, 3, h, w)`` in [0, 1].
        landmarks: ``(1, 478, 3)`` in its pixels.
        segmentation: finds what is face.
        model: the face model.

    Returns:
        the picture, and what of it is face.
    """
    box = square_box(landmarks[0].cpu().numpy(), _SHOWN)
    points = landmarks - landmarks.new_tensor((box[0], box[1], 0))
    flow = identity(box[3] - box[1], box[2] - box[0], image) + image.new_tensor(box[:2])[:, None, None]
    part, known = sample(image, flow), lies_within(flow, *image.shape[-2:])
    share = segmentation(part, points)
    loose = segmentation.loose_hair(part, points) if isinstance(segmentation, OpenSegmenter) else 0 * share
    bare = share * (1 - loose)
    whole = bridged(bare)
    skin, cleared, glasses = Skin.of(points, part.shape[-1], model), behind(part, whole - bare), None
    worn = torch.zeros_like(share)
    if isinstance(segmentation, OpenSegmenter):
        eyewear = Eyewear.of(model, points)
        if cleared is not part or eyewear.dark(known * share + 1 - known):
            size, (lenses, tints) = (part.shape[-2], part.shape[-1]), segmentation.lenses(part, points)
            if eyewear.stays(part, torch.lerp(part, cleared, known), known * whole + 1 - known, lenses):
                crop = Covered(part, share, cleared, whole - bare, known)
                seen = seen_glasses(crop, resize(skin.inside, *size), lenses, tints)
                glasses = WornGlasses.taken(seen, points, model)
                worn = eyewear.around(size)
            # With rims goes the light that lenses throw onto the skin.
            cleared = torch.lerp(dulled(cleared, share, lenses), part, eyewear.openings(size))
    cleared = behind(cleared, strands(part, bare, points, model) * (1 - worn), 0)
    cleared = skin.behind(cleared, torch.maximum(1 - whole, loose))
    whole = torch.maximum(whole, worn * (1 - loose)) * (1 - skin.lost(1 - bare, part.shape[-1]))
    kept = functional.adaptive_avg_pool2d(whole, min(_SHARES, whole.shape[-1]))
    return _changed(image, cleared - part, box), Shown(kept, box, glasses)


def _changed(image: Tensor, change: Tensor, box: Box) -> Tensor:
    """The picture with what changes in a part of it, which may reach beyond it; the same where nothing does."""
    (left, top, right, bottom), (height, width) = box, image.shape[-2:]
    rows, columns = slice(max(0, top), min(height, bottom)), slice(max(0, left), min(width, right))
    result = image.clone()
    result[..., rows, columns] += change[
        ..., rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
    ]
    return result.clamp(0, 1)


def uncovered(shown: Shown, landmarks: Tensor) -> Tensor:
    """How much of the face there is around each landmark, ``(1, 478)`` in [0, 1].

    The most within a few hundredths of the face: at the outline half is always beyond.
    """
    near = functional.max_pool2d(functional.adaptive_avg_pool2d(shown.share, _COVER), 3, 1, 1)
    return replace(shown, share=near).at(landmarks[..., :2].mT[..., None])[:, 0, :, 0]

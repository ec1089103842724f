"""What of a source's picture is its face, and what lies over it that is taken off."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from ..ops.face_model import FaceModel
from ..ops.flow import identity, sample
from ..ops.thin import behind, bridged
from .cropping import Box, square_box
from .eyewear import Eyewear
from .lens_light import dulled
from .open_segmentation import OpenSegmenter
from .segmentation import Segmenter
from .strands import strands

_SHOWN, _SHARES, _COVER = 1.6, 256, 64
"""Side of the crop in which occluders are looked for over the face's longer side, and of two maps of them in cells:
one that is kept, and a coarse one for the landmarks."""


@dataclass(frozen=True)
class Shown:
    """Which pixels of a square of a picture are face, not hair or anything else in front of it.

    Attributes:
        share: ``(1, 1, C, C)`` in [0, 1].
        box: left, top, right, bottom of the square in pixels of the picture.
    """

    share: Tensor
    box: Box

    def at(self, places: Tensor) -> Tensor:
        """The share at places ``(1, 2, H, W)`` in pixels of the picture: ``(1, 1, H, W)``."""
        left, top, right, _ = self.box
        corner = places.new_tensor((left, top))[:, None, None]
        return sample(self.share, (places - corner) * (self.share.shape[-1] / (right - left)))


def shown(image: Tensor, landmarks: Tensor, segmentation: Segmenter, model: FaceModel) -> tuple[Tensor, Shown]:
    """What of a picture ``(1, 3, h, w)`` is the face with these landmarks ``(1, 478, 3)``.

    Rims of glasses, single hairs and other thin things count as face and are taken off the picture, which is returned
    too: else they were swapped along. Glasses that would take brows or eyes with them are.
    """
    box = square_box(landmarks[0].cpu().numpy(), _SHOWN)
    points = landmarks - landmarks.new_tensor((box[0], box[1], 0))
    flow = identity(box[3] - box[1], box[2] - box[0], image) + image.new_tensor(box[:2])[:, None, None]
    part = sample(image, flow)
    share = segmentation(part, points)
    whole = bridged(share)
    cleared = behind(part, whole - share)
    hairs = strands(part, share, points, model)
    if cleared is not part and isinstance(segmentation, OpenSegmenter):
        lenses, eyewear = segmentation.lenses(part, points), Eyewear.of(model, points)
        size = (part.shape[-2], part.shape[-1])
        if eyewear.stays(part, cleared, whole, lenses):
            worn = eyewear.around(size)
            cleared, whole, hairs = part, torch.maximum(whole, worn), hairs * (1 - worn)
        else:  # with rims goes the light that lenses throw onto the skin
            cleared = torch.lerp(dulled(cleared, share, lenses), part, eyewear.openings(size))
    cleared = behind(cleared, hairs, 0)
    if cleared is not part:
        image = _put(image, cleared, box)
    return image, Shown(functional.adaptive_avg_pool2d(whole, min(_SHARES, whole.shape[-1])), box)


def _put(image: Tensor, part: Tensor, box: Box) -> Tensor:
    """The picture with a part of it, which may reach beyond it, exchanged."""
    (left, top, right, bottom), (height, width) = box, image.shape[-2:]
    rows, columns = slice(max(0, top), min(height, bottom)), slice(max(0, left), min(width, right))
    result = image.clone()
    result[..., rows, columns] = part[
        ..., rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
    ]
    return result


def uncovered(shown: Shown, landmarks: Tensor) -> Tensor:
    """How much of the face there is around each landmark, ``(1, 478)`` in [0, 1].

    The most within a few hundredths of the face: at the outline half is always beyond.
    """
    near = functional.max_pool2d(functional.adaptive_avg_pool2d(shown.share, _COVER), 3, 1, 1)
    return replace(shown, share=near).at(landmarks[..., :2].mT[..., None])[:, 0, :, 0]

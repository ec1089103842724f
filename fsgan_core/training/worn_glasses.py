"""Labels for portraits whose wearers' own glasses nobody drew: as an earlier network sees them, where it is certain."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ..networks.unet import UNet
from ..stages.open_segmentation import normalized
from .canvas import similarity
from .face_labels import FACE, GLASSES, REST, UNKNOWN, filled
from .segmentation_samples import MARGIN, SIDE, Labelled, unpack, warped

_LOOKS = tuple((margin, mirror) for margin in (1.2, 1.35, 1.55) for mirror in (False, True))
"""Sides of the squares looked at over the longer side of the face, and whether they are mirrored."""
_SURE, _FREE = 0.5, 0.2
"""From which mean share on something is glasses, and up to which it is not."""
_TEMPLES = (127, 234, 356, 454)
"""Landmarks between which temples leave the face."""


def taught(face: Labelled, network: UNet) -> Labelled:
    """The same face with a label of its glasses.

    Args:
        face: labelled as if nothing were in front of it, or with unknown surroundings of the eyes.
        network: in evaluation mode; its answers to several looks at the face are averaged.
    """
    hidden = np.mean([_look(face, network, *look) for look in _LOOKS], 0)
    parts = [face.points[list(outline)] for outline in GLASSES]
    around = filled(np.concatenate([*parts, face.points[list(_TEMPLES)]]), SIDE)
    zone = cv2.dilate(around, np.ones((7, 7), np.uint8)) > 0
    labels = face.labels.copy()
    skin = zone & np.isin(labels, (FACE, UNKNOWN))
    labels[skin] = np.where(hidden[skin] > _SURE, REST, np.where(hidden[skin] > _FREE, UNKNOWN, FACE))
    return replace(face, labels=labels)


@torch.inference_mode()
def _look(face: Labelled, network: UNet, margin: float, mirror: bool) -> NDArray[np.floating]:
    """How much of each pixel ``(SIDE, SIDE)`` is not face, as seen in one square."""
    size = network.config.size
    middle = (SIDE / 2, SIDE / 2)
    matrix = similarity(middle, (size / 2, size / 2), MARGIN / margin * size / SIDE, 0, mirror)
    back = similarity((size / 2, size / 2), middle, SIDE / size * margin / MARGIN, 0, mirror)
    image, prior = (warped(part, matrix, size, how, outside) for part, how, outside in (
        (face.image, cv2.INTER_LINEAR, None), (face.prior, cv2.INTER_NEAREST, 128)))  # fmt: skip
    if mirror:
        prior[..., 1] = np.clip(256 - prior[..., 1].astype(np.int32), 0, 255)
    picture = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
    answer = network(torch.cat((normalized(picture), unpack(torch.from_numpy(prior)[None])), 1))
    hidden = 1 - answer.softmax(1)[0, FACE].numpy()
    return warped((hidden * 255).round().astype(np.uint8), back, SIDE, cv2.INTER_LINEAR) / 255

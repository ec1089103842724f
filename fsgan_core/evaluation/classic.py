"""The classic swap: a triangle mesh warped from picture to picture and cloned in, as tools without networks do it.

A yardstick, not a backend: the source's mesh is drawn with the target's landmarks (a piecewise affine warp), what is
turned away stays the target's, and OpenCV's seamless clone (Perez et al., Poisson Image Editing, 2003) joins the two.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..models import Models
from ..ops.flow import sample
from ..ops.mesh import facing, interpolate, rasterize
from ..stages.cropping import square_box
from ..stages.segmentation import MeshSegmenter
from ..streams import Frame

Floats = NDArray[np.float32]


def warp(view: Frame, landmarks: Floats, wanted: Tensor, size: int, models: Models) -> tuple[Tensor, Tensor]:
    """Draw a view's face with other landmarks.

    Args:
        view: uint8 ``(h, w, 3)`` source.
        landmarks: ``(478, 3)`` in pixels of the view.
        wanted: ``(1, 478, 3)`` in pixels of the result.
        size: side S of the result.
        models: for the face mesh.

    Returns:
        image ``(1, 3, S, S)`` and where it is drawn ``(1, 1, S, S)``.
    """
    triangles = models.face_model.triangles
    front = facing(wanted, triangles) > 0
    number, weights = rasterize(wanted, triangles, size, size, front)
    places = torch.from_numpy(np.ascontiguousarray(landmarks[:, :2]))[None].to(wanted)
    picture = torch.from_numpy(np.ascontiguousarray(view)).to(wanted.device).permute(2, 0, 1)[None].float() / 255
    flow = interpolate(places, triangles, number, weights)
    return sample(picture, flow), (number >= 0)[:, None].to(wanted.dtype)


def classic_swap(frame: Frame, landmarks: Floats, view: Frame, source: Floats, models: Models) -> Frame:
    """Swap one face.

    Args:
        frame: uint8 ``(H, W, 3)`` target.
        landmarks: ``(478, 3)`` of its face.
        view: uint8 ``(h, w, 3)`` source.
        source: ``(478, 3)`` of its face.
        models: for the face mesh.

    Returns:
        the target with the source's face; unchanged where the face reaches the picture's edge too far to be cloned.
    """
    left, top, right, bottom = square_box(landmarks, 1.2)
    side = right - left
    points = torch.from_numpy(landmarks - np.array((left, top, 0), np.float32))[None].to(models.device)
    image, drawn = warp(view, source, points, side, models)
    mask = (MeshSegmenter(models.face_model)(image, points) * drawn)[0, 0].cpu().numpy() > 0.5
    # Cloning wants the whole patch, one pixel of border included, inside the picture.
    padded = cv2.copyMakeBorder(frame, side, side, side, side, cv2.BORDER_REPLICATE)
    patch = (image[0].permute(1, 2, 0).clamp(0, 1) * 255).round().byte().cpu().numpy()
    area = np.zeros(mask.shape, np.uint8)
    area[2:-2, 2:-2] = 255 * mask[2:-2, 2:-2]
    rows, columns = np.flatnonzero(area.any(1)), np.flatnonzero(area.any(0))
    if len(rows) < 3 or len(columns) < 3:
        return frame
    middle = (
        left + side + int(columns[0] + columns[-1] + 1) // 2,
        top + side + int(rows[0] + rows[-1] + 1) // 2,
    )
    cloned = cv2.seamlessClone(patch, padded, area, middle, cv2.NORMAL_CLONE)
    height, width = frame.shape[:2]
    result: Frame = np.ascontiguousarray(cloned[side : side + height, side : side + width], np.uint8)
    return result

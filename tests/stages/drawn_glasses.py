"""A plain face, and glasses drawn as the segmentation network would see them; for tests."""

import numpy as np
import torch

from fsgan_core.stages.glasses import Glasses, Look
from fsgan_core.stages.lenses import LensTracer
from fsgan_core.stages.open_segmentation import mesh_prior
from fsgan_core.stages.pose import load_face_model

MODEL = load_face_model()
SIZE = 192
POINTS = MODEL.mean * 78 + torch.tensor([SIZE / 2, SIZE / 2 - 10, 0.0])
PRIOR = mesh_prior(POINTS[None], MODEL, SIZE)
EYES = int(POINTS[[33, 263], 1].mean())
GLASSES, TRACE = Glasses(MODEL), LensTracer(MODEL)


def look(count=1, picture=None):
    """At a face without anything in the picture that could be a line, or at another one."""
    pictures = torch.full((1, 3, SIZE, SIZE), 0.5) if picture is None else picture
    return Look(pictures.expand(count, 3, -1, -1), POINTS.expand(count, -1, -1), PRIOR.expand(count, -1, -1, -1))


def kept_whole(hidden, picture=None):
    return GLASSES.kept_whole(hidden, look(len(hidden), picture))[0]


def rings(shown=lambda turn, side: torch.ones_like(turn), thick=1.5):
    """Two round rims; ``shown`` tells by direction (0 outwards, pi / 2 up) and side how surely each is seen."""
    hidden = torch.zeros(1, 1, SIZE, SIZE)
    y, x = (line + 0.5 for line in torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij"))
    for side in (-1, 1):
        eye = torch.tensor([SIZE / 2 + side * 28, EYES + 3.0])
        across, down = x - eye[0], y - eye[1]
        on = ((torch.hypot(across, down) - 20).abs() < thick).float()
        hidden = torch.maximum(hidden, on * shown(torch.atan2(-down, side * across), side))
    hidden[..., EYES : EYES + 4, 87:105] = 0.95
    return hidden


def moved(points, yaw, place):
    c, s = np.cos(yaw), np.sin(yaw)
    matrix = torch.tensor([[c, 0, s], [0, 1, 0], [-s, 0, c]], dtype=torch.float32)
    return (points @ matrix.T * 78 + torch.tensor([*place, 0.0]))[None]

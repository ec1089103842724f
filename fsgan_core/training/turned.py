"""Portraits turned and moved in three dimensions, with the labels that follow: few portraits show a profile or a blink.

The photo is drawn through the moved face mesh and the rings around the head (as Zhu et al. 2016 profile portraits).
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from ..ops.face_model import FaceModel
from ..ops.geometry import euler_angles, rotation_matrix
from ..ops.head_mesh import Placement, place, points
from ..ops.head_rings import head_rings, ring_triangles
from ..ops.mesh import interpolate, rasterize
from ..stages.mouth import plain_mouth
from ..stages.openings import openness
from .labelled import Face

SPREAD = 50.0
"""Size of the faces drawn: root mean square distance of the landmarks from their centre, in pixels."""
WIDEST = 80.0
"""Largest yaw drawn, in degrees."""
SYMMETRIC = ("eyeBlink", "eyeSquint", "eyeWide", "browDown", "browInnerUp", "browOuterUp", "mouthSmile", "mouthStretch")
SINGLE = ("jawLeft", "jawRight", "mouthPucker", "mouthFunnel", "mouthLeft", "mouthRight", "mouthShrugUpper")
MOUTH = 1


def turn(face: Face, model: FaceModel, rng: Generator) -> Face:
    """A random view of a portrait: turned by 10 to 45 degrees, often with another expression."""
    face = shrunk(face)
    source = place(model.mean, torch.from_numpy(face.landmarks)[None])
    change = torch.einsum("e,epd->pd", expression(model, rng), model.expression)
    pose = new_pose(euler_angles(source.rotation), rng)
    target = replace(source, shape=source.shape + change, rotation=rotation_matrix(pose))
    image = draw(face.image, source, target, model)
    landmarks = points(target)
    opened = openness(target.shape, MOUTH) > 0.01 + 2.5 * openness(source.shape, MOUTH)
    if bool(opened):
        image = with_mouth(image, landmarks, model)
    return Face(f"{face.name} turned", image, landmarks[0].numpy())


def shrunk(face: Face, spread: float = SPREAD) -> Face:
    """The portrait at the size at which faces are drawn, see :data:`SPREAD`; smaller ones stay."""
    centred = face.landmarks - face.landmarks.mean(0)
    scale = min(1.0, spread / float(np.sqrt((centred**2).sum(1).mean())))
    height, width = (round(scale * side) for side in face.image.shape[:2])
    image = np.asarray(cv2.resize(face.image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    return Face(face.name, image, face.landmarks * np.float32(scale))


def new_pose(pose: Tensor, rng: Generator) -> Tensor:
    """A pose ``(1, 3)`` 10 to 45 degrees of yaw away, mostly further in the direction the head already looks."""
    yaw, pitch, roll = pose[0].tolist()
    further = np.sign(yaw) if abs(yaw) > 8 and rng.random() < 0.75 else rng.choice((-1, 1))
    yaw += further * rng.uniform(10, 45)
    pitch += rng.uniform(-20, 20)
    return torch.tensor([[np.clip(yaw, -WIDEST, WIDEST), np.clip(pitch, -40, 40), roll]], dtype=torch.float32)


def expression(model: FaceModel, rng: Generator) -> Tensor:
    """Random changes ``(E,)`` of the expression; in a third of the cases none."""
    values = dict.fromkeys(model.names, 0.0)
    if rng.random() < 0.67:
        for name in SYMMETRIC:
            strength = rng.uniform(0, 1) if rng.random() < 0.2 else 0.0
            for side in "LR":
                values[f"{name}_{side}"] = strength * rng.uniform(0.85, 1)
        for name in SINGLE:
            values[name] = rng.uniform(0, 0.8) if rng.random() < 0.08 else 0.0
        if rng.random() < 0.25:
            values["jawOpen"] = rng.uniform(0.05, 0.9)
        if rng.random() < 0.1:
            values[f"eyeBlink_{rng.choice(('L', 'R'))}"] = rng.uniform(0.5, 1)
        gaze = rng.normal(0, 0.4, 2)
        for name, strength in (("LookOut_L", gaze[0]), ("LookIn_R", gaze[0]), ("LookUp_L", gaze[1])):
            values[f"eye{name}"] = max(0.0, strength)
        for name, strength in (("LookIn_L", -gaze[0]), ("LookOut_R", -gaze[0]), ("LookUp_R", gaze[1])):
            values[f"eye{name}"] = max(0.0, strength)
        for side in "LR":
            values[f"eyeLookDown_{side}"] = max(0.0, -gaze[1])
    return torch.tensor([values[name] for name in model.names], dtype=torch.float32).clamp(0, 1)


def draw(image: np.ndarray, source: Placement, target: Placement, model: FaceModel) -> np.ndarray:
    """The picture ``(H, W, 3)`` with its head moved from one placement to another."""
    height, width = image.shape[:2]
    before, after = (
        torch.cat(both, 1) for both in zip((points(source), points(target)), head_rings(source, target), strict=True)
    )
    triangles = torch.cat((model.triangles, ring_triangles(before.device) + before.shape[1] - 108))
    number, weights = rasterize(after, triangles, height, width)
    place_in_source = interpolate(before[..., :2], triangles, number, weights)[0].numpy() - 0.5
    covered = (number[0] >= 0).numpy()
    rows, columns = np.indices((height, width), dtype=np.float32)
    x, y = (np.where(covered, p, q).astype(np.float32) for p, q in zip(place_in_source, (columns, rows), strict=True))
    return np.asarray(cv2.remap(image, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101), np.uint8)


def with_mouth(image: np.ndarray, landmarks: Tensor, model: FaceModel) -> np.ndarray:
    """The picture with a drawn mouth interior, where the photo has none to show."""
    side = max(image.shape[:2])
    square = cv2.copyMakeBorder(image, 0, side - image.shape[0], 0, side - image.shape[1], cv2.BORDER_REPLICATE)
    drawn = plain_mouth(torch.from_numpy(square).permute(2, 0, 1)[None].float() / 255, landmarks, model)
    result = (drawn[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    return np.ascontiguousarray(result[: image.shape[0], : image.shape[1]])

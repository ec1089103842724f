"""What the flow engine is for: sharpness that survives many steps, and detail beyond 256 px.

Prints, for pairs of portraits, the sharpness of a reenactment in 2, 4 and 8 steps relative to one step, and the
detail of a swap onto a face 1024 px high relative to the same swap done at 256 px and enlarged. Portraits: the demo's,
and those in ``FSGAN_MEDIA`` where that folder exists.
"""

from __future__ import annotations

import os
import time
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch

from fsgan_core.demo import COLLINS, HOPPER
from fsgan_core.media import read_image
from fsgan_core.models import Models
from fsgan_core.pipeline import analyze, build_appearance_map
from fsgan_core.stages.compositing import composite
from fsgan_core.stages.cropping import in_crop, square_box
from fsgan_core.stages.reenactment import FlowOptions, FlowReenactor
from fsgan_core.stages.sources import Source
from fsgan_core.streams import Still
from fsgan_core.swapping import Aim, swap_face

NAMES = ("woman_front_dark", "man_blond_closeup", "woman_asian_closeup", "elder_wrinkles", "man_angry", "phone_exif6")


def load(models):
    """Every portrait with its largest face and its appearance map."""
    folder = Path(os.environ.get("FSGAN_MEDIA", "../shared/media")) / "portraits"
    frames = [COLLINS.read().frame, HOPPER.read().frame]
    frames += [read_image(path).frame for name in NAMES for path in folder.glob(f"{name}.*")]
    people = []
    for frame in frames:
        faces = analyze(Still(frame), models).faces
        if faces:
            face = max(faces, key=lambda face: float(np.ptp(face.landmarks[0, :, 1])))
            people.append((frame, face, build_appearance_map([(Still(frame), face)])))
    return people


def detail(image, mask):
    """Mean absolute Laplacian in the mask, in grey levels."""
    grey = image.mean(1, keepdim=True) * 255
    kernel = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])[None, None]
    edges = torch.nn.functional.conv2d(grey, kernel, padding=1).abs()
    return float((edges * mask).sum() / mask.sum())


def steps_table(models, people):
    """Sharpness for 1, 2, 4 and 8 steps, a row a pair; only pixels the source shows count."""
    print("sharpness relative to one step: steps 2, 4, 8 (pose gap in degrees)")
    for (_, face, appearance), (_, other, _) in pairwise([*people, people[0]]):
        box = square_box(other.landmarks[0], 1.6)
        points = in_crop(other.landmarks[0], box)
        source = Source(appearance, models.face_model, models.device)
        values = []
        for steps in (1, 2, 4, 8):
            engine = FlowReenactor(models.face_model, FlowOptions(steps=steps))
            drawn = engine(*source.select(other.poses[0]), points, box[2] - box[0])
            values.append(detail(drawn.image, ((drawn.mask > 0.99) & (drawn.confidence > 0.9)).float()))
        gap = np.abs(face.poses[0] - other.poses[0]).max()
        print("  " + "  ".join(f"{value / values[0]:.4f}" for value in values[1:]) + f"   ({gap:.0f})")


def resolution_table(models, people):
    """Detail of a swap at 1024 px against the same at 256 px, enlarged."""
    print("detail of a swap onto a 1024 px face: native / made at 256 px and enlarged (seconds each)")
    for (_, _, appearance), (frame, face, _) in pairwise([*people, people[0]]):
        source = Source(appearance, models.face_model, models.device)
        values, times = [], []
        for height in (1024, 256):
            scale = height / float(np.ptp(face.landmarks[0, :, 1]))
            size = (round(frame.shape[1] * scale), round(frame.shape[0] * scale))
            target = np.ascontiguousarray(cv2.resize(frame, size, interpolation=cv2.INTER_CUBIC))
            start = time.perf_counter()
            drawn = swap_face(Aim(target, face.landmarks[0] * np.float32(scale), face.poses[0]), source, models)
            result = composite(target, [drawn.patch])
            times.append(time.perf_counter() - start)
            values.append((result, drawn.patch))
        (large, patch), (small, _) = values
        enlarged = cv2.resize(small, large.shape[1::-1], interpolation=cv2.INTER_CUBIC)
        box = patch.box
        low = (max(box[0], 0), max(box[1], 0))
        parts = [frame_[low[1] : box[3], low[0] : box[2]] for frame_ in (large, enlarged)]
        images = [torch.from_numpy(np.ascontiguousarray(part)).permute(2, 0, 1)[None] / 255 for part in parts]
        height, width = images[0].shape[-2:]
        mask = patch.mask[..., low[1] - box[1] :, low[0] - box[0] :][..., :height, :width]
        ratio = detail(images[0], mask) / detail(images[1], mask)
        print(f"  {ratio:.2f}   ({times[0]:.2f} / {times[1]:.2f})")


if __name__ == "__main__":
    loaded = Models.load()
    everyone = load(loaded)
    steps_table(loaded, everyone)
    resolution_table(loaded, everyone)

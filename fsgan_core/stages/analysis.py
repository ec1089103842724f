"""Analyses as files: what was measured in a clip, about 3 kB a frame and face, without pixels."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..faces import Analysis, FaceSequence, Floats, Track
from ..ops.landmarks import COUNT
from ..weights.checkpoint import load_weights, save_weights, understood

KIND = "analysis"
"""What the file's header says it is."""


def save_analysis(path: Path, analysis: Analysis) -> None:
    """Write an analysis as safetensors; landmarks are rounded to about a thousandth of the face's size.

    Args:
        path: file to write; an existing file is replaced in one step.
        analysis: what to write.
    """
    config = {
        "size": list(analysis.size),
        "rate": str(analysis.rate),
        "frame_count": analysis.frame_count,
        "cuts": list(analysis.cuts),
        "starts": [face.track.start for face in analysis.faces],
    }
    tensors: dict[str, torch.Tensor] = {}
    for number, face in enumerate(analysis.faces):
        origin, side = _frame(face.track.boxes)
        tensors[f"{number}.boxes"] = torch.from_numpy(face.track.boxes)
        tensors[f"{number}.landmarks"] = torch.from_numpy((face.landmarks - origin) / side).half()
        tensors[f"{number}.poses"] = torch.from_numpy(face.poses)
        tensors[f"{number}.scores"] = torch.from_numpy(face.scores)
    save_weights(path, tensors, KIND, config)


def load_analysis(path: Path) -> Analysis:
    """Read a file written by :func:`save_analysis`.

    Raises:
        WeightsError: the file is missing, damaged, or not an analysis.
    """
    tensors, config = load_weights(path, KIND)
    with understood(path, "is an incomplete analysis", "analyze the clip again"):
        faces = tuple(_face(tensors, number, start) for number, start in enumerate(config["starts"]))
        return Analysis(
            size=(int(config["size"][0]), int(config["size"][1])),
            rate=Fraction(config["rate"]),
            frame_count=int(config["frame_count"]),
            cuts=tuple(config["cuts"]),
            faces=faces,
        )


def _face(tensors: dict[str, Any], number: int, start: int) -> FaceSequence:
    boxes, landmarks, poses, scores = (
        tensors[f"{number}.{name}"].float().numpy() for name in ("boxes", "landmarks", "poses", "scores")
    )
    shapes, count = [part.shape for part in (boxes, landmarks, poses, scores)], len(boxes)
    expected = [(count, 4), (count, COUNT, 3), (count, 3), (count,)]
    if shapes != expected:
        raise ValueError(f"face {number} has arrays of {shapes}, expected {expected}")
    origin, side = _frame(boxes)
    return FaceSequence(Track(int(start), boxes), landmarks * side + origin, poses, scores)


def _frame(boxes: Floats) -> tuple[Floats, Floats]:
    """Centre ``(F, 1, 3)`` (at depth 0) and side ``(F, 1, 1)`` of boxes: the units of stored landmarks."""
    centre = np.zeros((len(boxes), 1, 3), np.float32)
    centre[:, 0, :2] = (boxes[:, :2] + boxes[:, 2:]) / 2
    side = np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-3).max(1)
    return centre, side[:, None, None]

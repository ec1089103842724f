"""Detectors of other libraries, for comparison and for those who have them."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from ..errors import WeightsError
from .detection import Detections, Detector, Frame, check_frames

if TYPE_CHECKING:
    import torch

SIDE = 640
"""Longer side in pixels to which frames are reduced for these detectors."""

_EXCESS = 0.08
"""Share of MediaPipe's square boxes that lies beyond the dense landmarks on either side (median of portraits)."""

Found = tuple[list[list[float]], list[float]]
_logger = logging.getLogger(__name__)


class ForeignDetector:
    """A function of another library on one frame; see :class:`~fsgan_core.stages.detection.Detector`."""

    def __init__(self, search: Callable[[Frame], Found]) -> None:
        self.search = search

    def __call__(self, frames: Sequence[Frame]) -> list[Detections]:
        """Detect faces in frames, one after the other."""
        check_frames(frames)
        return [self._one(frame) for frame in frames]

    def _one(self, frame: Frame) -> Detections:
        scale = min(1.0, SIDE / max(frame.shape[:2]))
        width, height = (max(1, round(side * scale)) for side in frame.shape[1::-1])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            boxes, scores = self.search(np.asarray(cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)))
        found = Detections.of(boxes, scores)
        step = np.array([frame.shape[1] / width, frame.shape[0] / height] * 2, np.float32)
        return Detections(found.boxes * step, found.scores)


def _imported(name: str, package: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return import_module(name)
    except ImportError as error:
        raise WeightsError(
            f"'{package}' is not installed ({error}); pip install {package}, or choose 'open'"
        ) from error


def load_face_alignment(device: torch.device | str = "cpu") -> Detector:
    """S3FD from the face-alignment library (Zhang et al., 2017); its weights are research data's.

    They are taken from torch's hub cache; if they are not there they are fetched, and a log message says from where.

    Raises:
        WeightsError: the library is missing or its weights cannot be had.
    """
    library = _imported("face_alignment.detection.sfd.sfd_detector", "face-alignment")
    hub = import_module("torch.hub")
    address = str(library.models_urls["s3fd"])
    path = Path(hub.get_dir()) / "checkpoints" / address.rsplit("/", 1)[-1]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if not path.is_file():
                _logger.warning("face-alignment's detector is fetched from %s to %s", address, path)
                path.parent.mkdir(parents=True, exist_ok=True)
                hub.download_url_to_file(address, str(path), path.stem.rsplit("-", 1)[-1], progress=False)
            network = library.SFDDetector(device=str(device), path_to_detector=str(path))
    except (OSError, EOFError, RuntimeError, UnpicklingError, ValueError) as error:
        reason = " ".join(str(error).split())[:160]
        raise WeightsError(
            f"face-alignment's detector cannot be loaded ({reason}); put {address} at {path}, or choose 'open'"
        ) from error

    def search(frame: Frame) -> Found:
        rows = network.detect_from_image(frame)
        return [[float(v) for v in row[:4]] for row in rows], [float(row[4]) for row in rows]

    return ForeignDetector(search)


def load_mediapipe(device: torch.device | str = "cpu") -> Detector:
    """BlazeFace from MediaPipe (Bazarevsky et al., 2019), full range model; always on the CPU.

    Raises:
        WeightsError: the library is missing.
    """
    library = _imported("mediapipe", "mediapipe")
    if not hasattr(library, "solutions"):
        raise WeightsError(
            f"mediapipe {library.__version__} has no 'solutions', expected 0.10.21; "
            "pip install mediapipe==0.10.21, or choose 'open'"
        )
    network = library.solutions.face_detection.FaceDetection(model_selection=1, min_detection_confidence=0.5)

    def search(frame: Frame) -> Found:
        height, width = frame.shape[:2]
        boxes, scores = [], []
        for found in network.process(frame).detections or ():
            box = found.location_data.relative_bounding_box
            left, right = box.xmin + _EXCESS * box.width, box.xmin + (1 - _EXCESS) * box.width
            boxes.append([left * width, box.ymin * height, right * width, (box.ymin + box.height) * height])
            scores.append(float(found.score[0]))
        return boxes, scores

    return ForeignDetector(search)

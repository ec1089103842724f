"""Landmarkers of other libraries, for comparison and for those who have them."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import WeightsError
from .landmark_crops import Floats as Matrix
from .landmark_crops import box_placement, cut, inverse, moved, shape_placement
from .landmarks import Floats, Frame, Landmarker, Landmarks, check_faces

if TYPE_CHECKING:
    import torch

MESH_SIDE = 320
"""Side in pixels of the crops that MediaPipe searches."""
MESH_LOOSER = 1.5
"""Side of those crops over that of the landmark network's: MediaPipe searches the face in them once more."""

Measure = Callable[[Frame, Floats, "Floats | None"], tuple[Floats, Floats]]
_logger = logging.getLogger(__name__)


class ForeignLandmarker:
    """A function of another library on one frame's faces; see :class:`~fsgan_core.stages.landmarks.Landmarker`."""

    _alone = Lock()  # such libraries are not made for several threads

    def __init__(self, measure: Measure) -> None:
        self.measure = measure

    def __call__(
        self, frames: Sequence[Frame], boxes: Sequence[Floats], previous: Sequence[Floats] | None = None
    ) -> list[Landmarks]:
        """Find the landmarks of every box's face, frame after frame."""
        check_faces(frames, boxes, previous)
        before: Sequence[Floats | None] = [None] * len(frames) if previous is None else previous
        with self._alone:
            return [self._one(*given) for given in zip(frames, boxes, before, strict=True)]

    def _one(self, frame: Frame, boxes: Floats, previous: Floats | None) -> Landmarks:
        if not len(boxes):
            return Landmarks(np.zeros((0, 478, 3), np.float32), np.zeros(0, np.float32))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            points, scores = self.measure(frame, boxes, previous)
        return Landmarks(points.astype(np.float32), scores.astype(np.float32).clip(0, 1))


def load_face_alignment(device: torch.device | str = "cpu", depth: bool = False) -> Landmarker:
    """FAN from the face-alignment library (Bulat and Tzimiropoulos, 2017); its weights are research data's.

    They are taken from torch's hub cache; if they are not there the library fetches them, and a log message says from
    where. The 68 points are made dense with the face model.

    Args:
        device: where the network runs.
        depth: three-dimensional points instead of those on the visible outline.

    Raises:
        WeightsError: the library is missing or its weights cannot be had.
    """
    library = _imported("face_alignment", "face-alignment")
    addresses = [library.api.models_urls[name] for name in (("3DFAN-4", "depth") if depth else ("2DFAN-4",))]
    folder = Path(import_module("torch.hub").get_dir()) / "checkpoints"
    for address in addresses:
        if not (folder / address.rsplit("/", 1)[-1]).is_file():
            _logger.warning("face-alignment's landmarks are fetched from %s to %s", address, folder)
    kind = library.LandmarksType.THREE_D if depth else library.LandmarksType.TWO_D
    try:
        # The detector "folder" needs no weights: boxes are given.
        network = library.FaceAlignment(
            kind, device=str(device), face_detector="folder", compile=False, max_batch_size=16
        )
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise WeightsError(
            f"face-alignment's landmarks cannot be loaded ({' '.join(str(error).split())}); "
            f"put {' and '.join(addresses)} into {folder}, or choose 'open'"
        ) from error
    return ForeignLandmarker(_fan(network))


def _fan(network: Any) -> Measure:
    import torch

    from ..ops.face_model import from_68
    from .pose import load_face_model

    model = load_face_model()

    def measure(frame: Frame, boxes: Floats, previous: Floats | None) -> tuple[Floats, Floats]:
        if previous is not None:
            boxes = np.concatenate([previous[..., :2].min(1), previous[..., :2].max(1)], 1)
        found, scores, _ = network.get_landmarks_from_image(frame, boxes.tolist(), return_landmark_score=True)
        sparse = torch.from_numpy(np.stack(found)).float()
        return from_68(model, sparse).numpy(), np.stack(scores).reshape(len(boxes), -1).mean(1)

    return measure


def load_mediapipe(device: torch.device | str = "cpu") -> Landmarker:
    """FaceMesh with irises from MediaPipe (Kartynnik et al., 2019); always on the CPU.

    Raises:
        WeightsError: the library is missing or too new.
    """
    library = _imported("mediapipe", "mediapipe==0.10.21")
    if not hasattr(library, "solutions"):
        raise WeightsError(
            f"mediapipe {library.__version__} has no 'solutions', expected 0.10.21; "
            "pip install mediapipe==0.10.21, or choose 'open'"
        )
    # The boxes say that there is a face: half of the library's usual confidence will do.
    network = library.solutions.face_mesh.FaceMesh(
        static_image_mode=True, refine_landmarks=True, max_num_faces=1, min_detection_confidence=0.25
    )
    return ForeignLandmarker(_mesh(network))


def _mesh(network: Any) -> Measure:
    def measure(frame: Frame, boxes: Floats, previous: Floats | None) -> tuple[Floats, Floats]:
        around = [box_placement(row, MESH_SIDE) for row in boxes]
        if previous is not None:
            around = [shape_placement(row, MESH_SIDE) for row in previous]
        faces = [_search(network, frame, _looser(matrix)) for matrix in around]
        scores = np.array([face is not None for face in faces], np.float32)
        # A face that is not found gets a flat stand-in of score 0.
        points = [
            moved(np.full((478, 3), (MESH_SIDE / 2, MESH_SIDE / 2, 0)), inverse(matrix)) if face is None else face
            for face, matrix in zip(faces, around, strict=True)
        ]
        return np.stack(points).astype(np.float32), scores

    return measure


def _looser(matrix: Matrix) -> Matrix:
    middle = MESH_SIDE / 2
    return (matrix - [[0, 0, middle], [0, 0, middle]]) / MESH_LOOSER + [[0, 0, middle], [0, 0, middle]]


def _search(network: Any, frame: Frame, matrix: Matrix) -> Matrix | None:
    found = network.process(cut(frame, matrix, MESH_SIDE)).multi_face_landmarks
    if not found:
        return None
    points = np.array([(point.x, point.y, point.z) for point in found[0].landmark]) * MESH_SIDE
    return moved(points, inverse(matrix))


def _imported(name: str, package: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return import_module(name)
    except ImportError as error:
        raise WeightsError(
            f"'{package}' is not installed ({error}); pip install {package}, or choose 'open'"
        ) from error

"""Inspecting results as they pass by: every face of every frame against the target it replaces and the source it shows.

The face is measured anew in the result and in the target, in the same way, in :mod:`.crops`. Memory does not grow but
for the numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec

import cv2
import numpy as np
import torch
from torch import Tensor

from ..faces import FaceSequence
from ..models import Models
from ..ops.face_model import poses
from ..ops.landmarks import to_ibug68
from ..pipeline import FaceRecord, Rendered
from ..rendering import one_thread
from ..streams import Frame
from . import metrics
from .crops import FACE, SIDE, Floats, Outline, box_of, changed, cut, image_of, in_crop, well_inside
from .identity import Embedder
from .motion import Motion
from .reference import Reference

BEFORE = 10
"""The target's own identity is looked at in every so many frames; it is one person's throughout."""


class Inspector:
    """Measures results.

    Attributes:
        described: descriptors of every face along the frames seen so far, by track.
        missing: what cannot be measured for want of a package, in words.

    Args:
        references: one for all faces, or one for each, as the sources of a swap.
        models: the stages (landmarks are used).
        embedder: describes identity; None leaves it out.
        before: the target's own identity is looked at in every so many frames.
    """

    def __init__(
        self, references: Sequence[Reference], models: Models, embedder: Embedder | None, before: int = BEFORE
    ) -> None:
        self.references, self.models, self.embedder, self.before = references, models, embedder, before
        self.described: dict[int, list[Tensor]] = {}
        self.missing = tuple(_missing(embedder))
        self._colors = not any("scikit-image" in words for words in self.missing)
        self._outline = Outline(models)
        self._motion: dict[int, Motion] = {}
        self._before: dict[int, tuple[int, float]] = {}
        self._index = -1

    @one_thread()
    @torch.inference_mode()
    def look(self, result: Rendered) -> list[dict[str, float | None]]:
        """Measure the next frame.

        Returns:
            measures by name (:data:`~.measures.MEASURES`) for each record, empty where nothing was drawn.
        """
        self._index += 1
        wanted = (*result.wanted, *[None] * len(result.records))
        return [
            {} if points is None else _rounded(self._face(result, record.track, points))
            for record, points in zip(result.records, wanted, strict=False)
        ]

    def descriptors_of(self, track: int) -> Tensor:
        """Descriptors ``(F, D)`` of a face along the frames seen so far."""
        return torch.stack(self.described[track]).float()

    def _face(self, result: Rendered, track: int, wanted: Floats) -> dict[str, float | None]:
        reference = self.references[track % len(self.references)]
        frames = [result.frame] if result.target is None else [result.frame, result.target]
        found = self._measured(frames, wanted)
        pose = poses(self.models.face_model, torch.from_numpy(wanted)[None].to(self.models.device))[0].cpu().numpy()
        size = float(np.ptp(wanted[:, :2], axis=0).max())
        box, crops = box_of(wanted), [cut(frame, box_of(wanted)) for frame in frames]
        images = [image_of(crop) for crop in crops]
        spots = torch.from_numpy(in_crop(wanted, box))[None]
        faces = [face * (SIDE / (box[2] - box[0])) for face in (*found, wanted)[:2]]
        return {
            **self._identity(frames, found, track, reference),
            **self._shape(found[0], found[1] if len(found) > 1 else wanted),
            **self._look(crops, images, self._outline(wanted), reference),
            **self._motion.setdefault(track, Motion()).measured(self._index, faces, images, spots),
            "pose_gap": reference.gap(pose),
            "face_size": size,
            "source_size": reference.size / max(size, 1.0),
        }

    def _measured(self, frames: Sequence[Frame], wanted: Floats) -> list[Floats]:
        """The face's landmarks in result and target, both found from the same start."""
        box = np.concatenate((wanted[:, :2].min(0), wanted[:, :2].max(0)))[None].astype(np.float32)
        found = self.models.landmarks(frames, [box] * len(frames), [wanted[None]] * len(frames))
        return [one.points[0] for one in found]

    def _identity(
        self, frames: Sequence[Frame], found: Sequence[Floats], track: int, reference: Reference
    ) -> dict[str, float | None]:
        if self.embedder is None or reference.descriptor is None:
            return {"identity": None, "identity_before": None}
        last, before = self._before.get(track, (-self.before, None))
        due = len(frames) > 1 and self._index - last >= self.before
        count = 2 if due else 1
        described = self.embedder(frames[:count], found[:count])
        distances = metrics.identity_distance(described, reference.descriptor).tolist()
        self.described.setdefault(track, []).append(described[0].half())
        if not due:
            return {"identity": distances[0], "identity_before": before}
        before = distances[1]
        self._before[track] = (self._index, before)
        apart = float(metrics.identity_distance(*described.split(1)))
        return {"identity": distances[0], "identity_before": before, "identity_target": apart}

    def _shape(self, result: Floats, target: Floats) -> dict[str, float | None]:
        """Pose and expression, in pixels of the crop."""
        model, scale = self.models.face_model, FACE / max(float(np.ptp(target[:, :2], axis=0).max()), 1.0)
        both = torch.from_numpy(np.stack((result, target))).to(self.models.device) * scale
        one, other = both[:1], both[1:]
        angles = poses(model, both)
        straight, wanted = (metrics.without_pose(model, face, other) for face in (one, other))
        pairs = {
            "pose_error": metrics.pose_error(angles[:1], angles[1:]),
            "landmarks": metrics.landmark_norm(one, other),
            "landmark_error": metrics.landmark_error(one, other),
            "landmark_error_68": metrics.landmark_error(to_ibug68(one), to_ibug68(other)),
            "expression": metrics.landmark_error(straight, wanted),
            "expression_68": metrics.landmark_error(to_ibug68(straight), to_ibug68(wanted)),
            "mouth": metrics.openness_error(one, other, "mouth"),
            "eyes": metrics.openness_error(one, other, "eyes"),
        }
        return {name: float(value) for name, value in pairs.items()}

    def _look(
        self, crops: Sequence[Frame], images: Sequence[Tensor], outline: Tensor, reference: Reference
    ) -> dict[str, float | None]:
        """Pixels: against the target's, where there are, and the source's sharpness."""
        inside = well_inside(outline)
        sharp = float(metrics.sharpness(images[0], inside))
        row: dict[str, float | None] = {"sharpness_source": sharp / max(reference.sharpness, 1e-6)}
        if len(crops) == 1:
            return row
        image, target = images
        row["psnr"] = float(metrics.psnr(image, target, inside))
        row["sharpness"] = sharp / max(float(metrics.sharpness(target, inside)), 1e-6)
        if not self._colors:
            return row
        border = changed(*crops)
        border = outline if border is None else border
        return row | {
            "ssim": float(metrics.ssim(image, target, inside)),
            "seam": float(metrics.seam(image, target, border)),
            "border_color": float(metrics.border_color(image, target, border)),
        }


def beside(results: Iterable[Frame], target: Iterable[Frame], faces: Sequence[FaceSequence]) -> Iterator[Rendered]:
    """Frames that exist already, whoever made them, beside their target, as if they were drawn here.

    Args:
        results: frame by frame as the target; of another size they are resized.
        target: the clip before.
        faces: the faces replaced, as measured in the target.
    """
    for index, (frame, before) in enumerate(zip(results, target, strict=False)):
        rows = (face.row(index) for face in faces)
        wanted = tuple(None if row is None else face.landmarks[row] for face, row in zip(faces, rows, strict=True))
        records = tuple(
            FaceRecord(track, "no_face", reason="the target shows no face here")
            if one is None
            else FaceRecord(track, "swapped", box_of(one))
            for track, one in enumerate(wanted)
        )
        size = (before.shape[1], before.shape[0])
        result = frame if frame.shape == before.shape else cv2.resize(frame, size).astype(np.uint8)
        yield Rendered(result, records, before, wanted)


def _missing(embedder: Embedder | None) -> Iterator[str]:
    """What cannot be measured here, in words."""
    if embedder is None:
        yield "identity: it needs dlib's weights; run: pip install face_recognition_models"
    if find_spec("skimage") is None:
        yield "SSIM, seam, border color: they need scikit-image; run: pip install scikit-image"


def _rounded(row: dict[str, float | None]) -> dict[str, float | None]:
    return {name: None if value is None else round(value, 4) for name, value in row.items()}

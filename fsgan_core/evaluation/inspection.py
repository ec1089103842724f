"""Inspecting results as they pass by: every face of every frame against the target it replaces and the source it shows.

The face is measured anew in the result and in the target, in the same way. What is looked at are crops of 256 px in
which the longer side of the face takes 160, whatever its size in the frame. Memory does not grow but for the numbers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..faces import FaceSequence
from ..models import Models
from ..ops.face_model import poses
from ..ops.flow import resize
from ..ops.landmarks import to_ibug68
from ..pipeline import FaceRecord, Rendered
from ..rendering import one_thread
from ..stages.appearance_map import AppearanceMap
from ..stages.cropping import Box, square_box
from ..stages.segmentation import MeshSegmenter
from ..streams import Frame
from . import metrics
from .identity import Embedder

Floats = NDArray[np.float32]
SIDE, MARGIN = 256, 1.6
"""Side of the crops measured, in pixels, and over the longer side of the face."""
_FACE = SIDE / MARGIN
BEFORE = 10
"""The target's own identity is looked at in every so many frames; it is one person's throughout."""


@dataclass(frozen=True)
class Reference:
    """The source's face, as results are compared with it.

    Attributes:
        poses: ``(K, 3)`` yaw, pitch, roll in degrees of its views.
        size: longer side of the face in pixels, in its largest view.
        sharpness: of its views' crops.
        descriptor: ``(D,)``, None without an embedder.
    """

    poses: Floats
    size: float
    sharpness: float
    descriptor: Tensor | None

    @staticmethod
    def of(source: AppearanceMap, models: Models, embedder: Embedder | None, looked_at: int = 3) -> Reference:
        """Measure a source.

        Args:
            source: its views.
            models: for the face model.
            embedder: describes identity; None leaves it out.
            looked_at: the most frontal views so many are described.
        """
        turned = np.hypot(source.poses[:, 0], source.poses[:, 1])
        chosen = np.argsort(turned, kind="stable")[:looked_at].tolist()
        faces = [(source.views[n], source.landmarks[n]) for n in chosen]
        outline = Outline(models)
        sharp = [
            float(metrics.sharpness(image_of(cut(view, box_of(face))), well_inside(outline(face))))
            for view, face in faces
        ]
        found = embedder([view for view, _ in faces], [face for _, face in faces]).mean(0) if embedder else None
        sizes = np.ptp(source.landmarks[..., :2], axis=1).max(1)
        return Reference(source.poses, float(sizes.max()), float(np.median(sharp)), found)

    def gap(self, pose: Floats) -> float:
        """Yaw and pitch from a pose ``(3,)`` to the nearest view, in degrees, as one angle."""
        return float(np.hypot(*(self.poses - pose)[:, :2].T).min())


class Outline:
    """The face in its own crop, by its mesh."""

    def __init__(self, models: Models) -> None:
        self._segment = MeshSegmenter(models.face_model)
        self._device = models.device

    def __call__(self, landmarks: Floats) -> Tensor:
        """``(1, 1, 256, 256)``, 1 on the face of landmarks ``(478, 3)``; drawn coarsely, its edge is a pixel soft."""
        points = torch.from_numpy(in_crop(landmarks, box_of(landmarks)) / 2)[None].to(self._device)
        return resize(self._segment(points.new_zeros(1, 3, SIDE // 2, SIDE // 2), points), SIDE, SIDE).cpu()


def well_inside(mask: Tensor, reach: int = 4) -> Tensor:
    """A mask ``(1, 1, H, W)`` less so many pixels along its edge, as 0 or 1."""
    kernel = np.ones((2 * reach + 1,) * 2, np.uint8)
    shrunk = cv2.erode((mask[0, 0].numpy() > 0.5).astype(np.uint8), kernel)
    return torch.from_numpy(np.asarray(shrunk, np.float32))[None, None]


@dataclass
class _Past:
    """The last three frames of a track: index, landmarks and colours of result and target."""

    index: deque[int]
    points: tuple[deque[Tensor], deque[Tensor]]
    colors: tuple[deque[Tensor], deque[Tensor]]

    @staticmethod
    def new() -> _Past:
        def three() -> deque[Tensor]:
            return deque(maxlen=3)

        return _Past(deque(maxlen=3), (three(), three()), (three(), three()))


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
        self._past: dict[int, _Past] = {}
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
        return {
            **self._identity(frames, found, track, reference),
            **self._shape(found[0], found[1] if len(found) > 1 else wanted),
            **self._look(crops, images, self._outline(wanted), reference),
            **self._motion([face * (SIDE / (box[2] - box[0])) for face in (*found, wanted)[:2]], images, spots, track),
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
        model, scale = self.models.face_model, _FACE / max(float(np.ptp(target[:, :2], axis=0).max()), 1.0)
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

    def _motion(
        self, faces: Sequence[Floats], images: Sequence[Tensor], spots: Tensor, track: int
    ) -> dict[str, float | None]:
        """Shaking and flicker over this frame and the two before it."""
        past = self._past.setdefault(track, _Past.new())
        if past.index and past.index[-1] != self._index - 1:
            past = self._past[track] = _Past.new()
        past.index.append(self._index)
        for kept, face in zip(past.points, faces, strict=True):
            kept.append(torch.from_numpy(face[:, :2]))
        for kept, image in zip(past.colors, images, strict=False):
            kept.append(metrics.face_colors(image, spots)[0])
        row: dict[str, float | None] = {}
        if len(past.index) == 3:
            for name, points, colors in zip(("", "_target"), past.points, past.colors, strict=True):
                row[f"jitter{name}"] = float(metrics.jitter(torch.stack(tuple(points))))
                if colors:
                    row[f"flicker{name}"] = float(metrics.flicker(torch.stack(tuple(colors))))
        return row


def beside(results: Iterable[Frame], target: Iterable[Frame], faces: Sequence[FaceSequence]) -> Iterator[Rendered]:
    """Frames that exist already, whoever made them, beside their target, as if they were drawn here.

    Args:
        results: frame by frame as the target; of another size they are resized.
        target: the clip before.
        faces: the faces replaced, as measured in the target.
    """
    for index, (frame, before) in enumerate(zip(results, target, strict=False)):
        rows = [index - face.track.start for face in faces]
        wanted = tuple(
            face.landmarks[row] if 0 <= row < len(face) and face.scores[row] > 0 else None
            for face, row in zip(faces, rows, strict=True)
        )
        records = tuple(
            FaceRecord(track, "no_face", reason="the target shows no face here")
            if one is None
            else FaceRecord(track, "swapped", box_of(one))
            for track, one in enumerate(wanted)
        )
        size = (before.shape[1], before.shape[0])
        result = frame if frame.shape == before.shape else cv2.resize(frame, size).astype(np.uint8)
        yield Rendered(result, records, before, wanted)


def single_view(frame: Frame, landmarks: Floats, models: Models) -> AppearanceMap:
    """The appearance map of a source of one picture: the whole frame, with landmarks ``(478, 3)``."""
    pose = poses(models.face_model, torch.from_numpy(landmarks)[None].to(models.device)).cpu().numpy()
    box = np.array([[0, 0, frame.shape[1], frame.shape[0]]], np.float32)
    return AppearanceMap((frame,), pose.astype(np.float32), landmarks[None], box)


def box_of(landmarks: Floats) -> Box:
    """The square that is looked at around landmarks ``(478, 2 or 3)``."""
    return square_box(landmarks, MARGIN)


def in_crop(landmarks: Floats, box: Box) -> Floats:
    """Landmarks ``(478, 3)`` of a frame in pixels of its crop of 256."""
    moved = (landmarks - np.array((box[0], box[1], 0), np.float32)) * (SIDE / (box[2] - box[0]))
    return moved.astype(np.float32)


def cut(frame: Frame, box: Box) -> Frame:
    """The crop ``(256, 256, 3)`` of a box; beyond the frame its edge is repeated."""
    left, top, right, bottom = box
    y, x = np.arange(top, bottom).clip(0, frame.shape[0] - 1), np.arange(left, right).clip(0, frame.shape[1] - 1)
    part = np.ascontiguousarray(frame[y[0] : y[-1] + 1, x[0] : x[-1] + 1])
    above, below, before, after = (int((line == end).sum()) - 1 for line in (y, x) for end in (line[0], line[-1]))
    if max(above, below, before, after) > 0:
        part = cv2.copyMakeBorder(part, above, below, before, after, cv2.BORDER_REPLICATE).astype(np.uint8)
    way = cv2.INTER_AREA if right - left > SIDE else cv2.INTER_CUBIC
    return cv2.resize(part, (SIDE, SIDE), interpolation=way).astype(np.uint8)


def image_of(crop: Frame) -> Tensor:
    """A crop as an image ``(1, 3, 256, 256)``."""
    return torch.from_numpy(crop).permute(2, 0, 1)[None].float() / 255


def changed(result: Frame, target: Frame) -> Tensor | None:
    """Where a swap changed its target's crop, ``(1, 1, 256, 256)``; None where all changed, as by encoding anew."""
    differs = (result != target).any(-1)
    edge = np.concatenate((differs[0], differs[-1], differs[:, 0], differs[:, -1]))
    if edge.mean() > 0.2 or not differs.any():
        return None
    outlines, _ = cv2.findContours(differs.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    largest = max(outlines, key=cv2.contourArea)
    mask = cv2.drawContours(np.zeros(differs.shape, np.uint8), [largest], -1, 1, cv2.FILLED)
    return torch.from_numpy(np.asarray(mask, np.float32))[None, None]


def _missing(embedder: Embedder | None) -> Iterator[str]:
    """What cannot be measured here, in words."""
    if embedder is None:
        yield "identity: it needs dlib's weights; run: pip install face_recognition_models"
    if find_spec("skimage") is None:
        yield "SSIM, seam, border color: they need scikit-image; run: pip install scikit-image"


def _rounded(row: dict[str, float | None]) -> dict[str, float | None]:
    return {name: None if value is None else round(value, 4) for name, value in row.items()}

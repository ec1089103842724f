"""Faces changed where they are, by controls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch

from ..faces import FaceSequence
from ..heads import HEAD, head_of, moved_head
from ..models import Models
from ..ops.controls import Controls, controlled
from ..ops.face_model import poses
from ..rendering import at_once, largest, rendered, span
from ..stages.compositing import composite
from ..streams import Clip, Frame
from ..swapping import seen
from .results import FaceRecord, Rendered, angles


def edit(clip: Clip, faces: Sequence[FaceSequence], controls: Controls, models: Models) -> Iterator[Rendered]:
    """Change the pose and expression of faces where they are; hair and surroundings move along, the rest stays.

    Args:
        clip: a still or a video; every frame is its own source.
        faces: the faces to change, as :func:`analyze` measured them in this clip.
        controls: what is added to each of these faces in each frame.
        models: the stages; the reenactment has to keep the surroundings, as the flow engine does.

    Yields:
        one result a frame, in order. Frames without a chosen face are the clip's own, and so are all where the
        controls ask for nothing.
    """
    wanted = [_controlled(face, controls, models) for face in faces]

    def draw(item: tuple[int, Frame]) -> Rendered:
        index, shown = item
        records: list[FaceRecord] = []
        frame = shown
        for track, (face, moved) in enumerate(zip(faces, wanted, strict=True)):
            row = face.row(index)
            if row is None:
                records.append(FaceRecord(track, "no_face", reason=face.absence(index)))
            elif controls.neutral:
                records.append(FaceRecord(track, "kept", pose=angles(face.poses[row])))
            else:
                drawn, patch = moved_head(head_of(frame, face.landmarks[row], models), moved.landmarks[row], models)
                # The next face is changed in what this one leaves, since the surroundings of the two may overlap.
                frame = composite(frame, [patch])
                pose = angles(moved.poses[row])
                records.append(FaceRecord(track, "edited", patch.box, pose, drawn.steps, seen(drawn)))
        return Rendered(frame, tuple(records), shown)

    yield from rendered(draw, enumerate(clip), at_once(models, span(faces), HEAD * largest(faces)))


def _controlled(face: FaceSequence, controls: Controls, models: Models) -> FaceSequence:
    """A face as the controls want it in every frame."""
    landmarks = torch.from_numpy(face.landmarks).to(models.device)
    moved = controlled(models.face_model, landmarks, controls)
    pose = poses(models.face_model, moved)
    return replace(face, landmarks=moved.cpu().numpy(), poses=pose.cpu().numpy())

"""Faces drawn onto photos by the flow engine, without its networks: what the alignment network learns from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from ..networks.flow_net import WINDOW
from ..ops.face_model import FaceModel
from ..ops.mesh import vertex_normals
from ..ops.pooling import halved
from ..stages.landmarks import Landmarker
from ..stages.reenactment import FlowOptions, FlowReenactor
from ..stages.views import prepare
from .labelled import Face
from .reenactment_pairs import Subject, measured, moved, relit, subject, window_of

Image = NDArray[np.uint8]
KINDS = ("exact", "measured", "other")
SHARES = (0.57, 0.35, 0.08)
"""How often each kind is drawn."""


@dataclass(frozen=True)
class Drawing:
    """A face drawn onto a photo, in the window of the refinement network.

    Attributes:
        kind: ``"exact"``: the photo's own person, moved and brought back by the landmarks it was moved with;
            ``"measured"``: by measured landmarks; ``"other"``: somebody else.
        target: ``(WINDOW, WINDOW)`` brightness of the photo.
        drawn: ``(WINDOW, WINDOW)`` of the drawing.
        cover: ``(WINDOW / 2, WINDOW / 2)`` where the drawing is a face.
        trust: ``(WINDOW / 2, WINDOW / 2)`` how well the drawing's source shows that.
    """

    kind: str
    target: Image
    drawn: Image
    cover: Image
    trust: Image


def drawings(faces: Sequence[Face], tools: tuple[FaceModel, Landmarker], seed: int) -> Iterator[Drawing]:
    """Endless drawings, about a tenth of a second each.

    Args:
        faces: the portraits, those to be seen more often several times.
        tools: face model and landmarker.
        seed: of everything random.
    """
    rng, (model, landmarker) = np.random.default_rng(seed), tools
    draw = FlowReenactor(model, FlowOptions(refine=False))
    known: Callable[[int], Subject] = cache(lambda number: subject(faces[number], model, landmarker))
    while True:
        kind = str(rng.choice(KINDS, p=SHARES))
        yield drawing(kind, known(int(rng.integers(len(faces)))), faces, (draw, landmarker), rng)


def drawing(
    kind: str, who: Subject, faces: Sequence[Face], tools: tuple[FlowReenactor, Landmarker], rng: Generator
) -> Drawing:
    """One drawing onto the photo of a person; with ``"other"`` the face of a random one of ``faces``."""
    draw, landmarker = tools
    source = faces[int(rng.integers(len(faces)))] if kind == "other" else seen_otherwise(who, draw.model, rng)
    places, aim = source.landmarks, who.face.landmarks
    if kind == "measured":
        places, aim = measured(source, landmarker), who.measured
    photo, wanted = window_of(who.face.image, aim, rng)
    drawn = draw([prepare(source.image, torch.from_numpy(places), draw.model)], [1.0], wanted, WINDOW)
    target = photo.mean(0).round().astype(np.uint8)
    maps = (_bytes(halved(field)) for field in (drawn.mask, drawn.confidence))
    return Drawing(kind, target, _bytes(drawn.image.mean(1, keepdim=True)), *maps)


def seen_otherwise(who: Subject, model: FaceModel, rng: Generator) -> Face:
    """A person in another pose and expression, half of the time in another light that does not turn with the head."""
    cast = torch.from_numpy(rng.normal(0, 0.15, 3) * (rng.random() < 0.5)).float()
    source, before, after = moved(who, model, rng)
    turned = [vertex_normals(at.shape, model.triangles) @ at.rotation.mT for at in (before, after)]
    change = ((turned[1] - turned[0]) @ (cast + who.light))[..., None]
    return replace(source, image=relit(source.image, after, change, model))


def _bytes(field: Tensor) -> Image:
    """A field ``(1, 1, H, W)`` in [0, 1] as bytes ``(H, W)``."""
    return np.asarray((field[0, 0].clamp(0, 1) * 255).round().byte().cpu().numpy())

"""Pairs of pictures of one person with exact labels: photos and drawings in any order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from ..ops.face_model import FaceModel
from ..ops.flow import sample
from ..ops.geometry import euler_angles, rotation_matrix
from ..stages.pose import load_face_model
from . import augment
from .crop_occluders import Props, occlude, read_props
from .face_labels import REST
from .head_fit import expressed, posed
from .heads import Heads, read_heads
from .loop import Batch
from .renderer import Drawing, Surface, View, correspond, draw, photograph
from .rig import Rig, landmarks
from .rig_building import read_rig
from .turned import expression

WIDEST = 62.0
"""Largest yaw drawn, in degrees; beyond, hardly any photo shows the skin that would be needed."""

ASIDE = 25.0
"""Yaw in degrees from which a photo is a half profile."""


@dataclass(frozen=True, kw_only=True)
class PairOptions:
    """What pairs are like."""

    size: int = 128
    """side of the pictures in pixels"""
    margins: tuple[float, float] = (1.5, 2.0)
    """side of a picture over the longer side of its face, from and to"""
    chances: tuple[float, float, float, float] = (0.25, 0.4, 0.15, 0.2)
    """of photo -> drawing, drawing -> photo, drawing -> drawing, photo -> photo (source -> target)"""
    yaw: float = 45.0
    """largest change of yaw in degrees; pitch changes by less than half of it"""
    relit: float = 0.4
    """share of the drawings in another light"""
    toned: float = 0.3
    """share of the pairs whose colours are changed, both pictures alike"""
    camera: float = 0.4
    """share of the sources that are blurred, noisy or compressed"""
    covered: float = 0.0
    """share of the pairs with something in front of the face, in source and target independently"""


@dataclass(frozen=True)
class Engine:
    """All that pairs are made from.

    Attributes:
        rig: the head.
        model: the bundled face model.
        heads: portraits.
        props: pictures for occluders.
    """

    rig: Rig
    model: FaceModel
    heads: Heads
    props: Props

    def to(self, device: torch.device | str) -> Engine:
        """The same on another device: pairs are then drawn there."""
        return Engine(self.rig.to(device), self.model.to(device), self.heads.to(device), self.props)


def read_engine(data: Path, split: str = "train", cache: Path | None = None) -> Engine:
    """Read training material; the first time each portrait is fitted, about half a second each.

    Args:
        data: folder with ``ict/``, ``faces_ai/``, ``faces_faker/``, ``occluders/`` and ``backgrounds/``.
        split: ``"train"``, ``"val"`` or ``"test"``.
        cache: where the fitted heads are kept, see :func:`heads.read_heads`.
    """
    model = load_face_model()
    rig = read_rig(data / "ict" / "ict_facekit_light_f16.npz", model)
    return Engine(rig, model, read_heads(data, split, rig, model, cache), read_props(data))


@torch.no_grad()
def pairs(engine: Engine, count: int, rng: Generator, options: PairOptions | None = None) -> Batch:
    """Make a batch.

    Args:
        engine: what to make it from.
        count: number B of pairs.
        rng: decides everything.
        options: what pairs are like.

    Returns:
        on the engine's device:

        - ``source``, ``target``: ``(B, 3, S, S)`` in [0, 1], nothing in front of the face;
        - ``source_covered``, ``target_covered``: the same with things in front where chosen;
        - ``source_landmarks``, ``target_landmarks``: ``(B, 478, 3)`` pixels;
        - ``source_labels``, ``target_labels``: ``(B, 1, S, S)`` uint8 rest, face, hair, unknown of the covered
          pictures, see :mod:`face_labels`;
        - ``source_cover``, ``target_cover``: ``(B, 1, S, S)`` opacity of the things;
        - ``flow``: ``(B, 2, S, S)`` where each pixel of the target's skin lies in the source, in pixels;
        - ``visible``: ``(B, 1, S, S)`` 1 where it is seen there, uncovered;
        - ``depth``: ``(B, 1, S, S)`` of the target's skin in pixels, growing away from the camera, 0 beside it;
        - ``trust``: ``(B, 1, S, S)`` 1 where the target is real, towards 0 where its colours are made up;
        - ``kind``: ``(B,)`` the number of the kind of pair, as in :attr:`PairOptions.chances`;
        - ``person``: ``(B,)`` which head.
    """
    chosen = options or PairOptions()
    device = engine.heads.photo.device
    person = torch.from_numpy(rng.integers(len(engine.heads), size=count)).to(device)
    kind = torch.from_numpy(rng.choice(4, size=count, p=chosen.chances)).to(device)
    heads = engine.heads[person]
    source = _side(engine, heads, (kind == 1) | (kind == 2), rng, chosen)
    target = _side(engine, heads, (kind == 0) | (kind == 2), rng, chosen)
    flow, visible = correspond(engine.rig, target.surface, source.surface)
    batch = {
        "source": source.image,
        "target": target.image,
        "source_landmarks": source.surface.landmarks,
        "target_landmarks": target.surface.landmarks,
        "source_labels": source.labels,
        "target_labels": target.labels,
        "flow": flow,
        "visible": visible.float(),
        "depth": target.surface.depth.where(target.surface.number[:, None] >= 0, 0),
        "trust": target.seen,
        "kind": kind,
        "person": person,
    }
    return _photographed(engine, batch, rng, chosen)


def _side(engine: Engine, heads: Heads, made: Tensor, rng: Generator, options: PairOptions) -> Drawing:
    """One picture of each head: drawn where ``made`` ``(B,)``, else cut from its photo."""
    parts, order = [], []
    for rows in (made.nonzero()[:, 0], (~made).nonzero()[:, 0]):
        if len(rows):
            some = heads[rows]
            if made[rows[0]]:
                view = _random_view(engine, some, rng, options)
                parts.append(draw(engine.rig, engine.model, some, view, options.size))
            else:
                origin, zoom = _framed(some.points, rng, options)
                parts.append(photograph(engine.rig, some, origin, zoom, options.size))
            order.append(rows)
    back = torch.cat(order).argsort()
    return _joined(parts, back)


def _random_view(engine: Engine, heads: Heads, rng: Generator, options: PairOptions) -> View:
    """Another pose, expression and framing, sometimes another light."""
    rig, device = engine.rig, heads.scale.device
    count = len(heads.scale)
    change = torch.stack([expression(engine.model, rng) for _ in range(count)]).to(device)
    keep = _uniform(rng, (count, 1), 0, 1.5, device).clamp_max(1)
    shape = expressed(rig, heads.neutral.float(), heads.gain, (keep * heads.expression + change).clamp(0, 1))
    turn = _uniform(rng, (count, 3), -1, 1, device) * heads.scale.new_tensor((options.yaw, 0.45 * options.yaw, 8))
    own = euler_angles(heads.rotation)
    pose = (own + turn).clamp(own.new_tensor((-WIDEST, -40, -60)), own.new_tensor((WIDEST, 40, 60)))
    # A half profile stays one: the photo has no picture of its other side.
    side, yaw = own[:, 0].sign(), own[:, 0].abs()
    pose[:, 0] = torch.where(yaw > ASIDE, side * (side * pose[:, 0]).maximum(0.4 * yaw), pose[:, 0])
    rotation = rotation_matrix(pose)
    seen = posed(landmarks(rig, shape), heads.scale, rotation, heads.translation)
    light = _random_light(engine.heads.light, heads.light, rng, options.relit)
    return View(shape, heads.scale, rotation, heads.translation, *_framed(seen, rng, options), light)


def _random_light(pool: Tensor, own: Tensor, rng: Generator, share: float) -> Tensor | None:
    """Lights ``(B, 9, 3)``: of other portraits, brighter or darker, in a share of the cases; else their own."""
    count = len(own)
    other = pool[torch.from_numpy(rng.integers(len(pool), size=count)).to(own.device)]
    other = other * _uniform(rng, (count, 1, 1), 0.6, 1.3, own.device)
    chosen = torch.from_numpy(rng.random(count) < share).to(own.device)
    return torch.where(chosen[:, None, None], other, own) if bool(chosen.any()) else None


def _framed(points: Tensor, rng: Generator, options: PairOptions) -> tuple[Tensor, Tensor]:
    """A square around faces ``(B, 478, 3)``: its corner ``(B, 2)`` in their pixels and its zoom ``(B,)``."""
    low, high = points[..., :2].amin(1), points[..., :2].amax(1)
    extent = (high - low).amax(1)
    side = extent * _uniform(rng, (len(points),), *options.margins, points.device)
    centre = (low + high) / 2 + _uniform(rng, (len(points), 2), -0.06, 0.06, points.device) * extent[:, None]
    return centre - side[:, None] / 2, options.size / side


def _photographed(engine: Engine, batch: Batch, rng: Generator, options: PairOptions) -> Batch:
    """Mirrored, in other colours, with things in front, and the source as a camera would keep it."""
    count = len(batch["kind"])
    if rng.random() < 0.5:
        batch = _mirrored(batch, engine.model.mirror)
    for row in np.flatnonzero(rng.random(count) < options.toned):
        seed = int(rng.integers(1 << 30))
        for name in ("source", "target"):
            batch[name][row] = _changed(batch[name][row], augment.color, seed)
    for side in ("source", "target"):
        covered, cover = occlude(batch[side], batch[f"{side}_landmarks"], rng, engine.props, options.covered)
        batch |= {f"{side}_covered": covered, f"{side}_cover": cover}
        batch[f"{side}_labels"] = torch.where(cover > 0.5, REST, batch[f"{side}_labels"])
    hidden = sample(batch["source_cover"], batch["flow"]) > 0.5
    batch["visible"] = batch["visible"] * ~hidden
    for row in np.flatnonzero(rng.random(count) < options.camera):
        seed = int(rng.integers(1 << 30))
        for name in ("source", "source_covered"):
            batch[name][row] = _changed(batch[name][row], _camera, seed)
    return batch


def _camera(image: augment.Image, rng: Generator) -> augment.Image:
    steps = [(0.5, augment.soften), (0.5, augment.noise), (0.5, augment.compress)]
    for chance, step in steps:
        image = step(image, rng) if rng.random() < chance else image
    return image


def _mirrored(batch: Batch, mirror: Tensor) -> Batch:
    """Both pictures seen in a mirror."""
    size = batch["source"].shape[-1]
    turned = {name: value.flip(3) if value.ndim == 4 else value for name, value in batch.items()}
    turned["flow"] = torch.cat((size - turned["flow"][:, :1], turned["flow"][:, 1:]), 1)
    for name in ("source_landmarks", "target_landmarks"):
        points = batch[name][:, mirror]
        turned[name] = torch.cat((size - points[..., :1], points[..., 1:]), 2)
    return turned


def _changed(picture: Tensor, change: Callable[[augment.Image, Generator], augment.Image], seed: int) -> Tensor:
    """A picture ``(3, S, S)`` changed as bytes; the same seed changes alike."""
    image = (picture * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().cpu().numpy()
    changed = np.ascontiguousarray(change(image, np.random.default_rng(seed)))
    return torch.from_numpy(changed).permute(2, 0, 1).to(picture) / 255


def _uniform(rng: Generator, shape: tuple[int, ...], low: float, high: float, device: torch.device) -> Tensor:
    return torch.from_numpy(rng.uniform(low, high, shape).astype(np.float32)).to(device)


_Part = TypeVar("_Part", Drawing, Surface)


def _joined(parts: list[_Part], order: Tensor) -> _Part:
    """Parts of a batch put together and in order."""
    values: dict[str, Any] = {}
    for field in fields(parts[0]):
        column = [getattr(part, field.name) for part in parts]
        values[field.name] = _joined(column, order) if field.name == "surface" else torch.cat(column)[order]
    return type(parts[0])(**values)

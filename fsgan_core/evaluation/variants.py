"""Variants: named ways to draw faces, which every protocol runs side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import compress, islice
from typing import Any

import numpy as np
import torch

from ..faces import FaceSequence
from ..models import Backends, Models
from ..options import build, describe
from ..pipeline import FaceRecord, ReenactOptions, Rendered, angles, reenact_crops, swap
from ..stages.appearance_map import AppearanceMap
from ..stages.blending import BlendOptions
from ..stages.cropping import Box, in_crop, square_box
from ..stages.reenactment import FlowOptions
from ..streams import Clip
from ..swapping import SwapOptions
from .classic import classic_swap, warp
from .crops import MARGIN, SIDE

KINDS: tuple[type, ...] = (Backends, FlowOptions, BlendOptions, SwapOptions)
"""Options that a variant may set, by the names of their fields."""
PRESETS = {
    "default": "",
    "unaligned": "align=no",
    "geometry": "refine=no",
    "single-frame": "refine=no,steady=no",
    "classic": "classic=yes",
}
"""Variants by name: the defaults; crops not laid onto the target's edges; also without the flow engine's network; also
with the landmarks of each frame by itself; a mesh warp with seamless cloning."""


@dataclass(frozen=True)
class Variant:
    """One way to draw faces.

    Attributes:
        name: heading in tables.
        models: the stages.
        options: of a swap.
        classic: draw with :mod:`.classic` instead of the stages.
        align: shift reenacted crops onto the target's edges.
        steady: take landmarks held together along the clip; else those of each frame by itself.
        words: the options it was made from.
    """

    name: str
    models: Models
    options: SwapOptions = field(default_factory=SwapOptions)
    classic: bool = False
    align: bool = True
    steady: bool = True
    words: str = ""

    def swapped(self, target: Clip, faces: Sequence[FaceSequence], source: AppearanceMap) -> Iterator[Rendered]:
        """Swap as :func:`fsgan_core.pipeline.swap` does."""
        if not self.classic:
            return swap(target, faces, [source], self.models, self.options)
        return _classic(target, faces[0], source, self.models)

    def reenacted(self, face: FaceSequence, source: AppearanceMap, clip: Clip) -> Iterator[tuple[Rendered, Box]]:
        """Draw the source in the geometry of every seen frame of a face, from source pixels alone.

        Args:
            face: the motion.
            source: whose pixels.
            clip: in which the face was measured.

        Yields:
            a crop of 256 px and where it lies in the frame.
        """
        shown = only(face, np.flatnonzero(face.scores > 0).tolist())
        if self.classic:
            yield from (
                _warped(points, pose, source, self.models)
                for points, pose in zip(shown.landmarks, shown.poses, strict=True)
            )
            return
        frames = compress(islice(clip, face.track.start, None), face.scores > 0)
        options = ReenactOptions(size=SIDE, margin=MARGIN, align=self.align)
        for result in reenact_crops(source, shown, self.models, options, frames, whole=True):
            box = result.records[0].crop
            if box is not None:
                yield result, box


def only(face: FaceSequence, rows: Sequence[int]) -> FaceSequence:
    """Some rows of a sequence, as if they followed each other."""
    kept = list(rows)
    track = replace(face.track, boxes=face.track.boxes[kept])
    return replace(face, track=track, landmarks=face.landmarks[kept], poses=face.poses[kept], scores=face.scores[kept])


def variant(words: str, device: str | torch.device = "cpu") -> Variant:
    """Read a variant: a name of :data:`PRESETS`, or ``name:option=value,option=value``.

    Args:
        words: such as ``"soft:blending=feather,steps=4"``; options are the fields of :data:`KINDS`, and ``classic``,
            ``align`` and ``steady`` of :class:`Variant`.
        device: where to compute.

    Raises:
        ValueError: an unknown name, option or value.
        WeightsError: weights that it names are missing.
    """
    name, colon, text = words.partition(":")
    if not colon and name not in PRESETS:
        raise ValueError(f"no variant '{name}'; take one of {', '.join(PRESETS)}, or write name:option=value,...")
    settings = text if colon else PRESETS[name]
    given = dict(_pair(part) for part in settings.split(",") if part)
    own = {
        item: _yes(given.pop(item, usual)) for item, usual in (("classic", "no"), ("align", "yes"), ("steady", "yes"))
    }
    backends, flow, blend, options = (_built(kind, given) for kind in KINDS)
    if given:
        known = ", ".join(option.name for kind in KINDS for option in describe(kind))
        raise ValueError(f"variant '{name}' sets {', '.join(given)}, which is none of {known}, {', '.join(own)}")
    return Variant(name, _models(backends, flow, blend, str(device)), options, words=settings, **own)


def ablation(models: Models, options: SwapOptions | None = None) -> tuple[Variant, ...]:
    """The paper's four: reenactment alone, with completion, with blending, with both; the segmentation stays."""
    plain: dict[str, Any] = {"completion": _incomplete, "blending": _Pasted()}
    parts: tuple[tuple[str, tuple[str, ...]], ...] = (
        *(("Gr", ("completion", "blending")), ("Gr+Gc", ("blending",)), ("Gr+Gb", ("completion",)), ("Gr+Gc+Gb", ())),
    )
    return tuple(
        Variant(name, replace(models, **{stage: plain[stage] for stage in left}), options or SwapOptions())
        for name, left in parts
    )


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"found '{text}' in a variant, expected option=value")
    return name.strip(), value.strip()


def _yes(word: str) -> bool:
    if word.lower() not in ("yes", "no", "true", "false", "1", "0"):
        raise ValueError(f"found '{word}', expected yes or no")
    return word.lower() in ("yes", "true", "1")


def _built(kind: type, given: dict[str, str]) -> Any:
    """Options of a class with what is given for it, which is taken out."""
    values: dict[tuple[str, ...], Any] = {}
    for option in describe(kind):
        if option.name in given:
            read: Callable[[str], Any] = _yes if option.type is bool else option.type
            word = given.pop(option.name)
            try:
                values[option.path] = read(word)
            except ValueError as error:
                raise ValueError(f"found '{word}' for {option.name} in a variant: {error}") from error
            if option.choices and values[option.path] not in option.choices:
                raise ValueError(
                    f"{option.name} is '{values[option.path]}', expected one of {', '.join(option.choices)}"
                )
    return build(kind, values)


@lru_cache(maxsize=16)
def _models(backends: Backends, flow: FlowOptions, blend: BlendOptions, device: str) -> Models:
    return Models.load(backends, device, flow, blend)


def _incomplete(image: torch.Tensor, confidence: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return image


class _Pasted:
    """A blender that only lays the face on, eyes included."""

    options = BlendOptions(color=False)

    def __call__(
        self, source: torch.Tensor, target: torch.Tensor, mask: torch.Tensor, color: Any = None, skins: Any = None
    ) -> torch.Tensor:
        return torch.lerp(target, source, mask)


def _classic(target: Clip, face: FaceSequence, source: AppearanceMap, models: Models) -> Iterator[Rendered]:
    for index, frame in enumerate(target):
        row = face.row(index)
        if row is None:
            yield Rendered(frame, (FaceRecord(0, "no_face"),), frame, (None,))
            continue
        points = face.landmarks[row]
        number = int(source.query(face.poses[row], closest=True)[0][0])
        result = classic_swap(frame, points, source.views[number], source.landmarks[number], models)
        record = FaceRecord(0, "swapped", square_box(points, MARGIN), angles(face.poses[row]), 1, 1.0)
        yield Rendered(result, (record,), frame, (points,))


def _warped(points: Any, pose: Any, source: AppearanceMap, models: Models) -> tuple[Rendered, Box]:
    box = square_box(points, MARGIN)
    wanted = in_crop(points, box).to(models.device) * (SIDE / (box[2] - box[0]))
    number = int(source.query(pose, closest=True)[0][0])
    image, drawn = warp(source.views[number], source.landmarks[number], wanted, SIDE, models)
    frame = ((image * drawn)[0].permute(1, 2, 0) * 255).round().byte().cpu().numpy()
    record = FaceRecord(0, "reenacted", box, angles(pose), 1, 1.0)
    return Rendered(frame, (record,), wanted=(wanted[0].cpu().numpy(),)), box

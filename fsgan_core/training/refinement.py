"""Trains the refinement network of the flow engine on pairs made of portraits (:mod:`.reenactment_pairs`)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ..errors import FSGANError
from ..networks.flow_net import CHANNELS, Doubt, FlowNet, FlowNetConfig, doubt, enlarged, featured, merge
from ..ops.flow import identity, sample
from ..ops.pooling import halved
from ..stages.alignment import FITTING, bundled_aligner
from ..stages.evidence import Evidence
from ..stages.open_landmarks import load_open_landmarker
from ..stages.pose import load_face_model
from .cache import written_once
from .card import Card
from .labelled import read_faces
from .likeness import Expression, dissimilarity
from .loop import Batch
from .reenactment_pairs import SHAPES, as_evidence, build_pairs, weighted
from .run_files import grid, save_half
from .segmentation import started

KIND = "flow_net"
WEIGHTS = {"colour": 1.0, "detail": 0.5, "structure": 1.0, "expression": 0.06}
"""Of the losses: colour and detail where geometry is in doubt, 1 - SSIM in the face, landmarks in pixels."""
LOOSE = ((16, 1.1), (40, 0.8))
"""Cells along the window and pixels of the parts of what alignment leaves on real clips and not on drawn pairs: nobody
knows it beforehand, so detail as fine as that is worth showing only in part."""
LEVELS = 3
"""Levels of the pyramid in which details are compared."""
CARD = Card(
    title="Refinement of the flow engine",
    purpose="Shifts and merges the views that geometry has warped, and adds colour: where none shows the place (lids, "
    "the far side), and a little wherever the face has moved. Leaves the inside of the mouth and eyes seen open alone.",
    data="Portraits made by generators (faces_ai: SFHQ-T2I, MIT; faces_faker: CC0), no real person: the photo is the "
    "target, the same photo drawn through its moved mesh the source.",
    licence="MIT",
)


class Pairs:
    """Pairs on disk, drawn at random.

    Args:
        folder: as :func:`~.reenactment_pairs.build_pairs` writes it.
        count: how many they should be.

    Raises:
        FSGANError: the folder holds something else.
    """

    def __init__(self, folder: Path, count: int) -> None:
        try:
            self.parts = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in SHAPES}
            self.views, twins = (np.load(folder / f"{name}.npy") for name in ("views", "twin"))
        except (OSError, ValueError) as error:
            raise FSGANError(f"{folder} holds no pairs ({error}); delete it or name another 'cache'") from error
        shapes = {name: values.shape for name, values in self.parts.items()}
        for name, shape in SHAPES.items():
            if shapes[name] != (count, *shape):
                expected = f"expected {count} pairs of {shape}; delete it or name another 'cache'"
                raise FSGANError(f"{folder} holds '{name}' of shape {shapes[name]}, {expected}")
        self.twins = twins.nonzero()[0]

    def read(self, numbers: Sequence[int]) -> Batch:
        """Pairs by number, with no more sheets than they need."""
        count = 2 * int(self.views[list(numbers)].max())
        tensors = {name: torch.from_numpy(values[list(numbers)]) for name, values in self.parts.items()}
        # A pair of fewer views repeats its own, without trust, lest the edge of the face be mixed with black.
        own = np.stack([np.arange(count) % (2 * self.views[number]) for number in numbers])
        sheets = tensors["sheets"][torch.arange(len(own))[:, None], torch.from_numpy(own)]
        return tensors | {"sheets": sheets, "trust": tensors["trust"][:, :count]}

    def draw(self, rng: Generator, batch: int) -> Batch:
        """A batch: mostly of one view, else of up to three, sometimes of twins (``twins`` is then 1)."""
        chance = rng.random()
        if chance < 0.15 and len(self.twins):
            first = rng.choice(self.twins, max(1, batch // 2))
            return self.read([n for number in first for n in (number, number + 1)]) | {"twins": torch.ones(())}
        among = (self.views == 1 if chance < 0.7 else self.views > 1).nonzero()[0]
        among = among if len(among) else np.arange(len(self.views))
        return self.read(rng.choice(among, batch).tolist()) | {"twins": torch.zeros(())}


def augmented(batch: Batch, rng: Generator) -> Batch:
    """The batch flipped at random and in other colours, the same for source and target."""
    result = dict(batch)
    if rng.random() < 0.5:
        result |= {name: batch[name].flip(-1) for name in SHAPES}
        across = [CHANNELS.index(name) for name in CHANNELS if name.endswith("_x")]
        result["geometry"] = result["geometry"].clone()
        result["geometry"][:, across] = 255 - result["geometry"][:, across].clamp_min(1) + 1
    gain, power = rng.uniform(0.85, 1.15, 3) * rng.uniform(0.7, 1.1), rng.uniform(0.75, 1.3)
    tables = 255 * (np.arange(256)[None] / 255) ** power * gain[:, None]
    table = torch.from_numpy(tables.clip(0, 255).round().astype(np.uint8))
    for name in ("target", "sheets"):
        result[name] = torch.stack([table[i][result[name][..., i, :, :].long()] for i in range(3)], -3)
    colours, cover = result["features"][:, :3].float(), result["features"][:, 3:]
    solid = (255 * colours / cover.clamp_min(1)).clamp(0, 255).long()
    toned = torch.stack([table[i][solid[:, i]] for i in range(3)], 1).float() * (cover / 255)
    result["features"] = torch.cat((toned.round().byte(), cover), 1)
    return result


@dataclass(frozen=True)
class RefinementTask:
    """The :class:`~fsgan_core.training.loop.Task` of this file."""

    model: FlowNet
    pairs: Pairs
    validation: Pairs
    batch: int = 4
    card: Card = CARD

    def batches(self, seed: int) -> Iterator[Batch]:
        """Endless batches; batch ``i`` is made of seed ``seed + i`` alone."""
        while True:
            rng = np.random.default_rng(seed)
            yield augmented(self.pairs.draw(rng, self.batch), rng)
            seed += 1

    def losses(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Unlikeness of the aligned picture and the photo, and of twins drawn in one and in several steps."""
        evidence = as_evidence(batch)
        target, doubts = batch["target"].float() / 255, doubt(evidence.geometry)
        image = drawn(model, evidence)
        batch["image"] = image.detach()
        found = unlikeness(aligned(image, target, evidence, LOOSE), target, evidence)
        found["expression"] = apart(aligned(image, target, evidence), target, evidence)
        terms = {name: WEIGHTS[name] * value for name, value in found.items()}
        if bool(batch["twins"]):
            between = (image[::2] - image[1::2]).abs() * enlarged(importance(doubts)[::2], image.shape[-1])
            terms["steps"] = 0.5 * between.mean()
        return terms

    @torch.inference_mode()
    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Unlikeness of the network's aligned pictures and photos over that of geometry's, of each kind."""
        device = next(model.parameters()).device
        sums = {f"{name}{who}": 0.0 for name in WEIGHTS for who in ("", "_geometry")}
        for start in range(0, len(self.validation.views), 8):
            rows = range(start, min(start + 8, len(self.validation.views)))
            batch = {name: values.to(device) for name, values in self.validation.read(rows).items()}
            evidence, target = as_evidence(batch), batch["target"].float() / 255
            for who, image in (("", drawn(model, evidence)), ("_geometry", plain(evidence))):
                laid = aligned(image, target, evidence)
                found = unlikeness(laid, target, evidence) | {"expression": apart(laid, target, evidence)}
                for name, value in found.items():
                    sums[name + who] += float(value) * len(rows) / len(self.validation.views)
        return sums | {name: sums[name] / max(sums[f"{name}_geometry"], 1e-6) for name in WEIGHTS}

    def export(self, model: nn.Module, path: Path, figures: dict[str, float]) -> None:
        """Write the network in half precision."""
        save_half(path, model, KIND, self.model.config, figures)

    @torch.inference_mode()
    def sheet(self, model: nn.Module) -> NDArray[np.uint8]:
        """Rows of photo, geometry, network and doubt."""
        batch = self.validation.read(range(0, min(len(self.validation.views), 40), 5))
        evidence = as_evidence(batch)
        doubts = enlarged(doubt(evidence.geometry).paint, batch["target"].shape[-1]).expand(-1, 3, -1, -1)
        columns = (batch["target"].float() / 255, plain(evidence), drawn(model, evidence), doubts)
        pictures = [(column * 255).round().byte().permute(0, 2, 3, 1).numpy() for column in columns]
        return grid(list(zip(*pictures, strict=True)))


def drawn(model: nn.Module, evidence: Evidence) -> Tensor:
    """The network's picture ``(B, 3, N, N)``."""
    image: Tensor = model(evidence.sheets, evidence.trust, evidence.geometry, evidence.features)
    return image


def plain(evidence: Evidence) -> Tensor:
    """Geometry's picture, which an untrained network leaves as it is."""
    return drawn(_UNTOUCHED, evidence)


def importance(doubts: Doubt) -> Tensor:
    """Weight ``(B, 1, N / 2, N / 2)`` of each pixel in the distances of colour and detail."""
    return doubts.paint + 0.15 * doubts.shift + 0.15 * doubts.light


def aligned(image: Tensor, target: Tensor, evidence: Evidence, loose: Sequence[tuple[int, float]] = ()) -> Tensor:
    """A picture ``(B, 3, N, N)`` laid onto the edges of the photo, as :mod:`..stages.reenactment` does with its own.

    What alignment mends must not be learned, nor blurred away; the shift has no gradient.

    Args:
        image: what is shifted.
        target: onto this.
        evidence: of it.
        loose: a random bend that remains, see :data:`LOOSE`.
    """
    size = image.shape[-1]
    with torch.no_grad():
        drawn_grey, grey = (halved(picture.mean(1, keepdim=True)) for picture in (image, target))
        looks = bundled_aligner(image.device, FITTING).looks(drawn_grey, grey, evidence.geometry[:, :1])
        shift = enlarged(looks[-1], size)
        for cells, pixels in loose:
            shift = shift + enlarged(pixels * torch.randn(len(image), 2, cells, cells, device=image.device), size)
    return sample(image, identity(size, size, image) + shift, "bicubic")


def unlikeness(image: Tensor, target: Tensor, evidence: Evidence) -> dict[str, Tensor]:
    """Unlikeness of pictures ``(B, 3, N, N)`` of a face: colour, detail and structure, see :data:`WEIGHTS`."""
    face = enlarged(evidence.geometry[:, :1], image.shape[-1])
    terms = distances(image, target, importance(doubt(evidence.geometry)))
    return terms | {"structure": (dissimilarity(image, target) * face).mean() / face.mean().clamp_min(1e-3)}


def apart(image: Tensor, target: Tensor, evidence: Evidence) -> Tensor:
    """How far the landmarks of a face are from the photo's, in pixels; around the face both show the photo."""
    face = enlarged(evidence.geometry[:, :1], image.shape[-1])
    return _judge(image.device)(torch.lerp(target, image, face), target)


@cache
def _judge(device: torch.device) -> Expression:
    return Expression(device)


def distances(image: Tensor, target: Tensor, weight: Tensor) -> dict[str, Tensor]:
    """Colour and detail: weighted L1 of pictures ``(B, 3, N, N)`` and of the levels of their Laplacian pyramids."""
    size = image.shape[-1]
    share = 1 / weight.mean().clamp_min(1e-3)
    difference = image - target
    colour = (difference.abs() * enlarged(weight, size)).mean() * share
    detail = torch.zeros(())
    for _ in range(LEVELS):
        coarse = functional.avg_pool2d(difference, 2)
        size //= 2
        fine = difference - functional.interpolate(coarse, scale_factor=2.0, mode="nearest")
        detail = detail + (fine.abs() * enlarged(weight, 2 * size)).mean() * share
        difference = coarse
    return {"colour": colour, "detail": detail}


class _Untouched(nn.Module):
    """Geometry alone, as a network."""

    def forward(self, sheets: Tensor, trust: Tensor, geometry: Tensor, features: Tensor) -> Tensor:
        """Merge the sheets as they are."""
        model = FlowNet(FlowNetConfig(judge=0))
        return featured(merge(sheets, trust, model.judged(sheets, trust, geometry, doubt(geometry))), features)


_UNTOUCHED = _Untouched()


def task(
    data: Path,
    cache: str = "",
    pairs: int = 4000,
    batch: int = 4,
    start: str | Path = "",
    shape: Mapping[str, Any] | None = None,
) -> RefinementTask:
    """The training task on this material.

    Args:
        data: folder of the material; see :mod:`.labelled` for its layout.
        cache: folder in which the pairs, about 2 MB each, are kept for the next run; if empty they lie in the system's
            folder for temporary files until the run ends.
        pairs: how many to make, about half a second each; 3 % of it for validation.
        batch: pairs of a batch.
        start: file of weights to start from; none when not given.
        shape: fields of :class:`~fsgan_core.networks.flow_net.FlowNetConfig`.

    Raises:
        FSGANError: the cache holds something else.
        WeightsError: the weights are missing, damaged, or of another network.
    """
    model = started(FlowNet(FlowNetConfig.of(shape or {})), KIND, start)
    train, val = stored(cache, data, pairs)
    return RefinementTask(model, train, val, batch)


def stored(cache: str, data: Path, pairs: int) -> tuple[Pairs, Pairs]:
    """Pairs to train on and, 3 % as many, to validate with; see :func:`task`."""
    counts = {"train": pairs, "val": math.ceil(0.03 * pairs)}
    with TemporaryDirectory(prefix="fsgan-pairs-", ignore_cleanup_errors=True) as temporary:
        # Its files stay open as long as they are needed, though they are seen no more.
        train, val = (kept(Path(cache or temporary), data, split, count) for split, count in counts.items())
    return train, val


def kept(folder: Path, data: Path, split: str, count: int) -> Pairs:
    """The pairs of a split in a folder; made when missing.

    Args:
        folder: has one folder a split.
        data: see :func:`task`.
        split: ``"train"`` or ``"val"``.
        count: how many.

    Raises:
        FSGANError: the folder holds something else.
    """

    def write(place: Path) -> None:
        faces = read_faces(data, split)
        chosen = weighted(faces) if split == "train" else faces
        build_pairs(place, chosen, (load_face_model(), load_open_landmarker()), count, len(split))

    return Pairs(written_once(folder / split, write), count)

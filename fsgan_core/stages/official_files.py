"""Official stages by name: ``v2``, ``v1``, ``v1-stepwise``, or the path of a converted file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from ..errors import WeightsError
from ..networks import ARCHITECTURES
from ..networks.hrnet import HRNet
from ..networks.ms_res_unet import MultiScaleResUNet
from ..networks.seg_unet import SegmentationUNet
from ..ops.face_model import FaceModel
from ..weights.catalog import find, in_folder, locate
from ..weights.checkpoint import load_network, read_header
from .blending import BlendOptions
from .official import CROP_SCALES, LearnedBlender, LearnedCompleter, LearnedReenactor, LearnedSegmenter, Segment

N = TypeVar("N", bound=nn.Module)
SETS: dict[str, tuple[str, ...]] = {
    "reenactment": ("v2", "v1", "v1-stepwise"),
    "segmentation": ("v2", "v1"),
    "completion": ("v2", "v1"),
    "blending": ("v2", "v1"),
}
"""Official weight sets by stage."""
SUFFIX = ".safetensors"
_LANDMARKS = "hr18_wflw_landmarks"


def is_official(stage: str, name: str) -> bool:
    """Whether a name means an official network: one of :data:`SETS`, or a converted file."""
    return stage in SETS and (name in SETS[stage] or name.endswith(SUFFIX))


def folder_choice(folder: Path) -> dict[str, str]:
    """The stages that a folder of converted files can do, each with its file's path.

    Raises:
        WeightsError: no such folder, or it has nothing for any stage.
    """
    chosen = {stage: str(path) for stage, path in in_folder(folder).items() if stage in SETS}
    if not chosen:
        raise WeightsError(f"{folder} has a file for none of {', '.join(SETS)}; convert one into it")
    return chosen


def available(stage: str, folders: Sequence[Path] = ()) -> tuple[str, ...]:
    """The official sets whose file for a stage is there, converted.

    Args:
        stage: any; none of our own alone has sets.
        folders: see :class:`OfficialFiles`.
    """
    found = []
    for name in SETS.get(stage, ()):
        try:
            located(name, stage, folders)
        except WeightsError:
            continue
        found.append(name)
    return tuple(found)


def located(name: str, stage: str, folders: Sequence[Path] = ()) -> Path:
    """The converted file that an official name means.

    Raises:
        WeightsError: it is not there; the message says what to do.
    """
    if name.endswith(SUFFIX):
        return Path(name)
    base, _, variant = name.partition("-")
    return locate("v1" if base == "v1" else "v2", stage, folders, variant)


@dataclass(frozen=True)
class OfficialFiles:
    """Where official networks are loaded from, and to.

    Attributes:
        device: of the networks.
        folders: searched besides ``$FSGAN_MODELS`` and the user's, such as ComfyUI's ``models/fsgan``.
    """

    device: torch.device
    folders: Sequence[Path] = ()

    def reenactor(self, name: str, model: FaceModel, segment: Segment, steps: int = 0) -> LearnedReenactor:
        """Gr; for the arguments see :class:`~fsgan_core.stages.official.LearnedReenactor`, 0 steps are the usual 2.

        Raises:
            WeightsError: its file is missing, damaged, or of another stage.
        """
        file = self._file(name, "reenactment")
        network = self._opened(file, "reenactment", MultiScaleResUNet)
        return LearnedReenactor(
            network, model, segment, weight_set(name, file), steps or 2, self._landmarks(name, file)
        )

    def segmenter(self, name: str) -> LearnedSegmenter:
        """S; raises as :meth:`reenactor`."""
        file = self._file(name, "segmentation")
        return LearnedSegmenter(self._opened(file, "segmentation", SegmentationUNet), weight_set(name, file) == "v2")

    def completer(self, name: str) -> LearnedCompleter:
        """Gc; raises as :meth:`reenactor`."""
        return LearnedCompleter(self.network(name, "completion", MultiScaleResUNet))

    def blender(self, name: str, soften: bool, options: BlendOptions | None = None) -> LearnedBlender:
        """Gb; raises as :meth:`reenactor`."""
        return LearnedBlender(self.network(name, "blending", MultiScaleResUNet), soften, options)

    def network(self, name: str, stage: str, kind: type[N]) -> N:
        """The plain network of a stage; raises as :meth:`reenactor`."""
        return self._opened(self._file(name, stage), stage, kind)

    def optional(self, file_name: str, stage: str, kind: type[N]) -> N | None:
        """A network that may be missing, by the name of its known file."""
        place = find(file_name, self.folders)
        return None if place is None else self._opened(place, stage, kind)

    def _file(self, name: str, stage: str) -> Path:
        return located(name, stage, self.folders)

    def _opened(self, file: Path, stage: str, kind: type[N]) -> N:
        found = read_header(file).get("fsgan_stage") if file.is_file() else stage
        if found != stage:
            raise WeightsError(f"{file} is for '{found or 'nothing known'}', expected one for '{stage}'")
        key = next(key for key, architecture in ARCHITECTURES.items() if architecture.network is kind)
        network = load_network(file, key)
        if not isinstance(network, kind):
            raise WeightsError(f"{file} holds another network than '{key}'; convert it again")
        return network.to(self.device)

    def _landmarks(self, name: str, file: Path) -> HRNet | None:
        """The landmark network of v2, if it is there."""
        beside = file.with_name(f"{_LANDMARKS}{SUFFIX}")
        if name.endswith(SUFFIX) and not beside.is_file():
            beside = in_folder(file.parent).get("landmarks", beside)
        place = beside if beside.is_file() else find(_LANDMARKS, self.folders)
        if place is None or weight_set(name, file) != "v2":
            return None
        return self._opened(place, "landmarks", HRNet)


def weight_set(name: str, file: Path) -> str:
    """The key of ``CROP_SCALES`` that a name, or else the file's own origin, means."""
    if name in CROP_SCALES:
        return name
    header = read_header(file)
    origin = header.get("source_name", "")
    if "stepwise" in origin:
        return "v1-stepwise"
    return "v1" if '"version": "v1"' in header.get("fsgan_config", "") or "_v1" in origin else "v2"


def crop_scale(names: Sequence[tuple[str, str]]) -> float | None:
    """The crop scale that the first official stage was trained with; None if all are our own.

    Args:
        names: stages with what does them.
    """
    for stage, name in names:
        if is_official(stage, name):
            return CROP_SCALES[weight_set(name, Path(name))]
    return None

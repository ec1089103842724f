"""Which backend does each stage."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..stages.blending import BLENDERS
from ..stages.completion import COMPLETERS
from ..stages.detection import DETECTORS
from ..stages.landmarks import LANDMARKERS
from ..stages.official_files import SETS, SUFFIX, folder_choice, is_official
from ..stages.reenactment import REENACTORS
from ..stages.segmentation import SEGMENTERS

MENUS: dict[str, tuple[str, ...]] = {
    "detection": tuple(DETECTORS),
    "landmarks": tuple(LANDMARKERS),
    "reenactment": tuple(REENACTORS),
    "segmentation": tuple(SEGMENTERS),
    "completion": tuple(COMPLETERS),
    "blending": tuple(BLENDERS),
}
"""The backends that exist, by stage."""


@dataclass(frozen=True, kw_only=True)
class Backends:
    """Which backend does each stage: a name of :data:`MENUS`, an official set (``"v2"``...) or a converted file."""

    detection: str = "open"
    landmarks: str = "open"
    reenactment: str = "flow"
    segmentation: str = "learned"
    completion: str = "learned"
    blending: str = "poisson"

    def __post_init__(self) -> None:
        for stage, menu in MENUS.items():
            name = getattr(self, stage)
            if name not in menu and not is_official(stage, name):
                names = ", ".join((*menu, *SETS.get(stage, ())))
                raise ValueError(f"{stage} has no backend '{name}'; choose one of {names}")

    @staticmethod
    def of(models: str) -> Backends:
        """Backends of a whole weight set.

        Args:
            models: ``"open"``, ``"v2"``, ``"v1"`` or a folder of converted files, which do what they can.

        Raises:
            WeightsError: no such set or folder, or nothing of use in it.
        """
        if models == "open":
            return Backends()
        names = dict.fromkeys(SETS, models) if models in ("v1", "v2") else folder_choice(Path(models))
        return Backends(**names)

    @property
    def official(self) -> tuple[str, ...]:
        """The official sets and files in use, each once."""
        names = ((stage, getattr(self, stage)) for stage in SETS)
        return tuple(dict.fromkeys(name for stage, name in names if is_official(stage, name)))

    @property
    def weights(self) -> str:
        """The weight sets in use, in words, for a file's mark."""
        official = (Path(name).stem if name.endswith(SUFFIX) else f"official {name}" for name in self.official)
        return ", ".join(("open", *official))

"""What travels over the pack's own sockets; small things, since ComfyUI's cache cannot see into them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from . import host

if TYPE_CHECKING:
    from ..fsgan_core.faces import Analysis
    from ..fsgan_core.models import Models

ModelsType = host.io.Custom("FSGAN_MODELS")
FacesType = host.io.Custom("FSGAN_FACES")
MapType = host.io.Custom("FSGAN_APPEARANCE_MAP")

ROOM = 1 << 30
"""Bytes of the device's memory asked for before work: the networks take 20 MB, a 1080p frame's work under 1 GB."""


@dataclass(frozen=True)
class ModelSet:
    """Which backend does each stage; the networks are loaded when a node first needs them.

    Attributes:
        backends: (stage, backend) where they are not the default.
        steps: steps of the flow engine, 0 for automatic.
    """

    backends: tuple[tuple[str, str], ...] = ()
    steps: int = 0

    def load(self) -> Models:
        """The stages on ComfyUI's device, which is asked to make room first."""
        host.make_room(ROOM)
        return _loaded(self, str(host.device()))


@lru_cache(maxsize=2)
def _loaded(models: ModelSet, device: str) -> Models:
    from ..fsgan_core.models import Backends, Models
    from ..fsgan_core.stages.reenactment import FlowOptions

    return Models.load(Backends(**dict(models.backends)), device, FlowOptions(steps=models.steps))


@dataclass(frozen=True)
class Faces:
    """Faces of a target as numbers.

    Attributes:
        analysis: what was measured; selecting leaves fewer faces in it.
        descriptors: ``(S, D)`` for each face, to find the one in a reference picture.
    """

    analysis: Analysis
    descriptors: tuple[Any, ...] = field(default=())

    def kept(self, numbers: list[int]) -> Faces:
        """The same with some of the faces only."""
        faces = tuple(self.analysis.faces[number] for number in numbers)
        return Faces(replace(self.analysis, faces=faces), tuple(self.descriptors[number] for number in numbers))


def stages(models: ModelSet | None) -> Models:
    """The stages of a node's optional ``models`` input."""
    return (models or ModelSet()).load()

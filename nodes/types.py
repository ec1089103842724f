"""What travels over the pack's own sockets; small things, since ComfyUI's cache cannot see into them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from . import host

if TYPE_CHECKING:
    from ..fsgan_core.faces import Analysis
    from ..fsgan_core.models import Backends, Models

ModelsType = host.io.Custom("FSGAN_MODELS")
FacesType = host.io.Custom("FSGAN_FACES")
MapType = host.io.Custom("FSGAN_APPEARANCE_MAP")

FULL_HD = (1920, 1080)
"""The size of pictures that room is made for where a node does not know it."""


@dataclass(frozen=True)
class Engine:
    """How the flow engine works.

    Attributes:
        steps: of its path, 0 for automatic.
        refine: whether its network works.
        adapter: name of a file that fits the network to the source; empty for none.
    """

    steps: int = 0
    refine: bool = True
    adapter: str = ""


@dataclass(frozen=True)
class ModelSet:
    """Which backend does each stage; the networks are loaded when a node first needs them.

    Attributes:
        weights: the set of the stages that are not named: "open", "v2" or "v1".
        backends: (stage, backend) of the others.
        engine: how the flow engine works.
        stamp: tells apart files of one name that have changed.
    """

    weights: str = "open"
    backends: tuple[tuple[str, str], ...] = ()
    engine: Engine = field(default_factory=Engine)
    stamp: str = ""

    @property
    def chosen(self) -> Backends:
        """As the core knows it."""
        from ..fsgan_core.models import Backends

        return replace(Backends.of(self.weights), **dict(self.backends))

    def having(self, stage: str, backend: str) -> ModelSet:
        """The same with another backend for a stage."""
        others = tuple(pair for pair in self.backends if pair[0] != stage)
        return replace(self, backends=tuple(sorted((*others, (stage, backend)))))

    def load(self, size: tuple[int, int] = FULL_HD, head: bool = False) -> Models:
        """The stages on ComfyUI's device, which makes room for them and for work (:func:`.devices.room`)."""
        from .devices import room

        models, networks = _loaded(self, str(host.device()))
        host.load(networks, room(size, head))
        return models


@lru_cache(maxsize=3)
def _loaded(models: ModelSet, device: str) -> tuple[Models, list[Any]]:
    import torch

    from ..fsgan_core.models import Models
    from ..fsgan_core.stages.reenactment import FlowOptions
    from .devices import managed

    # Networks that were made in ComfyUI's inference mode could not be moved outside of it.
    with torch.inference_mode(False):
        engine = models.engine
        adapter = str(host.model_file(engine.adapter)) if engine.adapter else ""
        flow = FlowOptions(steps=engine.steps, refine=engine.refine, adapter=adapter)
        return managed(Models.load(models.chosen, device, flow, folders=host.model_folders()))


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


def stages(models: ModelSet | None, size: tuple[int, int] = FULL_HD, head: bool = False) -> Models:
    """The stages of a node's optional ``models`` input, for work on pictures of a size (width, height).

    Args:
        models: the input.
        size: of the pictures.
        head: whether heads move within them.
    """
    return (models or ModelSet()).load(size, head)


def backend_of(name: str) -> str:
    """The backend that an entry of a menu means: a file in our folders by its path, all others by their name."""
    return str(host.model_file(name)) if name in host.model_files() else name


def used(models: ModelSet | None) -> str:
    """The weight sets of a node's optional ``models`` input, for a file's mark."""
    return (models or ModelSet()).chosen.weights

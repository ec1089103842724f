"""Load FSGAN Models."""

from __future__ import annotations

from . import host, widgets
from .types import Engine, ModelSet, ModelsType, backend_of

_FOREIGN = " 'open' comes with the pack; the others need the library of that name (the error says how to install it)."
_TOOLTIPS = {
    "detection": "What finds faces." + _FOREIGN,
    "landmarks": "What measures faces." + _FOREIGN,
    "reenactment": "What turns the source's face into the target's pose and expression.",
    "segmentation": (
        "What decides which pixels are face. learned: a network, which leaves hair, hands and glasses in front of the "
        "face; mesh: all that the face's outline holds."
    ),
    "completion": (
        "What fills places that no source picture shows. learned: from a model of faces; smooth: with the colours "
        "around them."
    ),
    "blending": (
        "What joins the face to the picture, where the node itself does not say. poisson: without a seam, in the "
        "target's light; learned: the same by a network; multiband: soft in "
        "coarse detail, sharp in fine; feather: a plain soft edge."
    ),
}


class LoadModels(host.Node):
    """Which backend does each stage."""

    @classmethod
    def define_schema(cls) -> host.io.Schema:
        """A menu of weight sets, menus of backends, and the number of steps."""
        whole = (
            "open: the bundled models. v2, v1: the official FSGAN networks, listed once their converted files lie in "
            "models/fsgan."
        )
        menus = [
            widgets.choice(name, (widgets.AUTOMATIC, *widgets.backends(name)), f"{text} automatic: as weights says.")
            for name, text in _TOOLTIPS.items()
        ]
        text = "Steps from the source's pose to the target's; 0 takes one per 30 degrees."
        steps = widgets.number("steps", 0, (0, 16, 1), text, advanced=True)
        text = "Let the flow engine's network shift, merge and paint where geometry alone is in doubt."
        refine = widgets.switch("refine", True, text, advanced=True, optional=True)
        text = (
            "An adapter of the source's person: a file of 'fsgan adapt' in models/fsgan with 'adapter' in its name. "
            "none: the network as it is for everybody."
        )
        adapter = widgets.choice("adapter", widgets.adapters(), text, advanced=True, optional=True)
        return host.accepted(
            host.io.Schema,
            node_id="FSGAN_LoadModels",
            display_name="Load FSGAN Models",
            category="FSGAN",
            description="Choose what does each stage. Other nodes use the bundled models when this is not connected.",
            search_aliases=["fsgan", "face swap model", "loader"],
            inputs=[widgets.choice("weights", widgets.weight_sets(), whole), *menus, steps, refine, adapter],
            outputs=[widgets.output(ModelsType, "models", "For the models input of the other FSGAN nodes.")],
        )

    @classmethod
    def fingerprint_inputs(cls, **_: object) -> str:
        """Load again when a file has changed."""
        return host.models_stamp()

    @classmethod
    def execute(
        cls, weights: str, steps: int, refine: bool = True, adapter: str = widgets.NONE, **backends: str
    ) -> host.io.NodeOutput:
        """Make the set and load it, so that what is missing is said here."""
        chosen = {stage: backend_of(name) for stage, name in backends.items() if name != widgets.AUTOMATIC}
        engine = Engine(steps, refine, "" if adapter == widgets.NONE else adapter)
        models = ModelSet(weights, tuple(sorted(chosen.items())), engine, host.models_stamp())
        models.load()
        return host.io.NodeOutput(models)

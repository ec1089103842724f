"""Inputs that several nodes share, so that they look and read alike everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .host import accepted, io, model_file, model_files, model_folders
from .types import FULL_HD, FacesType, MapType, ModelSet, ModelsType, backend_of, stages

if TYPE_CHECKING:
    from ..fsgan_core.models import Models

FACE_RULES = ("largest", "all", "by number")
ONE_FACE_RULES = ("largest", "by number")
AUTOMATIC = "automatic"
NONE = "none"
STAGES = ("detection", "landmarks", "reenactment", "segmentation", "completion", "blending")
"""The stages that have backends, in their order."""


def backends(stage: str) -> tuple[str, ...]:
    """What can do a stage: the core's own, official sets, converted files; nothing where a library is missing."""
    try:
        from ..fsgan_core.models import MENUS
        from ..fsgan_core.stages.official_files import available
    except ImportError:
        return ()
    return (*MENUS[stage], *available(stage, model_folders()), *_files(stage))


def _files(stage: str) -> list[str]:
    """Converted files for a stage in our folders that are of no known set."""
    from ..fsgan_core.errors import WeightsError
    from ..fsgan_core.weights.checkpoint import read_header
    from ..fsgan_core.weights.known_files import KNOWN

    known, found = {file.name for file in KNOWN}, []
    for name in model_files():
        try:
            fits = read_header(model_file(name)).get("fsgan_stage") == stage
        except WeightsError:
            continue
        found += [name] if fits and Path(name).stem not in known else []
    return found


def weight_sets() -> tuple[str, ...]:
    """The weight sets that are here whole."""
    official = [backends(stage) for stage in STAGES[2:]]
    return ("open", *(name for name in ("v2", "v1") if all(name in names for names in official)))


def adapters() -> tuple[str, ...]:
    """The adapters in ComfyUI's folders, by their names, after :data:`NONE`."""
    return (NONE, *(name for name in model_files() if "adapter" in name.lower()))


def choice(name: str, options: tuple[str, ...], tooltip: str, **more: Any) -> io.Input:
    """A menu; the first option is the default."""
    return accepted(io.Combo.Input, id=name, options=list(options), default=options[0], tooltip=tooltip, **more)


def number(name: str, default: float, span: tuple[float, float, float], tooltip: str, **more: Any) -> io.Input:
    """A number within (least, most, step); whole where the default is."""
    low, high, step = span
    kind = io.Int.Input if isinstance(default, int) else io.Float.Input
    return accepted(kind, id=name, default=default, min=low, max=high, step=step, tooltip=tooltip, **more)


def sliders(kind: type) -> list[io.Input]:
    """A slider for each number with a range among the core's options of a class."""
    from ..fsgan_core.options import describe

    made = []
    for option in describe(kind):
        if option.range:
            unit = f", in {option.range.unit}" if option.range.unit else ""
            text = f"{option.help[0].upper()}{option.help[1:]}{unit}."
            span = (option.range.low, option.range.high, 1.0 if option.range.unit else 0.05)
            made.append(number(option.name, option.default, span, text, display_mode=io.NumberDisplay.slider))
    return made


def switch(name: str, default: bool, tooltip: str, **more: Any) -> io.Input:
    """Yes or no."""
    return accepted(io.Boolean.Input, id=name, default=default, tooltip=tooltip, **more)


def text(name: str, default: str, tooltip: str, **more: Any) -> io.Input:
    """A line, or lines, of words."""
    return accepted(io.String.Input, id=name, default=default, tooltip=tooltip, **more)


def files(name: str, names: list[str], tooltip: str) -> io.Input:
    """A menu of files, which may be empty."""
    return accepted(io.Combo.Input, id=name, options=names, tooltip=tooltip)


def socket(kind: Any, name: str, tooltip: str, **more: Any) -> io.Input:
    """An input without a widget."""
    return accepted(kind.Input, id=name, tooltip=tooltip, **more)


def output(kind: Any, name: str, tooltip: str) -> io.Output:
    """An output, named on the node as it is in code."""
    return kind.Output(id=name, display_name=name, tooltip=tooltip)


def models() -> io.Input:
    """The optional models."""
    return socket(ModelsType, "models", "Optional. From Load FSGAN Models; without it the bundled ones.", optional=True)


def faces() -> io.Input:
    """The optional faces of the target."""
    text = "Optional. From Analyze Faces or Select Faces; without it the target is analyzed here."
    return socket(FacesType, "faces", text, optional=True)


def source(text: str = "") -> io.Input:
    """Whose face: pictures, or an appearance map; told by words of one's own where they are given."""
    text = text or "Whose face is put in: one or more pictures of one person, or an appearance map of them."
    return accepted(io.MultiType.Input, id="source", types=[io.Image, MapType], tooltip=text)


def which(options: tuple[str, ...] = FACE_RULES) -> list[io.Input]:
    """Which face of a target."""
    text = "Which face of the target. Not used where faces are connected."
    place = (
        "Counted from the left, 0 is the leftmost face, in whichever row it stands; Analyze Faces shows the numbers. "
        "Used when 'face' is 'by number'."
    )
    return [choice("face", options, text), number("face_number", 0, (0, 99, 1), place, advanced=True)]


def batch() -> io.Input:
    """What a batch of pictures is."""
    text = "Whether a batch is the frames of one clip, in which faces are followed, or unrelated pictures."
    return choice("batch", ("clip", "pictures"), text, advanced=True)


def report() -> io.Output:
    """What was done, in words."""
    return output(io.String, "report", "What was done, and which frames were left as they were.")


def measure() -> io.Input:
    """Whether results are measured."""
    text = "Measure identity, pose, expression, sharpness and seam of every frame for the report; takes some time."
    return switch("measure", True, text, advanced=True, optional=True)


def rule(face: str, face_number: int) -> str | int:
    """A choice of :func:`which` as the core knows it."""
    return face_number if face == "by number" else face


def inside() -> io.Input:
    """Whose mouth interior and eyes."""
    text = "Mouth interior and eyes. auto: the source's where it shows enough. source: always the source's"
    more = "of a scream the lips and chin, too, which are left to the target otherwise"
    text = f"{text} ({more}). target: always the target's."
    return choice("inside", ("auto", "source", "target"), text, advanced=True)


def views() -> io.Input:
    """How many views of the source are used at a time."""
    text = "Source views near the target's pose: mixed (interpolate), or the closest alone."
    return choice("views", ("interpolate", "closest"), text, advanced=True)


def face_shape(default: float, **more: Any) -> io.Input:
    """Whose proportions the head has."""
    text = "How far the target's head takes on the source's proportions: 0 keeps its own, 1 gives it the source's."
    return number("face_shape", default, (0.0, 1.0, 0.05), text, **more)


def delight() -> io.Input:
    """What of the source's light is left out."""
    text = "How much of the source's hard light is taken off its face: one-sided shading, cast shadows, shine."
    mark = "0 keeps a large mark on one side as it is, such as a birthmark."
    return number("delight", 1.0, (0.0, 1.0, 0.05), f"{text} {mark}", advanced=True, optional=True)


def margin() -> io.Input:
    """How much around a face is cut out with it."""
    return number("margin", 1.6, (1.2, 3.0, 0.1), "Side of the crop over the longer side of the face.", advanced=True)


def blending(advanced: bool = True) -> list[io.Input]:
    """How a face is blended."""
    joined = "How the face is joined to the picture; automatic: as the models say, Poisson without them."
    gradients = "Poisson: keep the source's details (normal), or the stronger of the source's and the target's (mixed)."
    light = "How much of the target's soft light and shade is taken over, 0 to 1."
    edge = "Width of the soft edge inside the mask, in sides of the face."
    return [
        choice("blending", (AUTOMATIC, *backends("blending")), joined, advanced=advanced),
        choice("gradients", ("normal", "mixed"), gradients, advanced=True),
        switch("match_color", True, "Give the face the target's mean colour and contrast.", advanced=True),
        number("match_light", 1.0, (0.0, 1.0, 0.05), light, advanced=True),
        number("feather", 0.08, (0.0, 0.5, 0.01), edge, advanced=True),
    ]


def fineness() -> io.Input:
    """How far a face becomes as soft and grainy as its target."""
    text = "How much of the target's blur and grain the face takes over, 0 to 1; nothing is sharpened."
    return number("match_fineness", 1.0, (0.0, 1.0, 0.05), text, advanced=True, optional=True)


def blended(models: ModelSet | None, backend: str, given: dict[str, Any], size: tuple[int, int] = FULL_HD) -> Models:
    """The stages for pictures of a size, blending as the values of :func:`blending` say."""
    from ..fsgan_core.stages.blending import BlendOptions

    chosen = models or ModelSet()
    asked = chosen if backend == AUTOMATIC else chosen.having("blending", backend_of(backend))
    loaded = stages(asked, size, head=bool(given.get("face_shape")))
    return loaded.with_blending(
        BlendOptions(
            mode=given["gradients"],
            color=given["match_color"],
            light=given["match_light"],
            fineness=given.get("match_fineness", 1.0),
            feather=given["feather"],
        )
    )


def masks() -> list[io.Input]:
    """A mask drawn by the user."""
    text = "Optional. Where the target is kept, or swapped too; see mask_mode. Of any size; an empty one does nothing."
    modes = "subtract: the target is kept where the mask is white. add: it is swapped there too."
    return [
        socket(io.Mask, "mask", text, optional=True),
        choice("mask_mode", ("subtract", "add"), modes, advanced=True),
    ]

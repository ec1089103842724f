"""Edit Face (Image), Edit Face (Video): sliders for pose, expression, gaze, lids and mouth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from . import host, pictures, videos, widgets
from .finding import PASSES, Watched, analyzed, chosen, fitting
from .reports import Account
from .telling import note
from .types import Faces, stages, used

if TYPE_CHECKING:
    from ..fsgan_core.faces import FaceSequence
    from ..fsgan_core.models import Models
    from ..fsgan_core.ops.controls import Controls
    from ..fsgan_core.streams import Clip

CATEGORY = "FSGAN/reenact"
_ALIASES = ["face controls", "expression editor", "edit expression", "gaze", "blink", "smile", "head pose", "fsgan"]


def _inputs(target: host.io.Input) -> list[host.io.Input]:
    from ..fsgan_core.ops.controls import Controls

    which = "Which face of the picture. Not used where faces are connected."
    return [
        target,
        widgets.faces(),
        widgets.models(),
        *widgets.sliders(Controls),
        widgets.choice("face", widgets.FACE_RULES, which),
        widgets.which()[1],
    ]


class EditImage(host.Node):
    """Faces in pictures changed by sliders."""

    @classmethod
    def define_schema(cls) -> host.io.Schema:
        """Pictures in; the same with the faces changed out."""
        return host.accepted(
            host.io.Schema,
            node_id="FSGAN_FaceControls",
            display_name="Edit Face (Image)",
            category=CATEGORY,
            description="Turn a face, let it blink, look, smile or speak; hair and surroundings move along.",
            search_aliases=_ALIASES,
            inputs=[
                *_inputs(widgets.socket(host.io.Image, "image", "The pictures whose faces are changed.")),
                widgets.batch(),
            ],
            outputs=[
                widgets.output(host.io.Image, "image", "The pictures with the changed faces; as many as came in."),
                widgets.report(),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, image: Any, face: str, face_number: int, batch: str, **given: Any) -> host.io.NodeOutput:
        """Measure, change, show."""
        controls, account, count = controlled(given), Account(), len(image)
        if controls.neutral:
            return host.io.NodeOutput(image, _NOTHING, ui=host.ui.PreviewImage(image[:1], cls=cls))
        from ..fsgan_core.pipeline import edit

        clip = pictures.clip(image)
        loaded = stages(given.get("models"), clip.size, head=True)
        known: Faces | None = given.get("faces")
        progress = host.Progress((1 if known else 1 + PASSES) * count)
        analysis = fitting(known, clip.size, count) if known else analyzed(image, batch, loaded, progress)
        faces = analysis.faces if known else chosen(analysis, widgets.rule(face, face_number))
        tell_of_turn(controls, clip, faces, loaded)
        live = _frame_of if count > 1 else None  # one picture is shown when it is done, not twice
        results = account.noted(progress.watch(edit(clip, faces, controls, loaded), live))
        changed = pictures.merged(image, [result.frame for result in results])
        return host.io.NodeOutput(changed, account.words("edited"), ui=host.ui.PreviewImage(changed[:1], cls=cls))


class EditVideo(host.Node):
    """Faces in a video changed by sliders."""

    @classmethod
    def define_schema(cls) -> host.io.Schema:
        """A video in; the same with the faces changed out."""
        quality = "Constant rate factor of the video written: 0 is best and largest, 51 worst."
        text = "Change a face in every frame of a video by the same amount: turn, blink, look, smile, speak."
        return host.accepted(
            host.io.Schema,
            node_id="FSGAN_FaceControlsVideo",
            display_name="Edit Face (Video)",
            category=CATEGORY,
            description=text,
            search_aliases=_ALIASES,
            inputs=[
                *_inputs(widgets.socket(host.io.Video, "video", "The video whose faces are changed.")),
                widgets.number("every", 3, (1, 60, 1), "Look for new faces every so many frames.", advanced=True),
                widgets.number("quality", 18, (0, 51, 1), quality, advanced=True),
            ],
            outputs=[
                widgets.output(host.io.Video, "video", "The video with the changed faces, its times and its sound."),
                widgets.report(),
            ],
        )

    @classmethod
    def execute(cls, video: Any, face: str, face_number: int, **given: Any) -> host.io.NodeOutput:
        """Measure, then change frame by frame into a file."""
        controls, account = controlled(given), Account()
        if controls.neutral:
            return host.io.NodeOutput(video, _NOTHING)
        from ..fsgan_core.pipeline import AnalyzeOptions, analyze, edit
        from ..fsgan_core.provenance import Marking

        known = given.get("faces")
        with videos.opened(video) as window:
            loaded = stages(given.get("models"), window.size, head=True)
            progress = host.Progress((1 if known else 1 + PASSES) * window.frame_count_hint)
            if known:
                analysis = fitting(known, window.size)
            else:
                analysis = analyze(Watched(window, progress), loaded, AnalyzeOptions(every=given["every"]))
            faces = analysis.faces if known else chosen(analysis, widgets.rule(face, face_number))
            tell_of_turn(controls, window, faces, loaded)
            results = account.noted(progress.watch(edit(window, faces, controls, loaded), _frame_of))
            mark = Marking(operation="face edit", weights=used(given.get("models")))
            result = videos.written((one.frame for one in results), window, mark, given["quality"])
        return host.io.NodeOutput(result, account.words("edited"))


_NOTHING = "every control is at 0: nothing was changed"


def controlled(given: dict[str, Any]) -> Controls:
    """What the sliders of a node ask for."""
    from dataclasses import fields

    from ..fsgan_core.ops.controls import Controls

    return Controls(**{item.name: given[item.name] for item in fields(Controls)})


def tell_of_turn(controls: Controls, clip: Clip, faces: Sequence[FaceSequence], models: Models) -> None:
    """Say that faces are to turn farther than their picture shows them."""
    from ..fsgan_core.evaluation.source_faults import told_turn

    if words := told_turn(controls, clip, faces, models):
        note(words)


def _frame_of(result: Any) -> Any:
    return result.frame

"""Swap Face (Image), Swap Face (Video)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import host, pictures, videos, widgets
from .finding import PASSES, Watched, analyzed, chosen, fitting
from .reports import Account, quality_of, tell_of_swap
from .sources import source_map, steps
from .types import Faces, used

if TYPE_CHECKING:
    from ..fsgan_core.swapping import SwapOptions, UserMask

CATEGORY = "FSGAN/swap"


def _inputs(target: host.io.Input) -> list[host.io.Input]:
    return [
        target,
        widgets.source(),
        widgets.faces(),
        *widgets.which(),
        *widgets.masks(),
        widgets.models(),
        widgets.inside(),
        widgets.views(),
        widgets.margin(),
        *widgets.blending(),
    ]


class SwapImage(host.Node):
    """A face put into pictures."""

    @classmethod
    def define_schema(cls) -> host.io.Schema:
        """Pictures and whose face in; pictures out."""
        return host.accepted(
            host.io.Schema,
            node_id="FSGAN_SwapImage",
            display_name="Swap Face (Image)",
            category=CATEGORY,
            description="Put the source's face onto the target's, in the target's pose, expression and light.",
            search_aliases=["face swap", "faceswap", "replace face", "deepfake", "fsgan"],
            inputs=[
                *_inputs(widgets.socket(host.io.Image, "target", "The pictures that are kept, except for the face.")),
                widgets.batch(),
                widgets.measure(),
                widgets.face_shape(0.0, advanced=True, optional=True),
                widgets.delight(),
                widgets.fineness(),
            ],
            outputs=[
                widgets.output(host.io.Image, "image", "The target with the source's face; as many as came in."),
                widgets.report(),
            ],
        )

    @classmethod
    def execute(
        cls, target: Any, source: Any, face: str, face_number: int, mask_mode: str, **given: Any
    ) -> host.io.NodeOutput:
        """Measure, swap, merge."""
        from ..fsgan_core.pipeline import swap

        clip, options, count = pictures.clip(target), drawn(given), len(target)
        loaded = widgets.blended(given.get("models"), given["blending"], given, clip.size)
        known: Faces | None = given.get("faces")
        progress = host.Progress(steps(source) + (1 if known else 1 + PASSES) * count)
        person = source_map(source, loaded, progress)
        analysis = fitting(known, clip.size, count) if known else analyzed(target, given["batch"], loaded, progress)
        faces = analysis.faces if known else chosen(analysis, widgets.rule(face, face_number))
        masks = user_masks(given.get("mask"), mask_mode, clip.size, count)
        tell_of_swap(person, faces, loaded)
        account = Account(quality_of(person, loaded) if given.get("measure", True) else None)
        found = swap(Watched(clip), faces, [person], loaded, options, masks)
        results = list(account.noted(progress.watch(found, _frame_of)))
        image = pictures.merged(target, [result.frame for result in results])
        return host.io.NodeOutput(image, account.words("swapped"))


class SwapVideo(host.Node):
    """A face put into a video."""

    @classmethod
    def define_schema(cls) -> host.io.Schema:
        """A video and whose face in; a video out."""
        quality = "Constant rate factor of the video written: 0 is best and largest, 51 worst."
        return host.accepted(
            host.io.Schema,
            node_id="FSGAN_SwapVideo",
            display_name="Swap Face (Video)",
            category=CATEGORY,
            description="Put the source's face onto the target's in a video of any length; the sound is kept.",
            search_aliases=["face swap video", "faceswap", "replace face", "deepfake", "fsgan"],
            inputs=[
                *_inputs(widgets.socket(host.io.Video, "target", "The video that is kept, except for the face.")),
                widgets.number("every", 3, (1, 60, 1), "Look for new faces every so many frames.", advanced=True),
                widgets.number("quality", 18, (0, 51, 1), quality, advanced=True),
                widgets.measure(),
                widgets.face_shape(0.0, advanced=True, optional=True),
                widgets.delight(),
                widgets.fineness(),
            ],
            outputs=[
                widgets.output(host.io.Video, "video", "The target with the source's face, its times and its sound."),
                widgets.report(),
            ],
        )

    @classmethod
    def execute(
        cls, target: Any, source: Any, face: str, face_number: int, mask_mode: str, **given: Any
    ) -> host.io.NodeOutput:
        """Measure, then swap frame by frame into a file."""
        from ..fsgan_core.pipeline import AnalyzeOptions, analyze, swap
        from ..fsgan_core.provenance import Marking

        options = drawn(given)
        known: Faces | None = given.get("faces")
        with videos.opened(target) as window:
            loaded = widgets.blended(given.get("models"), given["blending"], given, window.size)
            masks = user_masks(given.get("mask"), mask_mode, window.size, 1)
            progress = host.Progress(steps(source) + (1 if known else 1 + PASSES) * window.frame_count_hint)
            person = source_map(source, loaded, progress)
            if known:
                faces = fitting(known, window.size).faces
            else:
                analysis = analyze(Watched(window, progress), loaded, AnalyzeOptions(every=given["every"]))
                faces = chosen(analysis, widgets.rule(face, face_number))
            tell_of_swap(person, faces, loaded)
            account = Account(quality_of(person, loaded) if given.get("measure", True) else None)
            made = swap(Watched(window), faces, [person], loaded, options, masks[0])
            results = progress.watch(made, _frame_of)
            frames = (result.frame for result in account.noted(results))
            mark = Marking(operation="face swap", weights=used(given.get("models")))
            video = videos.written(frames, window, mark, given["quality"])
        return host.io.NodeOutput(video, account.words("swapped"))


def drawn(given: dict[str, Any]) -> SwapOptions:
    """How the widgets of a node ask for a face to be drawn."""
    from ..fsgan_core.swapping import SwapOptions

    return SwapOptions(
        margin=given["margin"],
        closest=given["views"] == "closest",
        inside=given["inside"],
        face_shape=given.get("face_shape", 0.0),
        delight=given.get("delight", 1.0),
    )


def user_masks(mask: Any, mode: str, size: tuple[int, int], count: int) -> list[UserMask | None]:
    """A MASK as the core's masks, one a frame."""
    from ..fsgan_core.swapping import UserMask

    values = pictures.mask_values(mask, size, count)
    return [None if one is None else UserMask(one, "add" if mode == "add" else "subtract") for one in values]


def _frame_of(result: Any) -> Any:
    return result.frame

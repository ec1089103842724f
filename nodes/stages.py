"""The stages of a swap one by one: Crop, Reenact, Segment, Complete, Blend, Composite Faces.

In this order, with the same options, they give the pixels of Swap Face (Image).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..fsgan_core.words import listed, plural
from . import host, pictures, widgets
from .crops import Crops, CropsType, Placed
from .finding import PASSES, analyzed, chosen, fitting
from .sources import source_map, steps
from .swap import user_masks
from .types import Faces, ModelSet, stages

if TYPE_CHECKING:
    from ..fsgan_core.models import Models
    from ..fsgan_core.stages.sources import Source

CATEGORY = "FSGAN/step by step"


def _crops() -> host.io.Input:
    return widgets.socket(CropsType, "crops", "From the stage before.")


def _outputs(shown: str, kind: Any = host.io.Image) -> list[host.io.Output]:
    text = "For the next stage."
    return [widgets.output(CropsType, "crops", text), widgets.output(kind, "preview", f"{shown}, 256 pixels a face.")]


class CropFaces(host.Node):
    """Faces cut out of their pictures."""

    @classmethod
    def define_schema(cls) -> host.io.Schema:
        """Pictures in, crops out."""
        return host.accepted(
            host.io.Schema,
            node_id="FSGAN_CropFaces",
            display_name="Crop Faces",
            category=CATEGORY,
            description="Cut a square around every chosen face of the target: the first step of a swap.",
            search_aliases=["cut face", "align face", "fsgan"],
            inputs=[
                widgets.socket(host.io.Image, "target", "The pictures that are kept, except for the face."),
                widgets.faces(),
                *widgets.which(),
                *widgets.masks(),
                widgets.models(),
                widgets.margin(),
                widgets.batch(),
            ],
            outputs=_outputs("The target's faces"),
        )

    @classmethod
    def execute(
        cls, target: Any, face: str, face_number: int, mask_mode: str, margin: float, batch: str, **given: Any
    ) -> host.io.NodeOutput:
        """Measure where nothing is connected, then cut."""
        from ..fsgan_core.swapping import cropped

        models: ModelSet | None = given.get("models")
        known: Faces | None = given.get("faces")
        clip = pictures.clip(target)
        loaded = stages(models, clip.size)
        if known:
            faces = fitting(known, clip.size, len(target)).faces
        else:
            found = analyzed(target, batch, loaded, host.Progress(PASSES * len(target)))
            faces = chosen(found, widgets.rule(face, face_number))
        masks = user_masks(given.get("mask"), mask_mode, clip.size, len(target))
        along = loaded.along(clip, faces)
        cut = tuple(
            Placed(index, track, cropped(_aim(frame, one, row, masks[index]), loaded, margin), along[track](row))
            for index, frame in enumerate(clip)
            for track, one in enumerate(faces)
            if (row := one.row(index)) is not None
        )
        crops = Crops(cut, len(target), models)
        return host.io.NodeOutput(crops, crops.shown("target"))


def _aim(frame: Any, face: Any, row: int, mask: Any) -> Any:
    from ..fsgan_core.swapping import Aim

    return Aim(frame, face.landmarks[row], face.poses[row], mask)


class ReenactFaces(host.Node):
    """The source's face with the target's landmarks."""

    @classmethod
    def define_schema(cls) -> host.io.Schema:
        """Crops and a source in, crops out."""
        return host.accepted(
            host.io.Schema,
            node_id="FSGAN_ReenactFaces",
            display_name="Reenact Faces",
            category=CATEGORY,
            description="Draw the source's face in the pose and expression of every crop, mixing views of the source.",
            search_aliases=["face reenactment", "interpolate views", "fsgan"],
            inputs=[_crops(), widgets.source(), widgets.views(), widgets.delight()],
            outputs=_outputs("The source's face as it was drawn"),
        )

    @classmethod
    def execute(cls, crops: Crops, source: Any, views: str, delight: float = 1.0) -> host.io.NodeOutput:
        """Draw every face."""
        from ..fsgan_core.swapping import reenacted

        loaded = stages(crops.models)
        person = source_map(source, loaded, host.Progress(steps(source)))
        ready = loaded.source(person, delight)
        known = _measured(crops, ready, loaded, views == "closest")
        done = known.staged(lambda one: reenacted(one.crop, ready, one.models, views == "closest"))
        return host.io.NodeOutput(done, done.shown("face"))


def _measured(crops: Crops, source: Source, models: Models, closest: bool) -> Crops:
    """Crops whose tracks have been measured, as a whole swap does."""
    from ..fsgan_core.pipeline.track_matches import Sketch, for_measuring, measured_rows, sketched, track_match
    from ..fsgan_core.rendering import rendered
    from ..fsgan_core.swapping import shifted

    measuring = for_measuring(models)
    tracks: dict[int, dict[int, Placed]] = defaultdict(dict)
    for one in crops.faces:
        tracks[one.track][one.frame] = one
    clips = [ours for ours in tracks.values() if len(ours) > 1]
    chosen = [ours[frame] for ours in clips for frame in measured_rows(list(ours), measuring)]
    found = defaultdict[int, list[Sketch]](list)
    made = rendered(lambda one: sketched(one.crop, source, measuring, closest), chosen, crops.threads)
    for one, sketch in zip(chosen, host.Progress(len(chosen)).watch(made), strict=True):
        found[one.track].append(sketch)
    matches = {track: track_match(sketches) for track, sketches in found.items()}

    def with_match(one: Placed) -> Placed:
        if one.track not in matches:
            return one
        match = matches[one.track]
        aim = replace(one.crop.aim, color=match.color, shift=match.shift)
        wanted = shifted(one.crop.points, match.shift, models)
        return replace(one, crop=replace(one.crop, aim=aim, wanted=wanted))

    return replace(crops, faces=tuple(with_match(one) for one in crops.faces))


class SegmentFaces(host.Node):
    """Which pixels of a crop are exchanged."""

    @classmethod
    def define_schema(cls) -> host.io.Schema:
        """Crops in, crops with masks out."""
        return host.accepted(
            host.io.Schema,
            node_id="FSGAN_SegmentFaces",
            display_name="Segment Faces",
            category=CATEGORY,
            description="Find the pixels of every crop that are face, less or more what the user's mask says.",
            search_aliases=["face mask", "face parsing", "fsgan"],
            inputs=[_crops()],
            outputs=_outputs("The masks", host.io.Mask),
        )

    @classmethod
    def execute(cls, crops: Crops) -> host.io.NodeOutput:
        """Segment the target where the source was drawn."""
        from ..fsgan_core.swapping import segmented

        stages(crops.models)  # Brings the networks back to the device.
        done = crops.through("Reenact Faces").staged(lambda one: segmented(one.crop, one.models))
        return host.io.NodeOutput(done, done.shown("mask"))


class CompleteFaces(host.Node):
    """What the source does not show."""

    @classmethod
    def define_schema(cls) -> host.io.Schema:
        """Crops in, crops without holes out."""
        return host.accepted(
            host.io.Schema,
            node_id="FSGAN_CompleteFaces",
            display_name="Complete Faces",
            category=CATEGORY,
            description="Fill what no view of the source shows, and say whose mouth interior and eyes to blend in.",
            search_aliases=["inpaint face", "fsgan"],
            inputs=[_crops(), widgets.inside()],
            outputs=_outputs("The completed faces"),
        )

    @classmethod
    def execute(cls, crops: Crops, inside: str) -> host.io.NodeOutput:
        """Complete every face."""
        from ..fsgan_core.swapping import completed

        loaded = stages(crops.models)
        given = crops.through("Reenact Faces", "Segment Faces")
        done = given.staged(lambda one: completed(one.crop, loaded, inside))
        return host.io.NodeOutput(done, done.shown("face"))


class BlendFaces(host.Node):
    """The face in the target's colours and light, without a seam."""

    @classmethod
    def define_schema(cls) -> host.io.Schema:
        """Crops in, finished crops out."""
        return host.accepted(
            host.io.Schema,
            node_id="FSGAN_BlendFaces",
            display_name="Blend Faces",
            category=CATEGORY,
            description="Join every face to its crop: poisson, multiband or feather, after matching colour and light.",
            search_aliases=["poisson blending", "seamless clone", "color match", "fsgan"],
            inputs=[_crops(), *widgets.blending(advanced=False), widgets.fineness()],
            outputs=_outputs("The finished crops"),
        )

    @classmethod
    def execute(cls, crops: Crops, blending: str, **given: Any) -> host.io.NodeOutput:
        """Blend every face, in the colours of its track."""
        from ..fsgan_core.swapping import blended

        loaded = widgets.blended(crops.models, blending, given)
        ready = crops.through("Reenact Faces", "Segment Faces")
        done = ready.staged(lambda one: blended(one.crop, loaded))
        return host.io.NodeOutput(done, done.shown("blended"))


class CompositeFaces(host.Node):
    """Crops back in their pictures."""

    @classmethod
    def define_schema(cls) -> host.io.Schema:
        """Pictures and crops in, pictures out."""
        return host.accepted(
            host.io.Schema,
            node_id="FSGAN_CompositeFaces",
            display_name="Composite Faces",
            category=CATEGORY,
            description="Lay the finished crops over the target's pictures, at their own resolution: the last step.",
            search_aliases=["paste face", "uncrop", "fsgan"],
            inputs=[
                widgets.socket(host.io.Image, "target", "The pictures that the crops were cut out of."),
                _crops(),
            ],
            outputs=[
                widgets.output(host.io.Image, "image", "The target with the source's face; as many as came in."),
                widgets.report(),
            ],
        )

    @classmethod
    def execute(cls, target: Any, crops: Crops) -> host.io.NodeOutput:
        """Lay the crops over their frames."""
        from ..fsgan_core.stages.compositing import composite

        if len(target) != crops.count:
            raise ValueError(
                f"found {plural(len(target), 'picture')} for crops of {crops.count}; connect the target of Crop Faces"
            )
        patches: dict[int, list[Any]] = defaultdict(list)
        for one in crops.through("Segment Faces", "Blend Faces").faces:
            patches[one.frame].append(one.crop.patch)
        kept = [index for index in range(crops.count) if index not in patches]
        words = f"{plural(len(crops.faces), 'face')} in {len(patches)} of {plural(crops.count, 'frame')}"
        report = f"{words}\nno face, kept: {listed(kept)}" if kept else words
        frames = [composite(frame, patches.get(index, ())) for index, frame in enumerate(pictures.frames(target))]
        return host.io.NodeOutput(pictures.merged(target, frames), report)

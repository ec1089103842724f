"""``fsgan reenact``: a source takes the pose and expression of a target."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from ..evaluation.reference import single_view
from ..faces import Analysis, FaceSequence
from ..media import EncodeOptions, Image, Video
from ..models import Models
from ..pipeline import AnalyzeOptions, ReenactOptions, reenact, reenact_crops
from ..provenance import Marking
from ..report import Report
from ..stages.analysis import load_analysis
from ..stages.appearance_map import AppearanceMap
from ..stages.selection import select
from ..streams import Frame
from ..timeline import Draw, frames_of, in_time
from .clips import Input, check_result, opened, watched, write_result
from .engine import add_stages, chosen_backends, engine_values, load_models, weights_used
from .flags import add_options, add_output, file_path, read_options
from .quality import add_report, quality_of, tell_of_cut, tell_of_gaps, tell_of_left, write_report
from .subjects import (
    TENSORS,
    add_choice,
    add_source,
    check_reference,
    chosen_faces,
    measured,
    source_map,
    source_picture,
)

STAGES = ("detection", "landmarks", "reenactment")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    add_source(parser)
    text = f"picture or video whose motion is taken, or an analysis ({TENSORS}) made by 'fsgan analyze'"
    parser.add_argument("--target", "-t", type=file_path, required=True, metavar="FILE", help=text)
    add_output(parser, "picture or video to write, of the target's kind")
    add_report(parser)
    text = "draw the face in the target's place, shape and size instead of the source's whole picture"
    parser.add_argument("--crop", action="store_true", help=text)
    add_choice(parser)
    add_options(parser, ReenactOptions, "reenactment")
    add_options(parser, AnalyzeOptions, "measuring")
    add_stages(parser, STAGES)
    add_options(parser, EncodeOptions, "video")


@dataclass(frozen=True)
class Motion:
    """A target: a file with pixels, which is not measured yet, or an analysis."""

    found: Input | Analysis

    @classmethod
    def of(cls, path: Path) -> Motion:
        """Open a picture, a video or an analysis."""
        return cls(load_analysis(path) if path.suffix.lower() == TENSORS else opened(path))

    @property
    def rate(self) -> Fraction:
        """Frames a second, 0 of a still."""
        return self.found.rate if isinstance(self.found, Analysis) else self.found.clip.rate

    @property
    def video(self) -> Video | None:
        """The video, where it is one."""
        return None if isinstance(self.found, Analysis) else self.found.video

    def measured(self, models: Models, args: argparse.Namespace) -> Analysis:
        """The faces in it."""
        return self.found if isinstance(self.found, Analysis) else measured(self.found, models, args)

    def chosen(self, analysis: Analysis, models: Models, args: argparse.Namespace) -> tuple[FaceSequence, ...]:
        """The face whose motion is taken: one at a time."""
        if args.face == "all":
            raise argparse.ArgumentError(None, "--face all: a source moves like one face; name largest or a number")
        if isinstance(self.found, Input):
            return chosen_faces(self.found.clip, analysis, models, args)
        if args.reference:
            raise argparse.ArgumentError(None, "--reference needs a target with pixels, found an analysis")
        return select(analysis, args.face)

    def frames(self, face: FaceSequence) -> Iterator[Frame] | None:
        """The frames in which a face was measured; None of an analysis."""
        if isinstance(self.found, Analysis):
            return None
        return frames_of(self.found.clip, face)

    @property
    def notes(self) -> list[str]:
        """What is wrong with the file."""
        return [] if isinstance(self.found, Analysis) else self.found.notes

    def moment(self, index: int) -> float:
        """Time in seconds of a frame."""
        if isinstance(self.found, Analysis):
            return float(index / self.rate) if self.rate else 0.0
        return self.found.moment(index)


def run(args: argparse.Namespace) -> None:
    """Reenact, write, report."""
    target = Motion.of(args.target)
    check_reference(args)
    check_result(args, not target.rate, [path for path in (args.target, *args.source, args.reference) if path])
    options = read_options(args, ReenactOptions)
    if args.crop and options.parts != "all":
        raise argparse.ArgumentError(
            None, f"--parts {options.parts}: crops take the target's whole shape; leave it or --crop out"
        )
    models = load_models(args)
    motion = target.measured(models, args)
    draw, source, told, still = _drawing(args, models, options, target)
    asked = {"face": args.face, "crop": args.crop, "reenact": asdict(options), **engine_values(args)}
    quality = quality_of(args, source, models)
    faces = target.chosen(motion, models, args)
    if options.parts in ("all", "pose"):
        told += tell_of_gaps(faces, source, crop=args.crop)
    notes = (*target.notes, *told)
    report = Report("reenact", asked, asdict(chosen_backends(args)), str(models.device), quality, notes)
    drawn = in_time(draw, faces, motion.frame_count)
    frames = report.noted(watched(drawn, "reenacting", motion.frame_count), target.moment)
    mark = Marking(operation="face reenactment", weights=weights_used(args))
    write_result(args, frames, mark, None if target.rate else still, target.video, target.rate)
    write_report(args, report, quality, mark)
    tell_of_left(report)
    print(f"wrote {args.output}: {report.summary('reenacted')}")


def _drawing(
    args: argparse.Namespace, models: Models, options: ReenactOptions, motion: Motion
) -> tuple[Draw, AppearanceMap, list[str], Image]:
    """How it is drawn, the source, what was said of it, and a picture whose profile and the like a still keeps."""
    if args.crop:
        source, told = source_map(args, models)
        told += tell_of_cut(source, models)
        plain = Image(np.zeros((options.size, options.size, 3), np.uint8))
        return lambda face: reenact_crops(source, face, models, options, motion.frames(face)), source, told, plain
    image, landmarks = source_picture(args, models)
    view, told = single_view(image.frame, landmarks, models), []
    if len(args.source) > 1:
        told.append(f"only {args.source[0].name} is used, for it moves as a whole; --crop draws from several pictures")
        print(f"note: {told[0]}")
    return lambda face: reenact(image.frame, landmarks, face, models, options), view, told, image

"""Evaluate Swap, Compare Before/After, Plot Report: how good a result is, in words and in pictures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from . import host, pictures, videos, widgets
from .finding import PASSES, Watched, analyzed, chosen, fitting
from .reports import quality_of, tell_of_gaps
from .sources import source_map, steps
from .types import Faces, stages

if TYPE_CHECKING:
    from ..fsgan_core.evaluation.quality import Quality
    from ..fsgan_core.faces import Analysis
    from ..fsgan_core.models import Models
    from ..fsgan_core.streams import Clip

CATEGORY = "FSGAN/evaluate"
QualityType = host.io.Custom("FSGAN_QUALITY")
MOST = 24
"""Pairs that a sheet shows at most."""


def _frames(name: str, tooltip: str, **more: Any) -> host.io.Input:
    """An input of pictures or a video."""
    kinds = [host.io.Image, host.io.Video]
    return host.accepted(host.io.MultiType.Input, id=name, types=kinds, tooltip=tooltip, **more)


class EvaluateSwap(host.Node):
    """A result measured against its target and its source."""

    @classmethod
    def define_schema(cls) -> host.io.Schema:
        """A result, its target and whose face in; words, numbers and the worst frames out."""
        text = "Measure a swap frame by frame: identity, pose, expression, sharpness, seam, colour, flicker."
        return host.accepted(
            host.io.Schema,
            node_id="FSGAN_EvaluateSwap",
            display_name="Evaluate Swap",
            category=CATEGORY,
            description=text,
            search_aliases=["quality", "metrics", "compare faces", "identity", "ssim", "measure", "fsgan"],
            inputs=[
                _frames("result", "The swapped or reenacted pictures or video, whatever made them."),
                widgets.source(),
                _frames("target", "Optional. The same before the swap; a reenactment has none.", optional=True),
                widgets.faces(),
                *widgets.which(widgets.ONE_FACE_RULES),
                widgets.models(),
                widgets.batch(),
            ],
            outputs=[
                widgets.output(QualityType, "quality", "What was measured, for Plot Report."),
                widgets.output(host.io.String, "report", "Means, what probably looks wrong, and the worst frames."),
                widgets.output(host.io.Image, "worst", "The worst frames, each beside its target."),
                widgets.output(host.io.String, "values", "Every measure of every frame, as JSON."),
            ],
        )

    @classmethod
    def execute(
        cls, result: Any, source: Any, face: str, face_number: int, batch: str, **given: Any
    ) -> host.io.NodeOutput:
        """Find the face in the target, or in the result where there is none; then measure frame by frame."""
        from ..fsgan_core.evaluation.inspection import beside

        loaded, known, target = stages(given.get("models")), given.get("faces"), given.get("target")
        with _clip(result) as (drawn, count), _clip(result if target is None else target) as (before, length):
            _check(count, length)
            progress = host.Progress(steps(source) + (1 if known else 1 + PASSES) * length)
            person = source_map(source, loaded, progress)
            analysis = _analysis(result if target is None else target, before, known, batch, loaded, progress)
            faces = analysis.faces if known else chosen(analysis, widgets.rule(face, face_number))
            tell_of_gaps(faces, person, crop=True)
            quality = quality_of(person, loaded)
            for one in progress.watch(beside(drawn, before, faces)):
                quality.look(replace(one, target=None) if target is None else one)
        worst = quality.worst_sheet()
        shown = _nothing() if worst is None else pictures.image([worst])
        return host.io.NodeOutput(quality, quality.words(), shown, quality.json())


class CompareSheet(host.Node):
    """Pictures side by side."""

    @classmethod
    def define_schema(cls) -> host.io.Schema:
        """Pictures before and after in; one sheet out."""
        return host.accepted(
            host.io.Schema,
            node_id="FSGAN_CompareSheet",
            display_name="Compare Before/After",
            category=CATEGORY,
            description="Lay pictures before and after side by side on one sheet, with captions.",
            search_aliases=["contact sheet", "side by side", "grid", "fsgan"],
            inputs=[
                widgets.socket(host.io.Image, "before", "The pictures as they were."),
                widgets.socket(host.io.Image, "after", "The pictures as they are now; as many."),
                widgets.socket(host.io.Image, "source", "Optional. Whose face; shown first.", optional=True),
                widgets.number("pairs", 4, (1, MOST, 1), "How many pairs to show, spread evenly over a batch."),
                widgets.number("height", 384, (64, 1024, 32), "Height of every picture in pixels."),
                widgets.text("captions", "before, after", "Words below the pictures, separated by a comma."),
            ],
            outputs=[widgets.output(host.io.Image, "sheet", "One picture of all.")],
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls, before: Any, after: Any, pairs: int, height: int, captions: str, source: Any = None
    ) -> host.io.NodeOutput:
        """Choose, lay out, show."""
        from ..fsgan_core.gallery import Tile, sheet

        _check(len(after), len(before))
        words = [*(word.strip() for word in captions.split(",")), "", ""][:2]
        tiles = [] if source is None else [Tile("source", pictures.frame(source[0]))]
        for number in spread(len(before), pairs):
            several = f" {number}" if len(before) > 1 else ""
            both = zip(words, (before[number], after[number]), strict=True)
            tiles += [Tile(f"{word}{several}", pictures.frame(one)) for word, one in both]
        columns = len(tiles) if len(tiles) <= 5 else 4
        laid = pictures.image([sheet(tiles, columns, height)])
        return host.io.NodeOutput(laid, ui=host.ui.PreviewImage(laid, cls=cls))


class PlotReport(host.Node):
    """Measures over time."""

    @classmethod
    def define_schema(cls) -> host.io.Schema:
        """What was measured in; a plot out."""
        return host.accepted(
            host.io.Schema,
            node_id="FSGAN_PlotReport",
            display_name="Plot Report",
            category=CATEGORY,
            description="Draw the measures of Evaluate Swap over the frames; dotted lines are limits of what is fine.",
            search_aliases=["chart", "graph", "quality over time", "fsgan"],
            inputs=[widgets.socket(QualityType, "quality", "From Evaluate Swap.")],
            outputs=[widgets.output(host.io.Image, "plot", "A panel for each group of measures.")],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, quality: Quality) -> host.io.NodeOutput:
        """Draw and show."""
        from ..fsgan_core.evaluation.plots import over_time

        drawn = pictures.image([over_time(quality.rows)])
        return host.io.NodeOutput(drawn, ui=host.ui.PreviewImage(drawn, cls=cls))


def spread(count: int, wanted: int) -> list[int]:
    """Numbers below a count, evenly spread, both ends among them where there is more than one."""
    if wanted >= count:
        return list(range(count))
    if wanted == 1:
        return [count // 2]
    return [round(step * (count - 1) / (wanted - 1)) for step in range(wanted)]


@contextmanager
def _clip(given: Any) -> Iterator[tuple[Clip, int]]:
    """Pictures or a video as a clip, with its number of frames (0: not known)."""
    if isinstance(given, torch.Tensor):
        yield pictures.clip(given), len(given)
        return
    with videos.opened(given) as window:
        yield window, window.frame_count_hint


def _check(count: int, length: int) -> None:
    """Refuse results that cannot be those of a target; what is not known fits."""
    if count and length and count != length:
        raise ValueError(f"found {count} pictures after and {length} before; connect the same ones, all of them")


def _analysis(
    target: Any, clip: Clip, known: Faces | None, batch: str, models: Models, progress: host.Progress
) -> Analysis:
    if known:
        return fitting(known, clip.size)
    if isinstance(target, torch.Tensor):
        return analyzed(target, batch, models, progress)
    from ..fsgan_core.pipeline import analyze

    return analyze(Watched(clip, progress), models)


def _nothing() -> torch.Tensor:
    """A small grey picture, where there is nothing to show."""
    return torch.full((1, 64, 64, 3), 0.5, device=host.results_device())

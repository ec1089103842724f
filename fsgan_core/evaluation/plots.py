"""Plots as pictures; matplotlib comes with ``fsgan[eval]`` and is loaded when the first is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from itertools import cycle
from typing import Any

import numpy as np

from ..errors import FSGANError
from ..streams import Frame
from .measures import CLIP_MEASURES, MEASURES, Row

_PANELS = (
    ("identity", "identity_before"),
    ("pose_error", "pose_gap"),
    ("expression", "landmark_error"),
    ("mouth", "eyes"),
    ("sharpness", "ssim"),
    ("seam", "border_color"),
    ("flicker", "flicker_target"),
)
"""What is drawn over time, in one panel each; the first line of each has its limit drawn in."""
_STYLES = ("-", "--", "-.", ":")
_COLORS = ("#1f6f8b", "#c97b2d", "#5a8f3c", "#8c4a8c", "#b03a48", "#555555")


def available() -> bool:
    """Whether plots can be drawn."""
    return find_spec("matplotlib") is not None


def over_time(rows: Sequence[Mapping[str, Any]], times: Sequence[float] | None = None) -> Frame:
    """Measures of a run over its frames or seconds.

    Args:
        rows: measures with ``index`` and ``track``.
        times: seconds of every frame, by its index; None counts frames.

    Returns:
        uint8 ``(H, W, 3)``.

    Raises:
        FSGANError: matplotlib is not installed.
    """
    panels = [names for names in _PANELS if any(row.get(name) is not None for row in rows for name in names)]
    figure = _figure(9.0, 1.0 + 1.55 * max(1, len(panels)))
    axes = figure.subplots(max(1, len(panels)), 1, sharex=True, squeeze=False)[:, 0]
    series = _series(rows)
    for axis, names in zip(axes, panels, strict=False):
        for color, name in zip(_COLORS, names, strict=False):
            for style, (label, kept) in zip(cycle(_STYLES), series.items()):
                shown = MEASURES[name].heading + (f", {label}" if label and name == names[0] else "")
                first = style == _STYLES[0] or name == names[0]
                _line(axis, kept, name, times, {"color": color, "linestyle": style, "label": shown if first else None})
        bad = MEASURES[names[0]].bad
        if bad is not None:
            axis.axhline(bad, color=_COLORS[4], linewidth=0.8, linestyle=":")
        axis.margins(y=0.3)
        axis.legend(loc="upper right", fontsize=7, framealpha=0.7, edgecolor="none", ncols=2)
        axis.grid(alpha=0.25)
    axes[-1].set_xlabel("frame" if times is None else "seconds")
    axes[-1].xaxis.get_major_locator().set_params(integer=times is None)
    return _drawn(figure)


def curves(title: str, about: str, lines: Mapping[str, Sequence[tuple[float, Row]]], names: Sequence[str]) -> Frame:
    """How measures depend on something: a panel a measure, a line a variant.

    Args:
        title: heading.
        about: name of the horizontal axis.
        lines: by variant, places on the axis with the measures there.
        names: measures to draw.

    Returns:
        uint8 ``(H, W, 3)``.
    """
    figure = _figure(3.4 * len(names), 3.4)
    axes = figure.subplots(1, len(names), squeeze=False)[0]
    known = {**MEASURES, **CLIP_MEASURES}
    for axis, name in zip(axes, names, strict=True):
        for color, (variant, points) in zip(_COLORS, lines.items(), strict=False):
            shown = [(place, row[name]) for place, row in points if row.get(name) is not None]
            axis.plot(*zip(*shown, strict=True), "o-", color=color, label=variant, markersize=3.5) if shown else None
        axis.set(xlabel=about, ylabel=known[name].heading)
        axis.grid(alpha=0.25)
    axes[0].legend(fontsize=7, frameon=False)
    figure.suptitle(title, fontsize=10)
    return _drawn(figure)


def bars(title: str, groups: Mapping[str, Mapping[str, tuple[float, float]]]) -> Frame:
    """Means and standard deviations side by side: a panel a measure, a bar a variant.

    Args:
        title: heading.
        groups: by measure, then variant: mean and standard deviation.

    Returns:
        uint8 ``(H, W, 3)``.
    """
    columns = min(4, len(groups))
    rows = -(-len(groups) // columns)
    figure = _figure(3.1 * columns, 2.6 * rows + 0.4)
    panels = figure.subplots(rows, columns, squeeze=False).flat
    known = {**MEASURES, **CLIP_MEASURES}
    for axis, (name, variants) in zip(panels, groups.items(), strict=False):
        heights, spreads = zip(*variants.values(), strict=True)
        colors = [color for color, _ in zip(cycle(_COLORS), variants, strict=False)]
        axis.bar(list(variants), heights, yerr=spreads, color=colors, capsize=3)
        axis.set_title(known[name].heading, fontsize=8)
        axis.tick_params(labelsize=7)
    for axis in list(panels):
        axis.axis("off")
    figure.suptitle(title, fontsize=10)
    return _drawn(figure)


def _series(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Rows by face where several are seen at once; as one line, without a name, where they only follow each other."""
    if len({row["index"] for row in rows}) == len(rows):
        return {"": list(rows)}
    tracks = sorted({int(row["track"]) for row in rows})
    return {f"face {track}": [row for row in rows if row["track"] == track] for track in tracks}


def _line(
    axis: Any, rows: Sequence[Mapping[str, Any]], name: str, times: Sequence[float] | None, style: Mapping[str, Any]
) -> None:
    shown = [(row["index"] if times is None else times[row["index"]], row.get(name)) for row in rows]
    kept = [(place, value) for place, value in shown if value is not None]
    if kept:
        axis.plot(*zip(*kept, strict=True), linewidth=1.2, marker="." if len(kept) < 12 else "", **style)


def _figure(width: float, height: float) -> Any:
    if not available():
        raise FSGANError("plots need matplotlib; run: pip install matplotlib")
    from matplotlib.figure import Figure

    return Figure((width, height), dpi=110, layout="constrained", facecolor="#fafaf8")


def _drawn(figure: Any) -> Frame:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba(), np.uint8)[..., :3].copy()

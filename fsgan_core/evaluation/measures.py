"""The measures of a frame: their names in reports and tables, their units, what is good and what is bad."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

Row = Mapping[str, float | None]
"""Measures of one face in one frame by name; None where one could not be taken."""


@dataclass(frozen=True)
class Measure:
    """What a number means.

    Attributes:
        label: heading of a column.
        unit: of the number, may be empty.
        better: ``"lower"``, ``"higher"`` or ``"one"``, where 1 is as good as the real picture.
        digits: decimals worth showing.
        bad: value from which on a frame looks wrong; None where that cannot be said.
        fault: in words, what is wrong then.
    """

    label: str
    unit: str
    better: str
    digits: int
    bad: float | None = None
    fault: str = ""

    @property
    def heading(self) -> str:
        """Label with unit and the direction that is better."""
        arrow = {"lower": "↓", "higher": "↑", "one": "→ 1"}[self.better]
        return f"{self.label} {arrow}" + (f" ({self.unit})" if self.unit else "")

    def severity(self, value: float | None) -> float:
        """How bad a value is: 0 fine, 1 at the limit, more beyond."""
        if value is None or self.bad is None:
            return 0.0
        if self.better == "lower":
            return value / self.bad
        return self.bad / max(value, 1e-6)


MEASURES: dict[str, Measure] = {
    "identity": Measure("verification", "", "lower", 3, 0.6, "it hardly looks like the source"),
    "identity_before": Measure("verification of the target", "", "higher", 3),
    "identity_target": Measure("verification against the target", "", "lower", 3),
    "ssim": Measure("SSIM", "", "higher", 3),
    "psnr": Measure("PSNR", "dB", "higher", 1),
    "pose_error": Measure("Euler", "degrees", "lower", 2, 8.0, "the head is turned differently"),
    "landmarks": Measure("landmarks", "px", "lower", 1),
    "landmark_error": Measure("landmark error", "px", "lower", 2),
    "landmark_error_68": Measure("landmark error of 68", "px", "lower", 2),
    "expression": Measure("expression error", "px", "lower", 2, 5.0, "the expression differs"),
    "expression_68": Measure("expression error of 68", "px", "lower", 2),
    "mouth": Measure("mouth error", "", "lower", 3, 0.2, "the mouth is open differently"),
    "eyes": Measure("eye error", "", "lower", 3, 0.12, "the eyes are open differently"),
    "sharpness": Measure("sharpness against the target", "", "one", 2, 0.5, "it is blurred"),
    "sharpness_source": Measure("sharpness against the source", "", "one", 2),
    "seam": Measure("seam", "ΔE", "lower", 2, 3.0, "the border shows"),
    "border_color": Measure("border colour", "ΔE", "lower", 1, 9.0, "its colour differs from the skin around"),
    "jitter": Measure("jitter", "px", "lower", 2),
    "jitter_target": Measure("jitter of the target", "px", "lower", 2),
    "flicker": Measure("flicker", "levels", "lower", 2),
    "flicker_target": Measure("flicker of the target", "levels", "lower", 2),
    "pose_gap": Measure("pose gap to the source", "degrees", "lower", 1, 45.0, "no source picture is near this pose"),
    "face_size": Measure("face size", "px", "higher", 0),
    "source_size": Measure("source pixels per pixel", "", "higher", 2),
}
"""Every measure of a frame, in the order of reports. Pixels are those of a face 160 px long, a crop of 256."""

CLIP_MEASURES: dict[str, Measure] = {
    "jitter_ratio": Measure("jitter / target's", "", "lower", 2),
    "flicker_ratio": Measure("flicker / target's", "", "lower", 2),
    "identity_drift": Measure("identity drift", "", "lower", 3),
    "coverage": Measure("frames swapped", "", "higher", 2),
    "frames": Measure("frames", "", "higher", 0),
}
"""What only a clip has."""


def fault(row: Row) -> tuple[float, str]:
    """The worst thing about a frame: how bad it is (1: at the limit) and what, in words."""
    rated = [(measure.severity(row.get(name)), measure.fault) for name, measure in MEASURES.items() if measure.fault]
    return max(rated, key=lambda pair: pair[0])


def means(rows: Sequence[Row]) -> dict[str, float]:
    """Mean of every measure over the rows that have it, with the ratios of jitter and flicker."""
    found = {name: values(rows, name) for name in MEASURES}
    result = {name: float(np.mean(numbers)) for name, numbers in found.items() if numbers}
    for name, floor in (("jitter", 0.05), ("flicker", 0.1)):
        if name in result and f"{name}_target" in result:
            # What nobody can see is added to both, so that a still target does not make any trembling infinite.
            result[f"{name}_ratio"] = (result[name] + floor) / (result[f"{name}_target"] + floor)
    return result


def values(rows: Sequence[Row], name: str) -> list[float]:
    """A measure of all rows that have it."""
    return [float(value) for row in rows if (value := row.get(name)) is not None]

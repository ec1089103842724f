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
        name: in JSON and CSV; tables and pages show it as :attr:`label`.
        unit: of the number, may be empty.
        better: ``"lower"``, ``"higher"`` or ``"one"``, where 1 is as good as the real picture; empty where it says
            how hard the task was.
        digits: decimals worth showing.
        about: what it is, in words.
        bad: value from which on a frame looks wrong; None where that cannot be said.
        fault: in words, what is wrong then.
    """

    name: str
    unit: str
    better: str
    digits: int
    about: str
    bad: float | None = None
    fault: str = ""

    @property
    def label(self) -> str:
        """The name to read."""
        return self.name.upper() if self.name in ("ssim", "psnr") else self.name.replace("_", " ")

    @property
    def heading(self) -> str:
        """Label with unit and the direction that is better."""
        arrow = {"lower": " ↓", "higher": " ↑", "one": " → 1", "": ""}[self.better]
        return f"{self.label}{arrow}" + (f" ({self.unit})" if self.unit else "")

    def severity(self, value: float | None) -> float:
        """How bad a value is: 0 fine, 1 at the limit, more beyond."""
        if value is None or self.bad is None:
            return 0.0
        if self.better == "lower":
            return value / self.bad
        return self.bad / max(value, 1e-6)


_FRAME = (
    Measure(
        *("identity", "", "lower", 3),
        "how little result and source look alike: below 0.6 is one person (distance of dlib's face descriptors)",
        *(0.6, "it hardly looks like the source"),
    ),
    Measure(
        *("identity_before", "", "", 3),
        "how little target and source look alike, every tenth frame; of self-reenactment the real frame's",
    ),
    Measure(
        *("identity_target", "", "", 3),
        "distance to the target frame itself, every tenth frame; low in self-reenactment, high in a swap",
    ),
    Measure("ssim", "", "higher", 3, "likeness of result and target in the face; of a swap, how little was changed"),
    Measure("psnr", "dB", "higher", 1, "the same by the difference of colours"),
    Measure(
        *(
            "pose_error",
            "degrees",
            "lower",
            2,
            "how else the head is turned (L2 of yaw, pitch and roll, as in the paper)",
        ),
        *(8.0, "the head is turned differently"),
    ),
    Measure(
        "landmarks",
        "px",
        "lower",
        1,
        "distance of 68 points of the face (L2 as one vector, as in the paper)",
    ),
    Measure("landmark_error", "px", "lower", 2, "mean distance of the 478 landmarks"),
    Measure("landmark_error_68", "px", "lower", 2, "mean distance of 68 landmarks"),
    Measure(
        *("expression", "px", "lower", 2, "mean distance of the 478 landmarks once the pose is taken away"),
        *(5.0, "the expression differs"),
    ),
    Measure("expression_68", "px", "lower", 2, "mean distance of 68 landmarks once the pose is taken away"),
    Measure(
        *("mouth", "", "lower", 3, "difference of the gap between the lips over their width"),
        *(0.2, "the mouth is open differently"),
    ),
    Measure(
        *("eyes", "", "lower", 3, "difference of the gap between the lids over their width"),
        *(0.12, "the eyes are open differently"),
    ),
    Measure("sharpness", "", "one", 2, "fine detail over that of the target's face", 0.5, "it is blurred"),
    Measure("sharpness_source", "", "one", 2, "fine detail over that of the source's face"),
    Measure(
        *("seam", "ΔE", "lower", 2, "CIEDE2000 step across the border beyond the target's own"),
        *(3.0, "the border shows"),
    ),
    Measure(
        *("border_color", "ΔE", "lower", 1, "CIEDE2000 of result and target along the inside of the border"),
        *(9.0, "its colour differs from the skin around"),
    ),
    Measure("jitter", "px", "lower", 2, "second differences of landmarks: trembling"),
    Measure("jitter_target", "px", "", 2, "the target's own"),
    Measure("flicker", "levels", "lower", 2, "second differences of colours that follow the face"),
    Measure("flicker_target", "levels", "", 2, "the target's own"),
    Measure(
        *("pose_gap", "degrees", "lower", 1, "angle to the nearest source picture"),
        *(45.0, "no source picture is near this pose"),
    ),
    Measure("face_size", "px", "", 0, "pixels of the target along the face"),
    Measure("source_size", "", "higher", 2, "source pixels per pixel of the target"),
)
_CLIP = (
    Measure("jitter_ratio", "", "lower", 2, "jitter over the target's"),
    Measure("flicker_ratio", "", "lower", 2, "flicker over the target's"),
    Measure("identity_drift", "", "lower", 3, "distance of the mean descriptors of the first and last third"),
    Measure("coverage", "", "higher", 2, "share of frames with a face drawn"),
    Measure("frames", "", "", 0, "number of frames looked at"),
)
MEASURES: dict[str, Measure] = {measure.name: measure for measure in _FRAME}
"""Every measure of a frame, in the order of reports. Pixels are those of a face 160 px long, a crop of 256."""

CLIP_MEASURES: dict[str, Measure] = {measure.name: measure for measure in _CLIP}
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

"""What was measured in a clip and what was done in it, as JSON and arrays."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .faces import Analysis
from .ops.landmarks import to_ibug68
from .pipeline import Rendered
from .provenance import VERSION
from .streams import Frame
from .words import listed, plural

_UNTOUCHED: dict[str, Any] = {
    "status": "kept",
    "track": None,
    "crop": None,
    "pose": None,
    "steps": 0,
    "seen": 0.0,
    "reason": "the target has no face that was chosen",
}


class Inspection(Protocol):
    """Measures results as they pass by; :class:`fsgan_core.evaluation.quality.Quality` is one."""

    def look(self, result: Rendered) -> list[dict[str, float | None]]:
        """Measures for each record of the next frame, empty where nothing was drawn."""

    def summary(self) -> dict[str, Any]:
        """What the whole run is like, as JSON knows it."""


@dataclass
class Report:
    """Notes taken while results pass by.

    Attributes:
        operation: ``"swap"``, ``"reenact"`` or ``"edit"``.
        options: what the run was asked for.
        models: name of the backend of each stage.
        device: where it was computed.
        inspection: measures every frame where the quality is wanted too.
        notes: what else there is to say, such as that the target's file is cut off.
        rows: one for each face in each frame, in order; one of status ``"kept"`` for a frame without any.
        times: seconds of every frame.
    """

    operation: str
    options: Mapping[str, Any]
    models: Mapping[str, str]
    device: str
    inspection: Inspection | None = None
    notes: Sequence[str] = ()
    rows: list[dict[str, Any]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    _began: float = field(default_factory=time.monotonic)

    def noted(self, results: Iterable[Rendered], moment: Callable[[int], float]) -> Iterator[Frame]:
        """Pass frames on and write down what was done in each.

        Args:
            results: of the pipeline.
            moment: time in seconds of a frame's index.
        """
        for index, result in enumerate(results):
            when: dict[str, Any] = {"index": index, "time": round(moment(index), 4)}
            self.times.append(when["time"])
            rows = [when | asdict(record) for record in result.records]
            if self.inspection:
                for row, quality in zip(rows, self.inspection.look(result), strict=False):
                    row["quality"] = quality or None
            self.rows += rows or [when | _UNTOUCHED]
            yield result.frame

    def summary(self, status: str) -> str:
        """How many faces something was done to, and in how many frames, as words."""
        done = [row for row in self.rows if row["status"] == status]
        faces, frames = len({row["track"] for row in done}), len({row["index"] for row in done})
        every = len({row["index"] for row in self.rows})
        return f"{plural(faces, 'face')} {status}, in {frames} of {plural(every, 'frame')}"

    def left(self) -> str:
        """In which frames nothing was drawn and what they show instead, as words; nothing where there are none."""
        done = {row["index"] for row in self.rows if row["status"] != "no_face" and row["track"] is not None}
        left = [index for index in range(len(self.times)) if index not in done]
        held = "the pose before, or the first, is held" if self.operation == "reenact" else "the picture stays as it is"
        return f"no face is seen in {listed(left)}: {held}" if left else ""

    def values(self) -> dict[str, Any]:
        """The report as JSON knows it."""
        frames = len({row["index"] for row in self.rows})
        seconds = time.monotonic() - self._began
        speed = {"seconds": round(seconds, 2), "frames_per_second": round(frames / max(seconds, 1e-6), 2)}
        counts: dict[str, Any] = {"frames": frames, "statuses": dict(Counter(row["status"] for row in self.rows))}
        told = [*self.notes, *filter(None, (self.left(),))]
        notes = {"notes": told} if told else {}
        quality = {"quality": self.inspection.summary()} if self.inspection else {}
        return {
            "version": VERSION,
            "operation": self.operation,
            "options": dict(self.options),
            "models": dict(self.models),
            "device": self.device,
            "summary": counts | speed | notes | quality,
            "frames": self.rows,
        }

    def json(self) -> str:
        """The report as text, one line a row."""
        values = self.values()
        rows = ",\n".join(json.dumps(row) for row in values.pop("frames"))
        return f'{json.dumps(values, indent=1, default=str)[:-2]},\n "frames": [\n{rows}\n ]\n}}\n'


def analysis_values(analysis: Analysis, name: str) -> dict[str, Any]:
    """An analysis as JSON knows it, in pixels of the frame; frames in which a face was not seen are left out.

    Args:
        analysis: what was measured.
        name: of the file it was measured in.
    """
    width, height = analysis.size
    about: dict[str, Any] = {"file": name, "width": width, "height": height}
    if analysis.rate:
        about |= {"rate": float(analysis.rate), "frames": analysis.frame_count, "cuts": list(analysis.cuts)}
    tracks = []
    for number, face in enumerate(analysis.faces):
        frames = [
            {
                "index": face.track.start + row,
                "box": _rounded(face.track.boxes[row]),
                "score": round(float(face.scores[row]), 4),
                "pose": _rounded(face.poses[row]),
                "landmarks68": _rounded(to_ibug68(face.landmarks[row, :, :2])),
                "landmarks": _rounded(face.landmarks[row]),
            }
            for row in np.flatnonzero(face.scores > 0).tolist()
        ]
        tracks.append({"id": number, "frames": frames})
    return {"version": VERSION, "video" if analysis.rate else "image": about, "tracks": tracks}


def analysis_arrays(analysis: Analysis) -> dict[str, NDArray[Any]]:
    """An analysis as arrays: ``size``, ``rate``, ``cuts`` and, of every track, ``track0_start``, ``track0_boxes``..."""
    arrays: dict[str, NDArray[Any]] = {
        "size": np.array(analysis.size),
        "rate": np.array(float(analysis.rate)),
        "cuts": np.array(analysis.cuts, np.int64),
    }
    for number, face in enumerate(analysis.faces):
        values = {
            "start": np.array(face.track.start),
            "boxes": face.track.boxes,
            "scores": face.scores,
            "poses": face.poses,
            "landmarks": face.landmarks,
            "landmarks68": to_ibug68(face.landmarks),
        }
        arrays |= {f"track{number}_{name}": value for name, value in values.items()}
    return arrays


def _rounded(values: NDArray[np.floating]) -> Any:
    """Nested lists of numbers, to a hundredth of a pixel or degree."""
    return np.round(values.astype(np.float64), 2).tolist()

"""The report of a run: what was done in every frame, as JSON."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from .pipeline import Rendered
from .provenance import VERSION
from .streams import Frame

_UNTOUCHED = {"status": "kept", "track": None, "crop": None, "pose": None, "steps": 0, "seen": 0.0}


@dataclass
class Report:
    """Notes taken while results pass by.

    Attributes:
        operation: ``"swap"`` or ``"reenact"``.
        options: what the run was asked for.
        models: name of the backend of each stage.
        device: where it was computed.
        rows: one for each face in each frame, in order; one of status ``"kept"`` for a frame without any.
    """

    operation: str
    options: Mapping[str, Any]
    models: Mapping[str, str]
    device: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    _began: float = field(default_factory=time.monotonic)

    def noted(self, results: Iterable[Rendered], moment: Callable[[int], float]) -> Iterator[Frame]:
        """Pass frames on and write down what was done in each.

        Args:
            results: of the pipeline.
            moment: time in seconds of a frame's index.
        """
        for index, result in enumerate(results):
            when = {"index": index, "time": round(moment(index), 4)}
            self.rows += [when | asdict(record) for record in result.records] or [when | _UNTOUCHED]
            yield result.frame

    def count(self, status: str) -> int:
        """How many faces in frames have a status."""
        return sum(row["status"] == status for row in self.rows)

    def values(self) -> dict[str, Any]:
        """The report as JSON knows it."""
        frames = len({row["index"] for row in self.rows})
        seconds = time.monotonic() - self._began
        speed = {"seconds": round(seconds, 2), "frames_per_second": round(frames / max(seconds, 1e-6), 2)}
        return {
            "version": VERSION,
            "operation": self.operation,
            "options": dict(self.options),
            "models": dict(self.models),
            "device": self.device,
            "frames": self.rows,
            "summary": {"frames": frames, "statuses": dict(Counter(row["status"] for row in self.rows)), **speed},
        }

    def json(self) -> str:
        """The report as text."""
        return json.dumps(self.values(), indent=1, default=str)

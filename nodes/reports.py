"""What nodes tell in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..fsgan_core.words import listed, plural
from .telling import note

if TYPE_CHECKING:
    from ..fsgan_core.evaluation.quality import Quality
    from ..fsgan_core.faces import Analysis, FaceSequence
    from ..fsgan_core.models import Models
    from ..fsgan_core.pipeline import Rendered
    from ..fsgan_core.stages.appearance_map import AppearanceMap


class Account:
    """Notes taken while results pass by; with ``quality`` each is measured too."""

    def __init__(self, quality: Quality | None = None) -> None:
        self.quality = quality
        self.done: dict[int, set[int]] = {}
        self.kept: list[int] = []
        self.count = 0

    def noted(self, results: Iterable[Rendered]) -> Iterable[Rendered]:
        """Pass results on."""
        for index, result in enumerate(results):
            changed = [record.track for record in result.records if record.status != "no_face"]
            for track in changed:
                self.done.setdefault(track, set()).add(index)
            if not changed:
                self.kept.append(index)
            self.count += 1
            if self.quality:
                self.quality.look(result)
            yield result

    def words(self, status: str, instead: str = "") -> str:
        """Lines for the ``report`` output: "1 face swapped, in 9 of 10 frames", then what was measured.

        Args:
            status: what was done.
            instead: what is done with frames without a face, unless they are kept.
        """
        frames = len(set().union(*self.done.values())) if self.done else 0
        lines = [f"{plural(len(self.done), 'face')} {status}, in {frames} of {plural(self.count, 'frame')}"]
        if self.kept:
            instead = instead or f"kept as {'it was' if len(self.kept) == 1 else 'they were'}"
            lines.append(f"no face, {instead}: {listed(self.kept)}")
        if self.quality:
            lines.append(self.quality.words())
        return "\n".join(lines)


def tell_of_gaps(faces: Sequence[FaceSequence], source: AppearanceMap, *, crop: bool) -> None:
    """Say, before anything is drawn, that source and target look different ways, or of crops: the source is small."""
    from ..fsgan_core.evaluation.gaps import told_gap, told_size

    for words in (told_gap(faces, source.poses), crop and told_size(faces, source)):
        if words:
            note(words)


def tell_of_swap(source: AppearanceMap, faces: Sequence[FaceSequence], models: Models) -> None:
    """Say, before anything is drawn, what of the source will hurt a swap onto these faces."""
    from ..fsgan_core.evaluation.source_faults import told_swap

    for words in told_swap(source, faces, models):
        note(words)


def quality_of(source: AppearanceMap, models: Models) -> Quality:
    """What measures results against a source; without identity where its package is not installed."""
    from ..fsgan_core.evaluation.identity import load_if_installed
    from ..fsgan_core.evaluation.inspection import Inspector
    from ..fsgan_core.evaluation.quality import Quality
    from ..fsgan_core.evaluation.reference import Reference

    embedder = load_if_installed(models.device)
    return Quality(Inspector([Reference.of(source, models, embedder)], models, embedder))


def analysis_words(analysis: Analysis) -> str:
    """What was found, one line a face."""
    width, height = analysis.size
    lines = [f"{plural(len(analysis.faces), 'face')} in {plural(analysis.frame_count, 'frame')} of {width}x{height}"]
    for number, face in enumerate(analysis.faces):
        seen = face.scores > 0
        side = float(np.median(np.ptp(face.track.boxes[seen].reshape(-1, 2, 2), axis=1).max(-1)))
        yaw, pitch, roll = (round(float(angle)) for angle in np.median(face.poses[seen], axis=0))
        where = listed((np.flatnonzero(seen) + face.track.start).tolist())
        lines.append(f"face {number}: {where}, {side:.0f} px, yaw {yaw}, pitch {pitch}, roll {roll} degrees")
    return "\n".join(lines)

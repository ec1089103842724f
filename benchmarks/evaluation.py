"""Time of measuring a swap, a frame, with and without identity; beside it that of swapping, and of dlib itself.

``python benchmarks/evaluation.py [--frames N]``. The clip is the demo's portrait moved sideways; nothing else is
needed. CPU time is given beside the time on the clock: on a busy machine only the first can be compared.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from fsgan_core.demo import COLLINS, HOPPER  # noqa: E402 (the package beside this folder)
from fsgan_core.evaluation.identity import Embedder, chip, load_if_installed, weights_file  # noqa: E402
from fsgan_core.evaluation.inspection import Inspector  # noqa: E402
from fsgan_core.evaluation.reference import Reference  # noqa: E402
from fsgan_core.models import Models  # noqa: E402
from fsgan_core.pipeline import Rendered, analyze, build_appearance_map, swap  # noqa: E402
from fsgan_core.stages.appearance_map import AppearanceMap  # noqa: E402
from fsgan_core.streams import Frames, Still  # noqa: E402

LIMITS = {"measuring": 60, "measuring with identity": 150}
"""Milliseconds a frame on two cores that should not be exceeded."""


def timed(name: str, count: int, work: Callable[[], Any]) -> Any:
    """Do some work once and print its time a frame."""
    clock, cpu = time.perf_counter(), time.process_time()
    result = work()
    wall, busy = (
        1000 * (now - then) / count for now, then in ((time.perf_counter(), clock), (time.process_time(), cpu))
    )
    limit = f"  (at most {LIMITS[name]})" if name in LIMITS else ""
    print(f"{name:28} {wall:7.1f} ms on the clock, {busy:7.1f} ms of CPU{limit}")
    return result


def measured(results: list[Rendered], source: AppearanceMap, models: Models, embedder: Embedder | None) -> None:
    """Measure every frame."""
    inspector = Inspector([Reference.of(source, models, embedder)], models, embedder)
    for result in results:
        inspector.look(result)


def main() -> None:
    """Time everything on one clip."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=20, help="length of the clip (default: 20)")
    count, models = parser.parse_args().frames, Models.load()
    print(f"{torch.get_num_threads()} threads")
    picture = COLLINS.read().frame
    clip = Frames([np.ascontiguousarray(picture[:448, 2 * n : 2 * n + 448]) for n in range(count)], Fraction(25))
    still = Still(HOPPER.read().frame)
    source = build_appearance_map([(still, analyze(still, models).faces[0])])
    faces, embedder = analyze(clip, models).faces[:1], load_if_installed()
    list(swap(Frames(clip.frames[:2], clip.rate), faces, [source], models))
    results = timed("swapping", count, lambda: list(swap(clip, faces, [source], models)))
    measured(results[:3], source, models, embedder)
    timed("measuring", count, lambda: measured(results, source, models, None))
    if embedder is None:
        print("identity was not timed: pip install face_recognition_models")
        return
    timed("measuring with identity", count, lambda: measured(results, source, models, embedder))
    points = faces[0].landmarks[0]
    timed("descriptor, in torch", 10, lambda: [embedder([clip.frames[0]], [points]) for _ in range(10)])
    if find_spec("dlib"):
        import dlib

        net, crop = dlib.face_recognition_model_v1(str(weights_file())), chip(clip.frames[0], points)
        timed("descriptor, by dlib", 5, lambda: [net.compute_face_descriptor(crop) for _ in range(5)])


if __name__ == "__main__":
    main()

"""Several frames of a clip swapped at the same time, against one after the other.

A public-domain portrait drifts over grey, its face 256 px high; another's face is put onto it. Time of a frame, the
best of a few rounds taken in turn: one after the other with one intra-op thread of torch, the same with all of them
(as many as there are cores), and as the pipeline does it. Needs a machine that does nothing else.
"""

from __future__ import annotations

import time
from fractions import Fraction
from unittest.mock import patch

import cv2
import numpy as np
import torch

from fsgan_core import Frames, Models, Still, analyze, build_appearance_map, swap
from fsgan_core.demo import COLLINS, HOPPER
from fsgan_core.rendering import at_once

FRAMES, HEIGHT, ROUNDS = 24, 256, 3


def person(frame, models):
    """The largest face of a picture."""
    return max(analyze(Still(frame), models).faces, key=lambda face: float(np.ptp(face.landmarks[0, :, 1])))


def drifting(portrait, models):
    """A clip in which a portrait moves, its face as high as asked for."""
    scale = HEIGHT / np.ptp(person(portrait, models).landmarks[0, :, 1])
    size = (round(portrait.shape[1] * scale), round(portrait.shape[0] * scale))
    large = cv2.resize(portrait, size, interpolation=cv2.INTER_CUBIC)
    return Frames([np.ascontiguousarray(np.roll(large, 2 * step, 1)) for step in range(FRAMES)], Fraction(25))


def a_frame(run, threads, limit):
    """Seconds a frame with so many intra-op threads, and at most so many frames at the same time."""
    torch.set_num_threads(threads)
    with patch("fsgan_core.pipeline.swapping.at_once", lambda *given: min(limit, at_once(*given))):
        start = time.perf_counter()
        run()
    return (time.perf_counter() - start) / FRAMES


def main():
    """Print a line for each way."""
    models, threads = Models.load(), torch.get_num_threads()
    clip, other = drifting(COLLINS.read().frame, models), HOPPER.read().frame
    source = build_appearance_map([(Still(other), person(other, models))])
    faces = analyze(clip, models).faces[:1]
    ways = {"one after the other, 1 thread": (1, 1), f"one after the other, {threads} threads": (threads, 1)}
    ways["as the pipeline does it"] = (threads, threads)
    times = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            times[name].append(a_frame(lambda: list(swap(clip, faces, [source], models)), *way))
    shortest = min(times["as the pipeline does it"])
    for name, found in times.items():
        print(f"{name:33} {1000 * min(found):4.0f} ms a frame, {min(found) / shortest:.2f} of the pipeline's")


if __name__ == "__main__":
    main()

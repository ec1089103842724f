"""Peak memory of a video swap does not depend on the video's length.

Makes 720p videos of 100 and 1000 frames in which a public-domain portrait drifts, swaps the face in each in a process
of its own, and prints the peak resident memory of both and their ratio.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np

from fsgan_core.cli import main
from fsgan_core.demo import COLLINS, HOPPER
from fsgan_core.media import Image, VideoWriter, write_image

LENGTHS = (100, 1000)


def make_video(path, portrait, length):
    """A 1280 x 720 video in which a portrait moves slowly over grey."""
    with VideoWriter(path, rate=Fraction(25), marking=None) as writer:
        for index in range(length):
            frame = np.full((720, 1280, 3), 110, np.uint8)
            left = 300 + round(100 * np.sin(index / 30))
            frame[100 : 100 + portrait.shape[0], left : left + portrait.shape[1]] = portrait
            writer.write(frame)


def swap_and_tell(source, target, output):
    """Swap, then print the peak resident memory of this process in MB."""
    code = main(["swap", "--source", source, "--target", target, "--output", output, "--overwrite"])
    scale = 1 if sys.platform == "darwin" else 1024
    print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale / 1e6:.0f}")
    return code


def peaks():
    """Peak memory in MB for each length."""
    one, other = COLLINS.read().frame, HOPPER.read().frame
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source.png"
        write_image(source, Image(other), marking=None)
        for length in LENGTHS:
            target = Path(folder) / f"{length}.mp4"
            make_video(target, one, length)
            command = [sys.executable, __file__, str(source), str(target), str(Path(folder) / f"out{length}.mp4")]
            lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
            yield length, float(lines[-1].split()[1])


if __name__ == "__main__":
    if len(sys.argv) == 4:
        sys.exit(swap_and_tell(*sys.argv[1:]))
    measured = dict(peaks())
    for frames, peak in measured.items():
        print(f"{frames:5d} frames of 720p: {peak:.0f} MB at most")
    print(f"ratio {measured[LENGTHS[1]] / measured[LENGTHS[0]]:.3f}")

"""What the exact savings are worth for the official reenactment network, as ratios of one run.

Four frames, of which one mixes three views, one two, and two show one: seven views with weight of twelve slots (of the
first two frames: four of six). The original generates every slot. Each row adds one saving; its time is relative to the
row "as the original" and its difference is the largest from that row's image. All rows but the last are the same
function; bfloat16 is used by nothing unless asked for, and is shown with its error. Also: batch norms folded in the
other networks.

Run: ``python benchmarks/official.py [--full]``; the published width, 128, needs seconds a view on a CPU. The weights
are random, which changes neither the work nor the comparison.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fsgan_core.networks import build  # noqa: E402 (the package beside this folder)
from fsgan_core.networks.fast import SharedReenactment, folded  # noqa: E402
from fsgan_core.ops.heatmaps import landmark_discs  # noqa: E402
from fsgan_core.ops.official_swap import SwapInputs, mix_views  # noqa: E402

WEIGHTS = ((0.5, 0.3, 0.2), (1.0, 0.0, 0.0), (0.6, 0.4, 0.0), (0.0, 1.0, 0.0))
"""of three views in the frames of a batch"""


def lively(network):
    """Batch norms that do something."""
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.3, 0.3)
            module.running_var.uniform_(0.5, 2)
    return network.eval()


def timed(function, rounds):
    """The least CPU time of some rounds in seconds, after one that does not count unless it is the only one."""
    result, best = function() if rounds > 1 else None, float("inf")
    for _ in range(rounds):
        # Not the time on the wall, which says more about what else the machine does.
        began = time.process_time()
        result = function()
        best = min(best, time.process_time() - began)
    return best, result


def every_slot(network, inputs):
    """The original's loop: all slots for all frames, maps in every slot."""
    mixed = torch.zeros_like(inputs.target)
    for view in range(inputs.weights.shape[1]):
        levels = [
            torch.cat([level[:, view], landmark_discs(inputs.landmarks, level.shape[-1])], 1) for level in inputs.views
        ]
        mixed += network(levels)[0] * inputs.weights[:, view, None, None, None]
    return mixed


def variants(network, inputs):
    """Name and function of every row; each has the savings of the rows above it."""
    flat, last = folded(network).to(memory_format=torch.contiguous_format), folded(network)
    shared = SharedReenactment(network)

    def mixed():
        return shared.mix(
            inputs.views, inputs.weights, [landmark_discs(inputs.landmarks, v.shape[-1]) for v in inputs.views]
        )

    def halved():
        with torch.autocast("cpu", torch.bfloat16):
            return mixed().float()

    def original():
        with torch.no_grad():
            return every_slot(network, inputs)

    def inferred(function):
        return lambda: torch.inference_mode()(function)()

    yield "as the original (no_grad)", original
    yield "inference mode", inferred(lambda: every_slot(network, inputs))
    yield "only views with weight", inferred(lambda: mix_views(network, inputs))
    yield "batch norm folded", inferred(lambda: mix_views(flat, inputs))
    yield "channels last", inferred(lambda: mix_views(last, inputs))
    yield "landmark half shared over views", inferred(mixed)
    if "avx512_bf16" in _flags():
        yield "bfloat16 (not exact)", inferred(halved)


def _flags():
    path = Path("/proc/cpuinfo")
    return path.read_text() if path.exists() else ""


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=int, default=32, help="channels of the enhancer (default: 32)")
    parser.add_argument("--size", type=int, default=256, help="side of the crops in pixels (default: 256)")
    parser.add_argument("--rounds", type=int, default=3, help="times each row is measured (default: 3)")
    parser.add_argument("--frames", type=int, default=4, choices=(1, 2, 3, 4), help="frames of a batch (default: 4)")
    text = "the published widths, two frames, one round: some minutes of one core"
    parser.add_argument("--full", action="store_const", const={"width": 128, "frames": 2, "rounds": 1}, help=text)
    args = parser.parse_args()
    vars(args).update(args.full or {})
    torch.manual_seed(0)
    network = lively(build("ms_res_unet", {"width": args.width, "max_width": 8 * args.width}))
    size, frames = args.size, args.frames
    inputs = SwapInputs(
        views=(torch.rand(frames, 3, 3, size, size), torch.rand(frames, 3, 3, size // 2, size // 2)),
        weights=torch.tensor(WEIGHTS[:frames]),
        landmarks=torch.rand(frames, 98, 2),
        target=torch.rand(frames, 3, size, size),
        mask=torch.ones(frames, 1, size, size),
    )
    print(f"width {args.width}, {frames} frames of {size} px, {torch.get_num_threads()} threads")
    print(f"{'':32} CPU time   ratio  difference")
    first, expected = 0.0, None
    for name, function in variants(network, inputs):
        seconds, found = timed(function, args.rounds)
        first, expected = first or seconds, found if expected is None else expected
        difference = float((found - expected).abs().max())
        print(f"{name:32} {seconds:6.2f} s  {first / seconds:5.2f}  {difference:.1e}")
    for kind, values, shape in (
        ("seg_unet", {"width": args.width // 2}, size),
        ("hrnet", {}, size),
        ("hopenet", {"width": args.width // 2}, 224),
    ):
        plain, images = lively(build(kind, values)), torch.rand(1, 3, shape, shape)
        fast = folded(plain)
        with torch.inference_mode():
            before, expected = timed(lambda n=plain, i=images: n(i), args.rounds)
            after, found = timed(lambda n=fast, i=images: n(i), args.rounds)
        off = float((found - expected).abs().max() / expected.abs().max().clamp_min(1))
        print(f"{kind + ', folded, channels last':32} {after:6.2f} s  {before / after:5.2f}  {off:.1e}")


if __name__ == "__main__":
    main()

"""Poisson blending: error against a direct solver in double precision, and time against OpenCV and SciPy.

"learned" is the network of ``--blending learned``, which knows no mixed mode.

A face-like ragged mask with a slit and holes in synthetic pictures. Times are CPU time of one thread, the minimum of
several runs; "x cv2" above 1 means faster than ``cv2.seamlessClone``. That function solves another
problem (on the mask's bounding rectangle), hence its errors inside and its changes outside the mask. All results are
clamped to [0, 1] before they are compared.

Run: ``python benchmarks/poisson.py [--sizes 256 512] [--device cpu]``.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import scipy.sparse as sparse
import torch
from numpy.typing import NDArray
from scipy.sparse.linalg import splu

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fsgan_core.ops.poisson import poisson_blend  # noqa: E402 (the package beside this folder)
from fsgan_core.stages.open_blending import learned_fill, load_membrane_net  # noqa: E402

Image = NDArray[np.float64]
Mask = NDArray[np.bool_]


def main() -> None:
    """Print a table for each size and mode."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512], help="sides of the pictures in pixels")
    parser.add_argument("--device", default="cpu", help="where our solver runs")
    parser.add_argument("--batch", type=int, default=8, help="items of the larger batch")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    for size in options.sizes:
        for mode in ("normal", "mixed"):
            table(size, mode, options.device, options.batch)


def table(size: int, mode: str, device: str, batch: int) -> None:
    """Print errors and times of one picture."""
    source, target, mask = picture(size, 1), picture(size, 2), face_mask(size)
    truth = direct(source, target, mask, mode).clip(0, 1)
    images = [torch.from_numpy(x.astype(np.float32))[None].to(device) for x in (source, target)]
    masks = torch.from_numpy(mask.astype(np.float32))[None, None].to(device)
    many = [x.repeat(batch, 1, 1, 1) for x in (*images, masks)]
    clone = seamless(source, target, mask, mode)
    rows: list[tuple[str, Callable[[], Image], float]] = [
        ("cv2.seamlessClone", lambda: clone() / 255, seconds(clone, "cpu")),
        ("scipy LU, float64", lambda: truth, seconds(lambda: direct(source, target, mask, mode), "cpu", 1)),
        ("ours", lambda: ours(*images, masks, mode), seconds(lambda: poisson_blend(*images, masks, mode), device)),
        (
            f"ours, batch {batch}, per item",
            lambda: ours(*many, mode),
            seconds(lambda: poisson_blend(*many, mode), device, 3) / batch,
        ),
    ]
    if mode == "normal":
        network = load_membrane_net().to(device)

        def learned() -> torch.Tensor:
            return images[0] + learned_fill(network, images[1] - images[0], masks)

        rows.append(("learned", lambda: learned()[-1].cpu().double().numpy(), seconds(learned, device)))
    print(f"{size} px, {mode:7s}{'':16s}{'max':>7s}{'mean':>7s}{'outside':>9s}{'ms':>9s}{'x cv2':>7s}{'x LU':>7s}")
    for name, run, spent in rows:
        result = run().clip(0, 1)
        error = np.abs(result - truth) * 255
        outside = np.abs(result - target)[:, ~mask].max() * 255
        figures = f"{error[:, mask].max():7.3f}{error[:, mask].mean():7.3f}{outside:9.2f}"
        print(f"  {name:27s}{figures}{1e3 * spent:9.1f}{rows[0][2] / spent:7.2f}{rows[1][2] / spent:7.1f}")


def ours(source: torch.Tensor, target: torch.Tensor, mask: torch.Tensor, mode: str) -> Image:
    """Return the last item's result."""
    return poisson_blend(source, target, mask, mode)[-1].cpu().double().numpy()


def seamless(source: Image, target: Image, mask: Mask, mode: str) -> Callable[[], Image]:
    """OpenCV's clone on 8-bit pictures; the mask is copied, since OpenCV writes into it."""
    rows, columns = np.nonzero(mask)
    centre = tuple(int(x.min() + x.max() + 1) // 2 for x in (columns, rows))
    pictures = [np.ascontiguousarray((x.transpose(1, 2, 0) * 255).round().astype(np.uint8)) for x in (source, target)]
    kind = cv2.NORMAL_CLONE if mode == "normal" else cv2.MIXED_CLONE

    def clone() -> Image:
        result = cv2.seamlessClone(*pictures, (mask * 255).astype(np.uint8), centre, kind)
        return result.transpose(2, 0, 1).astype(np.float64)

    return clone


def seconds(run: Callable[[], object], device: str, repeats: int = 9) -> float:
    """Least CPU time of several runs; on another device the wall time."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    spent = []
    for _ in range(repeats + 1):
        begin = clock()
        run()
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        spent.append(clock() - begin)
    return min(spent[1:])


def direct(source: Image, target: Image, mask: Mask, mode: str) -> Image:
    """Perez' equations as a sparse matrix, solved by LU."""
    ys, xs = np.nonzero(mask)
    number = np.full(mask.shape, -1)
    number[ys, xs] = np.arange(len(ys))
    matrix, right = sparse.csc_matrix((len(ys), len(ys))), np.zeros((len(ys), len(source)))
    for down, along in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        v, u = ys + down, xs + along
        rows = np.flatnonzero((v >= 0) & (v < mask.shape[0]) & (u >= 0) & (u < mask.shape[1]))
        y, x, v, u = ys[rows], xs[rows], v[rows], u[rows]
        step, other = source[:, y, x] - source[:, v, u], target[:, y, x] - target[:, v, u]
        right[rows] += np.where((np.abs(other) > np.abs(step) + 1e-4) & (mode == "mixed"), other, step).T
        known = ~mask[v, u]
        right[rows[known]] += target[:, v[known], u[known]].T
        columns = np.concatenate((rows, number[v, u][~known]))
        values = np.concatenate((np.ones(len(rows)), np.full((~known).sum(), -1.0)))
        matrix += sparse.csc_matrix((values, (np.concatenate((rows, rows[~known])), columns)), matrix.shape)
    result = target.copy()
    result[:, ys, xs] = splu(matrix).solve(right).T
    return result


def picture(size: int, seed: int) -> Image:
    """Noise with the spectrum of a photograph and a colour cast, in 8-bit levels as OpenCV needs."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft2(rng.normal(size=(3, size, size)))
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size))
    frequency[0, 0] = 1
    noise = np.fft.irfft2(spectrum / frequency**1.2, (size, size))
    cast = rng.uniform(-0.15, 0.15, (3, 1, 1))
    return (255 * (0.5 + 0.12 * (noise - noise.mean()) / noise.std() + cast).clip(0, 1)).round() / 255


def face_mask(size: int, seed: int = 0) -> Mask:
    """An oval with a ragged border, a slit and a few holes."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size - 0.5
    place = ((np.arctan2(y, x) + np.pi) / (2 * np.pi) * 64).astype(int) % 64
    mask = np.hypot(x / 0.33, y / 0.43) < 1 + 0.06 * rng.normal(size=64)[place]
    return mask & ~((np.abs(x) < 0.004) & (y > 0.1)) & (rng.random(mask.shape) > 1e-4)


if __name__ == "__main__":
    main()

"""The data engine: pixels and speed of its rasterizer against a plain one, and pairs a second.

1. The head's skin and eyes of portraits, drawn by ``ops.mesh.rasterize`` and by the definition: each triangle in turn
   tests the pixels of its bounding box in NumPy. Pixels that differ, and how many times as fast, in one run.
2. Pairs (two pictures of 128 px with landmarks, labels, flow, visibility) a second: in CPU time of one thread, and in
   wall time from as many worker processes as there are cores, as a training reads them.

Run: ``python benchmarks/engine.py [--data FOLDER] [--device cpu]``; the material's default is that of FSGAN_TRAIN.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fsgan_core.ops.mesh import facing, rasterize  # noqa: E402 (the package beside this folder)
from fsgan_core.training.pairs import Engine, PairOptions, pairs, read_engine  # noqa: E402
from fsgan_core.training.renderer import own_view, surface  # noqa: E402

BATCH = 16


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("FSGAN_TRAIN", "../shared/train")))
    parser.add_argument("--split", default="val", help="portraits that are fitted, if they are not yet")
    parser.add_argument("--device", default="cpu", help="where pairs are drawn")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes of the second table, on a CPU")
    options = parser.parse_args()
    if not (options.data / "ict").is_dir():
        print(f"no training material in {options.data}: see docs/training.md, or name its folder with --data")
        return
    torch.set_num_threads(1)
    engine = read_engine(options.data, options.split)
    print("side  plain ms  ours ms  times as fast  pixels that differ")
    for size in (128, 256):
        compare(engine, size)
    print("\npairs of 128 px        a second")
    speeds(engine.to(options.device), options.workers)


def compare(engine: Engine, size: int) -> None:
    """One line of the first table."""
    heads = engine.heads[torch.arange(4)]
    zoom = torch.full((4,), size / 320)
    vertices = surface(engine.rig, own_view(engine.rig, heads, torch.full((4, 2), 32.0), zoom), size).vertices
    triangles = engine.rig.triangles[engine.rig.parts <= 2]
    keep = facing(vertices, triangles) > 0
    start = time.process_time()
    expected = [plain(v.numpy(), triangles[k].numpy(), size) for v, k in zip(vertices, keep, strict=True)]
    slow = (time.process_time() - start) / 4
    fast, number = min_time(lambda: rasterize(vertices, triangles, size, size, keep)[0])
    kept = [k.nonzero()[:, 0].numpy() for k in keep]
    found = [np.where(e < 0, -1, k[e]) for e, k in zip(expected, kept, strict=True)]
    differ = float(np.mean([f != n.numpy() for f, n in zip(found, number, strict=True)]))
    print(f"{size:4}  {1000 * slow:8.1f}  {250 * fast:7.2f}  {4 * slow / fast:13.0f}  {100 * differ:.3f} %")


def min_time(run) -> tuple[float, torch.Tensor]:  # type: ignore[no-untyped-def]
    """Least CPU time of several runs, and the result."""
    best = float("inf")
    for _ in range(5):
        start = time.process_time()
        result = run()
        best = min(best, time.process_time() - start)
    return best, result


def plain(vertices: NDArray[np.float32], triangles: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """The nearest triangle at each pixel, one triangle at a time."""
    number = np.full((size, size), -1)
    depth = np.full((size, size), np.inf)
    for index, corners in enumerate(vertices[triangles].astype(np.float64)):
        low = np.clip(np.ceil(corners[:, :2].min(0) - 0.5), 0, size).astype(int)
        high = np.clip(np.floor(corners[:, :2].max(0) - 0.5), -1, size - 1).astype(int)
        (ax, ay, _), (bx, by, _), (cx, cy, _) = corners
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if (high < low).any() or area == 0:
            continue
        x, y = np.meshgrid(np.arange(low[0], high[0] + 1), np.arange(low[1], high[1] + 1))
        v = ((x + 0.5 - ax) * (cy - ay) - (y + 0.5 - ay) * (cx - ax)) / area
        w = ((bx - ax) * (y + 0.5 - ay) - (by - ay) * (x + 0.5 - ax)) / area
        z = (1 - v - w) * corners[0, 2] + v * corners[1, 2] + w * corners[2, 2]
        nearer = (v >= 0) & (w >= 0) & (v + w <= 1) & (z < depth[y, x])
        depth[y[nearer], x[nearer]], number[y[nearer], x[nearer]] = z[nearer], index
    return number


class Batches(IterableDataset[dict[str, torch.Tensor]]):
    """Endless batches; every worker has its own chance."""

    def __init__(self, engine: Engine, options: PairOptions) -> None:
        self.engine, self.options = engine, options

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        worker = get_worker_info()
        rng = np.random.default_rng(worker.id if worker else 0)
        while True:
            yield pairs(self.engine, BATCH, rng, self.options)


def speeds(engine: Engine, workers: int) -> None:
    """The second table."""
    cuda = engine.heads.photo.is_cuda
    for name, options in (("", PairOptions()), (" with occluders", PairOptions(covered=0.3))):
        source = Batches(engine, options)
        batches = iter(source)
        next(batches)
        start, clock = time.process_time(), time.perf_counter()
        for _ in range(6):
            next(batches)
        if cuda:
            torch.cuda.synchronize()
            print(f"GPU{name:20} {6 * BATCH / (time.perf_counter() - clock):8.1f}")
            continue
        print(f"one core{name:15} {6 * BATCH / (time.process_time() - start):8.1f}")
        loader = iter(DataLoader(source, batch_size=None, num_workers=workers))
        for _ in range(2 * workers):
            next(loader)
        clock = time.perf_counter()
        for _ in range(12):
            next(loader)
        print(f"{workers} workers{name:14} {12 * BATCH / (time.perf_counter() - clock):8.1f}")


if __name__ == "__main__":
    main()

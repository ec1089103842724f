"""The segmentation network, the completion model and the blending network against what needs no weights.

Everything is measured on the test split of the training material, on faces never trained on:

1. segmentation: overlap (intersection over union) of the face with drawn occluders, and apart from them;
2. completion: distance in 8-bit levels and SSIM within holes: half faces, drawn occluders, ellipses;
3. blending: distance to the exact solution of Poisson's equation in levels in crude swaps, and time of both;
4. time of each backend for a 256 px crop.

Run: ``python benchmarks/crop_networks.py --data FOLDER [--output FOLDER] [--count N]``.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fsgan_core.evaluation.metrics import ssim  # noqa: E402 (the package beside this folder)
from fsgan_core.ops.masks import erode  # noqa: E402
from fsgan_core.ops.poisson import harmonic_fill  # noqa: E402
from fsgan_core.stages.blending import BLENDERS  # noqa: E402
from fsgan_core.stages.completion import COMPLETERS  # noqa: E402
from fsgan_core.stages.open_blending import learned_fill, load_membrane_net  # noqa: E402
from fsgan_core.stages.pose import load_face_model  # noqa: E402
from fsgan_core.stages.segmentation import SEGMENTERS, MeshSegmenter  # noqa: E402
from fsgan_core.training import blending_samples, completion, segmentation_samples  # noqa: E402
from fsgan_core.training.crop_occluders import cover, read_props  # noqa: E402
from fsgan_core.training.face_labels import FACE, UNKNOWN  # noqa: E402
from fsgan_core.training.landmarks import as_image  # noqa: E402
from fsgan_core.training.sheets import tiled, tinted  # noqa: E402

SIZE = 256
MODEL = load_face_model()


def main() -> None:
    """Print the tables and write the sheets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the training material; without it nothing is measured")
    parser.add_argument("--output", type=Path, help="folder for the sheets")
    parser.add_argument("--count", type=int, default=96, help="samples of each network")
    args = parser.parse_args()
    if args.data is None:
        print("left out: it needs --data FOLDER, the training material")
        return
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    faces = segmentation_samples.read_labelled(args.data, "test", MODEL, 0)
    props = read_props(args.data)
    for part in (segmenting, completing, joining):
        for name, figures in part(faces, props, args.count, args.output):
            print(f"{name:44s}" + "".join(f"{value:9.3f}" for value in figures), flush=True)
    timing()


Rows = Iterator[tuple[str, Sequence[float]]]


def segmenting(faces: Sequence[segmentation_samples.Labelled], props, count: int, output: Path | None) -> Rows:
    """Overlap of the covered face, in total and the median over the samples; then without anything in front."""
    backends = {name: make(MODEL) for name, make in SEGMENTERS.items()} | {"mesh, whole": MeshSegmenter(MODEL, 1.0)}
    for title, share in (("covered", 1.0), ("bare", 0.0)):
        items = [covered_face(faces, props, share, number) for number in range(count)]
        yield f"{title} faces: overlap in total, median", ()
        for name, segment in backends.items():
            found = [(segment(image, points) > 0.5) for image, points, _, _ in items]
            pairs = [(one & known, true & known) for one, (_, _, true, known) in zip(found, items, strict=True)]
            both = torch.tensor([float((a & b).sum()) for a, b in pairs])
            either = torch.tensor([float((a | b).sum()) for a, b in pairs]).clamp_min(1)
            yield f"  {name}", (float(both.sum() / either.sum()), float((both / either).median()))
            if output is not None and name == "learned":
                images, masks = torch.cat([item[0] for item in items]), torch.cat(found)
                true = torch.cat([item[2] for item in items])
                write(output / f"segmentation-{title}.jpg", [images, tinted(images, true), tinted(images, masks)])


def covered_face(faces, props, share: float, number: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A crop, its landmarks, the face's true pixels and those that are known."""
    rng = np.random.default_rng((17, number))
    made = segmentation_samples.placed(faces[number % len(faces)], rng, SIZE, 0)
    image, alpha = made.image, np.zeros((SIZE, SIZE), np.float32)
    if rng.random() < share:
        drawn, alpha = cover(rng, image, made.points, props)
        image = drawn.round().astype(np.uint8)
    points = torch.from_numpy(np.pad(made.points, ((0, 0), (0, 1))))[None]
    true, known = (made.labels == FACE) & (alpha < 0.5), (made.labels != UNKNOWN) | (alpha >= 0.5)
    masks = [torch.from_numpy(part)[None, None] for part in (true, known)]
    return as_image(torch.from_numpy(image)[None]).contiguous(), points, masks[0], masks[1]


def completing(faces, props, count: int, output: Path | None) -> Rows:
    """Distance in levels and SSIM within the hole."""
    holes = completion.Holes(faces, props, SIZE)
    batch = [holes[number] for number in range(count)]
    true = torch.cat([as_image(item["image"][None]) for item in batch]).contiguous()
    hole, mask = (torch.stack([item[name] for item in batch]).float() for name in ("hole", "mask"))
    known = true * mask * (1 - hole)
    yield "holes: distance in levels, SSIM", ()
    smooth = COMPLETERS["smooth"]()
    fills = {name: make() for name, make in COMPLETERS.items()} | {"symmetric, then smooth": symmetric(smooth)}
    for name, fill in fills.items():
        found = torch.cat([fill(known[k : k + 1], 1 - hole[k : k + 1], mask[k : k + 1]) for k in range(count)])
        gap = 255 * ((found - true).abs().mean(1, keepdim=True) * hole).sum() / hole.sum()
        alike = ssim(torch.lerp(true, found, hole), true, hole).mean()
        yield f"  {name}", (float(gap), float(alike))
        if output is not None and name == "learned":
            write(output / "completion.jpg", [known, torch.lerp(known, found, hole), true * mask])


def joining(faces, props, count: int, output: Path | None) -> Rows:
    """Mean distance in levels, the worst swap's mean, 99.9 % of pixels, milliseconds of the network and the solver."""
    network = load_membrane_net()
    yield "swaps: levels in the face; worst swap; 99.9 % of pixels; ms learned, exact", ()
    for size, share in ((256, 1.0), (256, 0.0), (512, 0.0), (1024, 0.0)):
        swaps = blending_samples.Swaps(
            faces, props, MODEL, blending_samples.SampleOptions(size=size, matched=share, odd=0)
        )
        pairs = [swaps.swap(np.random.default_rng((19, number))) for number in range(count * 256 // size)]
        gaps, times, shown = [], [], []
        for face, target, mask in pairs:
            inner, difference = erode(mask), target - face
            starts = [time.process_time()]
            found = learned_fill(network, difference, inner)
            starts.append(time.process_time())
            exact = harmonic_fill(difference, inner)
            times.append(np.diff([*starts, time.process_time()]))
            gaps.append(255 * (found - exact).abs().mean(1)[inner[:, 0] > 0])
            pasted, *results = (torch.where(mask > 0, face + part, target) for part in (0 * exact, exact, found))
            shown.append((pasted, *results, 0.5 + 10 * (found - exact)))
        means = [float(gap.mean()) for gap in gaps if len(gap)]
        figures = float(np.mean(means)), max(means), float(torch.cat(gaps).quantile(0.999))
        yield f"  {size} px, light {'matched' if share else 'as it is'}", (*figures, *1e3 * np.median(times, 0))
        if output is not None and size == 256:
            columns = [torch.cat(column).clamp(0, 1) for column in zip(*shown, strict=True)]
            write(output / f"blending-{'matched' if share else 'plain'}.jpg", columns)


def symmetric(fill: Callable[..., Tensor]) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """The other side of the face where that is known, and a fill for the rest."""

    def both(image: Tensor, confidence: Tensor, mask: Tensor) -> Tensor:
        other = mirrored(torch.cat((image, confidence * mask), 1), mask)
        use = (other[:, 3:] > 0.5) & (confidence < 0.5)
        return fill(torch.where(use, other[:, :3], image), torch.where(use, 1.0, confidence), mask)

    return both


def mirrored(values: Tensor, mask: Tensor) -> Tensor:
    """Values ``(B, C, S, S)`` flipped about the mask's own vertical middle, 0 where that leads beyond the picture."""
    size = mask.shape[-1]
    column = torch.arange(size, dtype=mask.dtype)
    middle = (mask * column).sum((1, 2, 3)) / mask.sum((1, 2, 3)).clamp_min(1e-6)
    source = (2 * middle).round()[:, None] - column
    inside = ((source >= 0) & (source <= size - 1)).to(values.dtype)
    index = source.clamp(0, size - 1).long()[:, None, None].expand(-1, *values.shape[1:3], -1)
    return values.gather(3, index) * inside[:, None, None]


def timing() -> None:
    """Milliseconds of processor time for one 256 px crop, the least of several runs."""
    points = (MODEL.mean * 0.28 * SIZE + torch.tensor([SIZE / 2, SIZE / 2, 0.0]))[None]
    image, target = torch.rand(2, 1, 3, SIZE, SIZE)
    mask = MeshSegmenter(MODEL, 1.0)(image, points)
    confidence = torch.ones_like(mask)
    confidence[..., SIZE // 2 :] = 0
    print("milliseconds of one thread for a 256 px crop")
    for stage, menu, call in (
        ("segmentation", {name: make(MODEL) for name, make in SEGMENTERS.items()}, (image, points)),
        ("completion", {name: make() for name, make in COMPLETERS.items()}, (image, confidence, mask)),
        ("blending", {name: make(None) for name, make in BLENDERS.items()}, (image, target, mask)),
    ):
        for name, backend in menu.items():
            print(f"  {stage} {name:12s}{min(spent(backend, call) for _ in range(9)):8.1f}")


def spent(backend: Callable[..., Tensor], arguments: Sequence[Tensor]) -> float:
    """Processor time of a call in milliseconds."""
    start = time.process_time()
    backend(*arguments)
    return 1000 * (time.process_time() - start)


def write(path: Path, columns: Sequence[Tensor], across: int = 2) -> None:
    """A sheet of at most 32 samples."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), tiled([column[:32] for column in columns], across)[..., ::-1])


if __name__ == "__main__":
    main()

"""Blending when source and target are lit from different sides: figures, and a sheet to look at.

1. Known answers: the same portrait under two opposite synthetic lights. The lit-from-the-left one is blended into the
   lit-from-the-right one; the perfect result is the latter. Mean and 99th percentile of the error in 8-bit levels.
2. Different people, aligned crudely by nine points: how much more colour changes across the mask's border than in the
   target alone (CIEDE2000, 0 is no seam), how far the face's light is from the target's (CIEDE2000 between the two
   blurred), and how much of the source's detail is left (correlation of what the blur removes).

Run: ``python benchmarks/light.py [--output FOLDER]``; the pictures are those of FSGAN_MEDIA.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000, rgb2lab

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fsgan_core.stages.blending import (  # noqa: E402 (the package beside this folder)
    PLAIN_POISSON,
    BlendOptions,
    FeatherBlender,
    MultibandBlender,
    PoissonBlender,
)

Image = NDArray[np.float32]
Blend = Callable[[Image, Image, Image], Image]
SIZE = 320

# x and y of: outer eye corners, tip of the nose, mouth corners, chin, top of the forehead, temples.
POINTS = {
    "woman_front_dark": (138, 185, 340, 178, 230, 281, 188, 338, 301, 335, 248, 415, 228, 69, 110, 220, 397, 210),
    "man_blond_closeup": (145, 152, 354, 151, 269, 246, 202, 324, 322, 320, 266, 426, 251, 37, 71, 206, 400, 201),
    "woman_headphones": (148, 172, 253, 161, 184, 210, 169, 253, 231, 250, 206, 298, 188, 105, 146, 197, 300, 183),
    "man_evening": (195, 171, 297, 174, 250, 222, 207, 243, 281, 246, 243, 303, 250, 112, 165, 189, 316, 194),
    "woman_asian_closeup": (158, 170, 359, 167, 259, 269, 208, 333, 315, 330, 261, 406, 258, 49, 111, 206, 406, 199),
    "elder_wrinkles": (137, 160, 371, 158, 246, 266, 181, 339, 320, 340, 249, 448, 250, 26, 91, 205, 434, 205),
    "man_angry": (151, 202, 325, 204, 237, 295, 189, 351, 282, 350, 238, 428, 238, 108, 111, 223, 363, 225),
    "occluded_scarf_mouth": (191, 214, 309, 208, 254, 273, 222, 293, 288, 290, 256, 342, 248, 145, 162, 228, 333, 218),
    "man_glasses": (173, 196, 289, 204, 227, 244, 192, 290, 256, 293, 221, 350, 235, 129, 143, 225, 321, 239),
    "woman_hat_darkskin": (170, 183, 313, 166, 247, 227, 210, 282, 297, 273, 262, 342, 231, 97, 145, 218, 349, 195),
    "hard_backlight": (152, 148, 240, 158, 150, 192, 135, 232, 175, 235, 150, 280, 215, 85, 140, 165, 275, 190),
}
PAIRS = (
    ("man_blond_closeup", "woman_front_dark"),
    ("woman_front_dark", "man_evening"),
    ("man_evening", "woman_headphones"),
    ("woman_asian_closeup", "man_angry"),
    ("man_angry", "woman_hat_darkskin"),
    ("elder_wrinkles", "woman_headphones"),
    ("woman_hat_darkskin", "man_blond_closeup"),
    ("woman_asian_closeup", "occluded_scarf_mouth"),
    ("woman_front_dark", "hard_backlight"),
    ("hard_backlight", "woman_asian_closeup"),
)


def main() -> None:
    """Print both tables and write the sheets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, help="folder for the sheets")
    output = parser.parse_args().output
    torch.set_num_threads(1)
    print(f"{'known answer: error in levels':34s}{'mean':>8s}{'99 %':>8s}")
    for name, figures in relighting(output):
        print(f"{name:34s}{figures[0]:8.2f}{figures[1]:8.2f}")
    for title, rows in (("different people", swapping(output)), ("the same, opposing light", opposing(output))):
        print(f"{title:34s}{'seam':>8s}{'light':>8s}{'detail':>8s}")
        for name, figures in rows:
            print(f"{name:34s}{figures[0]:8.2f}{figures[1]:8.2f}{figures[2]:8.2f}")


def methods() -> dict[str, Blend]:
    """What is compared."""
    bare = BlendOptions(color=False, light=0.0, fineness=0.0)
    return {
        "paste under the soft mask": _ours(FeatherBlender(bare)),
        "plain Poisson (Perez)": _ours(PoissonBlender(PLAIN_POISSON)),
        "cv2.seamlessClone": _seamless,
        "plain multiband": _ours(MultibandBlender(bare)),
        "feather": _ours(FeatherBlender()),
        "multiband": _ours(MultibandBlender()),
        "poisson (the default)": _ours(PoissonBlender()),
    }


def relighting(output: Path | None) -> Iterator[tuple[str, tuple[float, ...]]]:
    """Blend a portrait into itself under the opposite light."""
    cases = []
    for name in ("woman_front_dark", "man_blond_closeup", "woman_asian_closeup", "elder_wrinkles"):
        portrait, mask = _cut(name)
        cases.append((_relit(portrait, 0.08, 1.0), _relit(portrait, 1.0, 0.08), mask))
        cases.append((_relit(portrait, 0.9, 0.15), _relit(portrait, 0.3, 1.0), mask))
    yield from _table(cases, "relit", output, lambda result, case: _errors(result, case[1], case[2]))


def swapping(output: Path | None) -> Iterator[tuple[str, tuple[float, ...]]]:
    """Blend the portraits into each other."""
    cases = [_pair(*names) for names in PAIRS]
    yield from _table(cases, "pairs", output, _qualities)


def opposing(output: Path | None) -> Iterator[tuple[str, tuple[float, ...]]]:
    """Blend the portraits into each other, source lit from the right, target from the left."""
    cases = [(_relit(s, 0.1, 1.0), _relit(t, 1.0, 0.1), mask) for s, t, mask in (_pair(*names) for names in PAIRS[:8])]
    yield from _table(cases, "opposing", output, _qualities)


Case = tuple[Image, Image, Image]


def _table(
    cases: list[Case], name: str, output: Path | None, measure: Callable[[Image, Case], tuple[float, ...]]
) -> Iterator[tuple[str, tuple[float, ...]]]:
    columns = [[case[0] for case in cases], [case[1] for case in cases]]
    for title, blend in methods().items():
        columns.append([blend(*case) for case in cases])
        figures = [measure(result, case) for result, case in zip(columns[-1], cases, strict=True)]
        yield title, tuple(np.mean(figures, 0))
    if output:
        output.mkdir(parents=True, exist_ok=True)
        sheet = np.hstack([np.vstack(column) for column in columns])
        cv2.imwrite(str(output / f"light-{name}.jpg"), (sheet[..., ::-1] * 255).round().clip(0, 255).astype(np.uint8))


def _errors(result: Image, ideal: Image, mask: Image) -> tuple[float, float]:
    error = np.abs(result - ideal)[mask > 0] * 255
    return float(error.mean()), float(np.percentile(error, 99))


def _qualities(result: Image, case: Case) -> tuple[float, float, float]:
    source, target, mask = case
    seam = _across(result, mask) - _across(target, mask)
    inside = cv2.erode(mask, np.ones((25, 25))) > 0
    low_result, low_target = (cv2.GaussianBlur(x, (0, 0), SIZE / 16) for x in (result, target))
    light = deltaE_ciede2000(rgb2lab(low_result), rgb2lab(low_target))[inside].mean()
    details = [(x - cv2.GaussianBlur(x, (0, 0), SIZE / 64)).mean(2)[inside] for x in (result, source)]
    return float(seam), float(light), float(np.corrcoef(*details)[0, 1])


def _across(image: Image, mask: Image) -> float:
    """Mean CIEDE2000 between the colours 4 px inside and 4 px outside the border, along rows and columns."""
    lab = rgb2lab(cv2.GaussianBlur(image, (0, 0), 1))
    found = []
    for axis in (0, 1):
        far = np.diff(mask > 0, axis=axis)
        places = np.argwhere(far)
        step = np.array([4, 0] if axis == 0 else [0, 4])
        one, two = (np.clip(places + d, 0, SIZE - 1) for d in (-step + 1, step))
        found.append(deltaE_ciede2000(lab[one[:, 0], one[:, 1]], lab[two[:, 0], two[:, 1]]))
    return float(np.concatenate(found).mean())


def _ours(blender: Callable[..., torch.Tensor]) -> Blend:
    def blend(source: Image, target: Image, mask: Image) -> Image:
        images = (torch.from_numpy(np.ascontiguousarray(x.transpose(2, 0, 1)))[None] for x in (source, target))
        return blender(*images, torch.from_numpy(mask)[None, None])[0].permute(1, 2, 0).numpy()

    return blend


def _seamless(source: Image, target: Image, mask: Image) -> Image:
    # A copy of the mask, since OpenCV writes into it; its bounding box is placed by the centre.
    rows, columns = np.nonzero(mask)
    centre = tuple(int(x.min() + x.max() + 1) // 2 for x in (columns, rows))
    images = ((x * 255).round().astype(np.uint8) for x in (source, target))
    result = cv2.seamlessClone(*images, (mask * 255).astype(np.uint8), centre, cv2.NORMAL_CLONE)
    return result.astype(np.float32) / 255


def _relit(image: Image, left: float, right: float) -> Image:
    """Multiply the light by a gradient that is steepest at the middle of the face."""
    place = 1 / (1 + np.exp(-np.linspace(-6, 6, image.shape[1])))
    light = np.exp(np.log(left) * (1 - place) + np.log(right) * place)[None, :, None]
    return ((image**2.2 * light) ** (1 / 2.2)).astype(np.float32)


def _pair(source: str, target: str) -> Case:
    target_picture, mask = _cut(target)
    frame = _frame(target)
    goal = _points(target)[:6] @ frame[:, :2].T + frame[:, 2]
    move, _ = cv2.estimateAffinePartial2D(_points(source)[:6], goal, method=cv2.LMEDS)
    return _warp(_read(source), move), target_picture, mask


def _cut(name: str) -> tuple[Image, Image]:
    """The face's surroundings at the benchmark's size, and an elliptic mask."""
    frame = _frame(name)
    points = _points(name) @ frame[:, :2].T + frame[:, 2]
    chin, top, right, left = points[5:]
    centre = (chin + top + left + right) / 4
    axes = 0.94 * np.linalg.norm(left - right) / 2, 0.94 * np.linalg.norm(chin - top) / 2
    angle = np.degrees(np.arctan2(*(left - right)[::-1]))
    mask = np.zeros((SIZE, SIZE), np.float32)
    cv2.ellipse(mask, (tuple(centre.tolist()), (2 * axes[0], 2 * axes[1]), float(angle)), 1, -1)
    return _warp(_read(name), frame), mask


def _frame(name: str) -> NDArray[np.float64]:
    """Affine map of the picture to the crop."""
    points = _points(name)
    low, high = points.min(0), points.max(0)
    scale = SIZE / (1.6 * (high - low).max())
    shift = SIZE / 2 - scale * (low + high) / 2
    return np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])


def _points(name: str) -> NDArray[np.float32]:
    return np.array(POINTS[name], np.float32).reshape(-1, 2)


def _warp(picture: Image, move: NDArray[np.float64]) -> Image:
    size = (SIZE, SIZE)
    return cv2.warpAffine(picture, move, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _read(name: str) -> Image:
    folder = Path(os.environ.get("FSGAN_MEDIA", Path(__file__).parents[1] / "../shared/media"))
    picture = cv2.imread(str(folder / "portraits" / f"{name}.jpg"))
    if picture is None:
        raise SystemExit(f"{name}.jpg is not in {folder / 'portraits'}: set FSGAN_MEDIA to the folder of test pictures")
    return picture[..., ::-1].astype(np.float32) / 255


if __name__ == "__main__":
    main()

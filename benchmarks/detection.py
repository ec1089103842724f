"""Detector on the test media: faces found, false boxes, overlap with boxes checked by eye, time.

``python benchmarks/detection.py [--backend open] [--score S ...] [--sheet FILE] [--material DIR]``; media folder from
``FSGAN_MEDIA``. With training material, the portraits of its test split are searched too: as they are, and reduced to
faces of 48 px in the middle of 1280 x 720 frames.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from fsgan_core.ops.boxes import overlaps  # noqa: E402 (the package beside this folder)
from fsgan_core.stages.detection import DETECTORS, Detections, Detector  # noqa: E402
from fsgan_core.training.portraits import Portrait, read_portraits  # noqa: E402

Frame = NDArray[np.uint8]
Box = tuple[int, int, int, int]

FACES: dict[str, list[Box]] = {
    "art/vermeer_pearl.jpg": [(345, 395, 665, 768)],
    "edge/half_face_cut.jpg": [(-77, 88, 122, 340)],
    "edge/noface_cat.jpg": [],
    "edge/noface_grass.jpg": [],
    "edge/tiny_face.jpg": [],
    "identity/Family1-Dad1.jpg": [(27, 44, 173, 222)],
    "identity/Family1-Dad2.jpg": [(34, 75, 140, 203)],
    "identity/Family1-Dad3.jpg": [(10, 60, 114, 189)],
    "identity/Family1-Mom1.jpg": [(27, 60, 144, 196)],
    "identity/Family1-Mom2.jpg": [(13, 49, 100, 152)],
    "multi/azure_detection1.jpg": [(426, 102, 663, 372)],
    "multi/grid6_faces.jpg": [
        (129, 120, 351, 385),
        (612, 91, 823, 340),
        (1011, -49, 1382, 393),
        (170, 557, 290, 691),
        (633, 576, 814, 781),
        (1099, 571, 1260, 778),
    ],
    "portraits/alpha.png": [(153, 122, 328, 329)],
    "portraits/astronaut.png": [(178, 71, 270, 177)],
    "portraits/cmyk.jpg": [(135, 155, 355, 421)],
    "portraits/elder_wrinkles.jpg": [(83, 27, 433, 445)],
    "portraits/gray_L.jpg": [(157, 94, 305, 286)],
    "portraits/hard_backlight.jpg": [(138, 96, 297, 277)],
    "portraits/man_angry.jpg": [(114, 102, 366, 425)],
    "portraits/man_beard_hat.jpg": [(213, 95, 365, 269)],
    "portraits/man_blond_closeup.jpg": [(66, 37, 402, 426)],
    "portraits/man_evening.jpg": [(161, 109, 317, 304)],
    "portraits/man_glasses.jpg": [(141, 129, 323, 355)],
    "portraits/man_profile.jpg": [(90, 135, 280, 385)],
    "portraits/man_tilted_up_mouth_open.jpg": [(110, 114, 362, 382)],
    "portraits/occluded_scarf_mouth.jpg": [(159, 146, 331, 350)],
    "portraits/phone_exif6.jpg": [(213, 312, 712, 918)],
    "portraits/real_man_glasses_sad.jpg": [(259, 233, 486, 506)],
    "portraits/woman_asian_closeup.jpg": [(104, 49, 408, 407)],
    "portraits/woman_front_dark.jpg": [(106, 70, 398, 419)],
    "portraits/woman_hat_darkskin.jpg": [(137, 93, 348, 342)],
    "portraits/woman_headphones.jpg": [(138, 102, 301, 298)],
    "portraits/woman_smile_teeth.jpg": [(113, 102, 342, 365)],
    "portraits/woman_sunglasses.jpg": [(159, 103, 358, 339)],
    "portraits/woman_threequarter_scarf.jpg": [(175, 114, 347, 305)],
    "video/asl_again.mkv#0": [(288, 90, 357, 174)],
    "video/asl_again.mkv#38": [(286, 78, 352, 159)],
    "video/asl_book.mkv#0": [(273, 104, 329, 167)],
    "video/asl_book.mkv#54": [(274, 108, 329, 169)],
    "video/intel_head-pose-face-detection-female-and-male.mp4#0": [(71, 72, 134, 146), (328, 62, 389, 139)],
    "video/intel_head-pose-face-detection-female-and-male.mp4#28": [(298, 70, 370, 144), (33, 85, 100, 156)],
    "video/intel_head-pose-face-detection-male.mp4#0": [(211, 54, 281, 140)],
    "video/intel_head-pose-face-detection-male.mp4#31": [(213, 53, 284, 141)],
    "video/leaves_frame_d0.mp4#0": [(142, 162, 372, 435)],
    "video/leaves_frame_d0.mp4#39": [(172, 160, 399, 435)],
    "video/lp_d0.mp4#0": [(142, 162, 372, 435)],
    "video/lp_d0.mp4#39": [(140, 160, 367, 434)],
    "video/lp_d18.mp4#0": [(134, 144, 352, 412)],
    "video/lp_d18.mp4#108": [(134, 143, 352, 413)],
    "video/lp_d18_ntsc.webm#0": [(89, 96, 234, 274)],
    "video/lp_d18_ntsc.webm#45": [(90, 95, 234, 278)],
    "video/lp_d19.mp4#0": [(127, 132, 370, 413)],
    "video/lp_d19.mp4#125": [(125, 136, 367, 408)],
    "video/lp_d19_15fps.mp4#0": [(127, 132, 370, 413)],
    "video/lp_d19_15fps.mp4#22": [(126, 132, 371, 411)],
    "video/lp_d3.mp4#0": [(129, 147, 420, 487)],
    "video/lp_d3.mp4#177": [(151, 145, 434, 483)],
    "video/lp_d9.mp4#0": [(133, 114, 377, 404)],
    "video/lp_d9.mp4#293": [(145, 119, 388, 395)],
    "video/lp_s18_720p.mp4#0": [(651, 121, 883, 398)],
    "video/lp_s18_720p.mp4#141": [(619, 127, 847, 400)],
    "video/scenecut_d18_d3.mp4#0": [(134, 144, 352, 412)],
    "video/scenecut_d18_d3.mp4#50": [(122, 138, 394, 457)],
}
"""Picture, or video and frame: boxes of the faces a person would name.

From the landmarks of MediaPipe, checked and where they were wrong redrawn by eye.
"""

ALLOWED: dict[str, list[Box]] = {
    "edge/tiny_face.jpg": [(843, 409, 870, 449)],
    "portraits/woman_sunglasses.jpg": [(39, 167, 124, 256)],
    "portraits/occluded_scarf_mouth.jpg": [(425, 180, 472, 260)],
    "portraits/man_profile.jpg": [(18, 135, 50, 175)],
}
"""Faces that are too small, too blurred or painted in the background: neither expected nor false."""


@dataclass(frozen=True)
class Outcome:
    """One picture's result: overlaps of the expected faces' best boxes, and how many boxes are false."""

    overlaps: tuple[float, ...]
    false: int


def read(name: str) -> Frame:
    """The picture, upright RGB, or the frame of a video named ``file#index``."""
    media = Path(os.environ.get("FSGAN_MEDIA", ROOT.parent / "shared" / "media"))
    file, _, index = name.partition("#")
    if not index:
        return np.asarray(ImageOps.exif_transpose(Image.open(media / file)).convert("RGB"))
    with av.open(str(media / file)) as video:
        for number, frame in enumerate(video.decode(video=0)):
            if number == int(index):
                return frame.to_ndarray(format="rgb24")
    raise SystemExit(f"{name}: the video has fewer frames")


def judged(name: str, found: Detections) -> Outcome:
    """Compare boxes with the table: a hit overlaps by 0.5, a false box overlaps nothing named by 0.3."""
    expected = torch.tensor(FACES[name], dtype=torch.float32).reshape(-1, 4)
    named = torch.cat([expected, torch.tensor(ALLOWED.get(name, []), dtype=torch.float32).reshape(-1, 4)])
    boxes = torch.from_numpy(found.boxes)
    best = overlaps(expected[:, None], boxes[None]).amax(1) if len(boxes) else torch.zeros(len(expected))
    apart = overlaps(boxes[:, None], named[None]).amax(1) < 0.3 if len(named) else torch.ones(len(boxes))
    return Outcome(tuple(best.tolist()), int(apart.sum()))


def small(
    portrait: Portrait, height: int = 48, size: tuple[int, int] = (720, 1280)
) -> tuple[Frame, NDArray[np.float32]]:
    """The portrait with a face of a height in the middle of a large gray frame, and its box there."""
    scale = height / (portrait.box[3] - portrait.box[1])
    reduced = cv2.resize(portrait.levels[0], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    frame = np.full((*size, 3), 128, np.uint8)
    top, left = (size[0] - reduced.shape[0]) // 2, (size[1] - reduced.shape[1]) // 2
    frame[top : top + reduced.shape[0], left : left + reduced.shape[1]] = reduced
    return frame, np.asarray(portrait.box * scale + [left, top, left, top], np.float32)


def print_portraits(detector: Detector, material: Path) -> None:
    """Figures on the test split of the training material."""
    portraits = read_portraits(material, "test")
    kinds = {
        "portraits": [(p.levels[0], p.box) for p in portraits],
        "48 px in 1280 x 720": [small(p) for p in portraits],
    }
    for name, cases in kinds.items():
        best, false = [], 0
        for frame, box in cases:
            found = torch.from_numpy(detector([frame])[0].boxes)
            match = overlaps(found, torch.from_numpy(box)[None])
            best.append(float(match.max()) if len(match) else 0.0)
            false += int((match < 0.3).sum())
        hits = [value for value in best if value >= 0.5]
        print(f"{name}: {len(hits)}/{len(best)} found, {false} false, overlap {np.mean(hits or [0]):.3f}")


def above(found: Detections, score: float) -> Detections:
    """Only the boxes of at least this score."""
    keep = found.scores >= score
    return Detections(found.boxes[keep], found.scores[keep])


def tiles(frames: dict[str, Frame], found: dict[str, Detections], side: int = 256) -> Iterator[Frame]:
    """Small pictures with the boxes and scores drawn in."""
    for name, frame in frames.items():
        scale = side / max(frame.shape[:2])
        tile = np.zeros((side, side, 3), np.uint8)
        small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        tile[: small.shape[0], : small.shape[1]] = small
        for box, score in zip(found[name].boxes * scale, found[name].scores, strict=True):
            corners = [(int(box[0]), int(box[1])), (int(box[2]), int(box[3]))]
            cv2.rectangle(tile, corners[0], corners[1], (0, 255, 0), 1)
            cv2.putText(tile, f"{score:.2f}", (max(0, corners[0][0]), corners[1][1]), 0, 0.4, (255, 255, 0), 1)
        yield tile


def write_sheet(path: Path, found: dict[str, Detections], frames: dict[str, Frame], columns: int = 10) -> None:
    """A contact sheet of all detections."""
    drawn = list(tiles(frames, found))
    drawn += [np.zeros_like(drawn[0])] * (-len(drawn) % columns)
    rows = [np.concatenate(drawn[start : start + columns], 1) for start in range(0, len(drawn), columns)]
    Image.fromarray(np.concatenate(rows)).save(path)


def print_media(outcomes: dict[str, Outcome], score: float) -> None:
    """Totals, and the pictures with a face missed or a false box."""
    every = np.array([value for outcome in outcomes.values() for value in outcome.overlaps])
    hits, false = every[every >= 0.5], sum(outcome.false for outcome in outcomes.values())
    mean = hits.sum() / max(1, len(hits))
    print(f"score >= {score or 'default'}: {len(hits)}/{len(every)} found, {false} false, overlap {mean:.3f}")
    for name, outcome in outcomes.items():
        if min(outcome.overlaps, default=1) < 0.5 or outcome.false:
            print(f"  {name}: overlaps {[round(v, 2) for v in outcome.overlaps]}, {outcome.false} false")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", choices=list(DETECTORS), default="open")
    parser.add_argument("--score", type=float, nargs="*", default=[], help="more, higher thresholds to report")
    parser.add_argument("--material", type=Path, help="training material, for its test split")
    parser.add_argument("--sheet", type=Path, help="contact sheet to write")
    options = parser.parse_args()
    detector = DETECTORS[options.backend]("cpu")
    frames = {name: read(name) for name in FACES}
    found, seconds = {}, 0.0
    for name, frame in frames.items():
        start = time.perf_counter()
        found[name] = detector([frame])[0]
        seconds += time.perf_counter() - start
    for score in [0.0, *options.score]:
        print_media({name: judged(name, above(value, score)) for name, value in found.items()}, score)
    print(f"{1000 * seconds / len(frames):.0f} ms a picture, {torch.get_num_threads()} threads")
    if options.material:
        print_portraits(detector, options.material)
    if options.sheet:
        write_sheet(options.sheet, found, frames)


if __name__ == "__main__":
    main()

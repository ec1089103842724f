"""Landmarks on labelled portraits and on the test media: error, jitter, presence, agreement of backends, time.

``python benchmarks/landmarks.py [--material DIR] [--backend NAME ...]``; media folder from ``FSGAN_MEDIA``. Errors are
mean distances of the inner 51 iBUG points in percent of the distance between the outer eye corners. "dense" is the
default backend without its second network.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from fsgan_core.errors import WeightsError  # noqa: E402 (the package beside this folder)
from fsgan_core.media import Video, read_image  # noqa: E402
from fsgan_core.ops.face_model import poses  # noqa: E402
from fsgan_core.ops.smoothing import smooth  # noqa: E402
from fsgan_core.stages.detection import DETECTORS, Detector  # noqa: E402
from fsgan_core.stages.landmarks import LANDMARKERS, Landmarker  # noqa: E402
from fsgan_core.stages.measuring import JITTER  # noqa: E402
from fsgan_core.stages.open_landmarks import load_open_landmarker  # noqa: E402
from fsgan_core.stages.pose import load_face_model  # noqa: E402
from fsgan_core.training.labelled import Face, read_faces  # noqa: E402
from fsgan_core.training.landmarks import error, jittered_box  # noqa: E402

Floats = NDArray[np.float32]
Frame = NDArray[np.uint8]
BACKENDS = {**LANDMARKERS, "dense": lambda device: load_open_landmarker(device, local=None, irises=None)}
MEDIA = Path(os.environ.get("FSGAN_MEDIA", ROOT.parent / "shared" / "media"))


def box_of(points: Floats) -> Floats:
    """Tight box ``(4,)`` of landmarks."""
    return np.concatenate([points[:, :2].min(0), points[:, :2].max(0)]).astype(np.float32)


def labelled(material: Path, landmarker: Landmarker, detector: Detector) -> None:
    """Errors on the test split, from jittered label boxes and from detected ones."""
    faces = read_faces(material, "test")
    rng = np.random.default_rng(0)
    points = torch.from_numpy(np.stack([face.landmarks for face in faces]))
    yaw = poses(load_face_model(), points)[:, 0].abs().numpy()
    jittered = [jittered_box(face.landmarks, rng).astype(np.float32)[None] for face in faces]
    detected = [nearest(detector, face) for face in faces]
    print(f"{'yaw':>10} {'faces':>6} {'label box':>16} {'detected box':>16} {'not detected':>13}   mean / median %")
    columns = [errors(landmarker, faces, boxes) for boxes in (jittered, detected)]
    for low, high in ((0, 90), (0, 60), (0, 20), (20, 40), (40, 60), (60, 90)):
        group = (yaw >= low) & (yaw < high)
        cells = [column[group & np.isfinite(column)] for column in columns]
        texts = [f"{cell.mean():.2f} / {np.median(cell):.2f}" if len(cell) else "-" for cell in cells]
        missed = int(np.isnan(columns[1][group]).sum())
        print(f"{low:>4} to {high:<3} {group.sum():>5} {texts[0]:>16} {texts[1]:>16} {missed:>13}")


def nearest(detector: Detector, face: Face) -> Floats:
    """The detected box ``(0 or 1, 4)`` that lies over the labelled face."""
    middle = face.landmarks[:, :2].mean(0)
    boxes = detector([face.image])[0].boxes
    over = [box for box in boxes if (box[:2] < middle).all() and (middle < box[2:]).all()]
    return np.array(over[:1], np.float32).reshape(-1, 4)


def errors(landmarker: Landmarker, faces: list[Face], boxes: list[Floats]) -> NDArray[np.float64]:
    """Error of each face, NaN where there is no box."""
    found = [landmarker([face.image], [rows])[0] for face, rows in zip(faces, boxes, strict=True)]
    pairs = zip(found, faces, strict=True)
    return np.array([error(seen.points[0], face.landmarks) if len(seen) else np.nan for seen, face in pairs])


def follow(landmarker: Landmarker, frames: list[Frame], box: Floats, tracked: bool) -> Floats:
    """Landmarks ``(F, 478, 3)`` of one face in a clip, from its first box or from the frame before."""
    found: list[Floats] = []
    for frame in frames:
        before = [found[-1]] if tracked and found else None
        boxes = box if not found else box_of(found[-1][0])[None]
        found.append(landmarker([frame], [boxes], before)[0].points[:1])
    return np.concatenate(found)


def wobble(points: Floats) -> float:
    """Second differences of the inner points, root mean square in percent of the eye distance."""
    size = np.linalg.norm(points[:, 33, :2] - points[:, 263, :2], axis=1).mean()
    second = np.diff(points[..., :2], 2, axis=0)
    return float(100 * np.sqrt((second**2).sum(2).mean()) / size)


def steadiness(landmarker: Landmarker, detector: Detector) -> None:
    """Jitter on a noisy still and on a quiet clip: from boxes, tracked, tracked and smoothed."""
    still = read_image(MEDIA / "portraits" / "man_evening.jpg").frame
    rng = np.random.default_rng(0)
    noisy = [(still + rng.normal(0, 4, still.shape)).clip(0, 255).astype(np.uint8) for _ in range(40)]
    quiet = [frame for _, frame in zip(range(60), Video(MEDIA / "video" / "lp_d9.mp4"), strict=False)]
    for name, frames in (("noisy still", noisy), ("lp_d9, 60 frames", quiet)):
        box = detector(frames[:1])[0].boxes[:1]
        searched, tracked = (follow(landmarker, frames, box, flag) for flag in (False, True))
        jitter = JITTER * float(np.median(np.ptp(tracked[..., :2], axis=1)))
        calm = smooth(tracked, jitter=jitter)
        print(f"{name:>18}: boxes {wobble(searched):.2f}, tracked {wobble(tracked):.2f}, smoothed {wobble(calm):.2f} %")


def presence(landmarker: Landmarker, detector: Detector) -> None:
    """Scores on pictures without a face, on portraits, and while a face leaves the frame."""
    rng = np.random.default_rng(0)
    for path in sorted(MEDIA.glob("edge/noface_*.jpg")):
        frame = read_image(path).frame
        sides = rng.uniform(0.15, 0.9, 40) * min(frame.shape[:2])
        centres = rng.uniform(0.1, 0.9, (40, 2)) * frame.shape[1::-1]
        boxes = np.concatenate([centres - sides[:, None] / 2, centres + sides[:, None] / 2], 1).astype(np.float32)
        scores = landmarker([frame], [boxes])[0].scores
        print(f"{path.name:>18}: {(scores > 0.5).mean():.0%} of 40 crops above 0.5, mean {scores.mean():.2f}")
    frames = list(Video(MEDIA / "video" / "leaves_frame_d0.mp4"))
    points, line = None, []
    for frame in frames:
        boxes = detector([frame])[0].boxes[:1] if points is None else box_of(points[0])[None]
        found = landmarker([frame], [boxes], None if points is None else [points])[0]
        points = found.points if len(found) and found.scores[0] > 0.5 else None
        line.append(f"{found.scores[0]:.1f}" if len(found) else "-")
    print("    leaves_frame_d0:", " ".join(line[::6]))


def agreement(landmarkers: dict[str, Landmarker], detector: Detector) -> None:
    """Distance between backends on the same faces."""
    pictures = {path.name: read_image(path).frame for path in sorted((MEDIA / "portraits").iterdir())}
    boxes = {name: detector([frame])[0].boxes[:1] for name, frame in pictures.items()}
    seen = [name for name in pictures if len(boxes[name])]
    found = {key: {n: one([pictures[n]], [boxes[n]])[0] for n in seen} for key, one in landmarkers.items()}
    for one, other in combinations(landmarkers, 2):
        gaps = {n: error(found[one][n].points[0], found[other][n].points[0]) for n in seen if found[other][n].scores[0]}
        values = np.array(list(gaps.values()))
        worst = ", ".join(f"{n} {gaps[n]:.1f}" for n in sorted(gaps, key=lambda n: -gaps[n])[:4])
        print(
            f"{one} - {other}: mean {values.mean():.2f}, median {np.median(values):.2f} % ({len(gaps)}); worst {worst}"
        )


def speed(landmarker: Landmarker) -> None:
    """Processor time a frame with one face, over all threads: other load on the machine does not count."""
    frame = np.random.default_rng(0).integers(0, 255, (720, 1280, 3), np.uint8)
    box = np.array([[500, 200, 700, 440]], np.float32)
    points = [landmarker([frame], [box])[0].points]
    for name, before in (("from a box", None), ("tracking", points)):
        times = []
        for _ in range(30):
            start = time.process_time()
            landmarker([frame], [box], before)
            times.append(time.process_time() - start)
        print(f"{name:>18}: median {1000 * np.median(times):.1f} ms, fastest {1000 * min(times):.1f} ms")


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--material", type=Path, help="training material, for its labelled test split")
    parser.add_argument("--backend", nargs="*", default=list(BACKENDS), choices=list(BACKENDS))
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    detector, landmarkers = DETECTORS["open"]("cpu"), {}
    for name in options.backend:
        try:
            landmarkers[name] = BACKENDS[name]("cpu")
        except WeightsError as problem:
            print(f"{name} left out: {problem}")
    for name, landmarker in landmarkers.items():
        print(f"\n== {name}")
        if options.material:
            labelled(options.material, landmarker, detector)
        steadiness(landmarker, detector)
        presence(landmarker, detector)
        speed(landmarker)
    agreement(landmarkers, detector)


if __name__ == "__main__":
    main()

"""A tiny training folder in the layout of the real one, made of one public-domain portrait and plain pictures."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from fsgan_core.stages.open_landmarks import load_open_landmarker

SPLITS = ("train", "train", "val", "test")


@pytest.fixture(scope="session")
def training_material(face, tmp_path_factory) -> Path:
    """Folder with ``faces_ai``, ``faces_faker``, ``backgrounds`` and ``occluders``."""
    folder = tmp_path_factory.mktemp("material")
    box = np.array([[80, 70, 170, 190]], np.float32)
    (found,) = load_open_landmarker("cpu")([face], [box])
    for name in ("faces_ai", "faces_faker"):
        (folder / name).mkdir()
        labels, rows = [], []
        for number, split in enumerate(SPLITS):
            side = 192 + 16 * number
            file = f"{name}_{number}.jpg"
            image = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
            cv2.imwrite(str(folder / name / file), np.roll(image, number, -1)[..., ::-1])
            labels.append(found.points[0] * side / 256)
            rows.append(f"{file},{split},0,0,medium")
        text = "file,split,yaw_deg_approx,teeth_visible,skin\n" + "\n".join(rows) + "\n"
        (folder / name / "index.csv").write_text(text)
        files = np.array([f"{name}_{number}.jpg" for number in range(len(SPLITS))])
        np.savez(folder / name / "mp478.npz", files=files, lmk=np.stack(labels).astype(np.float16))
    rng = np.random.default_rng(0)
    for name, shape in (("backgrounds/noise.jpg", (160, 240, 3)), ("occluders/cloth.png", (40, 60, 4))):
        (folder / name).parent.mkdir()
        cv2.imwrite(str(folder / name), rng.integers(60, 255, shape, np.uint8))
    return folder

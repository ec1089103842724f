"""A tiny training folder in the layout of the real one; a rigged head of the bundled face model, with portraits."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from fsgan_core.ops.geometry import rotation_matrix
from fsgan_core.ops.landmarks import LEFT_IRIS, RIGHT_IRIS
from fsgan_core.stages.open_landmarks import load_open_landmarker
from fsgan_core.stages.pose import load_face_model
from fsgan_core.training.face_topology import unrolled
from fsgan_core.training.heads import WINDOW, Heads, build_heads
from fsgan_core.training.labelled import Face
from fsgan_core.training.rig import CHART, LEFT_BALL, RIGHT_BALL, SHEET, SKIN, TEETH, Rig


@pytest.fixture(scope="session")
def landmarks(face) -> np.ndarray:
    """Landmarks ``(478, 3)`` of the portrait in pixels."""
    (found,) = load_open_landmarker("cpu")([face], [np.array([[80, 70, 170, 190]], np.float32)])
    return found.points[0]


@pytest.fixture(scope="session")
def dataset(face, landmarks, tmp_path_factory) -> Path:
    """A dataset as ``fsgan dataset build`` leaves it: two people (one of them recoloured) of three pictures each."""
    folder = tmp_path_factory.mktemp("dataset")
    tracks = []
    for number, channels in enumerate(((0, 1, 2), (2, 0, 1))):
        clip = folder / "clips" / f"person-{number}"
        clip.mkdir(parents=True)
        points = []
        for row in range(3):
            matrix = np.array([[1 - 0.1 * row, 0, 20.0 * row], [0, 1, 0]])
            moved = cv2.warpAffine(np.ascontiguousarray(face[..., channels]), matrix, (256, 256))
            cv2.imwrite(str(clip / f"{row}.jpg"), moved[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 97])
            points.append(landmarks * (matrix[0, 0], 1, 1) + (matrix[0, 2], 0, 0))
        np.savez(clip / "face-0.npz", landmarks=np.stack(points).astype(np.float32), poses=np.zeros((3, 3), np.float32))
        entry = {"name": clip.name, "person": clip.name, "arrays": f"clips/{clip.name}/face-0.npz"}
        tracks.append(entry | {"files": [f"clips/{clip.name}/{row}.jpg" for row in range(3)], "rows": [0, 1, 2]})
    (folder / "index.json").write_text(json.dumps({"version": 1, "options": {}, "tracks": tracks}))
    return folder


SPLITS = ("train", "train", "val", "test")
PARTS = (SKIN, TEETH, RIGHT_BALL, LEFT_BALL)


@pytest.fixture(scope="session")
def training_material(face, landmarks, tmp_path_factory) -> Path:
    """Folder with ``faces_ai``, ``faces_faker``, ``backgrounds`` and ``occluders``."""
    folder = tmp_path_factory.mktemp("material")
    for name in ("faces_ai", "faces_faker"):
        (folder / name).mkdir()
        labels, rows = [], []
        for number, split in enumerate(SPLITS):
            side = 192 + 16 * number
            file = f"{name}_{number}.jpg"
            image = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
            cv2.imwrite(str(folder / name / file), np.roll(image, number, -1)[..., ::-1])
            labels.append(landmarks * side / 256)
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


@pytest.fixture(scope="session")
def model():
    return load_face_model()


@pytest.fixture(scope="session")
def rig(model):
    """The 478 landmarks as a head: skin around, eyes and mouth as flat patches between lids and lips."""
    chart = torch.from_numpy(unrolled(model.mean.double().numpy())).float()
    low, high = chart.amin(0), chart.amax(0)
    balls = torch.zeros(478, dtype=torch.int64)
    balls[list(RIGHT_IRIS)], balls[list(LEFT_IRIS)] = RIGHT_BALL, LEFT_BALL
    centres = model.mean[[RIGHT_IRIS[0], LEFT_IRIS[0]]] + torch.tensor([0, 0, 0.15])
    expression = model.expression.clone()
    expression[:, balls > 0] = 0
    return Rig(
        neutral=model.mean,
        identity=model.identity,
        expression=expression,
        names=model.names,
        triangles=model.triangles,
        parts=torch.tensor(PARTS)[model.regions.long()],
        place=2 + (chart - low) / (high - low) * torch.tensor([CHART - 4.0, SHEET[0] - 4.0]),
        shade=torch.ones(478),
        fade=torch.ones(1, 1, *SHEET),
        corners=torch.arange(478)[:, None].expand(-1, 3).clone(),
        weights=torch.tensor([[1.0, 0, 0]]).expand(478, -1).clone(),
        balls=balls,
        centres=centres,
        spread=torch.eye(478)[:, :468] * (balls == 0)[:, None],
    )


def portrait(model, yaw=0.0, seed=0, size=480):
    """A picture of smooth colours with a face's landmarks on it."""
    rng = np.random.default_rng(seed)
    shape = model.mean + torch.einsum("k,kpd->pd", torch.from_numpy(rng.normal(0, 0.5, 60)).float(), model.identity)
    points = shape @ rotation_matrix(torch.tensor([[yaw, 4.0, 2.0]]))[0].mT * 110
    points = (points + torch.tensor([size / 2, size / 2, 0.0])).numpy()
    y, x = np.indices((size, size)) / size
    waves = [128 + 90 * np.sin(a * x + b * y + c) for a, b, c in rng.uniform(-9, 9, (3, 3))]
    return Face(f"p{seed}", np.stack(waves, 2).astype(np.uint8), points.astype(np.float32))


@pytest.fixture(scope="session")
def faces(model):
    return [portrait(model, yaw, seed) for seed, yaw in enumerate((0.0, -20.0, 15.0))]


@pytest.fixture(scope="session")
def heads(faces, rig, model) -> Heads:
    return build_heads(faces, rig, model)


@pytest.fixture(scope="session")
def middle():
    """Origin and size of a square in the middle of the portraits' windows."""
    return float(WINDOW / 2 - 128), 128
